//! The outbox over real sockets.

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client::TlsStream as TlsClient, server::TlsStream as TlsServer,
};

use super::*;
use crate::config::OUTBOX_BYTES;

const DEADLINE: Duration = Duration::from_secs(10);

async fn sockets() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (here, _) = listener.accept().await.unwrap();
    here.writable().await.unwrap();
    (Arc::new(here), there)
}

async fn pair() -> (Outbox, TcpStream) {
    let (here, there) = sockets().await;
    let outbox = Outbox::default();
    outbox.open(here, None);
    (outbox, there)
}

fn numbered(n: u32) -> Bytes {
    let mut bytes = vec![b'.'; 10_000];
    bytes[..8].copy_from_slice(format!("{n:08}").as_bytes());
    Bytes::from(bytes)
}

#[tokio::test]
async fn a_frame_is_written_at_once_where_the_socket_takes_it() {
    let (outbox, mut there) = pair().await;
    outbox.send(&Bytes::from_static(b"now"));
    assert!(!outbox.is_waiting());
    let mut read = [0; 3];
    timeout(DEADLINE, there.read_exact(&mut read)).await.unwrap().unwrap();
    assert_eq!(&read, b"now");
}

#[tokio::test]
async fn what_waits_goes_out_whole_and_in_order() {
    let (here, mut there) = sockets().await;
    let outbox = Outbox::default();
    outbox.open(here.clone(), None);
    let mut sent = 0;
    while !outbox.is_waiting() {
        outbox.send(&numbered(sent));
        sent += 1;
    }
    for _ in 0..70 {
        outbox.send(&numbered(sent));
        sent += 1;
    }
    let flush = async {
        while outbox.is_waiting() {
            here.ready(Interest::WRITABLE).await.unwrap();
            outbox.flush();
        }
    };
    let read = async {
        for n in 0..sent {
            let mut frame = vec![0; 10_000];
            there.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame, numbered(n), "frame {n}");
        }
    };
    timeout(DEADLINE, async { tokio::join!(flush, read) }).await.unwrap();
    assert_eq!(outbox.phase(), Phase::Open);
    assert_eq!(outbox.queue().bytes(), 0);
}

#[tokio::test]
async fn what_is_sent_before_it_is_opened_goes_out_first() {
    let (here, mut there) = sockets().await;
    let outbox = Outbox::default();
    outbox.send(&Bytes::from_static(b"one "));
    outbox.send(&Bytes::from_static(b"two "));
    assert!(outbox.is_waiting());
    outbox.open(here, None);
    assert!(!outbox.is_waiting());
    outbox.close(CloseCode::GoingAway, "bye");
    drop(outbox);
    let mut read = Vec::new();
    timeout(DEADLINE, there.read_to_end(&mut read)).await.unwrap().unwrap();
    assert_eq!(read, b"one two \x88\x05\x03\xe9bye");
}

#[tokio::test]
async fn a_client_that_never_reads_overflows_and_holds_nothing() {
    let (outbox, _there) = pair().await;
    let frame = numbered(0);
    // The kernel takes some megabytes before anything waits.
    for _ in 0..100_000 {
        outbox.send(&frame);
        assert!(outbox.queue().bytes() <= OUTBOX_BYTES);
        if outbox.phase() != Phase::Open {
            break;
        }
    }
    assert_eq!(outbox.phase(), Phase::Cut(CutOff::Overflow));
    assert!(!outbox.is_waiting());
    timeout(DEADLINE, outbox.changed()).await.unwrap();
}

#[tokio::test]
async fn only_a_queue_without_progress_is_stalled() {
    let (outbox, _there) = pair().await;
    let later = Instant::now() + Duration::from_mins(1);
    outbox.cut_off_if_stalled(later, Duration::from_secs(5));
    assert_eq!(outbox.phase(), Phase::Open, "nothing waits");
    while !outbox.is_waiting() {
        outbox.send(&numbered(0));
    }
    outbox.cut_off_if_stalled(Instant::now(), Duration::from_secs(5));
    assert_eq!(outbox.phase(), Phase::Open, "it has just begun to wait");
    outbox.cut_off_if_stalled(later, Duration::from_secs(5));
    assert_eq!(outbox.phase(), Phase::Cut(CutOff::Stalled));
}

/// Both ends of a socket over TLS, after its handshake.
async fn sealed_pair() -> (TlsClient<TcpStream>, TlsServer<TcpStream>) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let cert = cert.self_signed(&key).unwrap().der().clone();
    let provider = || Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (here, _) = listener.accept().await.unwrap();
    let name = "localhost".try_into().unwrap();
    let (there, here) = tokio::join!(
        TlsConnector::from(Arc::new(client)).connect(name, there),
        TlsAcceptor::from(Arc::new(server)).accept(here),
    );
    (there.unwrap(), here.unwrap())
}

#[tokio::test]
async fn what_waits_in_the_seal_arrived_when_its_record_did() {
    const BUSY: Duration = Duration::from_millis(50);
    let (mut there, here) = sealed_pair().await;
    let (here, session) = here.into_inner();
    let (here, outbox) = (Arc::new(here), Outbox::default());
    outbox.open(here.clone(), Some(Seal::new(session)));
    there.write_all(b"bang probe").await.unwrap();
    there.flush().await.unwrap();

    let mut buffer = [0; 5];
    let first = loop {
        here.readable().await.unwrap();
        match outbox.read_sealed(&mut buffer) {
            Ok((count, arrived)) => break (count, arrived),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    };
    assert_eq!((first.0, &buffer), (5, b"bang "));
    // What the first of them asks for takes a while.
    std::thread::sleep(BUSY);
    let second = outbox.read_sealed(&mut buffer).unwrap();
    assert_eq!((second, &buffer), (first, b"probe"));
}

#[tokio::test]
async fn a_cut_leaves_nothing_in_the_kernel() {
    // Cut off before its socket is there, or with it.
    for is_early in [true, false] {
        let (here, mut there) = sockets().await;
        let outbox = Outbox::default();
        if is_early {
            // Something that the kernel holds, from before.
            while here.try_write(&numbered(0)).is_ok() {}
            outbox.cut_off(CutOff::Silent);
        }
        outbox.open(here, None);
        while !is_early && !outbox.is_waiting() {
            outbox.send(&numbered(0));
        }
        outbox.cut_off(CutOff::Stalled);
        drop(outbox);
        let read = timeout(DEADLINE, there.read_to_end(&mut Vec::new())).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset, "early: {is_early}");
    }
}

#[tokio::test]
async fn nothing_follows_a_close_frame() {
    let (outbox, mut there) = pair().await;
    outbox.close(CloseCode::GoingAway, "bye");
    outbox.send(&Bytes::from_static(b"more"));
    drop(outbox);
    let mut read = Vec::new();
    timeout(DEADLINE, there.read_to_end(&mut read)).await.unwrap().unwrap();
    assert_eq!(read, b"\x88\x05\x03\xe9bye");
}

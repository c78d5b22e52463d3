//! The outbox over real sockets.

use tokio::{
    io::{AsyncReadExt as _, Interest},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

async fn sockets() -> (Arc<Transport>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (here, _) = listener.accept().await.unwrap();
    here.writable().await.unwrap();
    (Arc::new(Transport::plain(here)), there)
}

async fn pair() -> (Outbox, TcpStream) {
    let (here, there) = sockets().await;
    let outbox = Outbox::default();
    outbox.open(here);
    (outbox, there)
}

fn numbered(n: u32) -> Bytes {
    let mut bytes = vec![b'.'; 10_000];
    bytes[..8].copy_from_slice(format!("{n:08}").as_bytes());
    Bytes::from(bytes)
}

#[tokio::test]
async fn a_frame_is_written_at_once_if_the_socket_accepts_it() {
    let (outbox, mut there) = pair().await;
    outbox.send(&Bytes::from_static(b"now"));
    assert!(!outbox.is_waiting());
    let mut read = [0; 3];
    timeout(DEADLINE, there.read_exact(&mut read)).await.unwrap().unwrap();
    assert_eq!(&read, b"now");
}

#[tokio::test]
async fn queued_frames_are_written_whole_and_in_order() {
    let (here, mut there) = sockets().await;
    let outbox = Outbox::default();
    outbox.open(here.clone());
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
async fn frames_from_before_the_opening_are_written_first() {
    let (here, mut there) = sockets().await;
    let outbox = Outbox::default();
    outbox.send(&Bytes::from_static(b"one "));
    outbox.send(&Bytes::from_static(b"two "));
    assert!(outbox.is_waiting());
    outbox.open(here);
    assert!(!outbox.is_waiting());
    outbox.close(CloseCode::GoingAway, "bye");
    drop(outbox);
    let mut read = Vec::new();
    timeout(DEADLINE, there.read_to_end(&mut read)).await.unwrap().unwrap();
    assert_eq!(read, b"one two \x88\x05\x03\xe9bye");
}

#[tokio::test]
async fn a_client_that_never_reads_overflows_and_its_queue_is_freed() {
    let (outbox, _there) = pair().await;
    let frame = numbered(0);
    // The kernel accepts some megabytes before anything waits.
    for _ in 0..100_000 {
        outbox.send(&frame);
        assert!(outbox.queue().bytes() <= MAX_OUTBOX_BYTES);
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
    assert_eq!(outbox.phase(), Phase::Open, "the queue is new");
    outbox.cut_off_if_stalled(later, Duration::from_secs(5));
    assert_eq!(outbox.phase(), Phase::Cut(CutOff::Stalled));
}

#[tokio::test]
async fn cutting_off_discards_what_the_kernel_holds() {
    // Cut off before and after the opening.
    for is_early in [true, false] {
        let (here, mut there) = sockets().await;
        let outbox = Outbox::default();
        if is_early {
            // Bytes that the kernel holds from before.
            while here.try_write(&numbered(0)).is_ok() {}
            outbox.cut_off(CutOff::Silent);
        }
        outbox.open(here);
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

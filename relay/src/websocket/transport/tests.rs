//! The transport over real TLS sockets.

use std::{io::ErrorKind, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client::TlsStream as TlsClient, server::TlsStream as TlsServer,
};

use super::*;

/// Both ends of a TLS connection, after the handshake.
async fn tls_pair() -> (TlsClient<TcpStream>, TlsServer<TcpStream>) {
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
async fn bytes_kept_in_the_tls_session_arrived_with_their_record() {
    const BUSY: Duration = Duration::from_millis(50);
    let (mut there, here) = tls_pair().await;
    let (socket, session) = here.into_inner();
    let here = Transport::tls(socket, session);
    there.write_all(b"bang probe").await.unwrap();
    there.flush().await.unwrap();

    let mut buffer = [0; 5];
    let first = loop {
        here.ready(Interest::READABLE).await.unwrap();
        match here.read(&mut buffer) {
            Ok((count, arrived)) => break (count, arrived),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    };
    assert_eq!((first.0, &buffer), (5, b"bang "));
    // Processing the first message takes a while.
    std::thread::sleep(BUSY);
    let second = here.read(&mut buffer).unwrap();
    assert_eq!((second, &buffer), (first, b"probe"));
}

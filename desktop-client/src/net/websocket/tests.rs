//! The WebSocket over a real socket: refusals, and a relay that does not read.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tungstenite::handshake::server::{Request, Response};

use super::*;

#[tokio::test]
async fn a_refused_host_name_is_told_apart_from_a_server_that_is_no_relay() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let response = "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n";
        socket.write_all(response.as_bytes()).await.unwrap();
        socket
    };
    let address = format!("localhost:{port}").parse().unwrap();
    let (connected, _socket) =
        tokio::join!(WebSocket::connect(address, LocalClock::start()), answer);
    let error = connected.unwrap_err();
    assert!(error.is_refusal());
    let reason = error.to_string();
    assert!(reason.contains("does not accept the name 'localhost'"), "{reason}");
    assert!(reason.contains(&format!("--allow-origin http://localhost:{port}")), "{reason}");
}

/// A WebSocket to a relay that reads nothing, with some of what was sent still buffered; and how many
/// messages that were.
async fn full() -> (WebSocket, WebSocketStream<TcpStream>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let accept = async {
        let (socket, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's own")]
        let grant = |_: &Request, mut response: Response| {
            let name = HeaderValue::from_static(SUBPROTOCOL);
            response.headers_mut().insert("Sec-WebSocket-Protocol", name);
            Ok(response)
        };
        tokio_tungstenite::accept_hdr_async(socket, grant).await.unwrap()
    };
    let address = address.parse().unwrap();
    let (socket, relay) = tokio::join!(WebSocket::connect(address, LocalClock::start()), accept);
    let mut socket = socket.unwrap();
    let mut sent = 0;
    while !is_full(&mut socket).await {
        timed_send(&mut socket, "x".repeat(16 << 10));
        sent += 1;
    }
    (socket, relay, sent)
}

/// Whether data is still buffered after a while of sending. The runtime limits how often a task writes
/// before it must yield, and what is buffered for that reason alone is sent soon.
async fn is_full(socket: &mut WebSocket) -> bool {
    tokio::task::yield_now().await;
    if socket.send_deadline.is_none() {
        return false;
    }
    let received_nothing = timeout(SEND_TIMEOUT / 10, socket.next_text()).await.is_err();
    received_nothing && socket.send_deadline.is_some()
}

/// Sends, and asserts that this did not wait.
fn timed_send(socket: &mut WebSocket, text: String) {
    let began = std::time::Instant::now();
    socket.send(text).unwrap();
    let took = began.elapsed();
    assert!(took < SEND_TIMEOUT / 3, "one text took {took:?}");
}

#[tokio::test]
async fn a_full_socket_does_not_block_and_is_given_up_after_the_timeout() {
    let (mut socket, _relay, _) = full().await;
    timed_send(&mut socket, "a stop".to_owned());
    assert!(matches!(socket.next_text().await, Err(ConnectionError::SendStalled)));
}

#[tokio::test]
async fn buffered_texts_are_sent_once_the_relay_reads() {
    let (mut socket, mut relay, sent) = full().await;
    timed_send(&mut socket, "a stop".to_owned());
    let read = async {
        for _ in 0..sent {
            assert_eq!(relay.next().await.unwrap().unwrap().len(), 16 << 10);
        }
        assert_eq!(relay.next().await.unwrap().unwrap(), Message::text("a stop"));
        relay.send(Message::text("received")).await.unwrap();
    };
    let (received, ()) = tokio::join!(socket.next_text(), read);
    assert_eq!(received.unwrap().0.as_str(), "received");
    assert!(socket.send_deadline.is_none());
}

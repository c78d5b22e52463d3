//! Shutdown by a signal.

use std::time::Instant;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{
    common::{DEADLINE, Raw},
    *,
};

#[tokio::test]
async fn sigterm_and_sigint_close_all_connections_and_exit_with_0() {
    for sent in [Signal::TERM, Signal::INT] {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]);
        let (mut relay, address) = Relay::start(command).await;
        let url = format!("ws://{address}/");
        let mut client = within(Box::pin(connect_async(&url))).await.unwrap().0;
        // A client that never reads and never answers must not delay it.
        let _not_reading = Raw::open(address, "", b"").await;
        // Nor one without a request.
        let _slow = within(TcpStream::connect(address)).await.unwrap();

        let started = Instant::now();
        signal(&relay, sent);
        let Some(Ok(Message::Close(Some(close)))) = within(client.next()).await else {
            panic!("not a close frame");
        };
        assert_eq!(u16::from(close.code), 1001);
        assert_eq!(relay.ended().await.code(), Some(0), "{sent:?}");
        assert!(started.elapsed().as_secs() < 5 && started.elapsed() < DEADLINE);
    }
}

//! The log on stderr.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, connect_async};

use super::{
    common::{Raw, bang, masked, player_at, request},
    *,
};

/// How many warnings the program logs with these arguments.
async fn warnings(arguments: &[&str]) -> usize {
    let mut command = program();
    command.args(arguments);
    let (mut relay, _) = Relay::start(command).await;
    relay.log_to_the_end().await.lines().filter(|line| line.contains(" WARN ")).count()
}

#[tokio::test]
async fn exposure_is_warned_about_once_and_only_on_a_network() {
    assert_eq!(warnings(&["--listen", "127.0.0.1:0"]).await, 0);
    assert_eq!(warnings(&["--listen", "0.0.0.0:0"]).await, 1);
    assert_eq!(warnings(&["--listen", "0.0.0.0:0", "--token", "lab"]).await, 1);
}

#[tokio::test]
async fn an_unread_log_blocks_nobody() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--log", "debug", "--messages", "100000"]);
    let (mut relay, address) = Relay::start(command).await;
    let mut client = player_at(address, "one").await.0;
    // More than a pipe and the log's queue hold.
    for burst in 0..6 {
        for _ in 0..1000 {
            client.send(bang("click")).await;
        }
        for seq in 1..=1000 {
            assert_eq!(client.receive_trigger().await.seq, burst * 1000 + seq);
        }
    }
    let started = Instant::now();
    signal(&relay, Signal::TERM);
    assert_eq!(relay.ended().await.code(), Some(0));
    assert!(started.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn exhausted_file_descriptors_are_logged_once() {
    let mut command = Command::new("sh");
    let relay = env!("CARGO_BIN_EXE_downbeat-relay");
    command.args(["-c", "ulimit -n 40 && exec \"$0\" --listen 127.0.0.1:0", relay]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut relay, address) = Relay::start(command).await;
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(within(TcpStream::connect(address)).await.unwrap());
    }
    // Long enough for several accepts to fail.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(held);
    let answer = request(address, "GET /healthz HTTP/1.1\r\n").await;
    assert_eq!(answer.status, 200);
    let log = relay.log_to_the_end().await;
    assert_eq!(log.matches("cannot accept connections").count(), 1, "{log}");
}

#[tokio::test]
async fn the_log_has_the_address_of_each_client() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]);
    let (mut relay, address) = Relay::start(command).await;
    let (client, _) = within(Box::pin(connect_async(format!("ws://{address}/")))).await.unwrap();
    let MaybeTlsStream::Plain(socket) = client.get_ref() else { panic!("it speaks no TLS") };
    let addr = format!("addr={}", socket.local_addr().unwrap());
    let log = relay.log_to_the_end().await;
    let line = log.lines().find(|line| line.contains(" client_connected ")).expect(&log);
    assert!(line.contains(&addr) && line.contains("id=1 "), "{line}");
}

#[tokio::test]
async fn the_log_has_no_control_characters_from_clients() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--log", "trace"]);
    let (mut relay, address) = Relay::start(command).await;
    let hello = br#"{"type":"hello","name":"a\u001b[2Jb","kind":"page","client":"x\u001b\ny"}"#;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let early = masked(0x81, hello);
    let mut raw = Raw::open(address, protocol, &early).await;
    raw.frame().await;
    raw.write(&masked(0x81, br#"{"type":"\u001b]0;x"}"#)).await;
    raw.frame().await;
    let log = relay.log_to_the_end().await;
    assert!(log.contains("name=a[2Jb"), "{log}");
    assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
}

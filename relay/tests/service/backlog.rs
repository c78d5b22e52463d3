//! All outboxes together are bounded: clients that do not read are disconnected, the slowest first.

use std::io::ErrorKind;

use downbeat_protocol::{ClientToRelay, TriggerRequest, encode};
use downbeat_relay::config::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::common::{self, TestRelay, masked, within};

const MIB: usize = 1 << 20;

/// How many clients do not read.
const NOT_READING: usize = 8;

/// A trigger whose frame has 4 KiB.
fn large_trigger() -> ClientToRelay {
    let data = Some("x".repeat(4000).into());
    ClientToRelay::Trigger(TriggerRequest { data, ..TriggerRequest::default() })
}

/// A client of `downbeat.v1` that sends its hello and reads nothing.
async fn not_reading(relay: &TestRelay) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = within(socket.connect(relay.address)).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: downbeat.v1\r\n\r\n",
        relay.address
    );
    within(socket.write_all(head.as_bytes())).await.unwrap();
    let hello = masked(0x81, encode(&common::hello("not-reading")).as_bytes());
    within(socket.write_all(&hello)).await.unwrap();
    socket
}

/// What waits for all clients, in bytes.
async fn backlog(relay: &TestRelay) -> usize {
    let metrics = String::from_utf8(relay.get("/metrics", "").await.body).unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("downbeat_backlog_bytes "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_slowest_clients_are_disconnected_before_the_backlog_exceeds_its_limit() {
    let config = Config { backlog_mib: 1, messages: 1_000_000, ..Config::default() };
    let relay = TestRelay::with(config).await;
    let mut loud = relay.player("loud").await.0;
    // The first client has the longest queue when the others connect.
    let mut first = not_reading(&relay).await;
    relay.until_clients(2).await;
    while backlog(&relay).await < MIB / 4 {
        loud.send(large_trigger()).await;
        loud.receive_trigger().await;
    }
    let mut others = Vec::new();
    for _ in 1..NOT_READING {
        others.push(not_reading(&relay).await);
    }
    relay.until_clients(1 + NOT_READING).await;

    let disconnected =
        |health: &serde_json::Value| health["clients_disconnected"]["backlog"].as_u64().unwrap();
    while disconnected(&relay.health().await) == 0 {
        loud.send(large_trigger()).await;
        loud.receive_trigger().await;
        assert!(backlog(&relay).await <= MIB);
    }
    // What the kernel held for it was discarded: it reads a reset.
    let mut unread = Vec::new();
    let end = within(first.read_to_end(&mut unread)).await.expect_err("still connected");
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    // The others are unaffected, and a new client finds space.
    let mut late = relay.player("late").await.0;
    late.settle().await;
    loud.settle().await;
    let health = relay.health().await;
    assert_eq!(health["total"], NOT_READING + 1);
    for reason in ["overflow", "stalled", "silent"] {
        assert_eq!(health["clients_disconnected"][reason], 0, "{reason}");
    }
}

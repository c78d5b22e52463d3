//! What waits for all clients together is bounded: those who do not read are cut off, the slowest first.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

mod common;

use std::io::ErrorKind;

use common::{Running, masked, within};
use downbeat_protocol::{ClientToRelay, TriggerRequest, encode};
use downbeat_relay::config::{Config, MIB};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

/// Clients that do not read.
const DEAF: usize = 8;

/// A bang that is told in some 4 KiB.
fn large_bang() -> ClientToRelay {
    let data = Some("x".repeat(4000).into());
    ClientToRelay::Trigger(TriggerRequest { data, ..TriggerRequest::default() })
}

/// A client of `downbeat.v1` that says hello, and reads nothing of what it is told.
async fn deaf(relay: &Running) -> TcpStream {
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
    let hello = masked(0x81, encode(&common::hello("deaf")).as_bytes());
    within(socket.write_all(&hello)).await.unwrap();
    socket
}

/// What waits for all clients of a relay, in bytes.
async fn backlog(relay: &Running) -> usize {
    let metrics = String::from_utf8(relay.get("/metrics", "").await.body).unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("downbeat_backlog_bytes "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_slowest_are_cut_off_before_more_waits_for_all_than_may() {
    let config = Config { backlog_mib: 1, messages: 1_000_000, ..Config::default() };
    let relay = Running::with(config).await;
    let mut loud = relay.player("loud").await.0;
    // The first has not read for longest when the others come.
    let mut first = deaf(&relay).await;
    relay.until_here(2).await;
    while backlog(&relay).await < MIB / 4 {
        loud.say(large_bang()).await;
        loud.hear_trigger().await;
    }
    let mut others = Vec::new();
    for _ in 1..DEAF {
        others.push(deaf(&relay).await);
    }
    relay.until_here(1 + DEAF).await;

    let cut_off = |health: &serde_json::Value| health["cut_off"]["backlog"].as_u64().unwrap();
    while cut_off(&relay.health().await) == 0 {
        loud.say(large_bang()).await;
        loud.hear_trigger().await;
        assert!(backlog(&relay).await <= MIB);
    }
    // What the kernel held for it was dropped with it: what it reads ends with a reset.
    let mut unread = Vec::new();
    let end = within(first.read_to_end(&mut unread)).await.expect_err("it is still there");
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
    // Nobody else was harmed, and there is room for one who comes now.
    let mut late = relay.player("late").await.0;
    late.settle().await;
    loud.settle().await;
    let health = relay.health().await;
    assert_eq!(health["total"], DEAF + 1);
    for reason in ["overflow", "stalled", "silent"] {
        assert_eq!(health["cut_off"][reason], 0, "{reason}");
    }
}

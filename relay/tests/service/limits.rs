//! Limits: message rates, and the number of connections.

use downbeat_protocol::{ClientToRelay, ErrorCode, TriggerRequest};
use downbeat_relay::config::Config;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use crate::common::{self, TestRelay, bang, masked, within};

#[tokio::test]
async fn a_client_beyond_its_rate_gets_errors_and_is_then_closed() {
    let relay = TestRelay::with(Config { messages: 100, ..Config::default() }).await;
    let (mut listener, _) = relay.player("listener").await;
    let (mut talker, _) = relay.player("talker").await;
    let sending = async {
        for _ in 0..1000 {
            talker.send(bang("click")).await;
        }
    };
    within(sending).await;
    let (mut received, mut errors) = (0, 0);
    let code = loop {
        match within(futures_util::StreamExt::next(&mut talker.0)).await {
            Some(Ok(Message::Close(close))) => break close.map(|close| u16::from(close.code)),
            Some(Ok(Message::Text(text))) if text.contains("\"too_many\"") => errors += 1,
            Some(Ok(Message::Text(text))) if text.starts_with("{\"type\":\"trigger\"") => {
                received += 1;
            }
            Some(Ok(_)) => {}
            other => panic!("no close frame: {other:?}"),
        }
    };
    assert_eq!(code, Some(1008));
    assert!(errors >= 1, "no error was sent");
    // Every allowed trigger reached the others. The sender may have been closed before the last of them.
    let health = relay.health().await;
    let allowed = health["triggers"].as_u64().unwrap();
    assert!((390..800).contains(&allowed) && received <= allowed, "{health}");
    assert!(health["rate_limited"].as_u64().unwrap() >= 200);
    assert!(health["clients_disconnected"]["violation"] == 1, "{health}");
    for seq in 1..=allowed {
        assert_eq!(listener.receive_trigger().await.seq, seq);
    }
    listener.settle().await;
}

/// How many of these texts are processed before the first that is beyond the rate.
async fn processed(relay: &TestRelay, text: &str) -> u64 {
    let (mut player, _) = relay.player("one").await;
    let before = relay.health().await["messages_refused"].as_u64().unwrap();
    within(async {
        for _ in 0..60 {
            player.send_text(text).await;
        }
    })
    .await;
    loop {
        if player.receive_error().await.code == ErrorCode::TooMany {
            return relay.health().await["messages_refused"].as_u64().unwrap() - before - 1;
        }
    }
}

#[tokio::test]
async fn what_is_refused_or_changes_nothing_costs_what_it_makes_the_relay_look_at() {
    let relay = TestRelay::with(Config { messages: 20, ..Config::default() }).await;
    // 20 kB at once, and a list of six sounds has more than one.
    let unknown = "0".repeat(64);
    let edit = json!({"type": "edit_sounds", "sounds": [{"hash": unknown, "removed": true}]});
    let allowed = processed(&relay, &edit.to_string()).await;
    assert!((12..24).contains(&allowed), "{allowed}");
}

#[tokio::test]
async fn pings_and_the_tutorial_wire_have_the_same_rate_limit() {
    let relay = TestRelay::with(Config { messages: 10, ..Config::default() }).await;
    for flood in [masked(0x89, b"?"), masked(0x81, b"trigger-input"), masked(0x82, b"")] {
        let mut raw = common::Raw::open(relay.address, "", b"").await;
        raw.write(&flood.repeat(100)).await;
        let mut received = 0;
        let code = loop {
            match raw.frame().await {
                (0x88, payload) => break u16::from_be_bytes([payload[0], payload[1]]),
                _ => received += 1,
            }
        };
        assert_eq!(code, 1008);
        assert!(received <= 90, "{received}");
    }
}

#[tokio::test]
async fn a_full_relay_answers_503_until_a_client_leaves() {
    let relay = TestRelay::with(Config { connections: 2, ..Config::default() }).await;
    let first = relay.tutorial().await;
    let _second = relay.tutorial().await;
    let mut rejected = Vec::new();
    let mut third = within(TcpStream::connect(relay.address)).await.unwrap();
    within(third.read_to_end(&mut rejected)).await.unwrap();
    let response = String::from_utf8(rejected).unwrap();
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("full"), "{response}");
    drop(first);
    let deadline = tokio::time::Instant::now() + common::DEADLINE;
    loop {
        let mut again = within(TcpStream::connect(relay.address)).await.unwrap();
        again.write_all(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = within(again.read_to_end(&mut answer)).await;
        if answer.starts_with(b"HTTP/1.1 200 ") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "still full");
    }
}

#[tokio::test]
async fn large_triggers_disconnect_nobody_who_pauses() {
    let relay = TestRelay::start().await;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let hello = br#"{"type":"hello","name":"paused","kind":"remote","client":"t"}"#;
    let mut paused = common::Raw::open(relay.address, protocol, &masked(0x81, hello)).await;
    socket2::SockRef::from(&paused.0).set_recv_buffer_size(4096).unwrap();
    relay.until_clients(1).await;
    let (mut sender, _) = relay.player("sender").await;
    let request = TriggerRequest { data: Some(json!("x".repeat(4000))), ..Default::default() };
    let started = std::time::Instant::now();
    for _ in 0..500 {
        sender.send(ClientToRelay::Trigger(request.clone())).await;
    }
    // What its rate allows is received by a client that pauses; the rest by nobody.
    relay
        .until(|health| {
            health["triggers"].as_u64().unwrap() + health["rate_limited"].as_u64().unwrap() == 500
        })
        .await;
    let health = relay.health().await;
    let (mut received, sent) = (0, health["triggers"].as_u64().unwrap());
    let most = 150 + 38 * started.elapsed().as_secs();
    assert!((100..=most + 38).contains(&sent), "{sent}");
    while received < sent {
        let (_, payload) = paused.frame().await;
        received += u64::from(payload.starts_with(br#"{"type":"trigger""#));
    }
    assert_eq!(relay.health().await["clients_disconnected"]["overflow"], 0);
}

#[tokio::test]
async fn a_burst_that_is_read_later_is_not_lost() {
    let relay = TestRelay::start().await;
    let (mut sender, _) = relay.player("sender").await;
    for _ in 0..2000 {
        sender.send(bang("click")).await;
    }
    for seq in 1..=2000 {
        assert_eq!(sender.receive_trigger().await.seq, seq);
    }
}

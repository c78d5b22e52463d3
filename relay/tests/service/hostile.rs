//! Hostile clients: they are refused or disconnected, and harm nobody else.

use std::time::Duration;

use downbeat_protocol::{ClientToRelay, ErrorCode, Probe, RelayToClient, TriggerRequest};
use downbeat_relay::config::Config;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use crate::common::{self, TestRelay, bang, masked, request, within};

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_the_upgrade() {
    let relay = TestRelay::start().await;
    let upgrade = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = request(relay.address, &format!("{upgrade}Origin: {origin}\r\n")).await;
        assert_eq!(answer.status, 403, "{origin}");
    }
    let own = format!("Origin: http://{}\r\n", relay.address);
    common::Raw::open(relay.address, &own, b"").await;
    common::Raw::open(relay.address, "", b"").await;
}

#[tokio::test]
async fn an_unknown_subprotocol_gets_the_tutorial_wire() {
    let relay = TestRelay::start().await;
    let mut raw = common::Raw::open(relay.address, "Sec-WebSocket-Protocol: chat\r\n", b"").await;
    raw.write(&masked(0x81, b"trigger-input")).await;
    assert_eq!(raw.frame().await, (0x81, b"trigger-output".to_vec()));
}

#[tokio::test]
async fn a_message_sent_with_the_handshake_is_not_lost() {
    let relay = TestRelay::start().await;
    let hello = br#"{"type":"hello","name":"early","kind":"remote","client":"t"}"#;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let mut raw = common::Raw::open(relay.address, protocol, &masked(0x81, hello)).await;
    let (first, payload) = raw.frame().await;
    assert_eq!(first, 0x81);
    assert!(payload.starts_with(br#"{"type":"welcome""#));
}

#[tokio::test]
async fn violations_close_the_connection_with_the_documented_code() {
    let relay = TestRelay::start().await;
    let fragment = masked(0x01, &[b'x'; 10_000]);
    let more = masked(0x00, &[b'x'; 10_000]);
    let unmasked = b"\x81\x0dtrigger-input".to_vec();
    let (mut documented, mut violations) = (documented_rows(), 0);
    for (what, bytes, code) in [
        ("too large a frame", masked(0x81, &vec![b'x'; 16_385]), 1009),
        ("a frame that says it is huge", [&[0x81, 0xff, 0, 0, 0, 1][..], &[0; 8]].concat(), 1009),
        ("fragments without end", [fragment, more].concat(), 1009),
        (
            "fragments of one byte without end",
            [masked(0x01, b"x"), masked(0x00, b"x").repeat(5000)].concat(),
            1009,
        ),
        ("empty fragments without end", endless(), 1009),
        ("empty fragments without end, and pings between", endless_with_pings(), 1009),
        ("not UTF-8", masked(0x81, b"\xc3\x28"), 1007),
        ("not UTF-8 in a close frame", masked(0x88, b"\x03\xe8\xff"), 1007),
        ("unmasked", unmasked, 1002),
        ("reserved bits", masked(0xc1, b"x"), 1002),
        ("an unknown opcode", masked(0x83, b"x"), 1002),
        ("a control frame in fragments", masked(0x09, b"x"), 1002),
        ("a control frame of 126 bytes", masked(0x89, &[b'x'; 126]), 1002),
        ("a continuation of nothing", masked(0x80, b"x"), 1002),
        ("a message inside another", [masked(0x01, b"x"), masked(0x81, b"x")].concat(), 1002),
        ("a close code that none may send", masked(0x88, &1005_u16.to_be_bytes()), 1002),
        ("half a close code", masked(0x88, b"\x03"), 1002),
        ("an HTTP request in the middle of it", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
        ("ten thousand pings at once", masked(0x89, b"?").repeat(10_000), 1008),
        ("ten thousand bangs at once", masked(0x81, b"trigger-input").repeat(10_000), 1008),
    ] {
        // The protocol documents what happens.
        let row = format!("| {what} | {code} |\n");
        assert!(documented.remove(&row), "docs/PROTOCOL.md does not have the row {row}");
        let mut raw = common::Raw::open(relay.address, "", b"").await;
        // It may be disconnected before it has sent everything.
        let _ = within(raw.0.write_all(&bytes)).await;
        let got = loop {
            match raw.frame().await {
                (0x88, payload) => break u16::from_be_bytes([payload[0], payload[1]]),
                // Triggers and pings within the rate are answered until then.
                (0x81 | 0x8a, _) => {}
                other => panic!("{what}: {other:?}"),
            }
        };
        assert_eq!(got, code, "{what}");
        violations += 1;
    }
    assert!(documented.is_empty(), "documented but not tested: {documented:?}");
    assert_eq!(relay.health().await["clients_disconnected"]["violation"], violations);
    // The others are unaffected.
    let mut tutorial = relay.tutorial().await;
    tutorial.bang().await;
    assert!(tutorial.receive().await.is_some());
}

/// The rows of the table of hostile inputs.
fn documented_rows() -> std::collections::BTreeSet<String> {
    let protocol = include_str!("../../../docs/PROTOCOL.md");
    let (_, table) = protocol.split_once("| a client sends | code |\n|---|---|\n").unwrap();
    table.lines().take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

/// The first fragment of a message, and then empty fragments.
fn endless() -> Vec<u8> {
    [masked(0x01, b"x"), masked(0x00, b"").repeat(100_000)].concat()
}

/// The same, with pings in between.
fn endless_with_pings() -> Vec<u8> {
    let some = [masked(0x00, b"").repeat(1000), masked(0x89, b"?")].concat();
    [masked(0x01, b"x"), some.repeat(100)].concat()
}

#[tokio::test]
async fn a_head_that_never_ends_times_out() {
    let relay = TestRelay::start().await;
    let slow = within(TcpStream::connect(relay.address)).await.unwrap();
    let (mut reader, mut writer) = slow.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        while writer.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    // With a response or without.
    let _ = within(reader.read_to_end(&mut rest)).await;
    within(dripping).await.unwrap();

    let head = format!("GET / HTTP/1.1\r\nX: {}\r\n", "y".repeat(20_000));
    assert_eq!(request(relay.address, &head).await.status, 431);
    relay.until(|health| health["malformed_requests"] == 1).await;
    assert_eq!(relay.health().await["websocket_connections_opened"], 0);
}

#[tokio::test]
async fn a_client_without_hello_is_closed_and_counted() {
    let relay = TestRelay::start().await;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let mut raw = common::Raw::open(relay.address, protocol, b"").await;
    let (first, payload) = raw.frame().await;
    assert_eq!((first, &payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
    raw.write(&masked(0x88, &payload[..2])).await;
    relay.until(|health| health["clients_disconnected"]["violation"] == 1).await;
}

#[tokio::test]
async fn the_largest_message_and_one_sent_byte_by_byte_are_accepted() {
    let relay = TestRelay::start().await;
    let mut raw = common::Raw::open(relay.address, "", b"").await;
    raw.write(&masked(0x81, &[b'x'; 16_384])).await;
    for byte in masked(0x81, b"trigger-input") {
        raw.write(&[byte]).await;
    }
    assert_eq!(raw.frame().await, (0x81, b"trigger-output".to_vec()));
}

#[tokio::test]
async fn a_close_frame_and_a_ping_are_answered() {
    let relay = TestRelay::start().await;
    let mut raw = common::Raw::open(relay.address, "", b"").await;
    raw.write(&masked(0x89, b"there?")).await;
    assert_eq!(raw.frame().await, (0x8a, b"there?".to_vec()));
    raw.write(&masked(0x88, &1000_u16.to_be_bytes())).await;
    assert_eq!(raw.closed_with().await, 1000);
    relay.until_clients(0).await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected_and_harms_nobody() {
    let relay = TestRelay::with(Config { messages: 60_000, ..Config::default() }).await;
    let (not_reading, _) = relay.player("not-reading").await;
    let (mut listener, _) = relay.player("listener").await;
    let (mut sender, _) = relay.player("sender").await;
    relay.until_clients(3).await;

    let request = TriggerRequest { data: Some(json!("x".repeat(4000))), ..Default::default() };
    let request = ClientToRelay::Trigger(request);
    let listening = tokio::spawn(async move {
        let mut last = 0;
        loop {
            match listener.receive_any().await {
                Some(RelayToClient::Trigger(trigger)) => {
                    assert_eq!(trigger.seq, last + 1, "one is missing or repeated");
                    last = trigger.seq;
                }
                Some(_) => {}
                None => return last,
            }
        }
    });
    let mut sent = 0;
    let disconnected = |health: &serde_json::Value| {
        let reasons = &health["clients_disconnected"];
        reasons["overflow"].as_u64().unwrap() + reasons["stalled"].as_u64().unwrap()
    };
    within(async {
        // The kernel holds some megabytes before anything waits in the relay.
        while disconnected(&relay.health().await) == 0 {
            for _ in 0..50 {
                sender.send(request.clone()).await;
                sender.receive_trigger().await;
                sent += 1;
            }
        }
    })
    .await;
    relay.until_clients(2).await;
    // The others are served as before.
    sender.send(bang("click")).await;
    assert_eq!(sender.receive_trigger().await.seq, sent + 1);
    sender.send(ClientToRelay::Probe(Probe { sent: 1 })).await;
    assert!(matches!(sender.receive().await, RelayToClient::ProbeReply(_)));
    relay.end().await;
    assert_eq!(within(listening).await.unwrap(), sent + 1);
    drop(not_reading);
}

/// What answers requests, until `end` has arrived.
async fn answers(player: &mut common::Player, end: impl Fn(&RelayToClient) -> bool) -> Answers {
    let mut answers = Answers::default();
    loop {
        let message = player.receive_any().await.expect("the connection ended");
        let is_last = end(&message);
        match message {
            RelayToClient::Ack(ack) => answers.acks.push(ack.ack),
            RelayToClient::Error(refusal) => answers.errors.push(refusal.code),
            _ => {}
        }
        if is_last {
            return answers;
        }
    }
}

#[derive(Default)]
struct Answers {
    acks: Vec<u64>,
    errors: Vec<ErrorCode>,
}

#[tokio::test]
async fn ten_thousand_variables_are_refused_beyond_the_limit_and_harm_nobody() {
    let relay = TestRelay::start().await;
    let (mut other, _) = relay.player("other").await;
    let (mut hostile, _) = relay.player("hostile").await;
    for batch in 0..100 {
        let name = |index| format!("v{}", batch * 100 + index);
        let variables: Vec<_> =
            (0..100).map(|index| json!({"name": name(index), "type": "bool"})).collect();
        let request = json!({"type": "declare", "variables": variables, "ack": batch});
        hostile.send_text(&request.to_string()).await;
        // Within its rate of bytes.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    hostile.send(ClientToRelay::Probe(Probe { sent: 1 })).await;
    let answered =
        answers(&mut hostile, |message| matches!(message, RelayToClient::ProbeReply(_))).await;
    assert_eq!(answered.acks, [0, 1, 2, 3, 4], "500 of them");
    let full = answered.errors.iter().filter(|code| **code == ErrorCode::Full).count();
    assert_eq!(full, answered.errors.len());
    assert!(full > 0);
    assert_eq!(relay.health().await["variables"], 500);
    other.send(bang("click")).await;
    while !matches!(other.receive().await, RelayToClient::Trigger(_)) {}
}

#[tokio::test]
async fn a_text_of_a_megabyte_closes_its_connection() {
    let relay = TestRelay::start().await;
    let (mut hostile, _) = relay.player("hostile").await;
    let text = "x".repeat(1_000_000);
    let request = json!({"type": "set", "name": "t", "value": text}).to_string();
    // It may be disconnected before it has sent everything.
    let _ = futures_util::SinkExt::send(&mut hostile.0, Message::text(request)).await;
    relay.until(|health| health["clients_disconnected"]["violation"] == 1).await;
    relay.until_clients(0).await;
}

#[tokio::test]
async fn values_that_are_not_json_are_malformed() {
    let relay = TestRelay::start().await;
    let (mut hostile, _) = relay.player("hostile").await;
    for value in ["NaN", "Infinity", "1e999", "-", "01", "'a'", ""] {
        hostile.send_text(&format!(r#"{{"type":"set","name":"x","value":{value}}}"#)).await;
        assert_eq!(hostile.receive_error().await.code, ErrorCode::Malformed, "{value}");
    }
    let deep = format!(r#"{{"type":"set","name":"x","value":{}}}"#, "[".repeat(10_000));
    hostile.send_text(&deep).await;
    assert_eq!(hostile.receive_error().await.code, ErrorCode::Malformed);
}

#[tokio::test]
async fn of_a_stream_of_ten_thousand_values_what_was_acknowledged_is_kept_and_nobody_is_harmed() {
    let relay = TestRelay::start().await;
    let (mut other, _) = relay.player("other").await;
    let (mut hostile, _) = relay.player("hostile").await;
    let declare = r#"{"type":"declare","variables":[{"name":"n","type":"any","default":0}]}"#;
    hostile.send_text(declare).await;
    let flood: Vec<u8> = (1..=10_000)
        .flat_map(|n| {
            let set = json!({"type": "set", "name": "n", "value": n, "ack": n}).to_string();
            masked(0x81, set.as_bytes())
        })
        .collect();
    let stream = hostile.0.get_mut();
    // It is disconnected before it has sent everything.
    let _ = within(stream.write_all(&flood)).await;
    let (mut acked, mut values) = (0, 0);
    while let Some(message) = hostile.receive_any().await {
        match message {
            RelayToClient::Ack(ack) => acked = ack.ack,
            RelayToClient::Value(_) => values += 1,
            RelayToClient::Error(refusal) => assert_eq!(refusal.code, ErrorCode::TooMany),
            _ => {}
        }
    }
    relay.until_clients(1).await;
    relay.until(|health| health["clients_disconnected"]["violation"] == 1).await;
    assert!(values < 500, "{values} were broadcast");
    // The last value that was accepted arrives although its sender is gone.
    let (_, welcome) = relay.player("late").await;
    let kept = welcome.variables[0].value.as_u64().unwrap();
    assert!(kept >= acked && acked > 0, "{acked} was acknowledged, and {kept} is kept");
    other.send(bang("click")).await;
    while !matches!(other.receive().await, RelayToClient::Trigger(_)) {}
}

//! What must not get in, and what must not harm others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

mod common;

use common::{Running, bang, masked, request, within};
use std::time::Duration;

use downbeat_protocol::{ClientToRelay, Probe, RelayToClient, TriggerRequest};
use downbeat_relay::config::Config;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_page_of_another_origin_is_refused_before_the_upgrade() {
    let relay = Running::start().await;
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
async fn only_what_is_known_is_granted() {
    let relay = Running::start().await;
    // The seed's wire, for a client that offers what the relay does not speak.
    let mut raw = common::Raw::open(relay.address, "Sec-WebSocket-Protocol: chat\r\n", b"").await;
    raw.write(&masked(0x81, b"trigger-input")).await;
    assert_eq!(raw.frame().await, (0x81, b"trigger-output".to_vec()));
}

#[tokio::test]
async fn what_comes_with_the_handshake_is_not_lost() {
    let relay = Running::start().await;
    let hello = br#"{"type":"hello","name":"hasty","kind":"remote","client":"t"}"#;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let mut raw = common::Raw::open(relay.address, protocol, &masked(0x81, hello)).await;
    let (first, payload) = raw.frame().await;
    assert_eq!(first, 0x81);
    assert!(payload.starts_with(br#"{"type":"welcome""#));
}

#[tokio::test]
async fn what_breaks_the_rules_is_told_so_by_its_code() {
    let relay = Running::start().await;
    let fragment = masked(0x01, &[b'x'; 10_000]);
    let more = masked(0x00, &[b'x'; 10_000]);
    let unmasked = b"\x81\x0dtrigger-input".to_vec();
    let (mut told, mut broken) = (told_rows(), 0);
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
        // What a reader of the protocol is told is what happens.
        let row = format!("| {what} | {code} |\n");
        assert!(told.remove(&row), "docs/PROTOCOL.md does not have the row {row}");
        let mut raw = common::Raw::open(relay.address, "", b"").await;
        // It may be thrown out before it has said everything.
        let _ = within(raw.0.write_all(&bytes)).await;
        let got = loop {
            match raw.frame().await {
                (0x88, payload) => break u16::from_be_bytes([payload[0], payload[1]]),
                // Bangs and pings that passed are answered until then.
                (0x81 | 0x8a, _) => {}
                other => panic!("{what}: {other:?}"),
            }
        };
        assert_eq!(got, code, "{what}");
        broken += 1;
    }
    assert!(told.is_empty(), "docs/PROTOCOL.md tells of what is not tested: {told:?}");
    assert_eq!(relay.health().await["broken"], broken);
    // And all of it harmed no one.
    let mut plain = relay.plain().await;
    plain.bang().await;
    assert!(plain.hear().await.is_some());
}

/// The rows of the table of hostile inputs.
fn told_rows() -> std::collections::BTreeSet<String> {
    let protocol = include_str!("../../docs/PROTOCOL.md");
    let (_, table) = protocol.split_once("| a client sends | code |\n|---|---|\n").unwrap();
    table.lines().take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

/// The start of a message, and then nothing more of it, again and again.
fn endless() -> Vec<u8> {
    [masked(0x01, b"x"), masked(0x00, b"").repeat(100_000)].concat()
}

/// The same, with something whole now and then.
fn endless_with_pings() -> Vec<u8> {
    let some = [masked(0x00, b"").repeat(1000), masked(0x89, b"?")].concat();
    [masked(0x01, b"x"), some.repeat(100)].concat()
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let relay = Running::start().await;
    let slow = within(TcpStream::connect(relay.address)).await.unwrap();
    let (mut hears, mut says) = slow.into_split();
    let dripping = tokio::spawn(async move {
        says.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        while says.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    // However it ends (an answer, or none), it ends.
    let _ = within(hears.read_to_end(&mut rest)).await;
    within(dripping).await.unwrap();

    let head = format!("GET / HTTP/1.1\r\nX: {}\r\n", "y".repeat(20_000));
    assert_eq!(request(relay.address, &head).await.status, 431);
    relay.until(|health| health["heads"] == 2).await;
    assert_eq!(relay.health().await["connections"], 0);
}

#[tokio::test]
async fn one_that_never_says_hello_is_told_to_go_and_counted() {
    let relay = Running::start().await;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let mut raw = common::Raw::open(relay.address, protocol, b"").await;
    let (first, payload) = raw.frame().await;
    assert_eq!((first, &payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
    raw.write(&masked(0x88, &payload[..2])).await;
    relay.until(|health| health["broken"] == 1).await;
}

#[tokio::test]
async fn one_that_says_too_much_is_told_and_then_expelled() {
    let relay = Running::with(Config { messages: 100, ..Config::default() }).await;
    let (mut listener, _) = relay.player("listener").await;
    let (mut talker, _) = relay.player("talker").await;
    let talking = async {
        for _ in 0..1000 {
            talker.say(bang("click")).await;
        }
    };
    within(talking).await;
    let (mut heard, mut told) = (0, 0);
    let code = loop {
        match within(futures_util::StreamExt::next(&mut talker.0)).await {
            Some(Ok(Message::Close(close))) => break close.map(|close| u16::from(close.code)),
            Some(Ok(Message::Text(text))) if text.contains("\"too_many\"") => told += 1,
            Some(Ok(Message::Text(text))) if text.starts_with("{\"type\":\"trigger\"") => {
                heard += 1;
            }
            Some(Ok(_)) => {}
            other => panic!("it was not told why: {other:?}"),
        }
    };
    assert_eq!(code, Some(1008));
    assert!(told >= 1, "it was not told");
    // Every bang that passed reached the others, who are served on. It may itself have been shown
    // out before the last of them was said.
    let health = relay.health().await;
    let passed = health["triggers"].as_u64().unwrap();
    assert!((390..800).contains(&passed) && heard <= passed, "{health}");
    assert!(health["unheard"].as_u64().unwrap() >= 200 && health["broken"] == 1, "{health}");
    for seq in 1..=passed {
        assert_eq!(listener.hear_trigger().await.seq, seq);
    }
    listener.settle().await;
}

#[tokio::test]
async fn pings_and_the_seeds_wire_are_held_to_the_same_rate() {
    let relay = Running::with(Config { messages: 10, ..Config::default() }).await;
    for flood in [masked(0x89, b"?"), masked(0x81, b"trigger-input"), masked(0x82, b"")] {
        let mut raw = common::Raw::open(relay.address, "", b"").await;
        raw.write(&flood.repeat(100)).await;
        let mut heard = 0;
        let code = loop {
            match raw.frame().await {
                (0x88, payload) => break u16::from_be_bytes([payload[0], payload[1]]),
                _ => heard += 1,
            }
        };
        assert_eq!(code, 1008);
        assert!(heard <= 90, "{heard}");
    }
}

#[tokio::test]
async fn a_full_house_says_so_and_has_room_again_when_someone_leaves() {
    let relay = Running::with(Config { connections: 2, ..Config::default() }).await;
    let first = relay.plain().await;
    let _second = relay.plain().await;
    let mut turned_away = Vec::new();
    let mut third = within(TcpStream::connect(relay.address)).await.unwrap();
    within(third.read_to_end(&mut turned_away)).await.unwrap();
    let said = String::from_utf8(turned_away).unwrap();
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("full"), "{said}");
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
        assert!(tokio::time::Instant::now() < deadline, "no room");
    }
}

#[tokio::test]
async fn the_largest_message_allowed_gets_through_byte_by_byte() {
    let relay = Running::start().await;
    let mut raw = common::Raw::open(relay.address, "", b"").await;
    raw.write(&masked(0x81, &[b'x'; 16_384])).await;
    for byte in masked(0x81, b"trigger-input") {
        raw.write(&[byte]).await;
    }
    assert_eq!(raw.frame().await, (0x81, b"trigger-output".to_vec()));
}

#[tokio::test]
async fn a_goodbye_and_a_ping_are_answered() {
    let relay = Running::start().await;
    let mut raw = common::Raw::open(relay.address, "", b"").await;
    raw.write(&masked(0x89, b"there?")).await;
    assert_eq!(raw.frame().await, (0x8a, b"there?".to_vec()));
    raw.write(&masked(0x88, &1000_u16.to_be_bytes())).await;
    assert_eq!(raw.closed_with().await, 1000);
    relay.until_here(0).await;
}

#[tokio::test]
async fn one_that_never_reads_is_cut_off_and_harms_no_one() {
    let relay = Running::with(Config { messages: 60_000, ..Config::default() }).await;
    let (deaf, _) = relay.player("deaf").await;
    let (mut listener, _) = relay.player("listener").await;
    let (mut sender, _) = relay.player("sender").await;
    relay.until_here(3).await;

    let request = TriggerRequest { data: Some(json!("x".repeat(4000))), ..Default::default() };
    let request = ClientToRelay::Trigger(request);
    let listening = tokio::spawn(async move {
        let mut last = 0;
        loop {
            match listener.hear_any().await {
                Some(RelayToClient::Trigger(trigger)) => {
                    assert_eq!(trigger.seq, last + 1, "one is missing, or came twice");
                    last = trigger.seq;
                }
                Some(_) => {}
                None => return last,
            }
        }
    });
    let mut sent = 0;
    let cut_off = |health: &serde_json::Value| {
        health["cut_off"]["overflow"].as_u64().unwrap()
            + health["cut_off"]["stalled"].as_u64().unwrap()
    };
    within(async {
        // The kernel holds some megabytes for the deaf one before anything waits in the relay.
        while cut_off(&relay.health().await) == 0 {
            for _ in 0..50 {
                sender.say(request.clone()).await;
                sender.hear_trigger().await;
                sent += 1;
            }
        }
    })
    .await;
    relay.until_here(2).await;
    // Whoever is left is served as before.
    sender.say(bang("click")).await;
    assert_eq!(sender.hear_trigger().await.seq, sent + 1);
    sender.say(ClientToRelay::Probe(Probe { sent: 1 })).await;
    assert!(matches!(sender.hear().await, RelayToClient::ProbeReply(_)));
    relay.end().await;
    assert_eq!(within(listening).await.unwrap(), sent + 1);
    drop(deaf);
}

#[tokio::test]
async fn one_that_says_large_things_cuts_off_nobody_who_pauses() {
    let relay = Running::start().await;
    let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
    let hello = br#"{"type":"hello","name":"paused","kind":"remote","client":"t"}"#;
    let mut paused = common::Raw::open(relay.address, protocol, &masked(0x81, hello)).await;
    socket2::SockRef::from(&paused.0).set_recv_buffer_size(4096).unwrap();
    relay.until_here(1).await;
    let (mut sender, _) = relay.player("sender").await;
    let request = TriggerRequest { data: Some(json!("x".repeat(4000))), ..Default::default() };
    let started = std::time::Instant::now();
    for _ in 0..500 {
        sender.say(ClientToRelay::Trigger(request.clone())).await;
    }
    // As much as its rate lets it say is heard by one who takes its time; the rest by nobody.
    relay
        .until(|health| {
            health["triggers"].as_u64().unwrap() + health["unheard"].as_u64().unwrap() == 500
        })
        .await;
    let health = relay.health().await;
    let (mut heard, said) = (0, health["triggers"].as_u64().unwrap());
    let most = 150 + 38 * started.elapsed().as_secs();
    assert!((100..=most + 38).contains(&said), "{said}");
    while heard < said {
        let (_, payload) = paused.frame().await;
        heard += u64::from(payload.starts_with(br#"{"type":"trigger""#));
    }
    assert_eq!(relay.health().await["cut_off"]["overflow"], 0);
}

#[tokio::test]
async fn a_burst_that_nobody_reads_meanwhile_is_not_lost() {
    let relay = Running::start().await;
    let (mut sender, _) = relay.player("sender").await;
    for _ in 0..2000 {
        sender.say(bang("click")).await;
    }
    for seq in 1..=2000 {
        assert_eq!(sender.hear_trigger().await.seq, seq);
    }
}

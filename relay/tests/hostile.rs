//! What must not get in, and what must not harm others.

mod common;

use common::{Running, bang, masked, request, within};
use downbeat_protocol::{ClientToRelay, Probe, RelayToClient, TriggerRequest};
use serde_json::json;

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
    for (what, bytes, code) in [
        ("too large a frame", masked(0x81, &vec![b'x'; 16_385]), 1009),
        ("a frame that says it is huge", [&[0x81, 0xff, 0, 0, 0, 1][..], &[0; 8]].concat(), 1009),
        ("fragments without end", [fragment, more].concat(), 1009),
        ("not UTF-8", masked(0x81, b"\xc3\x28"), 1007),
        ("not UTF-8 in a close frame", masked(0x88, b"\x03\xe8\xff"), 1007),
        ("unmasked", unmasked, 1002),
        ("reserved bits", masked(0xc1, b"x"), 1002),
        ("an unknown opcode", masked(0x83, b"x"), 1002),
        ("a control frame in fragments", masked(0x09, b"x"), 1002),
        ("a continuation of nothing", masked(0x80, b"x"), 1002),
    ] {
        let mut raw = common::Raw::open(relay.address, "", b"").await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed_with().await, code, "{what}");
    }
    assert_eq!(relay.health().await["broken"], 10);
    // And all of it harmed no one.
    let mut plain = relay.plain().await;
    plain.bang().await;
    assert!(plain.hear().await.is_some());
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
    let relay = Running::start().await;
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

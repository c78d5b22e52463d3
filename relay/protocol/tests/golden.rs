//! The examples of `docs/PROTOCOL.md`, decoded and re-encoded.

// In a test an unwrap that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use downbeat_protocol::{decode_from_client, decode_from_relay, encode};
use serde_json::Value;

const PROTOCOL: &str = include_str!("../../../docs/PROTOCOL.md");

/// The fenced JSON blocks of one direction.
fn examples(direction: &str) -> Vec<&'static str> {
    let fence = format!("```json {direction}\n");
    let found: Vec<_> = PROTOCOL
        .match_indices(&fence)
        .map(|(at, _)| PROTOCOL[at + fence.len()..].lines().next().unwrap())
        .collect();
    assert!(found.len() >= 6, "only {} examples {direction}", found.len());
    found
}

fn assert_same_json(example: &str, again: &str) {
    let [example, again] = [example, again].map(|t| serde_json::from_str::<Value>(t).unwrap());
    assert_eq!(example, again);
}

#[test]
fn examples_from_clients_survive_a_round_trip() {
    for example in examples("client-to-relay") {
        let message = decode_from_client(example).unwrap_or_else(|e| panic!("{e}: {example}"));
        assert_same_json(example, &encode(&message));
    }
}

#[test]
fn examples_from_the_relay_survive_a_round_trip() {
    for example in examples("relay-to-client") {
        let message = decode_from_relay(example).unwrap_or_else(|e| panic!("{e}: {example}"));
        assert_same_json(example, &encode(&message));
    }
}

#[test]
fn every_message_type_has_an_example() {
    for (direction, types) in [
        (
            "client-to-relay",
            &["hello", "probe", "trigger", "stop", "set", "declare", "remove", "assign", "report"]
                [..],
        ),
        (
            "relay-to-client",
            &[
                "welcome",
                "probe_reply",
                "trigger",
                "stop",
                "value",
                "variables",
                "ack",
                "roster",
                "bank",
                "error",
            ],
        ),
    ] {
        let examples = examples(direction);
        for kind in types {
            let tag = format!("\"type\":\"{kind}\"");
            assert!(examples.iter().any(|e| e.contains(&tag)), "no {kind} {direction}");
        }
    }
}

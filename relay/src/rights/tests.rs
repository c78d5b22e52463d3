//! Every message and every HTTP request, for all rights, in an open and in a locked room.

use serde_json::{Value, json};

use super::*;

const ME: ClientId = ClientId(7);

/// Everyone, from no token to a conductor.
const ALL: [Option<Rights>; 4] =
    [None, Some(Rights::Listener), Some(Rights::Player), Some(Rights::Conductor)];

/// Who may do something: with these rights or more, in an open room, and in a locked one.
#[derive(Clone, Copy, Debug)]
struct May(Option<Rights>, Option<Rights>);

const NOBODY_IS_DENIED: May = May(None, None);
const LISTENERS: May = May(Some(Rights::Listener), Some(Rights::Listener));
const PLAYERS: May = May(Some(Rights::Player), Some(Rights::Conductor));
const CONDUCTORS: May = May(Some(Rights::Conductor), Some(Rights::Conductor));

fn expect(what: &str, required: Required, may: May) {
    for rights in ALL {
        let result = |is_locked| required.check(rights, is_locked);
        assert_eq!(result(false).is_ok(), rights >= may.0, "{what} by {rights:?}");
        assert_eq!(result(true).is_ok(), rights >= may.1, "{what} by {rights:?}, locked");
        // Who may not do it at all is not told about the lock.
        if rights < may.0 {
            assert!(matches!(result(true), Err(Denied::NotAllowed(_))), "{what} by {rights:?}");
        } else if rights < may.1 {
            assert_eq!(result(true), Err(Denied::Locked), "{what} by {rights:?}");
        }
    }
}

fn messages() -> Vec<(Value, May)> {
    vec![
        (json!({"type": "hello", "name": "a", "kind": "page", "client": "c"}), LISTENERS),
        (json!({"type": "probe", "sent": 1}), LISTENERS),
        (json!({"type": "report", "triggers": 0, "late": 0, "xruns": 0}), LISTENERS),
        (json!({"type": "outcomes", "outcomes": []}), LISTENERS),
        (json!({"type": "trigger"}), PLAYERS),
        (json!({"type": "stop"}), PLAYERS),
        (json!({"type": "set", "name": "open", "value": 1}), PLAYERS),
        (json!({"type": "set", "name": "closed", "value": 1}), CONDUCTORS),
        (json!({"type": "declare", "variables": []}), CONDUCTORS),
        (json!({"type": "remove", "names": []}), CONDUCTORS),
        (json!({"type": "forget", "machines": [1]}), CONDUCTORS),
        (json!({"type": "command", "clients": [7], "command": "identify"}), CONDUCTORS),
        (json!({"type": "lock", "locked": true}), CONDUCTORS),
        (json!({"type": "lock", "locked": false}), CONDUCTORS),
        (json!({"type": "watch", "room": true}), CONDUCTORS),
        (json!({"type": "watch", "room": false}), LISTENERS),
        (json!({"type": "upload", "name": "a", "bytes": 1, "ack": 1}), CONDUCTORS),
        (json!({"type": "edit_sounds"}), CONDUCTORS),
        // What a machine may always change about itself, and what it may not.
        (
            json!({"type": "assign", "clients": [7], "name": "a", "volume_db": -6, "muted": true,
                   "extra_latency_micros": 5, "ack": 1}),
            LISTENERS,
        ),
        (json!({"type": "assign", "clients": [7, 7], "muted": true}), LISTENERS),
        (json!({"type": "assign", "clients": [7], "seat": 1}), CONDUCTORS),
        (json!({"type": "assign", "clients": [7], "place": {"x": 0, "y": 0}}), CONDUCTORS),
        (json!({"type": "assign", "clients": [7], "tags": []}), CONDUCTORS),
        (json!({"type": "assign", "clients": [7], "rights": "listener"}), CONDUCTORS),
        (json!({"type": "assign", "clients": [7, 8], "muted": true}), CONDUCTORS),
        (json!({"type": "assign", "clients": [8], "muted": true}), CONDUCTORS),
        (json!({"type": "assign", "clients": [7], "machines": [1], "muted": true}), CONDUCTORS),
        (json!({"type": "assign", "machines": [1], "muted": true}), CONDUCTORS),
        (json!({"type": "assign", "muted": true}), CONDUCTORS),
    ]
}

#[test]
fn each_message_requires_its_rights() {
    for (message, may) in messages() {
        let decoded: ClientToRelay = serde_json::from_value(message.clone()).unwrap();
        let required = Required::by_message(&decoded, ME, |name| name == "open");
        expect(&message.to_string(), required, may);
    }
    expect("trigger-input", Required::by_tutorial_trigger(), PLAYERS);
}

#[test]
fn no_message_is_missing_here() {
    let text = include_str!("../../protocol/src/decode.rs");
    let list = text.split("const FROM_CLIENT").nth(1).unwrap().split("];").next().unwrap();
    let known: Vec<_> = list.split('"').skip(1).step_by(2).collect();
    assert!(known.len() >= 16);
    for name in known {
        assert!(messages().iter().any(|(message, _)| message["type"] == name), "{name}");
    }
}

#[test]
fn each_http_request_requires_its_rights() {
    for (request, may) in [
        (HttpRequest::Page, NOBODY_IS_DENIED),
        (HttpRequest::Sound, NOBODY_IS_DENIED),
        (HttpRequest::Join, NOBODY_IS_DENIED),
        (HttpRequest::QrCode, NOBODY_IS_DENIED),
        (HttpRequest::Upload, NOBODY_IS_DENIED),
        (HttpRequest::Status, NOBODY_IS_DENIED),
        (HttpRequest::Unknown, NOBODY_IS_DENIED),
        (HttpRequest::Access, LISTENERS),
        (HttpRequest::WebSocket, LISTENERS),
        (HttpRequest::Health, LISTENERS),
        (HttpRequest::Metrics, LISTENERS),
    ] {
        expect(&format!("{request:?}"), Required::by_http(request), may);
    }
}

#[test]
fn a_refusal_says_what_is_required() {
    let refusal = Refusal::from(Denied::NotAllowed(Rights::Conductor));
    assert_eq!(refusal.code, ErrorCode::NotAllowed);
    assert!(refusal.message.contains("conductor"), "{}", refusal.message);
    let refusal = Refusal::from(Denied::Locked);
    assert_eq!(refusal.code, ErrorCode::Locked);
    assert!(refusal.message.contains("locked"), "{}", refusal.message);
}

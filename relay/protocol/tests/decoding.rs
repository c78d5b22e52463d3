//! Decoding of invalid messages.

use downbeat_protocol::{
    ClientToRelay, DecodeError, ErrorCode, Refusal, TriggerRequest, decode_from_client,
    decode_from_relay,
};
use proptest::prelude::*;

#[test]
fn an_unknown_type_is_distinguished_from_a_malformed_message() {
    let newer = decode_from_client(r#"{"type":"conduct","tempo":120}"#).unwrap_err();
    assert!(matches!(&newer, DecodeError::UnknownType(kind) if kind == "conduct"));
    assert_eq!(Refusal::from(&newer).code, ErrorCode::UnknownType);

    for malformed in ["", "trigger-input", "[]", "{}", r#"{"type":7}"#, r#"{"type":"probe"}"#] {
        let error = decode_from_client(malformed).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed(_)), "{malformed}");
    }
}

#[test]
fn a_message_of_the_relay_is_unknown_from_a_client() {
    let error = decode_from_client(r#"{"type":"roster","total":0,"clients":[]}"#).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownType(_)));
}

#[test]
fn unknown_fields_are_ignored_and_absent_ones_have_their_defaults() {
    let message = decode_from_client(r#"{"type":"trigger","colour":"red"}"#).unwrap();
    assert_eq!(message, ClientToRelay::Trigger(TriggerRequest::default()));
}

#[test]
fn the_error_names_the_field_that_is_out_of_range() {
    let bang = |json: &str| match decode_from_client(json) {
        Ok(ClientToRelay::Trigger(request)) => request.validate(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bang(r#"{"type":"trigger","gain":4}"#), Ok(()));
    for (json, field) in [
        (r#"{"type":"trigger","gain":4.1}"#, "gain"),
        (r#"{"type":"trigger","rate":0}"#, "rate"),
        (r#"{"type":"trigger","pan":-2}"#, "pan"),
        (r#"{"type":"trigger","sound":" \u0007"}"#, "sound"),
        (r#"{"type":"trigger","target":{"names":[""]}}"#, "target"),
        (r#"{"type":"trigger","sound":"tone","tone":{"frequency":5}}"#, "tone.frequency"),
        (
            r#"{"type":"trigger","sound":"tone","tone":{"duration_micros":0}}"#,
            "tone.duration_micros",
        ),
        (r#"{"type":"trigger","stagger_micros":10000001}"#, "stagger_micros"),
        (r#"{"type":"trigger","when":{"after_micros":3600000001}}"#, "when.after_micros"),
    ] {
        let error = bang(json).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    let large = TriggerRequest { data: Some("x".repeat(5000).into()), ..Default::default() };
    assert!(large.validate().unwrap_err().to_string().starts_with("data"));
}

/// Texts that pass the JSON parser more often than random ones.
fn almost_a_message() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec![
        "hello",
        "probe",
        "trigger",
        "stop",
        "set",
        "declare",
        "assign",
        "report",
        "value",
        "variables",
        "welcome",
        "probe_reply",
        "roster",
        "error",
    ]);
    let field = prop::sample::select(vec![
        "name",
        "kind",
        "sent",
        "gain",
        "seq",
        "epoch",
        "clients",
        "sounds",
        "now",
        "data",
        "by",
        "variables",
        "value",
        "target",
        "when",
        "tone",
        "bind",
        "type",
    ]);
    let value = prop::sample::select(vec![
        "1e999",
        "-1",
        "null",
        "{}",
        "[[]]",
        "\"\\ud800\"",
        "18446744073709551616",
        "\"0000\"",
        "\"tutorial\"",
        "1.5",
    ]);
    (kind, prop::collection::vec((field, value), 0..8)).prop_map(|(kind, fields)| {
        fields.iter().fold(format!("{{\"type\":\"{kind}\""), |text, (field, value)| {
            format!("{text},\"{field}\":{value}")
        }) + "}"
    })
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = decode_from_client(&text);
        let _ = decode_from_relay(&text);
    }

    #[test]
    fn no_almost_valid_message_makes_a_decoder_panic(text in almost_a_message()) {
        let _ = decode_from_client(&text);
        let _ = decode_from_relay(&text);
    }
}

//! The rule for names, by the test vectors that the page shares, and where it is applied.

// In a test an unwrap that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use downbeat_protocol::{
    ClientToRelay, RelayToClient, clean_name, decode_from_client, decode_from_relay, is_hidden,
};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    hidden: Vec<(String, String)>,
    names: Vec<(String, Option<String>)>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/vectors/names.json")).unwrap()
}

#[test]
fn names_are_cleaned_as_in_the_vectors() {
    for (given, expected) in vectors().names {
        assert_eq!(clean_name(&given), expected, "{given:?}");
    }
}

#[test]
fn exactly_the_ranges_of_the_vectors_are_hidden() {
    let number = |digits: String| u32::from_str_radix(&digits, 16).unwrap();
    let hidden: Vec<_> =
        vectors().hidden.into_iter().map(|(first, last)| number(first)..=number(last)).collect();
    for c in '\0'..=char::MAX {
        let expected = hidden.iter().any(|range| range.contains(&u32::from(c)));
        assert_eq!(is_hidden(c), expected, "{c:?}");
    }
}

#[test]
fn decoded_names_are_clean_in_both_directions() {
    let trigger =
        r#"{"type":"trigger","sound":"cafe\u0301","target":{"names":["le\u200bft","cafe\u0301"]}}"#;
    let ClientToRelay::Trigger(request) = decode_from_client(trigger).unwrap() else { panic!() };
    assert_eq!(request.sound.as_deref(), Some("caf\u{e9}"));
    assert_eq!(request.target.as_ref().unwrap().names, ["left", "caf\u{e9}"]);
    assert_eq!(request.validate(), Ok(()));

    let nothing = r#"{"type":"trigger","target":{"names":["\u200b"]}}"#;
    let ClientToRelay::Trigger(request) = decode_from_client(nothing).unwrap() else { panic!() };
    assert!(request.validate().is_err());

    let stop = r#"{"type":"stop","sound":"cafe\u0301"}"#;
    let ClientToRelay::Stop(request) = decode_from_client(stop).unwrap() else { panic!() };
    assert_eq!(request.sound.as_deref(), Some("caf\u{e9}"));

    let roster = r#"{"type":"roster","total":1,"lead_micros":1,
        "clients":[{"id":1,"name":"\u202ecafe\u0301","kind":"page"}]}"#;
    let RelayToClient::Roster(change) = decode_from_relay(roster).unwrap() else { panic!() };
    assert_eq!(change.clients[0].name, "caf\u{e9}");
}

proptest! {
    #[test]
    fn cleaning_is_idempotent(name in "\\PC{0,40}") {
        if let Some(clean) = clean_name(&name) {
            prop_assert_eq!(clean_name(&clean), Some(clean));
        }
    }
}

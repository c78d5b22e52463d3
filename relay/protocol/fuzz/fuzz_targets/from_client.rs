//! Any text is a message or an error, and what is a message survives a round trip.

#![no_main]

use downbeat_protocol::{decode_from_client, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(message) = decode_from_client(text) {
        let again = decode_from_client(&encode(&message)).expect("what was encoded decodes");
        assert_eq!(message, again);
    }
});

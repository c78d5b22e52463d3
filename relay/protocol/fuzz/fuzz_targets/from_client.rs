//! Any text is a message or an error, and what is a message survives a round trip. A value that a variable takes
//! is one that it takes unchanged.

#![no_main]

use downbeat_protocol::{ClientToRelay, decode_from_client, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(message) = decode_from_client(text) {
        let again = decode_from_client(&encode(&message)).expect("what was encoded decodes");
        assert_eq!(message, again);
        if let ClientToRelay::Declare(request) = message {
            let valid = request.variables.iter().filter(|variable| variable.validate().is_ok());
            for variable in valid {
                for other in &request.variables {
                    if let Ok(kept) = variable.check(&other.default_value()) {
                        assert_eq!(variable.check(&kept).as_ref(), Ok(&kept));
                    }
                }
            }
        }
    }
});

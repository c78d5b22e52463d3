//! The seed's wire: the two fixed texts of the tutorial that Downbeat grew out of.
//!
//! A client of this wire plays at any message whatever, so it must never be sent anything but
//! [`OUTPUT`] and control frames.

use bytes::Bytes;
use downbeat_protocol::{ClientId, SEED_TRIGGER_INPUT};
use tokio_tungstenite::tungstenite::Message;

/// The frame that makes a client of this wire sound.
pub const OUTPUT: Bytes = Bytes::from_static(b"\x81\x0etrigger-output");

/// Whether what a client sent is a bang. Nothing else that it can send means anything.
#[must_use]
pub fn is_bang(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.as_str() == SEED_TRIGGER_INPUT)
}

/// What a client that cannot say its name is called.
#[must_use]
pub fn name(id: ClientId) -> String {
    format!("plain client {}", id.0)
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::SEED_TRIGGER_OUTPUT;

    use super::*;
    use crate::frame;

    #[test]
    fn the_frame_holds_the_text() {
        assert_eq!(OUTPUT, frame::text(SEED_TRIGGER_OUTPUT));
    }

    #[test]
    fn only_the_exact_text_is_a_bang() {
        assert!(is_bang(&Message::text("trigger-input")));
        for other in ["", "trigger-input\n", "Trigger-Input", "trigger-output", "\"trigger-input\""]
        {
            assert!(!is_bang(&Message::text(other)), "{other:?}");
        }
        assert!(!is_bang(&Message::binary(&b"trigger-input"[..])));
    }
}

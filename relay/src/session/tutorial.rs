//! The tutorial wire: the two fixed texts of the tutorial that Downbeat grew out of.
//!
//! A client of this wire plays on any message, so it must never be sent anything but the text
//! `trigger-output` and control frames.

use downbeat_protocol::TUTORIAL_TRIGGER_INPUT;
use tokio_tungstenite::tungstenite::Message;

use super::context::SessionContext;

/// Processes a message; returns the size of what is broadcast to each client because of it.
pub(super) async fn receive(session: &SessionContext, message: &Message) -> usize {
    if !is_trigger(message) {
        return 0;
    }
    // There is no way to tell the client why.
    session.hub.trigger_from_tutorial(session.client.id).await.unwrap_or_else(|_| {
        session.hub.counters.messages_refused.increment();
        0
    })
}

/// Whether a message is a trigger. All others are ignored.
fn is_trigger(message: &Message) -> bool {
    matches!(message, Message::Text(text) if text.as_str() == TUTORIAL_TRIGGER_INPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_text_is_a_trigger() {
        assert!(is_trigger(&Message::text("trigger-input")));
        for other in ["", "trigger-input\n", "Trigger-Input", "trigger-output", "\"trigger-input\""]
        {
            assert!(!is_trigger(&Message::text(other)), "{other:?}");
        }
        assert!(!is_trigger(&Message::binary(&b"trigger-input"[..])));
    }
}

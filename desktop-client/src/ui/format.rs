//! Formats numbers, kinds and reasons for people.

use std::time::Duration;

use downbeat_protocol::ClientKind;

pub(super) use crate::time::format_micros as micros;

/// A level in decibels: `-6.0 dB`, or `silent`.
pub(super) fn decibels(level: f32) -> String {
    if level <= 0.0 {
        return "silent".to_owned();
    }
    let decibels = 20.0 * level.log10();
    // "-0.0 dB" would look like a fault.
    if decibels > -0.05 { "0.0 dB".to_owned() } else { format!("{decibels:.1} dB") }
}

/// When the next attempt to connect is, at the latest.
pub(super) fn next_try(retry_in: Duration) -> String {
    match retry_in.as_millis().div_ceil(1000) {
        0 | 1 => "Retrying within a second.".to_owned(),
        seconds => format!("Retrying within {seconds} seconds."),
    }
}

/// A reason as a sentence: with a capital letter and a full stop.
pub(super) fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if reason.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// The kind of a client.
pub(super) fn kind(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Window => "window",
        ClientKind::Headless => "headless",
        ClientKind::Page => "page",
        ClientKind::Remote => "remote",
        ClientKind::Tutorial => "tutorial",
        ClientKind::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_in_decibels() {
        assert_eq!(decibels(1.0), "0.0 dB");
        assert_eq!(decibels(0.999), "0.0 dB");
        assert_eq!(decibels(0.5), "-6.0 dB");
        assert_eq!(decibels(0.0), "silent");
    }

    #[test]
    fn the_next_attempt_is_never_promised_too_early() {
        assert_eq!(next_try(Duration::from_millis(350)), "Retrying within a second.");
        assert_eq!(next_try(Duration::from_millis(2100)), "Retrying within 3 seconds.");
    }

    #[test]
    fn a_reason_becomes_a_sentence() {
        assert_eq!(sentence("no relay is running there"), "No relay is running there.");
        assert_eq!(sentence("It ended."), "It ended.");
        assert_eq!(sentence("'a b' is not an address"), "'a b' is not an address.");
    }
}

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

/// A size: `640 bytes`, `48 kB`, `9.6 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..999_500 => format!("{:.0} kB", bytes as f64 / 1e3),
        999_500..9_950_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
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
    fn sizes_have_the_digits_that_matter() {
        let cases =
            [(640, "640 bytes"), (48_044, "48 kB"), (999_600, "1.0 MB"), (96_000_000, "96 MB")];
        for (size, text) in cases {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn a_reason_becomes_a_sentence() {
        assert_eq!(sentence("no relay is running there"), "No relay is running there.");
        assert_eq!(sentence("It ended."), "It ended.");
        assert_eq!(sentence("'a b' is not an address"), "'a b' is not an address.");
    }
}

//! Numbers and kinds as people read them.

use std::time::Duration;

use downbeat_protocol::ClientKind;

pub use crate::time::in_words as micros;

/// A level, as a fader or a meter says it: `-6.0 dB`, or `silent`.
#[must_use]
pub fn decibels(level: f32) -> String {
    if level <= 0.0 {
        return "silent".to_owned();
    }
    let decibels = 20.0 * level.log10();
    // "-0.0 dB" would be read as a fault.
    if decibels > -0.05 { "0.0 dB".to_owned() } else { format!("{decibels:.1} dB") }
}

/// When the next try is, at the latest.
#[must_use]
pub fn next_try(retry_in: Duration) -> String {
    match retry_in.as_millis().div_ceil(1000) {
        0 | 1 => "Trying again within a second.".to_owned(),
        seconds => format!("Trying again within {seconds} seconds."),
    }
}

/// What a client is.
#[must_use]
pub fn kind(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Window => "window",
        ClientKind::Headless => "headless",
        ClientKind::Page => "page",
        ClientKind::Remote => "remote",
        ClientKind::Tutorial => "plain",
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
    fn the_next_try_is_never_promised_too_early() {
        assert_eq!(next_try(Duration::from_millis(350)), "Trying again within a second.");
        assert_eq!(next_try(Duration::from_millis(2100)), "Trying again within 3 seconds.");
    }
}

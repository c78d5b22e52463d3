//! `downbeat play`: a player without a window. What a window would show, it says on stdout, one
//! line each, for people and for scripts.

use std::io::{self, Write as _};

use crate::event::{SessionEvent, Wire};

/// The line that tells of `event`; none for what moves too often to be told in lines.
#[must_use]
pub fn line(event: &SessionEvent) -> Option<String> {
    Some(match event {
        SessionEvent::Connecting { relay } => format!("Connecting to {relay}"),
        SessionEvent::Connected { wire: Wire::Downbeat { id }, .. } => {
            format!("Connected as client {}", id.0)
        }
        SessionEvent::Connected { wire: Wire::Plain, .. } => {
            "Talking to a plain relay: one sound, played on arrival".to_owned()
        }
        SessionEvent::Lost { reason, retry_in } => {
            format!("Lost the relay: {reason}; next try in {:.1} s", retry_in.as_secs_f32())
        }
        SessionEvent::WrongAddress { reason } => format!("Wrong address: {reason}"),
        SessionEvent::SoundFailed { name, reason } => format!("Cannot play {name}: {reason}"),
        SessionEvent::BankReady { sounds } => format!("Ready: {sounds} sounds"),
        SessionEvent::OutputOpened { name, .. } => format!("Output: {name}"),
        SessionEvent::OutputLost { reason } => format!("No output: {reason}"),
        SessionEvent::Heard(heard) => {
            let by = heard.by.as_deref().unwrap_or("someone");
            let late = if heard.late { ", joined late" } else { "" };
            format!("Heard {} by {by}{late}", heard.sound)
        }
        SessionEvent::Refused { reason } => format!("The relay refused: {reason}"),
        SessionEvent::SoundReady { .. }
        | SessionEvent::OutputLatency { .. }
        | SessionEvent::Outputs(_)
        | SessionEvent::Roster(_)
        | SessionEvent::Clock { .. }
        | SessionEvent::Meter { .. } => return None,
    })
}

/// Says on stdout what there is to say of `event`.
pub fn say(event: &SessionEvent) {
    if let Some(line) = line(event) {
        // A closed stdout is no reason to be silent: the player plays on.
        let _ = writeln!(io::stdout(), "{line}");
    }
}

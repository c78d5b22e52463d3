//! `downbeat play`: a player without a window. What a window would show becomes lines on stdout,
//! for people and for scripts.

use crate::{
    action::Trim,
    event::{SessionEvent, Wire},
    standing::Standing,
    time::in_words,
};

/// Tells in lines what happens.
#[derive(Debug, Default)]
pub struct Teller {
    standing: Standing,
}

impl Teller {
    /// The line that tells of `event`; none for what moves too often to be told in lines.
    #[must_use]
    pub fn line(&mut self, event: &SessionEvent) -> Option<String> {
        let was_loose = self.standing.is_loose();
        let was_straggler = self.standing.is_straggler();
        self.standing.apply(event);
        Some(match event {
            SessionEvent::Connecting { relay } => format!("Connecting to {relay}"),
            SessionEvent::Connected { wire: Wire::Downbeat { id, .. }, .. } => {
                format!("Connected as client {}", id.0)
            }
            SessionEvent::Connected { wire: Wire::Plain, .. } => {
                "Talking to a plain relay: one sound, played on arrival".to_owned()
            }
            SessionEvent::OtherBank { bank, .. } => {
                format!("The relay serves {} sounds now", bank.len())
            }
            SessionEvent::Lost { reason, retry_in } => {
                format!("Lost the relay: {reason}; next try in {:.1} s", retry_in.as_secs_f32())
            }
            SessionEvent::WrongAddress { reason } => format!("Wrong address: {reason}"),
            SessionEvent::SoundFailed { name, reason } => format!("Cannot play {name}: {reason}"),
            SessionEvent::BankReady { sounds, on_first_use: 0 } => {
                format!("Ready: {sounds} sounds")
            }
            SessionEvent::BankReady { sounds, on_first_use } => {
                format!("Ready: {sounds} sounds; {on_first_use} of them load on first use")
            }
            SessionEvent::OutputOpened { name, trim, instead, .. } => {
                let trim = if *trim == Trim::NONE { String::new() } else { format!(", {trim}") };
                let instead = instead.as_ref().map(|reason| format!(" ({reason})"));
                format!("Output: {name}{trim}{}", instead.unwrap_or_default())
            }
            SessionEvent::OutputLatencyChanged { change } => change.clone(),
            SessionEvent::OutputLost { reason } => format!("No output: {reason}"),
            SessionEvent::Heard(heard) => {
                let by = heard.by.as_deref().unwrap_or("someone");
                let late = if heard.late { ", joined late" } else { "" };
                format!("Heard {} by {by}{late}", heard.sound)
            }
            SessionEvent::StoppedHereOnly => "Stopped on this machine only".to_owned(),
            SessionEvent::Refused { reason } => format!("The relay refused: {reason}"),
            SessionEvent::Clock { .. } if was_loose != self.standing.is_loose() => {
                self.clock_line()?
            }
            SessionEvent::Roster(_) if was_straggler != self.standing.is_straggler() => {
                self.standing.lead_problem().unwrap_or_else(|| {
                    "The room waits for this machine again: it starts each sound with the others"
                        .to_owned()
                })
            }
            SessionEvent::SoundReady { .. }
            | SessionEvent::SoundOnFirstUse { .. }
            | SessionEvent::SoundLoading { .. }
            | SessionEvent::OutputLatency { .. }
            | SessionEvent::Outputs(_)
            | SessionEvent::Roster(_)
            | SessionEvent::Clock { .. }
            | SessionEvent::Meter { .. } => return None,
        })
    }

    fn clock_line(&self) -> Option<String> {
        let better = || {
            let micros = self.standing.clock_error_micros()?;
            Some(format!("This machine is within ±{} again", in_words(micros.into())))
        };
        self.standing.clock_problem().or_else(better)
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientId, ClientKind, Roster, RosterEntry};

    use super::*;

    fn teller() -> Teller {
        let mut teller = Teller::default();
        let connected = teller.line(&SessionEvent::Connected {
            wire: Wire::Downbeat { id: ClientId(7), most_lead_micros: 500_000 },
            bank: Vec::new(),
            default_sound: "click".to_owned(),
        });
        assert_eq!(connected.as_deref(), Some("Connected as client 7"));
        teller
    }

    #[test]
    fn a_loose_clock_is_told_of_once_and_once_when_it_is_better() {
        let mut teller = teller();
        let mut told = Vec::new();
        for error in [300, 2_400, 2_600, 950, 1_200, 780, 900, 35] {
            told.extend(teller.line(&SessionEvent::Clock { error_micros: Some(error) }));
        }
        assert_eq!(
            told,
            [
                "This machine can be off by ±2.4 ms: the network or the output keeps time too unevenly",
                "This machine is within ±780 µs again",
            ]
        );
    }

    #[test]
    fn a_straggler_is_told_so_once_and_once_when_it_is_waited_for_again() {
        let mut teller = teller();
        let mut told = Vec::new();
        for straggler in [false, true, true, false, false] {
            let client = RosterEntry {
                id: ClientId(7),
                name: "lab-3".to_owned(),
                kind: ClientKind::Headless,
                report: None,
                straggler,
            };
            let roster = Roster { total: 1, clients: vec![client], lead_micros: 5_000 };
            told.extend(teller.line(&SessionEvent::Roster(roster)));
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("joins each sound in the middle"));
        assert!(told[1].starts_with("The room waits for this machine again"));
    }

    #[test]
    fn a_change_of_the_output_latency_is_told_with_its_reason() {
        let change = "Output latency raised to 20 ms: the sound server ran dry 3 times in 10 s";
        let event = SessionEvent::OutputLatencyChanged { change: change.to_owned() };
        assert_eq!(Teller::default().line(&event).as_deref(), Some(change));
    }

    #[test]
    fn a_trim_is_told_with_its_output() {
        let opened = |millis| {
            Teller::default().line(&SessionEvent::OutputOpened {
                id: "usb".to_owned(),
                name: "Scarlett".to_owned(),
                trim: Trim::from_millis(millis),
                instead: None,
            })
        };
        assert_eq!(opened(0.0).as_deref(), Some("Output: Scarlett"));
        assert_eq!(opened(12.5).as_deref(), Some("Output: Scarlett, 12.5 ms earlier"));
    }

    #[test]
    fn an_output_that_is_not_the_chosen_one_is_told_with_the_reason() {
        let line = Teller::default().line(&SessionEvent::OutputOpened {
            id: "hdmi".to_owned(),
            name: "HDMI".to_owned(),
            trim: Trim::from_millis(12.5),
            instead: Some("Scarlett is not there".to_owned()),
        });
        let line = line.unwrap_or_default();
        assert_eq!(line, "Output: HDMI, 12.5 ms earlier (Scarlett is not there)");
    }
}

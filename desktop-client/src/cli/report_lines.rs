//! The lines that `downbeat play` prints: what a window would show, for people and for scripts.

use crate::{
    event::{Access, FoundRelay, RelayProtocol, SessionEvent},
    settings::ExtraLatency,
    sync_status::SyncStatus,
    time::format_micros,
};

/// Turns session events into lines.
#[derive(Debug, Default)]
pub(super) struct ReportLines {
    sync_status: SyncStatus,
    /// The relays that were found and are said.
    found: Vec<FoundRelay>,
}

impl ReportLines {
    /// The line for `event`; none for what changes too often.
    pub(super) fn line(&mut self, event: &SessionEvent) -> Option<String> {
        let was_loose = self.sync_status.is_loose();
        let was_straggler = self.sync_status.is_straggler();
        self.sync_status.apply(event);
        Some(match event {
            SessionEvent::Connecting { relay } => format!("Connecting to {relay}"),
            SessionEvent::Connected { protocol: RelayProtocol::V1 { id, .. }, .. } => {
                format!("Connected as client {}", id.0)
            }
            SessionEvent::Connected { protocol: RelayProtocol::Tutorial, .. } => {
                "Connected to a tutorial relay: one sound, played on arrival".to_owned()
            }
            SessionEvent::BankChanged(bank) => {
                format!("The relay now serves {} sounds", bank.sounds.len())
            }
            SessionEvent::RelaysFound(relays) => self.found_line(relays)?,
            SessionEvent::Locked { locked, by: Some(by) } => {
                format!("{by} {} the room", if *locked { "locked" } else { "unlocked" })
            }
            SessionEvent::Identify { by, .. } => format!("{by} looks for this machine"),
            SessionEvent::NameChanged { name } => format!("Name: {name}"),
            SessionEvent::VolumeChanged { volume } => format!("Volume: {volume:.2}"),
            SessionEvent::MuteChanged { muted: true } => "Muted".to_owned(),
            SessionEvent::MuteChanged { muted: false } => "Unmuted".to_owned(),
            SessionEvent::ExtraLatencyChanged { extra_latency } => {
                format!("Extra latency: {extra_latency}")
            }
            SessionEvent::Lost { reason, retry_in } => {
                format!("Lost the relay: {reason}; retrying in {:.1} s", retry_in.as_secs_f32())
            }
            SessionEvent::InvalidAddress { reason } => format!("Invalid address: {reason}"),
            SessionEvent::CodeRefused { reason, .. } => format!("Not joined: {reason}"),
            SessionEvent::SoundFailed { name, reason } => format!("Cannot play {name}: {reason}"),
            SessionEvent::BankReady { sounds, on_first_use: 0 } => {
                format!("Ready: {sounds} sounds")
            }
            SessionEvent::BankReady { sounds, on_first_use } => {
                format!("Ready: {sounds} sounds; {on_first_use} of them load on first use")
            }
            SessionEvent::OutputOpened { name, extra_latency, fallback_reason, .. } => {
                let extra = if *extra_latency == ExtraLatency::NONE {
                    String::new()
                } else {
                    format!(", extra latency {extra_latency}")
                };
                let fallback = fallback_reason.as_ref().map(|reason| format!(" ({reason})"));
                format!("Output: {name}{extra}{}", fallback.unwrap_or_default())
            }
            SessionEvent::OutputLatencyAdapted { change } => change.clone(),
            SessionEvent::OutputLost { reason } => format!("No output: {reason}"),
            SessionEvent::Played(played) => {
                let by = played.by.as_deref().map(|by| format!(" by {by}"));
                let late = if played.late { ", joined late" } else { "" };
                format!("Played {}{}{late}", played.sound, by.unwrap_or_default())
            }
            SessionEvent::StoppedLocally => "Stopped on this machine only".to_owned(),
            SessionEvent::Refused { reason } => format!("The relay refused: {reason}"),
            SessionEvent::Clock { .. } if was_loose != self.sync_status.is_loose() => {
                self.clock_line()?
            }
            SessionEvent::Roster(_) if was_straggler != self.sync_status.is_straggler() => {
                let problem = self.sync_status.lead_problem();
                problem
                    .unwrap_or_else(|| "The lead suffices again: sounds start on time.".to_owned())
            }
            SessionEvent::RelayChanged { .. }
            | SessionEvent::SoundSelected { .. }
            | SessionEvent::SoundReady { .. }
            | SessionEvent::SoundOnFirstUse { .. }
            | SessionEvent::SoundLoading { .. }
            | SessionEvent::OutputChosen(_)
            | SessionEvent::Machine(_)
            | SessionEvent::Locked { .. }
            | SessionEvent::Reported(_)
            | SessionEvent::Watching(_)
            | SessionEvent::Machines(_)
            | SessionEvent::Receipt(_)
            | SessionEvent::Joining(_)
            | SessionEvent::Upload(_)
            | SessionEvent::UploadRemoved { .. }
            | SessionEvent::OutputLatency { .. }
            | SessionEvent::Outputs(_)
            | SessionEvent::Roster(_)
            | SessionEvent::Clock { .. }
            | SessionEvent::Meter { .. }
            | SessionEvent::Voice(_)
            | SessionEvent::Variables(_)
            | SessionEvent::VariablesChanged(_)
            | SessionEvent::ValueApplied { .. }
            | SessionEvent::AppearanceChanged(_) => return None,
        })
    }

    fn found_line(&mut self, relays: &[FoundRelay]) -> Option<String> {
        let new = relays.iter().filter(|relay| !self.found.contains(relay));
        let new = new.map(|FoundRelay { name, address, access, .. }| {
            let token = if *access == Access::Open { "" } else { ", which needs a token" };
            format!("{name} at {address}{token}")
        });
        let new: Vec<_> = new.collect();
        self.found = relays.to_vec();
        (!new.is_empty()).then(|| format!("Found {}", new.join(" and ")))
    }

    fn clock_line(&self) -> Option<String> {
        let recovered = || {
            let micros = self.sync_status.clock_error_micros()?;
            Some(format!("Timing is within ±{} again.", format_micros(micros.into())))
        };
        self.sync_status.clock_problem().or_else(recovered)
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{BankNow, ClientId, ClientKind, Roster, RosterEntry};

    use super::*;

    fn connected() -> ReportLines {
        let mut lines = ReportLines::default();
        let line = lines.line(&SessionEvent::Connected {
            protocol: RelayProtocol::V1 { id: ClientId(7), max_lead_micros: 500_000 },
            bank: BankNow {
                sounds: Vec::new(),
                default_sound: "click".to_owned(),
                bank: 1,
                removed: Vec::new(),
            },
        });
        assert_eq!(line.as_deref(), Some("Connected as client 7"));
        lines
    }

    fn opened(millis: f64, fallback_reason: Option<&str>) -> Option<String> {
        ReportLines::default().line(&SessionEvent::OutputOpened {
            id: "usb".to_owned(),
            name: "Scarlett".to_owned(),
            extra_latency: ExtraLatency::from_millis(millis),
            fallback_reason: fallback_reason.map(str::to_owned),
        })
    }

    #[test]
    fn a_loose_clock_is_reported_once_and_its_recovery_once() {
        let mut lines = connected();
        let mut reported = Vec::new();
        for error in [300, 2_400, 2_600, 950, 1_200, 780, 900, 35] {
            reported.extend(lines.line(&SessionEvent::Clock { error_micros: Some(error) }));
        }
        assert_eq!(
            reported,
            [
                "Timing may be off by ±2.4 ms: the network or the output is unsteady.",
                "Timing is within ±780 µs again.",
            ]
        );
    }

    #[test]
    fn a_missing_lead_is_reported_once_and_its_recovery_once() {
        let mut lines = connected();
        let mut reported = Vec::new();
        for straggler in [false, true, true, false, false] {
            let client = RosterEntry {
                id: ClientId(7),
                name: "lab-3".to_owned(),
                kind: ClientKind::Headless,
                plays: true,
                seat: None,
                tags: Vec::new(),
                straggler,
            };
            let roster = Roster { total: 1, clients: vec![client], lead_micros: 5_000 };
            reported.extend(lines.line(&SessionEvent::Roster(roster)));
        }
        assert_eq!(reported.len(), 2, "{reported:?}");
        assert!(reported[0].contains("sounds start late here"));
        assert!(reported[1].contains("start on time"));
    }

    #[test]
    fn a_relay_that_is_found_is_reported_once() {
        let relay = |epoch: u64, access| FoundRelay {
            epoch: downbeat_protocol::Epoch(epoch),
            name: "Studio".to_owned(),
            address: "192.168.1.5:3000".to_owned(),
            access,
        };
        let mut lines = ReportLines::default();
        let mut line = |relays| lines.line(&SessionEvent::RelaysFound(relays));
        let first = line(vec![relay(1, Access::Open)]);
        assert_eq!(first.as_deref(), Some("Found Studio at 192.168.1.5:3000"));
        let second = line(vec![relay(1, Access::Open), relay(2, Access::Code)]).unwrap();
        assert_eq!(second, "Found Studio at 192.168.1.5:3000, which needs a token");
        assert_eq!(line(vec![relay(1, Access::Open), relay(2, Access::Code)]), None);
        assert_eq!(line(Vec::new()), None);
    }

    #[test]
    fn an_adapted_output_latency_is_reported_with_its_reason() {
        let change = "Output latency raised to 20 ms: the sound server ran dry 3 times in 10 s";
        let event = SessionEvent::OutputLatencyAdapted { change: change.to_owned() };
        assert_eq!(ReportLines::default().line(&event).as_deref(), Some(change));
    }

    #[test]
    fn an_output_is_reported_with_its_extra_latency_and_why_it_is_a_fallback() {
        assert_eq!(opened(0.0, None).as_deref(), Some("Output: Scarlett"));
        assert_eq!(opened(12.5, None).as_deref(), Some("Output: Scarlett, extra latency 12.5 ms"));
        assert_eq!(
            opened(-3.0, Some("HDMI is not available")).as_deref(),
            Some("Output: Scarlett, extra latency -3.0 ms (HDMI is not available)")
        );
    }
}

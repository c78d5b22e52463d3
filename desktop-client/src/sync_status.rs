//! This machine's synchrony with the room: how well it knows relay time, and whether the room's lead is
//! long enough for it. Problems are described in one sentence, the same for the window and for
//! `downbeat play`.
//!
//! It changes by session events only, and reads no clock.

use downbeat_protocol::{ClientId, Roster};

use crate::{
    event::{RelayProtocol, SessionEvent},
    time::format_micros,
};

/// An error bound beyond this is a problem: two clicks a few milliseconds apart are heard as two.
pub(crate) const LOOSE_MICROS: u32 = 1_000;

/// A bound below this ends the problem. The hysteresis keeps a bound that hovers about the limit from
/// being reported over and over.
const TIGHT_MICROS: u32 = 800;

/// This machine's synchrony with the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncStatus {
    relay: Option<Relay>,
    clock_error_micros: Option<u32>,
    is_loose: bool,
    needed_micros: Option<u32>,
    is_straggler: bool,
}

/// What the relay said when it welcomed this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relay {
    own_id: ClientId,
    max_lead_micros: u32,
}

impl SyncStatus {
    /// Applies an event, as far as it concerns synchrony.
    pub(crate) fn apply(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Connected {
                protocol: RelayProtocol::V1 { id, max_lead_micros }, ..
            } => {
                self.is_straggler = false;
                self.relay = Some(Relay { own_id: *id, max_lead_micros: *max_lead_micros });
            }
            SessionEvent::Connected { protocol: RelayProtocol::Tutorial, .. }
            | SessionEvent::RelayChanged { .. }
            | SessionEvent::Lost { .. }
            | SessionEvent::InvalidAddress { .. }
            | SessionEvent::CodeRefused { .. } => *self = Self::default(),
            SessionEvent::Clock { error_micros } => self.set_clock_error(*error_micros),
            SessionEvent::Roster(roster) => self.set_roster(roster),
            SessionEvent::Reported(report) => self.needed_micros = report.lead_micros,
            _ => {}
        }
    }

    fn set_clock_error(&mut self, error_micros: Option<u32>) {
        self.clock_error_micros = error_micros;
        let limit = if self.is_loose { TIGHT_MICROS } else { LOOSE_MICROS };
        self.is_loose = error_micros.is_some_and(|micros| micros > limit);
    }

    fn set_roster(&mut self, roster: &Roster) {
        // In a crowd, a client's own entry is missing until its first report.
        let Some(relay) = self.relay else { return };
        let Some(own) = roster.clients.iter().find(|client| client.id == relay.own_id) else {
            return;
        };
        self.is_straggler = own.straggler;
    }

    /// The bound on this machine's timing error; none before the first estimate.
    #[must_use]
    pub fn clock_error_micros(&self) -> Option<u32> {
        self.clock_error_micros
    }

    /// Whether the bound is too large for two machines to be heard as one.
    pub(crate) fn is_loose(&self) -> bool {
        self.is_loose
    }

    /// Whether this machine needs more lead than the relay gives.
    pub(crate) fn is_straggler(&self) -> bool {
        self.is_straggler
    }

    /// Why this machine may be heard apart from the others, if it may.
    pub(crate) fn clock_problem(&self) -> Option<String> {
        let micros = self.clock_error_micros.filter(|_| self.is_loose)?;
        Some(format!(
            "Timing may be off by ±{}: the network or the output is unsteady.",
            format_micros(micros.into())
        ))
    }

    /// Why sounds start late on this machine, if they do.
    pub(crate) fn lead_problem(&self) -> Option<String> {
        let Relay { max_lead_micros, .. } = self.relay.filter(|_| self.is_straggler)?;
        let needed = self.needed_micros.map_or_else(
            || "Needs more lead".to_owned(),
            |micros| format!("Needs {} of lead", format_micros(micros.into())),
        );
        let max = format_micros(max_lead_micros.into());
        Some(format!("{needed}; the limit is {max}, so sounds start late here."))
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{BankNow, ClientKind, Report, RosterEntry};

    use super::*;

    fn connected() -> SyncStatus {
        let mut status = SyncStatus::default();
        status.apply(&SessionEvent::Connected {
            protocol: RelayProtocol::V1 { id: ClientId(7), max_lead_micros: 500_000 },
            bank: BankNow {
                sounds: Vec::new(),
                default_sound: "click".to_owned(),
                bank: 1,
                removed: Vec::new(),
            },
        });
        status
    }

    fn clock(status: &mut SyncStatus, error_micros: u32) -> Option<String> {
        status.apply(&SessionEvent::Clock { error_micros: Some(error_micros) });
        status.clock_problem()
    }

    fn report(status: &mut SyncStatus, lead_micros: Option<u32>) {
        status.apply(&SessionEvent::Reported(Report { lead_micros, ..Report::default() }));
    }

    fn roster(id: u32, straggler: bool) -> SessionEvent {
        let client = RosterEntry {
            id: ClientId(id),
            name: "lab-3".to_owned(),
            kind: ClientKind::Window,
            plays: true,
            seat: None,
            tags: Vec::new(),
            straggler,
        };
        SessionEvent::Roster(Roster { total: 1, clients: vec![client], lead_micros: 5_000 })
    }

    #[test]
    fn a_loose_clock_is_reported_until_it_is_clearly_better() {
        let mut status = connected();
        assert_eq!(clock(&mut status, 1_000), None);
        assert_eq!(
            clock(&mut status, 2_400).unwrap(),
            "Timing may be off by ±2.4 ms: the network or the output is unsteady."
        );
        assert!(clock(&mut status, 900).is_some(), "within the hysteresis");
        assert_eq!(clock(&mut status, 800), None);
        assert_eq!(clock(&mut status, 900), None);
    }

    #[test]
    fn a_straggler_is_told_the_lead_it_needs_and_the_limit() {
        let mut status = connected();
        report(&mut status, Some(620_000));
        status.apply(&roster(2, true));
        assert_eq!(status.lead_problem(), None, "that is another machine");
        status.apply(&roster(7, true));
        assert_eq!(
            status.lead_problem().unwrap(),
            "Needs 620 ms of lead; the limit is 500 ms, so sounds start late here."
        );
        report(&mut status, None);
        assert!(status.lead_problem().unwrap().starts_with("Needs more lead; the limit is"));
        report(&mut status, Some(400_000));
        status.apply(&roster(7, false));
        assert_eq!(status.lead_problem(), None);
    }

    #[test]
    fn a_lost_connection_resets_the_status() {
        let mut status = connected();
        clock(&mut status, 2_400);
        status.apply(&roster(7, true));
        status.apply(&SessionEvent::InvalidAddress { reason: "none".to_owned() });
        assert_eq!(status, SyncStatus::default());
    }
}

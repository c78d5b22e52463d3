//! What everyone knows of who is here, and when they are told of what has changed in it.
//!
//! Pure: told what time it is.

use std::time::Duration;

use downbeat_protocol::{RelayTime, Roster, RosterChange};

use crate::config::{
    REPORTS_ROSTER_EVERY, REPORTS_ROSTER_EVERY_PER_CLIENT, ROSTER_EVERY_PER_CLIENT,
};

/// What everyone knows of who is here.
#[derive(Debug, Default)]
pub(super) struct Told {
    roster: Roster,
    /// When they were last told anything, and when of reports and the lead.
    at: Option<RelayTime>,
    figures_at: Option<RelayTime>,
}

impl Told {
    /// It.
    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What everyone is to be told `now` that the roster is this; nothing if they know it, or if they
    /// were told something a moment ago.
    pub(super) fn change_to(&mut self, mut roster: Roster, now: RelayTime) -> Option<RosterChange> {
        let is_due = |last: Option<RelayTime>, pace: Duration| {
            last.is_none_or(|at| now.micros_since(at) >= pace.as_micros() as i64)
        };
        if !is_due(self.at, ROSTER_EVERY_PER_CLIENT * roster.total) {
            return None;
        }
        let figures_pace = REPORTS_ROSTER_EVERY_PER_CLIENT * roster.total;
        let with_figures = is_due(self.figures_at, REPORTS_ROSTER_EVERY.max(figures_pace));
        let lead_micros = roster.lead_micros;
        if !with_figures {
            self.keep_figures(&mut roster);
        }
        if roster == self.roster {
            return None;
        }
        roster.lead_micros = lead_micros;
        self.at = Some(now);
        if with_figures {
            self.figures_at = Some(now);
        }
        let change = roster.since(&self.roster);
        self.roster = roster;
        Some(change)
    }

    /// Puts into `roster` the figures that everyone knows, for those of whom nothing else has changed.
    fn keep_figures(&self, roster: &mut Roster) {
        roster.lead_micros = self.roster.lead_micros;
        for client in &mut roster.clients {
            if let Some(told) = self.roster.get(client.id)
                && told.straggler == client.straggler
            {
                client.report.clone_from(&told.report);
            }
        }
    }
}

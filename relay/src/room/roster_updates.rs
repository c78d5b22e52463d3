//! What clients know of the roster, and when they are sent what has changed.
//!
//! Pure: the caller passes the time.

use std::time::Duration;

use downbeat_protocol::{RelayTime, Roster, RosterChange};

/// Rosters that differ only in reports or the lead are at least this far apart: people read no faster.
const REPORTS_INTERVAL: Duration = Duration::from_secs(2);

/// Each member adds this to that interval. In a room of a thousand, reports of the 64 listed members then
/// come to 16 KB for each client, or 1.6 MB a second in all.
const REPORTS_INTERVAL_PER_MEMBER: Duration = Duration::from_millis(10);

/// Each member adds this to the interval between any rosters, so that a thousand arrivals are not sent one
/// by one to a thousand clients.
const INTERVAL_PER_MEMBER: Duration = Duration::from_millis(1);

/// The roster as clients know it.
#[derive(Debug, Default)]
pub(super) struct RosterUpdates {
    sent: Roster,
    /// When anything was last sent, and when reports and the lead were.
    sent_at: Option<RelayTime>,
    reports_sent_at: Option<RelayTime>,
}

impl RosterUpdates {
    /// The roster as clients know it.
    pub(super) fn sent(&self) -> &Roster {
        &self.sent
    }

    /// What to send at `now` so that clients know `roster`; `None` if they know it or the last update is
    /// too recent.
    pub(super) fn update(&mut self, mut roster: Roster, now: RelayTime) -> Option<RosterChange> {
        let is_due = |last: Option<RelayTime>, interval: Duration| {
            last.is_none_or(|at| now.micros_since(at) >= interval.as_micros() as i64)
        };
        if !is_due(self.sent_at, INTERVAL_PER_MEMBER * roster.total) {
            return None;
        }
        let reports_interval = REPORTS_INTERVAL.max(REPORTS_INTERVAL_PER_MEMBER * roster.total);
        let with_reports = is_due(self.reports_sent_at, reports_interval);
        let lead_micros = roster.lead_micros;
        if !with_reports {
            self.keep_reports(&mut roster);
        }
        if roster == self.sent {
            return None;
        }
        roster.lead_micros = lead_micros;
        self.sent_at = Some(now);
        if with_reports {
            self.reports_sent_at = Some(now);
        }
        let change = roster.since(&self.sent);
        self.sent = roster;
        Some(change)
    }

    /// Replaces the reports in `roster` by those that clients know, where nothing else has changed.
    fn keep_reports(&self, roster: &mut Roster) {
        roster.lead_micros = self.sent.lead_micros;
        for client in &mut roster.clients {
            if let Some(sent) = self.sent.get(client.id)
                && sent.straggler == client.straggler
            {
                client.report.clone_from(&sent.report);
            }
        }
    }
}

//! What clients know of the roster, and when they are sent what has changed.
//!
//! Pure: the caller passes the time.

use std::time::Duration;

use downbeat_protocol::{RelayTime, Roster, RosterChange};

/// Rosters that differ only in the lead are at least this far apart: people read no faster.
const LEAD_INTERVAL: Duration = Duration::from_secs(2);

/// Each member adds this to that interval, so that a room of a thousand is sent the lead every ten seconds.
const LEAD_INTERVAL_PER_MEMBER: Duration = Duration::from_millis(10);

/// Each member adds this to the interval between any rosters, so that a thousand arrivals are not sent one
/// by one to a thousand clients.
const INTERVAL_PER_MEMBER: Duration = Duration::from_millis(1);

/// The roster as clients know it.
#[derive(Debug, Default)]
pub(super) struct RosterUpdates {
    sent: Roster,
    /// When it was last sent.
    sent_at: Option<RelayTime>,
}

impl RosterUpdates {
    /// The roster as clients know it.
    pub(super) fn sent(&self) -> &Roster {
        &self.sent
    }

    /// What to send at `now` so that clients know `roster`; `None` if they know it or the last update is
    /// too recent.
    pub(super) fn update(&mut self, roster: Roster, now: RelayTime) -> Option<RosterChange> {
        let is_same_but_lead =
            roster.clients == self.sent.clients && roster.total == self.sent.total;
        if is_same_but_lead && roster.lead_micros == self.sent.lead_micros {
            return None;
        }
        let of_lead = LEAD_INTERVAL.max(LEAD_INTERVAL_PER_MEMBER * roster.total);
        let interval = if is_same_but_lead { of_lead } else { INTERVAL_PER_MEMBER * roster.total };
        if self.sent_at.is_some_and(|at| now.micros_since(at) < interval.as_micros() as i64) {
            return None;
        }
        self.sent_at = Some(now);
        let change = roster.since(&self.sent);
        self.sent = roster;
        Some(change)
    }
}

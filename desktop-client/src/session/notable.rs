//! What is worth showing again: figures that tremble at every report would have a window redrawn
//! all day, and nobody the wiser.
//!
//! Pure. It compares what was shown last with what is known now.

use downbeat_protocol::{Report, Roster, RosterEntry};

use crate::event::SessionEvent;

/// A figure is shown again when it has moved by more than one part in this many.
const SHARE: u32 = 8;

/// And by at least so much: below it, a person reads the same.
const LEAST_MICROS: u32 = 10;

/// What was shown last of the figures that tremble.
#[derive(Debug, Default)]
pub(super) struct Shown {
    roster: Option<Roster>,
    clock_error_micros: Option<u32>,
}

impl Shown {
    /// Whether `event` is worth showing; it then counts as shown.
    pub(super) fn is_news(&mut self, event: &SessionEvent) -> bool {
        match event {
            SessionEvent::Roster(now) => {
                let news = self.roster.as_ref().is_none_or(|shown| tells_more(shown, now));
                if news {
                    self.roster = Some(now.clone());
                }
                news
            }
            SessionEvent::Clock { error_micros } => {
                let news = moved(self.clock_error_micros, *error_micros);
                if news {
                    self.clock_error_micros = *error_micros;
                }
                news
            }
            // Whoever watches forgets both with the connection.
            SessionEvent::Lost { .. } | SessionEvent::WrongAddress { .. } => {
                *self = Self::default();
                true
            }
            _ => true,
        }
    }
}

/// Whether a figure of some microseconds has moved enough to be shown again.
fn moved(shown: Option<u32>, now: Option<u32>) -> bool {
    match (shown, now) {
        (Some(shown), Some(now)) => {
            let apart = shown.abs_diff(now);
            apart >= LEAST_MICROS && apart > shown / SHARE
        }
        (None, None) => false,
        _ => true,
    }
}

/// Whether a roster tells a person something that the last one shown did not.
fn tells_more(shown: &Roster, now: &Roster) -> bool {
    shown.total != now.total
        || shown.clients.len() != now.clients.len()
        || moved(Some(shown.lead_micros), Some(now.lead_micros))
        || shown.clients.iter().zip(&now.clients).any(|(shown, now)| entry_differs(shown, now))
}

fn entry_differs(shown: &RosterEntry, now: &RosterEntry) -> bool {
    let who = |entry: &RosterEntry| (entry.id, entry.kind, entry.straggler);
    who(shown) != who(now)
        || shown.name != now.name
        || match (&shown.report, &now.report) {
            (Some(shown), Some(now)) => report_differs(shown, now),
            (None, None) => false,
            _ => true,
        }
}

fn report_differs(shown: &Report, now: &Report) -> bool {
    shown.late != now.late
        || shown.xruns != now.xruns
        || moved(shown.clock_error_micros, now.clock_error_micros)
        || moved(shown.latency_micros, now.latency_micros)
        || moved(shown.lead_micros, now.lead_micros)
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{ClientId, ClientKind};

    use super::*;

    fn roster(clock_error_micros: u32, late: u64) -> Roster {
        let report =
            Report { clock_error_micros: Some(clock_error_micros), late, ..Report::default() };
        let entry = RosterEntry {
            id: ClientId(1),
            name: "a".into(),
            kind: ClientKind::Window,
            report: Some(report),
            straggler: false,
        };
        Roster { total: 1, clients: vec![entry], lead_micros: 20_000 }
    }

    #[test]
    fn a_trembling_figure_is_not_shown_again() {
        assert!(!moved(Some(100), Some(109)));
        assert!(!moved(Some(12_000), Some(12_900)));
        assert!(moved(Some(100), Some(150)));
        assert!(moved(None, Some(5)));
        assert!(moved(Some(5), None));
    }

    #[test]
    fn a_roster_is_shown_again_for_what_a_person_would_notice() {
        assert!(!tells_more(&roster(100, 0), &roster(105, 0)));
        assert!(tells_more(&roster(100, 0), &roster(200, 0)));
        assert!(tells_more(&roster(100, 0), &roster(100, 1)));
        assert!(tells_more(&roster(100, 0), &Roster { total: 2, ..roster(100, 0) }));
        assert!(tells_more(&roster(100, 0), &Roster { lead_micros: 30_000, ..roster(100, 0) }));
    }
}

//! What is worth showing again: figures that tremble at every report would have a window redrawn
//! all day, and nobody the wiser.
//!
//! Pure. It compares what was shown last with what is known now, and is told what time it is.

use downbeat_protocol::{Report, Roster, RosterEntry};

use crate::{event::SessionEvent, time::LocalTime};

/// A figure is shown again when it has moved by more than one part in this many.
const SHARE: u32 = 8;

/// And by at least so much: below it, a person reads the same.
const LEAST_MICROS: u32 = 10;

/// How long a figure stands before it is shown again: as long as there has been one, within these
/// bounds. At first a clock is seen to get better; later nobody watches it.
const LEAST_STAND_NANOS: i64 = 1_000_000_000;
const MOST_STAND_NANOS: i64 = 30_000_000_000;

/// What was shown last of the figures that tremble.
#[derive(Debug, Default)]
pub(super) struct Shown {
    roster: Option<Roster>,
    roster_pace: Pace,
    clock_error_micros: Option<u32>,
    clock_pace: Pace,
}

impl Shown {
    /// Whether `event` is worth showing `now`; it then counts as shown.
    pub(super) fn is_news(&mut self, event: &SessionEvent, now: LocalTime) -> bool {
        match event {
            SessionEvent::Roster(roster) => {
                let weight = self.roster.as_ref().map_or(Weight::News, |was| weigh(was, roster));
                let news = self.roster_pace.lets(weight, now);
                if news {
                    self.roster = Some(roster.clone());
                }
                news
            }
            SessionEvent::Clock { error_micros } => {
                let weight = weigh_figure(self.clock_error_micros, *error_micros);
                let news = self.clock_pace.lets(weight, now);
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

/// How much a change is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A person reads the same.
    Nothing,
    /// It can wait.
    Figure,
    News,
}

/// When a figure was shown, for the first and for the last time.
#[derive(Debug, Default)]
struct Pace {
    shown: Option<(LocalTime, LocalTime)>,
}

impl Pace {
    /// Whether a change of this weight is shown now; it then counts as shown.
    fn lets(&mut self, weight: Weight, now: LocalTime) -> bool {
        let stands = self.shown.is_some_and(|(first, last)| {
            let stand = last.nanos_since(first).clamp(LEAST_STAND_NANOS, MOST_STAND_NANOS);
            now.nanos_since(last) < stand
        });
        let shows = weight == Weight::News || weight == Weight::Figure && !stands;
        if shows {
            let first = self.shown.map_or(now, |(first, _)| first);
            self.shown = Some((first, now));
        }
        shows
    }
}

/// What a figure of some microseconds is worth. That it is known, or has become twice as bad, is
/// news.
fn weigh_figure(shown: Option<u32>, now: Option<u32>) -> Weight {
    match (shown, now) {
        (None, None) => Weight::Nothing,
        (Some(shown), Some(now)) => {
            let apart = shown.abs_diff(now);
            if apart < LEAST_MICROS || apart <= shown / SHARE {
                Weight::Nothing
            } else if now / 2 >= shown {
                Weight::News
            } else {
                Weight::Figure
            }
        }
        _ => Weight::News,
    }
}

/// What a roster tells a person that the last one shown did not.
fn weigh(shown: &Roster, now: &Roster) -> Weight {
    if shown.total != now.total || shown.clients.len() != now.clients.len() {
        return Weight::News;
    }
    let lead = weigh_figure(Some(shown.lead_micros), Some(now.lead_micros));
    let entries = shown.clients.iter().zip(&now.clients);
    entries.map(|(shown, now)| weigh_entry(shown, now)).fold(lead, Weight::max)
}

fn weigh_entry(shown: &RosterEntry, now: &RosterEntry) -> Weight {
    let who = |entry: &RosterEntry| (entry.id, entry.kind, entry.straggler);
    if who(shown) != who(now) || shown.name != now.name {
        return Weight::News;
    }
    match (&shown.report, &now.report) {
        (None, None) => Weight::Nothing,
        (Some(shown), Some(now)) => weigh_report(shown, now),
        _ => Weight::News,
    }
}

fn weigh_report(shown: &Report, now: &Report) -> Weight {
    if shown.late != now.late {
        return Weight::News;
    }
    let xruns = if shown.xruns == now.xruns { Weight::Nothing } else { Weight::Figure };
    [
        (shown.clock_error_micros, now.clock_error_micros),
        (shown.latency_micros, now.latency_micros),
        (shown.lead_micros, now.lead_micros),
    ]
    .into_iter()
    .fold(xruns, |weight, (shown, now)| weight.max(weigh_figure(shown, now)))
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

    fn at(seconds: i64) -> LocalTime {
        LocalTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_trembling_figure_is_worth_nothing_and_a_bad_one_is_news() {
        assert_eq!(weigh_figure(Some(100), Some(109)), Weight::Nothing);
        assert_eq!(weigh_figure(Some(12_000), Some(12_900)), Weight::Nothing);
        assert_eq!(weigh_figure(Some(100), Some(150)), Weight::Figure);
        assert_eq!(weigh_figure(Some(150), Some(20)), Weight::Figure);
        assert_eq!(weigh_figure(Some(100), Some(200)), Weight::News);
        assert_eq!(weigh_figure(None, Some(5)), Weight::News);
        assert_eq!(weigh_figure(Some(5), None), Weight::News);
    }

    #[test]
    fn a_roster_is_worth_what_a_person_would_notice() {
        let shown = roster(100, 0);
        assert_eq!(weigh(&shown, &roster(105, 0)), Weight::Nothing);
        assert_eq!(weigh(&shown, &roster(150, 0)), Weight::Figure);
        assert_eq!(weigh(&shown, &roster(100, 1)), Weight::News);
        assert_eq!(weigh(&shown, &Roster { total: 2, ..roster(100, 0) }), Weight::News);
        let lead = Roster { lead_micros: 30_000, ..roster(100, 0) };
        assert_eq!(weigh(&shown, &lead), Weight::Figure);
    }

    #[test]
    fn a_figure_stands_longer_the_longer_it_has_been_known() {
        let mut shown = Shown::default();
        // An estimate that swings between two figures, told ten times a second for five minutes.
        let times = (0..3000).filter(|tenth| {
            let error_micros = Some(if tenth % 2 == 0 { 100 } else { 150 });
            let now = LocalTime::from_nanos(i64::from(*tenth) * 100_000_000);
            shown.is_news(&SessionEvent::Clock { error_micros }, now)
        });
        let seconds: Vec<_> = times.map(|tenth: u16| tenth / 10).collect();
        assert_eq!(seconds[..6], [0, 1, 2, 4, 9, 18]);
        assert!(seconds.windows(2).skip(6).all(|pair| pair[1] - pair[0] >= 30), "{seconds:?}");
        assert!(shown.is_news(&SessionEvent::Clock { error_micros: Some(900) }, at(300)));
    }
}

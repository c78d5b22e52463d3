//! Limits how often figures that fluctuate are reported: otherwise every report would redraw a window.
//!
//! Pure: it compares the last reported value with the present one, and takes the time as an argument.

use downbeat_protocol::Report;

use crate::{event::SessionEvent, time::LocalTime};

/// A figure is reported again when it has changed by more than one part in this many...
const SHARE: u32 = 8;

/// ...and by at least this much: a smaller difference means nothing to a person.
const MIN_MICROS: u32 = 10;

/// How long a figure is left alone before it is reported again: as long as there has been one, within
/// these bounds. At first a person watches the clock settle; later nobody does.
const MIN_INTERVAL_NANOS: i64 = 1_000_000_000;
const MAX_INTERVAL_NANOS: i64 = 30_000_000_000;

/// The last reported values of the figures that fluctuate.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    report: Option<Report>,
    report_pace: Pace,
    clock_error_micros: Option<u32>,
    clock_pace: Pace,
}

impl Throttle {
    /// Whether to report `event` now; it then counts as reported.
    pub(super) fn passes(&mut self, event: &SessionEvent, now: LocalTime) -> bool {
        match event {
            SessionEvent::Reported(report) => {
                let change = self
                    .report
                    .as_ref()
                    .map_or(Change::Significant, |last| report_change(last, report));
                let passes = self.report_pace.passes(change, now);
                if passes {
                    self.report = Some(report.clone());
                }
                passes
            }
            SessionEvent::Clock { error_micros } => {
                let change = figure_change(self.clock_error_micros, *error_micros);
                let passes = self.clock_pace.passes(change, now);
                if passes {
                    self.clock_error_micros = *error_micros;
                }
                passes
            }
            // Observers drop these figures with the connection.
            SessionEvent::RelayChanged { .. }
            | SessionEvent::Lost { .. }
            | SessionEvent::InvalidAddress { .. }
            | SessionEvent::CodeRefused { .. } => {
                *self = Self::default();
                true
            }
            _ => true,
        }
    }
}

/// How much a change matters to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// It looks the same.
    None,
    /// It can wait.
    Minor,
    /// It is reported at once.
    Significant,
}

/// When a figure was reported, for the first and for the last time.
#[derive(Debug, Default)]
struct Pace {
    reported: Option<(LocalTime, LocalTime)>,
}

impl Pace {
    /// Whether to report a change now; it then counts as reported.
    fn passes(&mut self, change: Change, now: LocalTime) -> bool {
        let is_recent = self.reported.is_some_and(|(first, last)| {
            let interval = last.nanos_since(first).clamp(MIN_INTERVAL_NANOS, MAX_INTERVAL_NANOS);
            now.nanos_since(last) < interval
        });
        let passes = change == Change::Significant || change == Change::Minor && !is_recent;
        if passes {
            let first = self.reported.map_or(now, |(first, _)| first);
            self.reported = Some((first, now));
        }
        passes
    }
}

/// The change of a figure in microseconds. It is significant that it becomes known or unknown, and that
/// it doubles.
fn figure_change(last: Option<u32>, now: Option<u32>) -> Change {
    match (last, now) {
        (None, None) => Change::None,
        (Some(last), Some(now)) => {
            let difference = last.abs_diff(now);
            if difference < MIN_MICROS || difference <= last / SHARE {
                Change::None
            } else if now / 2 >= last {
                Change::Significant
            } else {
                Change::Minor
            }
        }
        _ => Change::Significant,
    }
}

fn report_change(last: &Report, now: &Report) -> Change {
    let state = |report: &Report| {
        (report.late, report.bank, report.ready, report.muted, report.output.clone())
    };
    if state(last) != state(now) {
        return Change::Significant;
    }
    let counts = |report: &Report| (report.xruns, report.triggers);
    let counts = if counts(last) == counts(now) { Change::None } else { Change::Minor };
    [
        (last.clock_error_micros, now.clock_error_micros),
        (last.latency_micros, now.latency_micros),
        (last.lead_micros, now.lead_micros),
    ]
    .into_iter()
    .fold(counts, |change, (last, now)| change.max(figure_change(last, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(clock_error_micros: u32, late: u64) -> Report {
        Report { clock_error_micros: Some(clock_error_micros), late, ..Report::default() }
    }

    fn at(seconds: i64) -> LocalTime {
        LocalTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_trembling_figure_is_worth_nothing_and_a_bad_one_passes() {
        assert_eq!(figure_change(Some(100), Some(109)), Change::None);
        assert_eq!(figure_change(Some(12_000), Some(12_900)), Change::None);
        assert_eq!(figure_change(Some(100), Some(150)), Change::Minor);
        assert_eq!(figure_change(Some(150), Some(20)), Change::Minor);
        assert_eq!(figure_change(Some(100), Some(200)), Change::Significant);
        assert_eq!(figure_change(None, Some(5)), Change::Significant);
        assert_eq!(figure_change(Some(5), None), Change::Significant);
    }

    #[test]
    fn a_report_changes_by_what_a_person_would_notice() {
        let last = report(100, 0);
        assert_eq!(report_change(&last, &report(105, 0)), Change::None);
        assert_eq!(report_change(&last, &report(150, 0)), Change::Minor);
        assert_eq!(report_change(&last, &report(100, 1)), Change::Significant);
        let ready = Report { ready: Some(3), ..report(100, 0) };
        assert_eq!(report_change(&last, &ready), Change::Significant);
        assert_eq!(report_change(&last, &Report { xruns: 1, ..report(100, 0) }), Change::Minor);
    }

    #[test]
    fn a_figure_is_reported_less_often_the_longer_it_is_known() {
        let mut throttle = Throttle::default();
        // An estimate that alternates between two values, ten times a second for five minutes.
        let times = (0..3000).filter(|tenth| {
            let error_micros = Some(if tenth % 2 == 0 { 100 } else { 150 });
            let now = LocalTime::from_nanos(i64::from(*tenth) * 100_000_000);
            throttle.passes(&SessionEvent::Clock { error_micros }, now)
        });
        let seconds: Vec<_> = times.map(|tenth: u16| tenth / 10).collect();
        assert_eq!(seconds[..6], [0, 1, 2, 4, 9, 18]);
        assert!(seconds.windows(2).skip(6).all(|pair| pair[1] - pair[0] >= 30), "{seconds:?}");
        assert!(throttle.passes(&SessionEvent::Clock { error_micros: Some(900) }, at(300)));
    }
}

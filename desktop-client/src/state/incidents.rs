//! What has gone wrong on a player within the last minutes, from its reports.
//!
//! A report counts from the opening of the output, or from the connection: after months, every player has missed
//! some blocks. Only what is new is trouble. Pure: it takes the time as an argument.

use std::collections::VecDeque;

use downbeat_protocol::Report;

use crate::time::LocalTime;

/// How long ago something may have happened to count: five minutes.
const WINDOW_NANOS: i64 = 300_000_000_000;

/// Missed blocks within this time are counted together, which bounds how many counts are kept.
const STEP_NANOS: i64 = 15_000_000_000;

/// What has gone wrong on a player within the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    /// The missed blocks as they were reported last; none before the first report.
    xruns: Option<u64>,
    /// The blocks that were missed since, with the beginning of their step. The oldest come first, and there are as
    /// many as steps fit into the window.
    missed: VecDeque<(LocalTime, u64)>,
    /// How many sounds were late, and how late the last sound was, as they were reported last.
    lateness: Option<(u64, u32)>,
    /// When a late sound was reported last.
    late_at: Option<LocalTime>,
}

impl Incidents {
    /// The player has reported this.
    pub(super) fn update(&mut self, report: &Report, now: LocalTime) {
        // What the first report counts may have happened long ago.
        let known = self.xruns.replace(report.xruns).unwrap_or(report.xruns);
        // An output that was opened again counts from zero.
        let missed = report.xruns.checked_sub(known).unwrap_or(report.xruns);
        self.missed.retain(|(at, _)| is_recent(*at, now));
        if missed > 0 {
            match self.missed.back_mut() {
                Some((at, blocks)) if now.nanos_since(*at) < STEP_NANOS => {
                    *blocks = blocks.saturating_add(missed);
                }
                _ => self.missed.push_back((now, missed)),
            }
        }
        let lateness = (report.late, report.lateness_micros.unwrap_or(0));
        if self.lateness.replace(lateness) != Some(lateness) && lateness.1 > 0 {
            self.late_at = Some(now);
        }
    }

    /// How many blocks its output has missed lately.
    #[must_use]
    pub fn xruns(&self, now: LocalTime) -> u64 {
        let recent = self.missed.iter().filter(|(at, _)| is_recent(*at, now));
        recent.fold(0, |sum, (_, blocks)| sum.saturating_add(*blocks))
    }

    /// Whether a sound was late lately.
    #[must_use]
    pub fn is_late(&self, now: LocalTime) -> bool {
        self.late_at.is_some_and(|at| is_recent(at, now))
    }

    /// In how many nanoseconds the next of that is too old to count.
    pub(super) fn fades_in(&self, now: LocalTime) -> Option<i64> {
        let missed = self.missed.iter().map(|(at, _)| *at);
        let recent = missed.chain(self.late_at).filter(|at| is_recent(*at, now));
        recent.map(|at| WINDOW_NANOS - now.nanos_since(at)).min()
    }
}

fn is_recent(at: LocalTime, now: LocalTime) -> bool {
    now.nanos_since(at) < WINDOW_NANOS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> LocalTime {
        LocalTime::from_nanos(seconds * 1_000_000_000)
    }

    fn xruns(incidents: &mut Incidents, xruns: u64, seconds: i64) -> u64 {
        incidents.update(&Report { xruns, ..Report::default() }, at(seconds));
        incidents.xruns(at(seconds))
    }

    fn late(incidents: &mut Incidents, late: u64, micros: u32, seconds: i64) -> bool {
        let report = Report { late, lateness_micros: Some(micros), ..Report::default() };
        incidents.update(&report, at(seconds));
        incidents.is_late(at(seconds))
    }

    #[test]
    fn missed_blocks_count_for_five_minutes() {
        let mut incidents = Incidents::default();
        assert_eq!(xruns(&mut incidents, 4_000, 0), 0, "they may be from last year");
        assert_eq!(xruns(&mut incidents, 4_007, 10), 7);
        assert_eq!(xruns(&mut incidents, 4_012, 200), 12);
        assert_eq!(incidents.xruns(at(309)), 12);
        assert_eq!(incidents.fades_in(at(300)), Some(10_000_000_000));
        assert_eq!(incidents.xruns(at(310)), 5);
        assert_eq!((incidents.xruns(at(500)), incidents.fades_in(at(500))), (0, None));
    }

    #[test]
    fn an_output_that_was_opened_again_counts_from_zero() {
        let mut incidents = Incidents::default();
        xruns(&mut incidents, 900, 0);
        assert_eq!(xruns(&mut incidents, 3, 10), 3);
    }

    #[test]
    fn an_output_that_never_stops_to_miss_blocks_costs_little_memory() {
        let mut incidents = Incidents::default();
        for second in 0..10_000_i64 {
            xruns(&mut incidents, second.unsigned_abs() * 2, second);
        }
        assert!(incidents.missed.len() <= 21, "{}", incidents.missed.len());
        let counted = incidents.xruns(at(9_999));
        assert!((570..=600).contains(&counted), "{counted}");
    }

    #[test]
    fn a_late_sound_counts_for_five_minutes() {
        let mut incidents = Incidents::default();
        assert!(late(&mut incidents, 1, 8_200, 0));
        assert!(late(&mut incidents, 1, 8_200, 299), "it is still the same one");
        assert!(!late(&mut incidents, 1, 8_200, 300));
        assert!(late(&mut incidents, 2, 8_200, 310), "another one");
    }
}

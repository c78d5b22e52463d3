//! Triggers that no client of the tutorial wire was there to be sent: one that connects before their instant
//! still plays them.
//!
//! Pure: the caller passes the time.

use std::collections::VecDeque;

use downbeat_protocol::{RelayTime, Stop};

use crate::broadcast::scheduled::{Cue, MAX_SCHEDULED_FRAMES};

/// The cues, the earliest first. At most [`MAX_SCHEDULED_FRAMES`]; beyond that the earliest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Unscheduled(VecDeque<Cue>);

impl Unscheduled {
    /// Adds a cue.
    pub(super) fn add(&mut self, cue: Cue, now: RelayTime) {
        self.forget_past(now);
        if self.0.len() == MAX_SCHEDULED_FRAMES {
            self.0.pop_front();
        }
        // Mostly at the end: only a cue before one that was scheduled far ahead is not.
        let index = self.0.partition_point(|other| other.at <= cue.at);
        self.0.insert(index, cue);
    }

    /// Forgets the cues that a stop ends before they begin.
    pub(super) fn cancel(&mut self, stop: &Stop) {
        self.0.retain(|cue| !cue.is_cancelled_by(stop));
    }

    /// Removes and returns the cues that the first client of the tutorial wire, which connects at `now`, still
    /// plays. Later clients receive what is then scheduled for all.
    pub(super) fn take(&mut self, now: RelayTime) -> Vec<Cue> {
        self.forget_past(now);
        std::mem::take(&mut self.0).into()
    }

    fn forget_past(&mut self, now: RelayTime) {
        while self.0.front().is_some_and(|cue| cue.at <= now) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::{By, ClientId};

    use super::*;

    fn at(micros: u64) -> RelayTime {
        RelayTime::from_micros(micros)
    }

    fn cue(micros: u64) -> Cue {
        Cue { at: at(micros), seq: micros, sound: "bell".into() }
    }

    #[test]
    fn a_cue_is_taken_once_and_before_it_has_passed() {
        let mut unscheduled = Unscheduled::default();
        for micros in [20, 90, 10, 30] {
            unscheduled.add(cue(micros), at(5));
        }
        let by = By { id: ClientId(1), name: "one".into() };
        let stop = Stop { seq: 100, stop_at: at(40), trigger: None, sound: None, by };
        unscheduled.cancel(&stop);
        assert_eq!(unscheduled.take(at(10)), [cue(20), cue(30)]);
        assert_eq!(unscheduled.take(at(10)), []);
        for micros in 0..MAX_SCHEDULED_FRAMES as u64 + 2 {
            unscheduled.add(cue(100 + micros), at(5));
        }
        assert_eq!(unscheduled.take(at(10))[0], cue(102), "the earliest is forgotten");
    }
}

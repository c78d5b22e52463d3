//! Frames that are to be said at an instant to come: what the seed's clients are told in a room where
//! others are scheduled.
//!
//! Pure: told what time it is. The [fan-out](crate::fan_out) waits for the next of them.

use std::collections::VecDeque;

use bytes::Bytes;
use downbeat_protocol::RelayTime;

use crate::config::DUE_FRAMES;

/// Frames with their instants, the earliest first; of the same instant, in the order in which they
/// came. At most [`DUE_FRAMES`]: beyond that the earliest is due at once, because a bang that sounds
/// too early is better than one that does not.
#[derive(Debug, Default)]
pub struct Due {
    frames: VecDeque<(RelayTime, Bytes)>,
    early: usize,
}

impl Due {
    /// Keeps `frame` until `at`.
    pub fn put(&mut self, at: RelayTime, frame: Bytes) {
        // Nearly always the end: only a lead that has fallen brings one before another.
        let place = self.frames.partition_point(|(other, _)| *other <= at);
        self.frames.insert(place, (at, frame));
        self.early = self.early.max(self.frames.len().saturating_sub(DUE_FRAMES));
    }

    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<RelayTime> {
        let (at, _) = self.frames.front()?;
        Some(if self.early > 0 { RelayTime::from_micros(0) } else { *at })
    }

    /// Takes out the next one, if it is due at `now`.
    pub fn take(&mut self, now: RelayTime) -> Option<Bytes> {
        if self.next()? > now {
            return None;
        }
        self.early = self.early.saturating_sub(1);
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    /// All of them are due: there will be no later.
    pub fn hurry(&mut self) {
        self.early = self.frames.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> RelayTime {
        RelayTime::from_micros(micros)
    }

    fn put(due: &mut Due, micros: u64, frame: &'static str) {
        due.put(at(micros), Bytes::from_static(frame.as_bytes()));
    }

    fn taken(due: &mut Due, now: u64) -> Vec<Bytes> {
        std::iter::from_fn(|| due.take(at(now))).collect()
    }

    #[test]
    fn nothing_is_said_before_its_instant_and_everything_at_it() {
        let mut due = Due::default();
        assert_eq!(due.next(), None);
        put(&mut due, 1000, "first");
        put(&mut due, 2000, "second");
        assert_eq!(due.next(), Some(at(1000)));
        assert_eq!(taken(&mut due, 999), [""; 0]);
        assert_eq!(taken(&mut due, 1000), ["first"]);
        assert_eq!(due.next(), Some(at(2000)));
        assert_eq!(taken(&mut due, 5000), ["second"]);
        assert_eq!(due.next(), None);
    }

    #[test]
    fn a_lead_that_has_fallen_lets_a_later_bang_sound_first() {
        let mut due = Due::default();
        put(&mut due, 3000, "slow");
        put(&mut due, 2000, "quick");
        put(&mut due, 3000, "slow too");
        assert_eq!(taken(&mut due, 2999), ["quick"]);
        assert_eq!(taken(&mut due, 3000), ["slow", "slow too"]);
    }

    #[test]
    fn at_the_end_nothing_is_kept_back() {
        let mut due = Due::default();
        put(&mut due, 1000, "one");
        put(&mut due, 2000, "two");
        due.hurry();
        assert_eq!(taken(&mut due, 0), ["one", "two"]);
        put(&mut due, 1000, "three");
        assert_eq!(taken(&mut due, 0), [""; 0]);
    }

    #[test]
    fn what_is_too_much_is_said_early_and_not_lost() {
        let mut due = Due::default();
        for number in 0..DUE_FRAMES as u64 {
            put(&mut due, 1000 + number, "kept");
        }
        assert_eq!(due.next(), Some(at(1000)));
        put(&mut due, 9_000_000, "last");
        put(&mut due, 9_000_001, "very last");
        assert_eq!(taken(&mut due, 0).len(), 2);
        assert_eq!(due.next(), Some(at(1002)));
        assert_eq!(taken(&mut due, 10_000_000).len(), DUE_FRAMES);
    }
}

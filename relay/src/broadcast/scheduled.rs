//! Frames that are sent at an instant to come: tutorial clients play on arrival, so that what they are
//! sent waits for the instant at which the others play.
//!
//! Pure: the caller passes the time. The [lane](super::lane) waits for the next frame.

use std::collections::VecDeque;

use bytes::Bytes;
use downbeat_protocol::RelayTime;

/// Most frames that wait: a burst of 2000 from each of eight machines within one lead. Each costs 40
/// bytes.
pub(crate) const MAX_SCHEDULED_FRAMES: usize = 16 * 1024;

/// Frames with their instants, the earliest first; those of one instant in the order of insertion. At
/// most [`MAX_SCHEDULED_FRAMES`] wait; beyond that the earliest becomes due at once, because a trigger
/// that sounds early is better than none.
#[derive(Debug, Default)]
pub(super) struct ScheduledFrames {
    frames: VecDeque<(RelayTime, Bytes)>,
    /// How many frames are due before their instants.
    overdue: usize,
}

impl ScheduledFrames {
    /// Schedules `frame` for `at`.
    pub(super) fn insert(&mut self, at: RelayTime, frame: Bytes) {
        // Mostly at the end: only a falling lead puts one before another.
        let index = self.frames.partition_point(|(other, _)| *other <= at);
        self.frames.insert(index, (at, frame));
        self.overdue = self.overdue.max(self.frames.len().saturating_sub(MAX_SCHEDULED_FRAMES));
    }

    /// When the next frame is due.
    pub(super) fn next_at(&self) -> Option<RelayTime> {
        let (at, _) = self.frames.front()?;
        Some(if self.overdue > 0 { RelayTime::from_micros(0) } else { *at })
    }

    /// Removes and returns the next frame, if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: RelayTime) -> Option<Bytes> {
        if self.next_at()? > now {
            return None;
        }
        self.overdue = self.overdue.saturating_sub(1);
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    /// Makes all frames due, for a shutdown.
    pub(super) fn release_all(&mut self) {
        self.overdue = self.frames.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> RelayTime {
        RelayTime::from_micros(micros)
    }

    fn insert(scheduled: &mut ScheduledFrames, micros: u64, frame: &'static str) {
        scheduled.insert(at(micros), Bytes::from_static(frame.as_bytes()));
    }

    fn due(scheduled: &mut ScheduledFrames, now: u64) -> Vec<Bytes> {
        std::iter::from_fn(|| scheduled.pop_due(at(now))).collect()
    }

    #[test]
    fn frames_are_due_at_their_instants_and_not_before() {
        let mut scheduled = ScheduledFrames::default();
        assert_eq!(scheduled.next_at(), None);
        insert(&mut scheduled, 1000, "first");
        insert(&mut scheduled, 2000, "second");
        assert_eq!(scheduled.next_at(), Some(at(1000)));
        assert_eq!(due(&mut scheduled, 999), [""; 0]);
        assert_eq!(due(&mut scheduled, 1000), ["first"]);
        assert_eq!(scheduled.next_at(), Some(at(2000)));
        assert_eq!(due(&mut scheduled, 5000), ["second"]);
        assert_eq!(scheduled.next_at(), None);
    }

    #[test]
    fn an_earlier_instant_is_due_first_whatever_the_order_of_insertion() {
        let mut scheduled = ScheduledFrames::default();
        insert(&mut scheduled, 3000, "slow");
        insert(&mut scheduled, 2000, "quick");
        insert(&mut scheduled, 3000, "slow too");
        assert_eq!(due(&mut scheduled, 2999), ["quick"]);
        assert_eq!(due(&mut scheduled, 3000), ["slow", "slow too"]);
    }

    #[test]
    fn a_shutdown_releases_all_frames() {
        let mut scheduled = ScheduledFrames::default();
        insert(&mut scheduled, 1000, "one");
        insert(&mut scheduled, 2000, "two");
        scheduled.release_all();
        assert_eq!(due(&mut scheduled, 0), ["one", "two"]);
        insert(&mut scheduled, 1000, "three");
        assert_eq!(due(&mut scheduled, 0), [""; 0]);
    }

    #[test]
    fn frames_beyond_the_bound_are_sent_early_and_not_lost() {
        let mut scheduled = ScheduledFrames::default();
        for number in 0..MAX_SCHEDULED_FRAMES as u64 {
            insert(&mut scheduled, 1000 + number, "kept");
        }
        assert_eq!(scheduled.next_at(), Some(at(1000)));
        insert(&mut scheduled, 9_000_000, "last");
        insert(&mut scheduled, 9_000_001, "very last");
        assert_eq!(due(&mut scheduled, 0).len(), 2);
        assert_eq!(scheduled.next_at(), Some(at(1002)));
        assert_eq!(due(&mut scheduled, 10_000_000).len(), MAX_SCHEDULED_FRAMES);
    }
}

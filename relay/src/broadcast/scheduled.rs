//! Frames that are sent at an instant to come: tutorial clients play on arrival, so that what they are
//! sent waits for the instant at which the others play.
//!
//! Pure: the caller passes the time. The [lane](super::lane) waits for the next frame.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use downbeat_protocol::{RelayTime, Stop};

/// Most frames that wait: a burst of 2000 from each of eight machines within one lead. Each costs 64
/// bytes.
pub(crate) const MAX_SCHEDULED_FRAMES: usize = 16 * 1024;

/// The trigger of a frame that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cue {
    /// The instant of the trigger, and of the frame.
    pub(crate) at: RelayTime,
    pub(crate) seq: u64,
    pub(crate) sound: Arc<str>,
}

impl Cue {
    /// Whether a stop ends the trigger before it begins.
    pub(crate) fn is_cancelled_by(&self, stop: &Stop) -> bool {
        self.seq < stop.seq
            && stop.stop_at <= self.at
            && stop.trigger.is_none_or(|seq| seq == self.seq)
            && stop.sound.as_deref().is_none_or(|sound| sound == &*self.sound)
    }
}

/// Frames with their instants, the earliest first; those of one instant in the order of insertion. At
/// most [`MAX_SCHEDULED_FRAMES`] wait; beyond that the earliest becomes due at once, because a trigger
/// that sounds early is better than none.
#[derive(Debug, Default)]
pub(super) struct ScheduledFrames {
    frames: VecDeque<(Cue, Bytes)>,
    /// How many frames are due before their instants.
    overdue: usize,
}

impl ScheduledFrames {
    /// Schedules `frame` for the instant of `cue`.
    pub(super) fn insert(&mut self, cue: Cue, frame: Bytes) {
        // Mostly at the end: only a cue before one that was scheduled far ahead is not.
        let index = self.frames.partition_point(|(other, _)| other.at <= cue.at);
        self.frames.insert(index, (cue, frame));
        self.overdue = self.overdue.max(self.frames.len().saturating_sub(MAX_SCHEDULED_FRAMES));
    }

    /// When the next frame is due.
    pub(super) fn next_at(&self) -> Option<RelayTime> {
        let (cue, _) = self.frames.front()?;
        Some(if self.overdue > 0 { RelayTime::from_micros(0) } else { cue.at })
    }

    /// Removes and returns the next frame, if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: RelayTime) -> Option<Bytes> {
        if self.next_at()? > now {
            return None;
        }
        self.overdue = self.overdue.saturating_sub(1);
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    /// Removes the frames whose triggers a stop ends before they begin.
    pub(super) fn cancel(&mut self, stop: &Stop) {
        // Those that are overdue are the earliest, and as good as sent.
        let mut overdue = self.overdue;
        self.frames.retain(|(cue, _)| {
            if overdue > 0 {
                overdue -= 1;
                return true;
            }
            !cue.is_cancelled_by(stop)
        });
    }

    /// Makes the frames up to an instant due, for a shutdown.
    pub(super) fn release_until(&mut self, at: RelayTime) {
        self.overdue = self.overdue.max(self.frames.partition_point(|(cue, _)| cue.at <= at));
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

    fn insert(scheduled: &mut ScheduledFrames, micros: u64, frame: &'static str) {
        scheduled.insert(cue(micros), Bytes::from_static(frame.as_bytes()));
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
    fn a_shutdown_releases_what_is_about_to_sound() {
        let mut scheduled = ScheduledFrames::default();
        insert(&mut scheduled, 1000, "one");
        insert(&mut scheduled, 2000, "two");
        insert(&mut scheduled, 9000, "later");
        scheduled.release_until(at(2000));
        assert_eq!(due(&mut scheduled, 0), ["one", "two"]);
        insert(&mut scheduled, 1000, "three");
        assert_eq!(due(&mut scheduled, 0), [""; 0]);
    }

    #[test]
    fn a_stop_cancels_what_it_ends_before_it_begins() {
        let stop = |trigger, sound: Option<&str>| Stop {
            seq: 5000,
            stop_at: at(2000),
            trigger,
            sound: sound.map(Into::into),
            by: By { id: ClientId(1), name: "one".into() },
        };
        for (stop, left) in [
            (stop(None, None), vec!["early", "newer"]),
            (stop(None, Some("bell")), vec!["early", "newer"]),
            (stop(None, Some("kick")), vec!["early", "same", "late", "newer"]),
            (stop(Some(3000), None), vec!["early", "same", "newer"]),
        ] {
            let mut scheduled = ScheduledFrames::default();
            for (micros, frame) in [(1999, "early"), (2000, "same"), (3000, "late")] {
                insert(&mut scheduled, micros, frame);
            }
            insert(&mut scheduled, 6000, "newer");
            scheduled.cancel(&stop);
            assert_eq!(due(&mut scheduled, 9000), left);
        }
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

//! When the relay is told what became of triggers: on-time ones together, others soon.
//!
//! Pure: it takes the time as an argument. What became of a trigger is for `cues` to say.

use std::collections::VecDeque;

use downbeat_protocol::{MAX_OUTCOMES, Outcomes, TriggerOutcome};

use crate::time::LocalTime;

/// How long the outcome of a trigger that sounded on time may wait. It usually goes with the next report, so that
/// not all machines of a room send theirs at one instant.
const ON_TIME_NANOS: i64 = 2_000_000_000;

/// How long any other may wait: those of one stumble are one message.
const NEWS_NANOS: i64 = 50_000_000;

/// Outcomes that wait: several seconds of the heaviest fire that a relay lets through. Beyond it, the oldest is
/// dropped, and its receipt says that this machine has not answered.
const MAX_WAITING: usize = 1024;

/// Outcomes that the relay has not been told.
#[derive(Debug, Default)]
pub(super) struct OutcomeQueue {
    waiting: VecDeque<TriggerOutcome>,
    due: Option<LocalTime>,
}

impl OutcomeQueue {
    /// Adds an outcome.
    pub(super) fn add(&mut self, outcome: TriggerOutcome, now: LocalTime) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        let is_on_time = outcome.missed.is_none() && outcome.lateness_micros == 0;
        self.waiting.push_back(outcome);
        let wait = if self.waiting.len() >= MAX_OUTCOMES {
            0
        } else if is_on_time {
            ON_TIME_NANOS
        } else {
            NEWS_NANOS
        };
        let due = now.plus_nanos(wait);
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
    }

    /// When [`OutcomeQueue::take`] is due, if anything waits.
    pub(super) fn due(&self) -> Option<LocalTime> {
        self.due
    }

    /// A message is sent anyway: what waits goes with it.
    pub(super) fn hurry(&mut self, now: LocalTime) {
        self.due = self.due.map(|due| due.min(now));
    }

    /// The next message, if it is due. Call it until there is none.
    pub(super) fn take(&mut self, now: LocalTime) -> Option<Outcomes> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        let count = self.waiting.len().min(MAX_OUTCOMES);
        let outcomes: Vec<_> = self.waiting.drain(..count).collect();
        self.due = self.due.filter(|_| !self.waiting.is_empty());
        (!outcomes.is_empty()).then_some(Outcomes { outcomes })
    }

    /// Nobody asks for them any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::Missed;

    use super::*;

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    fn on_time(seq: u64) -> TriggerOutcome {
        TriggerOutcome { seq, lateness_micros: 0, missed: None }
    }

    fn taken(queue: &mut OutcomeQueue, now: LocalTime) -> Vec<u64> {
        let outcomes = queue.take(now).map_or_else(Vec::new, |message| message.outcomes);
        outcomes.iter().map(|outcome| outcome.seq).collect()
    }

    #[test]
    fn what_was_on_time_waits_for_the_report_or_two_seconds() {
        let mut queue = OutcomeQueue::default();
        queue.add(on_time(1), at(0));
        queue.add(on_time(2), at(900));
        assert_eq!(taken(&mut queue, at(1999)), [] as [u64; 0]);
        assert_eq!(taken(&mut queue, at(2000)), [1, 2]);
        assert_eq!(queue.due(), None);
        queue.add(on_time(3), at(3000));
        queue.hurry(at(3100));
        assert_eq!(taken(&mut queue, at(3100)), [3]);
        queue.hurry(at(3200));
        assert_eq!(queue.take(at(9000)), None);
    }

    #[test]
    fn what_was_late_or_missed_goes_soon_and_takes_the_others_along() {
        for outcome in [
            TriggerOutcome { lateness_micros: 8_200, ..on_time(2) },
            TriggerOutcome { missed: Some(Missed::NotReady), ..on_time(2) },
        ] {
            let mut queue = OutcomeQueue::default();
            queue.add(on_time(1), at(0));
            queue.add(outcome, at(100));
            assert_eq!(queue.due(), Some(at(150)));
            assert_eq!(taken(&mut queue, at(150)), [1, 2]);
        }
    }

    #[test]
    fn heavy_fire_goes_at_once_in_messages_of_bounded_size() {
        let mut queue = OutcomeQueue::default();
        for seq in 0..MAX_OUTCOMES as u64 {
            queue.add(on_time(seq), at(7));
        }
        assert_eq!(taken(&mut queue, at(7)).len(), MAX_OUTCOMES);
        for seq in 0..3 * MAX_WAITING as u64 {
            queue.add(on_time(seq), at(8));
        }
        let mut all = Vec::new();
        while let Some(message) = queue.take(at(8)) {
            assert!(message.outcomes.len() <= MAX_OUTCOMES);
            all.extend(message.outcomes);
        }
        assert_eq!(all.len(), MAX_WAITING);
        assert_eq!(all[0].seq, 2 * MAX_WAITING as u64, "the oldest are dropped");
        queue.add(on_time(1), at(9));
        queue.clear();
        assert_eq!(queue.take(at(99_000)), None);
    }
}

//! When does a frame of a PulseAudio stream leave the converter?
//!
//! The server is asked how much it holds: with each block while its clock slips, less often while it
//! is steady, because an answer wakes the stream's thread once more. Its answer is true of some instant between
//! the question and the answer, and dated at the end of that; the shorter the way to it, the better
//! the instant is known. An answer that took much longer than others did is therefore passed over,
//! as a clock is best read from the packet that was least delayed (Mills, RFC 5905, 10). From the
//! latest good answer on, frames are counted at the stream's nominal rate.
//!
//! No more is made of it here. An answer may be wrong although it came quickly: a card that has not
//! woken up in time says that it holds nothing, when it holds less than nothing. Which of several
//! answers to believe, and what the device's crystal makes of the nominal rate, is for the device clock
//! above to find out, and so it must be told of several.
//!
//! Pure: it reads no clock. Instants are nanoseconds since the stream began.

/// An answer may take this much longer than twice the shortest way of late: what a wake-up costs.
const SLACK_NANOS: i64 = 50_000;

/// A good answer is used for so long; then any will do.
const STALE_NANOS: i64 = 300_000_000;

/// An answer this far from what the one before it had promised is a sign of a slip: the server is
/// asked with each block until its clock has been steady again for a while.
const UNSTEADY_NANOS: i64 = 30_000;

/// How long a clock must have been steady to be asked less often, in answers.
const STEADY_ANSWERS: u32 = 16;

/// Blocks for each question to a steady clock.
const STEADY_BLOCKS: u32 = 4;

/// By how much the shortest way is forgotten with each answer: one part in this many.
const MEMORY: i64 = 32;

/// What the server said of its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When it was asked.
    pub(super) asked: i64,
    /// When it looked, as far as is known.
    pub(super) looked: i64,
    /// The first frame that had not been written then.
    pub(super) frame: u64,
    /// How long after `looked` that frame would leave the converter.
    pub(super) ahead_nanos: i64,
}

#[derive(Debug)]
pub(super) struct Timing {
    rate: u32,
    good: Option<Answer>,
    shortest_nanos: i64,
    /// Answers since the clock was last unsteady.
    steady: u32,
    /// Blocks since the last question.
    blocks: u32,
}

impl Timing {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, good: None, shortest_nanos: i64::MAX, steady: 0, blocks: 0 }
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        let way = answer.looked - answer.asked;
        let usual = self.shortest_nanos.saturating_add(self.shortest_nanos / MEMORY + 1);
        self.shortest_nanos = way.min(usual);
        let is_short = way <= self.shortest_nanos.saturating_mul(2).saturating_add(SLACK_NANOS);
        let is_stale = self.good.is_none_or(|good| answer.looked - good.looked > STALE_NANOS);
        if is_short || is_stale {
            self.steady += 1;
            if let Some(promised) = self.leaves(answer.frame) {
                let off = promised - (answer.looked + answer.ahead_nanos);
                if off.abs() > UNSTEADY_NANOS {
                    self.steady = 0;
                }
            }
            self.good = Some(answer);
        }
    }

    /// Whether to ask with the block that is about to be sent.
    pub(super) fn is_to_ask(&mut self) -> bool {
        self.blocks += 1;
        let ask = self.steady < STEADY_ANSWERS || self.blocks >= STEADY_BLOCKS;
        if ask {
            self.blocks = 0;
        }
        ask
    }

    /// When `frame` leaves the converter; unknown before the first answer.
    pub(super) fn leaves(&self, frame: u64) -> Option<i64> {
        let Answer { looked, frame: from, ahead_nanos, .. } = self.good?;
        Some(looked + ahead_nanos + self.nanos(frame as i64 - from as i64))
    }

    /// How long so many frames last.
    pub(super) fn nanos(&self, frames: i64) -> i64 {
        let nanos = i128::from(frames) * 1_000_000_000 / i128::from(self.rate);
        nanos as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn answer(asked: i64, way: i64, frame: u64, ahead_nanos: i64) -> Answer {
        Answer { asked, looked: asked + way, frame, ahead_nanos }
    }

    #[test]
    fn frames_are_counted_from_the_latest_answer_both_ways() {
        let mut timing = Timing::new(48_000);
        assert_eq!(timing.leaves(0), None);
        timing.hear(answer(5 * MILLI, 0, 960, 20 * MILLI));
        assert_eq!(timing.leaves(960), Some(25 * MILLI));
        assert_eq!(timing.leaves(1440), Some(35 * MILLI));
        assert_eq!(timing.leaves(480), Some(15 * MILLI));
    }

    #[test]
    fn a_server_that_has_run_dry_is_behind() {
        let mut timing = Timing::new(48_000);
        timing.hear(answer(100 * MILLI, 0, 480, -30 * MILLI));
        assert_eq!(timing.leaves(480), Some(70 * MILLI));
    }

    #[test]
    fn an_answer_that_took_long_is_passed_over_while_there_is_a_better_one() {
        let mut timing = Timing::new(48_000);
        timing.hear(answer(0, 40_000, 480, 10 * MILLI));
        let good = timing.leaves(4_800);
        timing.hear(answer(40 * MILLI, 3 * MILLI, 2_400, 10 * MILLI));
        assert_eq!(timing.leaves(4_800), good);
        timing.hear(answer(400 * MILLI, 3 * MILLI, 19_680, 10 * MILLI));
        assert_eq!(timing.leaves(19_680), Some(413 * MILLI));
    }

    #[test]
    fn a_steady_server_is_asked_with_every_fourth_block_and_a_slipping_one_with_each() {
        let mut timing = Timing::new(48_000);
        let asks = |timing: &mut Timing| (0..40).filter(|_| timing.is_to_ask()).count();
        let hear = |timing: &mut Timing, n: i64, slip: i64| {
            timing.hear(answer(n * 10 * MILLI, 20_000, (n * 480) as u64, slip));
        };
        assert_eq!(asks(&mut timing), 40);
        (0..200).for_each(|n| hear(&mut timing, n, 0));
        assert_eq!(asks(&mut timing), 10);
        hear(&mut timing, 200, -40_000);
        assert_eq!(asks(&mut timing), 40);
    }

    #[test]
    fn a_server_that_has_become_slower_is_believed_before_long() {
        let mut timing = Timing::new(48_000);
        timing.hear(answer(0, 20_000, 0, 0));
        let slow = (1..200).find(|n| {
            timing.hear(answer(n * 40 * MILLI, 400_000, (n * 1_920) as u64, 0));
            let looked = n * 40 * MILLI + 400_000;
            timing.leaves((n * 1_920) as u64) == Some(looked) && timing.shortest_nanos > 170_000
        });
        assert!(slow.is_some_and(|n| n < 100), "{slow:?}");
    }
}

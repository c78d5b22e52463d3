//! When does a frame of a PulseAudio stream leave the converter?
//!
//! The server is queried for how much audio it holds: after each block while its clock slips, less often
//! while it is steady, because each reply wakes the stream's thread once more. A reply is true of some
//! instant between the query and the reply, and carries a timestamp of the end of that interval. The
//! shorter the delay, the better the instant is known. A reply with a larger delay than others is
//! ignored, as a clock is best read from the packet with the least delay (Mills, RFC 5905, section 10).
//! From the latest accepted reply on, frames are counted at the stream's nominal rate.
//!
//! A query is sent at a random instant after its block. The server requests audio from all its clients at
//! once, so that clients that query together with their block queue for one thread of the server. The
//! delay between its measurement and its timestamp then depends on the place in the queue, which is the
//! same each time: machines that share a server were off by up to 15 us from each other, for good.
//!
//! A reply may be wrong although it came quickly: a card that has not woken up in time reports 0 when it
//! holds less than nothing. The device clock decides which of several replies to trust, and how far the
//! device's crystal is off the nominal rate.
//!
//! Pure: it reads no clock. Instants are nanoseconds of local time.

/// While the clock slips, a reply may take this much longer than twice the least recent delay: an early one
/// is worth more than a good one. While it is steady, one and a half times as long and this much.
const SLACK_NANOS: i64 = 50_000;
const STEADY_SLACK_NANOS: i64 = 10_000;

/// An accepted reply is used for this long. After that any reply is accepted.
const STALE_NANOS: i64 = 300_000_000;

/// A reply this far from the prediction is a sign of a slip: the server is queried after each block until
/// its clock has been steady for a while.
const UNSTEADY_NANOS: i64 = 30_000;

/// Good replies within the prediction after which a clock counts as steady.
const STEADY_ANSWERS: u32 = 16;

/// Blocks per accepted reply of a steady clock.
const STEADY_BLOCKS: u32 = 4;

/// How fast the least delay is forgotten: one part in this many per reply.
const MEMORY: i64 = 32;

/// The server's reply to a query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When the query was sent.
    pub(super) asked: i64,
    /// The timestamp of the reply.
    pub(super) looked: i64,
    /// The first frame that had not been written when the query was sent.
    pub(super) frame: u64,
    /// How long after `looked` that frame would leave the converter.
    pub(super) ahead_nanos: i64,
}

/// The timeline of a stream, and the schedule of queries.
#[derive(Debug)]
pub(super) struct Timing {
    rate: u32,
    accepted: Option<Answer>,
    /// The latest reply with a small delay.
    good: Option<Answer>,
    /// The least recent delay.
    min_delay_nanos: i64,
    /// Good replies since the clock was last unsteady.
    steady: u32,
    /// Blocks since the latest accepted reply.
    blocks: u32,
    query_due: Option<i64>,
}

impl Timing {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            rate,
            accepted: None,
            good: None,
            min_delay_nanos: i64::MAX,
            steady: 0,
            blocks: 0,
            query_due: None,
        }
    }

    /// Takes a reply.
    pub(super) fn observe(&mut self, answer: Answer) {
        let delay = answer.looked - answer.asked;
        let usual = self.min_delay_nanos.saturating_add(self.min_delay_nanos / MEMORY + 1);
        self.min_delay_nanos = delay.min(usual);
        let min = self.min_delay_nanos;
        let is_good = delay <= min.saturating_add(min / 2).saturating_add(STEADY_SLACK_NANOS);
        if is_good {
            self.judge(answer);
        }
        let is_early = delay <= min.saturating_mul(2).saturating_add(SLACK_NANOS);
        let is_stale = self.accepted.is_none_or(|it| answer.looked - it.looked > STALE_NANOS);
        if is_good || is_stale || (is_early && !self.is_steady()) {
            self.blocks = 0;
            self.accepted = Some(answer);
        }
    }

    /// Counts how long the clock has been steady, by good replies only: others scatter by more than a slip
    /// moves the clock.
    fn judge(&mut self, good: Answer) {
        let predicted = self.good.map(|last| self.counted_from(last, good.frame));
        let error = predicted.map_or(0, |predicted| predicted - (good.looked + good.ahead_nanos));
        self.steady = if error.abs() > UNSTEADY_NANOS { 0 } else { self.steady + 1 };
        self.good = Some(good);
    }

    /// Schedules the next query, if one is due after a block of `frames` that was sent at `now`:
    /// `fraction` (0 to 1) of the block's duration later.
    pub(super) fn block_sent(&mut self, now: i64, frames: usize, fraction: f64) {
        self.blocks += 1;
        let is_due = !self.is_steady() || self.blocks >= STEADY_BLOCKS;
        if is_due && self.query_due.is_none() {
            let delay = self.nanos(frames as i64) as f64 * fraction;
            self.query_due = Some(now + delay as i64);
        }
    }

    /// When the next query is to be sent, if one is scheduled.
    pub(super) fn query_due(&self) -> Option<i64> {
        self.query_due
    }

    /// The scheduled query was sent, or dropped.
    pub(super) fn query_done(&mut self) {
        self.query_due = None;
    }

    fn is_steady(&self) -> bool {
        self.steady >= STEADY_ANSWERS
    }

    /// When `frame` leaves the converter; unknown before the first reply.
    pub(super) fn leaves(&self, frame: u64) -> Option<i64> {
        Some(self.counted_from(self.accepted?, frame))
    }

    fn counted_from(&self, answer: Answer, frame: u64) -> i64 {
        let Answer { looked, frame: from, ahead_nanos, .. } = answer;
        looked + ahead_nanos + self.nanos(frame as i64 - from as i64)
    }

    /// The duration of so many frames.
    pub(super) fn nanos(&self, frames: i64) -> i64 {
        let nanos = i128::from(frames) * 1_000_000_000 / i128::from(self.rate);
        nanos as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn answer(asked: i64, delay: i64, frame: u64, ahead_nanos: i64) -> Answer {
        Answer { asked, looked: asked + delay, frame, ahead_nanos }
    }

    #[test]
    fn frames_are_counted_from_the_latest_answer_both_ways() {
        let mut timing = Timing::new(48_000);
        assert_eq!(timing.leaves(0), None);
        timing.observe(answer(5 * MILLI, 0, 960, 20 * MILLI));
        assert_eq!(timing.leaves(960), Some(25 * MILLI));
        assert_eq!(timing.leaves(1440), Some(35 * MILLI));
        assert_eq!(timing.leaves(480), Some(15 * MILLI));
    }

    #[test]
    fn a_server_after_an_underrun_is_behind() {
        let mut timing = Timing::new(48_000);
        timing.observe(answer(100 * MILLI, 0, 480, -30 * MILLI));
        assert_eq!(timing.leaves(480), Some(70 * MILLI));
    }

    #[test]
    fn a_delayed_answer_is_ignored_while_a_better_one_is_recent() {
        let mut timing = Timing::new(48_000);
        timing.observe(answer(0, 40_000, 480, 10 * MILLI));
        let expected = timing.leaves(4_800);
        timing.observe(answer(40 * MILLI, 3 * MILLI, 2_400, 10 * MILLI));
        assert_eq!(timing.leaves(4_800), expected);
        timing.observe(answer(400 * MILLI, 3 * MILLI, 19_680, 10 * MILLI));
        assert_eq!(timing.leaves(19_680), Some(413 * MILLI));
    }

    /// Sends 40 blocks of 10 ms, and answers each query after `delay`. Returns how many there were.
    fn queries(timing: &mut Timing, delay: i64, slip: i64) -> usize {
        let mut count = 0;
        for block in 0..40 {
            let (now, frame) = (block * 10 * MILLI, (block * 480) as u64);
            timing.block_sent(now, 480, 0.5);
            if let Some(due) = timing.query_due() {
                timing.query_done();
                timing.observe(answer(due, delay, frame, -5 * MILLI - delay + slip * block));
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_steady_server_is_queried_after_every_fourth_block_and_a_slipping_one_after_each() {
        let mut timing = Timing::new(48_000);
        assert_eq!(queries(&mut timing, 20_000, 0), STEADY_ANSWERS as usize + 24 / 4);
        assert_eq!(queries(&mut timing, 20_000, 0), 10);
        // The first query of the slip is still the fourth block's.
        assert_eq!(queries(&mut timing, 20_000, -40_000), 37);
    }

    #[test]
    fn a_steady_server_is_queried_again_when_its_answer_was_delayed() {
        let mut timing = Timing::new(48_000);
        queries(&mut timing, 20_000, 0);
        let count = queries(&mut timing, 60_000, 0);
        assert!(count >= 20, "{count}");
    }

    #[test]
    fn a_query_keeps_its_instant_when_another_block_is_sent_before_it() {
        let mut timing = Timing::new(48_000);
        timing.block_sent(0, 480, 0.9);
        timing.block_sent(5 * MILLI, 480, 0.1);
        assert_eq!(timing.query_due(), Some(9 * MILLI));
    }

    #[test]
    fn a_server_that_has_become_slower_is_trusted_before_long() {
        let mut timing = Timing::new(48_000);
        timing.observe(answer(0, 20_000, 0, 0));
        let slow = (1..200).find(|n| {
            timing.observe(answer(n * 40 * MILLI, 400_000, (n * 1_920) as u64, 0));
            let looked = n * 40 * MILLI + 400_000;
            timing.leaves((n * 1_920) as u64) == Some(looked) && timing.min_delay_nanos > 170_000
        });
        assert!(slow.is_some_and(|n| n < 100), "{slow:?}");
    }
}

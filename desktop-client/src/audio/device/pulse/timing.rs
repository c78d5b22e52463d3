//! When does a frame of a PulseAudio stream leave the converter?
//!
//! The server is asked now and then how much it holds. Its answer is true of some instant between
//! the question and the answer, and dated at the end of that: whatever keeps the server from
//! looking, or from saying when it looked, makes the way to that instant longer. So of the latest
//! eight answers the one with the shortest way is believed, each having become a little worse by
//! its age, as NTP's clock filter does (Mills, RFC 5905, 10). From it on, frames are counted at the
//! stream's nominal rate; what the device's crystal makes of that is for the schedule above to find
//! out.
//!
//! Pure: it reads no clock. Instants are nanoseconds since the stream began.

/// How many answers are chosen from: two thirds of a second.
const KEPT: usize = 8;

/// An answer becomes worse by a nanosecond for each so many of its age: 100 ppm, which is what
/// crystals stay within.
const AGEING: i64 = 10_000;

/// What the server said of its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// When it was asked.
    pub(super) asked: i64,
    /// When it looked, as far as is known; not before it did.
    pub(super) looked: i64,
    /// The first frame that had not been written then.
    pub(super) frame: u64,
    /// How long after `looked` that frame would leave the converter.
    pub(super) ahead_nanos: i64,
}

#[derive(Debug)]
pub(super) struct Timing {
    rate: u32,
    /// The latest answers, the oldest overwritten.
    kept: [Option<Answer>; KEPT],
    heard: usize,
    believed: Option<Answer>,
}

impl Timing {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, kept: [None; KEPT], heard: 0, believed: None }
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        self.kept[self.heard % KEPT] = Some(answer);
        self.heard += 1;
        let doubt =
            |kept: &Answer| kept.looked - kept.asked + (answer.looked - kept.looked) / AGEING;
        self.believed = self.kept.iter().flatten().min_by_key(|kept| doubt(kept)).copied();
    }

    /// When `frame` leaves the converter; unknown before the first answer.
    pub(super) fn leaves(&self, frame: u64) -> Option<i64> {
        let Answer { looked, frame: from, ahead_nanos, .. } = self.believed?;
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
        timing.hear(answer(0, 40_000, 0, 10 * MILLI));
        let good = timing.leaves(0);
        // The server looks when it is asked, but says so three milliseconds late, again and again.
        for n in 1..KEPT as i64 {
            timing.hear(answer(n * 80 * MILLI, 3 * MILLI, (n * 3_840) as u64, 10 * MILLI));
            assert_eq!(timing.leaves(0), good);
        }
        timing.hear(answer(640 * MILLI, 3 * MILLI, 30_720, 10 * MILLI));
        assert_eq!(timing.leaves(30_720), Some(653 * MILLI));
        timing.hear(answer(720 * MILLI, 50_000, 34_560, 10 * MILLI));
        assert_eq!(timing.leaves(34_560), Some(730 * MILLI + 50_000));
    }

    #[test]
    fn of_answers_alike_the_latest_is_believed() {
        let mut timing = Timing::new(48_000);
        // A crystal that is 100 ppm slow.
        for n in 0..20_i64 {
            timing.hear(answer(n * 80_008_000, 40_000, (n * 3_840) as u64, 0));
            assert_eq!(timing.leaves((n * 3_840) as u64), Some(n * 80_008_000 + 40_000));
        }
    }
}

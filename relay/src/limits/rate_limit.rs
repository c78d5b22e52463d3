//! How much one may say: a bucket that fills at a steady rate and is drunk from message by message.
//!
//! Pure: told what time it is.

use downbeat_protocol::RelayTime;

use crate::config::MESSAGE_BYTES_ON_AVERAGE;

/// How many seconds' worth one may say at once after a silence.
const BURST_SECONDS: u32 = 4;

/// The token bucket of one connection, or of all that come from one address.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    most: f64,
    level: f64,
    at: RelayTime,
}

impl Bucket {
    /// A full one that lets `per_second` messages a second through, and four times as many at once.
    #[must_use]
    pub fn new(per_second: u32, now: RelayTime) -> Self {
        let most = f64::from(per_second) * f64::from(BURST_SECONDS);
        Self { per_second: f64::from(per_second), most, level: most, at: now }
    }

    /// Takes one out, if there is one in it.
    pub fn take(&mut self, now: RelayTime) -> bool {
        self.take_many(now, 1)
    }

    /// Takes so many out, if there are as many in it.
    pub fn take_many(&mut self, now: RelayTime, count: u32) -> bool {
        self.fill(now);
        // However small the bucket, a full one lets anything through.
        let count = f64::from(count).min(self.most);
        let passes = self.level >= count;
        if passes {
            self.level -= count;
        }
        passes
    }

    /// Takes so many out that are gone already: it may owe as much as it can hold, and lets nothing
    /// through until it has that again.
    fn charge(&mut self, count: u32) {
        self.level = (self.level - f64::from(count)).max(-self.most);
    }

    /// Whether it holds as much as it can.
    pub fn is_full(&mut self, now: RelayTime) -> bool {
        self.fill(now);
        self.level >= self.most
    }

    fn fill(&mut self, now: RelayTime) {
        let seconds = now.micros_since(self.at).max(0) as f64 / 1e6;
        self.at = self.at.max(now);
        self.level = (self.level + seconds * self.per_second).min(self.most);
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is heard.
    Pass,
    /// It is left unheard; the one who sent it is to be told.
    Refuse,
    /// It is left unheard; it was told so within the last second.
    Ignore,
    /// It was told, and goes on as if it had not been: it has to go.
    Expel,
}

/// What one connection says beyond its rate, and what it is told of it.
#[derive(Debug)]
pub struct Meter {
    bucket: Bucket,
    bytes: Bucket,
    /// What is left of the patience with messages that are left unheard: as many as are heard. It is
    /// not renewed by one that is heard, because in a flood there is always one that is.
    patience: Bucket,
    told: Option<RelayTime>,
}

impl Meter {
    /// For a connection that begins at `now`, and may say `per_second` messages a second, of
    /// [`MESSAGE_BYTES_ON_AVERAGE`].
    #[must_use]
    pub fn new(per_second: u32, now: RelayTime) -> Self {
        let bucket = || Bucket::new(per_second, now);
        let bytes = Bucket::new(per_second.saturating_mul(MESSAGE_BYTES_ON_AVERAGE), now);
        Self { bucket: bucket(), bytes, patience: bucket(), told: None }
    }

    /// Charges a message that passed with `bytes` more than it was judged by: those that were said to
    /// everyone because of it.
    pub fn charge(&mut self, bytes: usize) {
        self.bytes.charge(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Judges one message of `bytes` at `now`; `address_passes` asks its
    /// address's own bucket, which is left full for others by what does not pass here.
    pub fn judge(
        &mut self,
        now: RelayTime,
        bytes: usize,
        address_passes: impl FnOnce() -> bool,
    ) -> Verdict {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.bucket.take(now) && self.bytes.take_many(now, bytes) && address_passes() {
            return Verdict::Pass;
        }
        if !self.patience.take(now) {
            return Verdict::Expel;
        }
        if self.told.is_some_and(|told| now.micros_since(told) < 1_000_000) {
            return Verdict::Ignore;
        }
        self.told = Some(now);
        Verdict::Refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> RelayTime {
        RelayTime::from_micros(millis * 1000)
    }

    #[test]
    fn the_rate_passes_for_ever_and_a_burst_once() {
        let mut bucket = Bucket::new(500, at(0));
        assert_eq!((0..3000).filter(|_| bucket.take(at(0))).count(), 2000);
        for millis in 1..10_000 {
            let passed = (0..2).filter(|_| bucket.take(at(millis))).count();
            assert!(passed <= 1, "at {millis} ms");
        }
        let refused = (0..10_000).filter(|n| !bucket.take(at(20_000 + 2 * n))).count();
        assert_eq!(refused, 0);
    }

    #[test]
    fn a_clock_that_stands_or_runs_backwards_gives_nothing_away() {
        let mut bucket = Bucket::new(1, at(5000));
        assert_eq!((0..9).filter(|_| bucket.take(at(1000))).count(), 4);
        assert!(!bucket.take(at(5000)));
    }

    #[test]
    fn what_one_may_not_say_takes_nothing_from_its_address() {
        let mut meter = Meter::new(10, at(0));
        let mut taken = 0;
        for _ in 0..60 {
            meter.judge(at(0), 50, || {
                taken += 1;
                true
            });
        }
        assert_eq!(taken, 40);
    }

    #[test]
    fn one_that_says_too_much_is_told_once_a_second_and_expelled_if_it_goes_on() {
        let mut meter = Meter::new(10, at(0));
        for _ in 0..40 {
            assert_eq!(meter.judge(at(0), 50, || true), Verdict::Pass);
        }
        assert_eq!(meter.judge(at(0), 50, || true), Verdict::Refuse);
        assert_eq!(meter.judge(at(50), 50, || true), Verdict::Ignore);
        assert_eq!(meter.judge(at(1000), 50, || true), Verdict::Pass);
        assert_eq!(meter.judge(at(1000), 50, || false), Verdict::Refuse);
        for _ in 1..40 {
            assert_eq!(meter.judge(at(1001), 50, || false), Verdict::Ignore);
        }
        assert_eq!(meter.judge(at(1001), 50, || false), Verdict::Expel);
    }

    #[test]
    fn large_messages_are_fewer() {
        let mut meter = Meter::new(600, at(0));
        let passed = |meter: &mut Meter, bytes, millis| {
            (0..3000)
                .take_while(|_| meter.judge(at(millis), bytes, || true) == Verdict::Pass)
                .count()
        };
        assert_eq!(passed(&mut meter, 16 * 1024, 0), 37, "of the largest, as many as one can hold");
        assert_eq!(passed(&mut Meter::new(600, at(0)), 256, 0), 2400);
        assert_eq!(passed(&mut meter, 16 * 1024, 1000), 9);
        // What is said to everyone because of them counts as well.
        let mut meter = Meter::new(600, at(0));
        let count = (0..3000).take_while(|_| {
            let is_heard = meter.judge(at(0), 256, || true) == Verdict::Pass;
            meter.charge(256);
            is_heard
        });
        assert_eq!(count.count(), 1200);
        // Whoever may say little may still say something large.
        assert_eq!(passed(&mut Meter::new(1, at(0)), 16 * 1024, 0), 1);
    }

    #[test]
    fn a_flood_of_which_some_pass_is_a_flood() {
        // Twenty messages a millisecond, of which one in two milliseconds passes.
        let mut meter = Meter::new(500, at(0));
        let mut said = (0..).flat_map(|millis| std::iter::repeat_n(at(millis), 20));
        let count = said.position(|at| meter.judge(at, 50, || true) == Verdict::Expel).unwrap();
        assert!((4000..4300).contains(&count), "{count}");
        // One who says half as much again as it may is told, and stays.
        let mut meter = Meter::new(500, at(0));
        for n in 0..60_000 {
            assert_ne!(meter.judge(at(n * 4 / 3), 50, || true), Verdict::Expel);
        }
    }
}

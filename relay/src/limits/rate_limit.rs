//! Rate limits: token buckets, and the limiter of one connection.
//!
//! Pure: the caller passes the time.

use downbeat_protocol::RelayTime;

/// How many seconds' worth of tokens a bucket holds: the largest burst after a silence.
const BURST_SECONDS: u32 = 4;

/// Average message size for which a connection may send as many messages as its rate says, in bytes.
/// Connections with larger messages may send fewer, and so may those whose messages cause larger
/// broadcasts. Hence one client's burst fits the outbox of another that pauses reading. A usual trigger
/// is broadcast in 150 bytes.
pub(crate) const AVERAGE_MESSAGE_BYTES: u32 = 256;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    capacity: f64,
    level: f64,
    at: RelayTime,
}

impl TokenBucket {
    /// A full bucket that gains `per_second` tokens a second and holds four times as many.
    pub(crate) fn new(per_second: u32, now: RelayTime) -> Self {
        let capacity = f64::from(per_second) * f64::from(BURST_SECONDS);
        Self { per_second: f64::from(per_second), capacity, level: capacity, at: now }
    }

    /// Takes one token, if there is one.
    pub(crate) fn take(&mut self, now: RelayTime) -> bool {
        self.take_many(now, 1)
    }

    /// Takes `count` tokens, if there are as many.
    pub(crate) fn take_many(&mut self, now: RelayTime, count: u32) -> bool {
        self.refill(now);
        // A full bucket lets anything through, however small it is.
        let count = f64::from(count).min(self.capacity);
        let allowed = self.level >= count;
        if allowed {
            self.level -= count;
        }
        allowed
    }

    /// Takes `count` tokens even if there are fewer. The debt is at most the capacity, and the bucket
    /// lets nothing through until it is repaid.
    fn charge(&mut self, count: u32) {
        self.level = (self.level - f64::from(count)).max(-self.capacity);
    }

    /// Whether the bucket is full.
    pub(crate) fn is_full(&mut self, now: RelayTime) -> bool {
        self.refill(now);
        self.level >= self.capacity
    }

    fn refill(&mut self, now: RelayTime) {
        let seconds = now.micros_since(self.at).max(0) as f64 / 1e6;
        self.at = self.at.max(now);
        self.level = (self.level + seconds * self.per_second).min(self.capacity);
    }
}

/// What to do with a message or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Process it.
    Allow,
    /// Do not process it, and tell the sender.
    Refuse,
    /// Do not process it. The sender was told within the last second.
    Ignore,
    /// The sender was told and goes on: disconnect it.
    Disconnect,
}

/// The rate limit of one connection.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    messages: TokenBucket,
    bytes: TokenBucket,
    /// Tolerance for messages beyond the rate: as many again. Allowed messages do not refill it, because
    /// some are allowed in any flood.
    tolerance: TokenBucket,
    last_refusal: Option<RelayTime>,
}

impl RateLimiter {
    /// The limiter of a connection that was accepted at `now` and may send `per_second` messages a
    /// second, of [`AVERAGE_MESSAGE_BYTES`].
    pub(crate) fn new(per_second: u32, now: RelayTime) -> Self {
        let bucket = || TokenBucket::new(per_second, now);
        let bytes = TokenBucket::new(per_second.saturating_mul(AVERAGE_MESSAGE_BYTES), now);
        Self { messages: bucket(), bytes, tolerance: bucket(), last_refusal: None }
    }

    /// Charges `bytes` in addition to those of the message that was allowed: what it caused to be
    /// broadcast.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.bytes.charge(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Decides about a message of `bytes`. `address_allows` takes a token from the bucket of the sender's
    /// address; it is not called for what this connection may not send, so that one connection cannot
    /// use up the rate of others.
    pub(crate) fn check(
        &mut self,
        now: RelayTime,
        bytes: usize,
        address_allows: impl FnOnce() -> bool,
    ) -> Decision {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if self.messages.take(now) && self.bytes.take_many(now, bytes) && address_allows() {
            return Decision::Allow;
        }
        if !self.tolerance.take(now) {
            return Decision::Disconnect;
        }
        if self.last_refusal.is_some_and(|last| now.micros_since(last) < 1_000_000) {
            return Decision::Ignore;
        }
        self.last_refusal = Some(now);
        Decision::Refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> RelayTime {
        RelayTime::from_micros(millis * 1000)
    }

    #[test]
    fn the_rate_is_allowed_forever_and_a_burst_once() {
        let mut bucket = TokenBucket::new(500, at(0));
        assert_eq!((0..3000).filter(|_| bucket.take(at(0))).count(), 2000);
        for millis in 1..10_000 {
            let allowed = (0..2).filter(|_| bucket.take(at(millis))).count();
            assert!(allowed <= 1, "at {millis} ms");
        }
        let refused = (0..10_000).filter(|n| !bucket.take(at(20_000 + 2 * n))).count();
        assert_eq!(refused, 0);
    }

    #[test]
    fn a_clock_that_stands_still_or_runs_backwards_adds_no_tokens() {
        let mut bucket = TokenBucket::new(1, at(5000));
        assert_eq!((0..9).filter(|_| bucket.take(at(1000))).count(), 4);
        assert!(!bucket.take(at(5000)));
    }

    #[test]
    fn messages_beyond_the_rate_take_no_tokens_of_the_address() {
        let mut limiter = RateLimiter::new(10, at(0));
        let mut taken = 0;
        for _ in 0..60 {
            limiter.check(at(0), 50, || {
                taken += 1;
                true
            });
        }
        assert_eq!(taken, 40);
    }

    #[test]
    fn a_sender_beyond_its_rate_is_told_once_a_second_and_disconnected_if_it_goes_on() {
        let mut limiter = RateLimiter::new(10, at(0));
        for _ in 0..40 {
            assert_eq!(limiter.check(at(0), 50, || true), Decision::Allow);
        }
        assert_eq!(limiter.check(at(0), 50, || true), Decision::Refuse);
        assert_eq!(limiter.check(at(50), 50, || true), Decision::Ignore);
        assert_eq!(limiter.check(at(1000), 50, || true), Decision::Allow);
        assert_eq!(limiter.check(at(1000), 50, || false), Decision::Refuse);
        for _ in 1..40 {
            assert_eq!(limiter.check(at(1001), 50, || false), Decision::Ignore);
        }
        assert_eq!(limiter.check(at(1001), 50, || false), Decision::Disconnect);
    }

    #[test]
    fn larger_messages_may_be_sent_less_often() {
        let mut limiter = RateLimiter::new(600, at(0));
        let allowed = |limiter: &mut RateLimiter, bytes, millis| {
            (0..3000)
                .take_while(|_| limiter.check(at(millis), bytes, || true) == Decision::Allow)
                .count()
        };
        assert_eq!(
            allowed(&mut limiter, 16 * 1024, 0),
            37,
            "as many of the largest as the bucket holds"
        );
        assert_eq!(allowed(&mut RateLimiter::new(600, at(0)), 256, 0), 2400);
        assert_eq!(allowed(&mut limiter, 16 * 1024, 1000), 9);
        // Broadcasts that messages cause count as well.
        let mut limiter = RateLimiter::new(600, at(0));
        let count = (0..3000).take_while(|_| {
            let is_allowed = limiter.check(at(0), 256, || true) == Decision::Allow;
            limiter.charge(256);
            is_allowed
        });
        assert_eq!(count.count(), 1200);
        // A client with a low rate may still send a large message.
        assert_eq!(allowed(&mut RateLimiter::new(1, at(0)), 16 * 1024, 0), 1);
    }

    #[test]
    fn a_flood_is_disconnected_although_some_of_it_is_allowed() {
        // Twenty messages a millisecond, of which one in two milliseconds is allowed.
        let mut limiter = RateLimiter::new(500, at(0));
        let mut sent = (0..).flat_map(|millis| std::iter::repeat_n(at(millis), 20));
        let count =
            sent.position(|at| limiter.check(at, 50, || true) == Decision::Disconnect).unwrap();
        assert!((4000..4300).contains(&count), "{count}");
        // A client that sends half as much again as it may is told, and stays.
        let mut limiter = RateLimiter::new(500, at(0));
        for n in 0..60_000 {
            assert_ne!(limiter.check(at(n * 4 / 3), 50, || true), Decision::Disconnect);
        }
    }
}

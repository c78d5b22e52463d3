//! Exponential back-off with jitter between attempts to connect.
//!
//! When a relay restarts, every player of the room reconnects; the jitter spreads them over time.
//! Pure: the random numbers are arguments.

use std::time::Duration;

/// Upper bound of the first wait: a relay that was restarted at once is back by then.
const FIRST: Duration = Duration::from_millis(400);

/// Upper bound of all waits: the room is complete again within this time after the relay's return.
const MAX: Duration = Duration::from_secs(5);

/// Growth of the upper bound per attempt.
const GROWTH: f64 = 1.7;

/// The waits after one loss.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// The state after a connection that worked.
    pub(super) fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// Raises all further waits to the longest: the relay refuses this player, which a person has to
    /// change.
    pub(super) fn saturate(&mut self) {
        self.ceiling = MAX;
    }

    /// The next wait: between half of the upper bound and all of it, by `random` (0 to 1).
    pub(super) fn next_wait(&mut self, random: f64) -> Duration {
        let wait = self.ceiling.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        self.ceiling = self.ceiling.mul_f64(GROWTH).min(MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_refusal_every_wait_is_long() {
        let mut backoff = Backoff::new();
        backoff.saturate();
        for random in [0.0, 0.5, 1.0] {
            let wait = backoff.next_wait(random);
            assert!((2500..=5000).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[test]
    fn waits_grow_from_half_a_second_to_five_seconds() {
        for random in [0.0, 0.5, 1.0] {
            let mut backoff = Backoff::new();
            assert!(backoff.next_wait(random) < Duration::from_millis(500));
            let waits: Vec<_> = (0..50).map(|_| backoff.next_wait(random)).collect();
            assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(5)));
            assert!(waits.is_sorted());
            assert!(*waits.last().unwrap() >= Duration::from_millis(2500));
        }
    }
}

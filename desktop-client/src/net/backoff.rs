//! How long to wait before the next try to connect.
//!
//! A relay that comes back finds a room full of players; the jitter keeps them from knocking all
//! at once. Pure: it is told its random numbers.

use std::time::Duration;

/// The first wait is at most this: a relay that was restarted at once is back by then.
const FIRST: Duration = Duration::from_millis(400);

/// No wait is longer: after its return, the room is whole again within this.
const LONGEST: Duration = Duration::from_secs(5);

/// Each wait is at most this many times the one before.
const GROWTH: f64 = 1.7;

/// The waits of one loss.
#[derive(Clone, Debug)]
pub struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    /// As after a connection that worked.
    #[must_use]
    pub fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// From now on the waits are as after many tries: what stands in the way is not a restart.
    pub fn be_patient(&mut self) {
        self.ceiling = LONGEST;
    }

    /// The next wait: between half of the ceiling and all of it, as `random` (0 to 1) says. The
    /// ceiling grows from try to try.
    pub fn next_wait(&mut self, random: f64) -> Duration {
        let wait = self.ceiling.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        self.ceiling = self.ceiling.mul_f64(GROWTH).min(LONGEST);
        wait
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_asked_for_again_and_again() {
        let mut backoff = Backoff::new();
        backoff.be_patient();
        for random in [0.0, 0.5, 1.0] {
            let wait = backoff.next_wait(random);
            assert!((2500..=5000).contains(&wait.as_millis()), "{wait:?}");
        }
    }

    #[test]
    fn the_first_wait_is_short_and_none_is_longer_than_five_seconds() {
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

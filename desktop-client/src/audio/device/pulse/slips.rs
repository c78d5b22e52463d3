//! Notices when the timeline of a PulseAudio stream slips, and tells that from noise and drift.
//!
//! Each answer of the server moves the timeline a little from where the answers before it had it. The
//! moves add up to its position. Two running means of the position, a short and a long one, agree while
//! it only trembles, and differ little under the drift of a crystal (175 us at 100 ppm). A slip sets
//! them apart. It counts once; one that lasts longer than a second counts again.
//!
//! Pure: it reads no clock.

/// What the two means average over, in seconds.
const SHORT_SECONDS: f64 = 0.25;
const LONG_SECONDS: f64 = 2.0;

/// The means differ by more than this in a slip. A jump of half a millisecond makes them do so.
const SLIP_NANOS: f64 = 300_000.0;

/// What comes within this time after a slip was noticed belongs to it. So does what comes within this
/// time of the first answer, which is as noisy as any.
const SAME_SLIP_NANOS: i64 = 1_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Slips {
    /// The sum of all moves.
    position: f64,
    short: f64,
    long: f64,
    last: i64,
    /// When a slip was noticed last, or the first answer came.
    noticed: Option<i64>,
}

impl Slips {
    /// The timeline has moved by so many nanoseconds, as an answer of instant `now` says. Returns whether
    /// a slip has begun.
    pub(super) fn note(&mut self, moved_nanos: i64, now: i64) -> bool {
        let seconds = (now - self.last).max(0) as f64 * 1e-9;
        self.last = now;
        self.position += moved_nanos as f64;
        self.short += (self.position - self.short) * (seconds / SHORT_SECONDS).min(1.0);
        self.long += (self.position - self.long) * (seconds / LONG_SECONDS).min(1.0);
        if now - *self.noticed.get_or_insert(now) < SAME_SLIP_NANOS {
            self.long = self.short;
        }
        let is_slip = (self.short - self.long).abs() > SLIP_NANOS;
        if is_slip {
            self.noticed = Some(now);
        }
        is_slip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the slips in a minute of answers, one each 10 ms, whose timeline stands where
    /// `position` says, in nanoseconds, given the seconds.
    fn count(mut position: impl FnMut(f64) -> f64) -> usize {
        let mut slips = Slips::default();
        let mut was = position(0.0);
        let noted = (1..6000).filter(|n| {
            let is = position(f64::from(*n) * 0.01);
            let moved = (is - was) as i64;
            was = is;
            slips.note(moved, i64::from(*n) * 10_000_000)
        });
        noted.count()
    }

    #[test]
    fn the_drift_of_a_crystal_is_no_slip() {
        assert_eq!(count(|seconds| seconds * 100_000.0), 0);
        assert_eq!(count(|seconds| seconds * -100_000.0), 0);
    }

    #[test]
    fn answers_that_scatter_by_half_a_millisecond_are_no_slips() {
        let mut random = fastrand::Rng::with_seed(5);
        // Uniform, within +-0.9 ms: a standard deviation of 0.5 ms.
        assert_eq!(count(|_| random.f64() * 1_800_000.0 - 900_000.0), 0);
    }

    #[test]
    fn a_jump_counts_once_and_a_slip_of_some_seconds_each_second() {
        assert_eq!(count(|seconds| if seconds < 30.0 { 0.0 } else { 1e6 }), 1);
        // 2000 ppm.
        assert_eq!(count(|seconds| -2e6 * (seconds - 30.0).clamp(0.0, 0.5)), 1);
        assert_eq!(count(|seconds| -2e6 * (seconds - 30.0).clamp(0.0, 4.0)), 4);
    }

    #[test]
    fn each_of_several_slips_counts() {
        assert_eq!(count(|seconds| (seconds / 2.0).floor() * 600_000.0), 29);
    }
}

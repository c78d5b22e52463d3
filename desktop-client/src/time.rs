//! Local time: this machine's monotonic clock, as a number that can be computed with.
//!
//! Only [`LocalClock::now`] reads a clock. Everything else is told what time it is, and so can be
//! tested in virtual time.

use std::time::{Duration, Instant};

/// An instant: nanoseconds of this machine's monotonic clock since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(i64);

impl LocalTime {
    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Microseconds since the origin, rounded down.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `nanos` nanoseconds later, or earlier if negative.
    #[must_use]
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant; negative if it is in fact the later one.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The clock that local time is read from. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct LocalClock {
    origin: Instant,
}

impl LocalClock {
    /// A clock that begins now. A process has one, made in `main`.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time. Never blocks, and on Linux needs no system call: the audio thread may ask.
    #[must_use]
    pub fn now(self) -> LocalTime {
        self.at(Instant::now())
    }

    /// The time at an instant of this process; 0 for one before the clock began.
    #[must_use]
    pub fn at(self, instant: Instant) -> LocalTime {
        let nanos = instant.saturating_duration_since(self.origin).as_nanos();
        LocalTime(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The instant at which a timer that is to fire at `time` should be set.
    #[must_use]
    pub fn instant(self, time: LocalTime) -> Instant {
        self.origin + Duration::from_nanos(time.0.max(0).cast_unsigned())
    }
}

/// A length of time as people read it, with no more digits than can matter: `35 µs`, `2.4 ms`,
/// `14 ms`, `1.2 s`.
#[must_use]
pub fn in_words(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..999_500 => format!("{:.0} ms", micros as f64 / 1e3),
        999_500..9_950_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => format!("{:.0} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_the_digits_that_matter() {
        let cases = [
            (0, "0 µs"),
            (35, "35 µs"),
            (999, "999 µs"),
            (2_400, "2.4 ms"),
            (14_200, "14 ms"),
            (999_400, "999 ms"),
            (999_600, "1.0 s"),
            (1_234_000, "1.2 s"),
            (30_000_000, "30 s"),
        ];
        for (value, text) in cases {
            assert_eq!(in_words(value), text);
        }
    }
}

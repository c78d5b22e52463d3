//! Local time: this machine's monotonic clock, as a number.
//!
//! Only [`LocalClock::now`] reads a clock. Everything else takes the time as an argument, and is tested
//! in virtual time.

use std::time::{Duration, Instant};

/// An instant: nanoseconds of this machine's monotonic clock since the process started.
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

    /// Nanoseconds from `earlier` to this instant; negative if `earlier` is later.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The clock that local time is read from. Copies have the same origin.
#[derive(Clone, Copy, Debug)]
pub struct LocalClock {
    origin: Instant,
}

impl LocalClock {
    /// A clock whose origin is now. A process has one.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time. Does not block, and on Linux needs no system call, so that the audio thread may call
    /// it.
    #[must_use]
    pub fn now(self) -> LocalTime {
        self.at(Instant::now())
    }

    /// The time at an instant; 0 for one before the origin.
    #[must_use]
    pub fn at(self, instant: Instant) -> LocalTime {
        let nanos = instant.saturating_duration_since(self.origin).as_nanos();
        LocalTime(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The instant for a timer that fires at `time`.
    #[must_use]
    pub fn instant(self, time: LocalTime) -> Instant {
        self.origin + Duration::from_nanos(time.0.max(0).cast_unsigned())
    }
}

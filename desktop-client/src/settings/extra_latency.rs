//! Latency that an output has but does not report.

use std::fmt;

/// Latency that an output does not report, as of a Bluetooth loudspeaker or a television. Sounds are
/// handed to the output earlier by as much; a negative one delays them.
///
/// It is a whole number of tenths of a millisecond, at most [`ExtraLatency::MAX_MILLIS`] either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtraLatency {
    tenths: i32,
}

impl ExtraLatency {
    /// The output reports all of its latency.
    pub const NONE: Self = Self { tenths: 0 };
    /// The largest magnitude, in milliseconds.
    pub const MAX_MILLIS: f64 = 500.0;

    /// The nearest value to `millis`, within the range. NaN is none.
    #[must_use]
    pub fn from_millis(millis: f64) -> Self {
        let within = millis.clamp(-Self::MAX_MILLIS, Self::MAX_MILLIS);
        // A cast of NaN is 0.
        Self { tenths: (within * 10.0).round() as i32 }
    }

    /// In milliseconds; positive plays earlier.
    #[must_use]
    pub fn millis(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }

    /// In microseconds; positive plays earlier.
    pub(crate) fn micros(self) -> i32 {
        self.tenths * 100
    }

    /// In nanoseconds; positive plays earlier.
    pub(crate) fn nanos(self) -> i64 {
        i64::from(self.tenths) * 100_000
    }
}

impl fmt::Display for ExtraLatency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_tenths_and_clamped() {
        for (millis, nanos) in [
            (12.5, 12_500_000),
            (-0.14, -100_000),
            (-0.04, 0),
            (7000.0, 500_000_000),
            (f64::NEG_INFINITY, -500_000_000),
            (f64::NAN, 0),
        ] {
            assert_eq!(ExtraLatency::from_millis(millis).nanos(), nanos, "{millis}");
        }
    }

    #[test]
    fn it_is_displayed_with_its_sign() {
        assert_eq!(ExtraLatency::from_millis(12.5).to_string(), "12.5 ms");
        assert_eq!(ExtraLatency::from_millis(-3.0).to_string(), "-3.0 ms");
    }
}

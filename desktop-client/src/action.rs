//! What a person does, as a message: from the window (or a command line) to the session.
//!
//! Plain data; nothing here acts.

use std::fmt;

use crate::address::TypedAddress;

/// From the window to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Sound everywhere. No name is the relay's default sound.
    Bang {
        /// Name of the sound.
        sound: Option<String>,
    },
    /// Bang this sound from now on. Sends nothing: it is said so that the choice can be remembered.
    SelectSound(String),
    /// Silence everywhere.
    StopAll,
    /// This machine's volume: a linear factor, 0 to 1.
    SetVolume(f32),
    /// Play through another output.
    SetOutput(OutputChoice),
    /// Shift what the open output sounds. It is that output's own from now on; without an open
    /// output nothing is shifted.
    SetTrim(Trim),
    /// Give up on this relay and connect to the one at this address, as the command line takes it.
    SetRelay(TypedAddress),
    /// Do not wait for the back-off: try to connect now.
    RetryNow,
}

/// Which output device to play through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutputChoice {
    /// Whatever the system plays through.
    #[default]
    SystemDefault,
    /// The device of this id or name.
    Device(String),
}

/// How much earlier than scheduled a sound is handed to an output: it makes up for a delay that no
/// driver reports, as of a Bluetooth loudspeaker or a screen. Negative is later.
///
/// It is a whole number of tenths of a millisecond, at most [`Trim::MOST_MILLIS`] either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    tenths: i32,
}

impl Trim {
    /// Nothing is shifted.
    pub const NONE: Self = Self { tenths: 0 };
    /// The furthest shift, either way, in milliseconds.
    pub const MOST_MILLIS: f64 = 500.0;

    /// The trim that is nearest to `millis`, positive for earlier. What is no number shifts nothing.
    #[must_use]
    pub fn from_millis(millis: f64) -> Self {
        let within = millis.clamp(-Self::MOST_MILLIS, Self::MOST_MILLIS);
        // A cast of what is no number is 0.
        Self { tenths: (within * 10.0).round() as i32 }
    }

    /// Milliseconds, positive for earlier.
    #[must_use]
    pub fn millis(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }

    /// Nanoseconds, positive for earlier.
    #[must_use]
    pub fn nanos(self) -> i64 {
        i64::from(self.tenths) * 100_000
    }
}

impl fmt::Display for Trim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis();
        match self.tenths {
            0 => f.write_str("not shifted"),
            1.. => write!(f, "{millis:.1} ms earlier"),
            _ => write!(f, "{:.1} ms later", -millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trim_is_in_whole_tenths_within_its_range() {
        for (millis, nanos) in [
            (12.5, 12_500_000),
            (-0.14, -100_000),
            (-0.04, 0),
            (7000.0, 500_000_000),
            (f64::NEG_INFINITY, -500_000_000),
            (f64::NAN, 0),
        ] {
            assert_eq!(Trim::from_millis(millis).nanos(), nanos, "{millis}");
        }
    }

    #[test]
    fn a_trim_says_which_way() {
        assert_eq!(Trim::from_millis(12.5).to_string(), "12.5 ms earlier");
        assert_eq!(Trim::from_millis(-3.0).to_string(), "3.0 ms later");
        assert_eq!(Trim::NONE.to_string(), "not shifted");
    }
}

//! The values that messages carry, and what makes one valid.
//!
//! Limits stand here, beside their reasons, and are checked once, by the relay: what it has
//! broadcast needs no second check.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    message::{Hello, TriggerRequest},
    name::{self, MAX_NAME_CHARS, clean_name},
};

/// The sound of a bang that names none, and the one that the seed's wire plays.
pub const DEFAULT_SOUND: &str = "click";

/// Largest free `data` of a trigger, in bytes of JSON: it is sent to every client.
pub const MAX_DATA_BYTES: usize = 4096;

/// Most names that one trigger can be aimed at.
pub const MAX_TARGETS: usize = 256;

/// Most clients that everyone is told of one by one. Beyond them a roster only counts, and tells each
/// client of itself: a room of thousands would otherwise send every client the names of all the others.
pub const ROSTER_ENTRIES: usize = 64;

/// One sound of the relay's bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundInfo {
    /// What people and triggers call it: the file's name without its ending.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// SHA-256 of the file in hexadecimal; the file is served at `/sounds/<hash>`.
    pub hash: String,
    /// Size of the file.
    pub bytes: u64,
    /// Frames in it: one frame holds one value per channel.
    pub frames: u64,
    /// Frames per second.
    pub rate: u32,
    /// Channels, 1 to 8.
    pub channels: u16,
}

impl SoundInfo {
    /// How long it lasts when played at `rate` times its speed.
    #[must_use]
    pub fn duration_micros(&self, rate: f32) -> u64 {
        let seconds = self.frames as f64 / f64::from(self.rate.max(1)) / f64::from(rate.max(0.01));
        (seconds * 1e6) as u64
    }
}

/// Why a value that is well-formed JSON is still refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidValue {
    /// A number outside its range.
    #[error("{field} must be between {least} and {most}, not {given}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Least value allowed.
        least: f32,
        /// Greatest value allowed.
        most: f32,
        /// What was given.
        given: f32,
    },
    /// A text with nothing to see in it, or with more than [`MAX_NAME_CHARS`] characters.
    #[error("{field} must have 1 to {MAX_NAME_CHARS} characters that can be seen")]
    Name {
        /// The field's name.
        field: &'static str,
    },
    /// More than [`MAX_DATA_BYTES`] of `data`.
    #[error("data must be at most {MAX_DATA_BYTES} bytes of JSON, not {given}")]
    DataTooLarge {
        /// What was given, in bytes.
        given: usize,
    },
    /// More than [`MAX_TARGETS`] names in `target`, or none.
    #[error("target must have 1 to {MAX_TARGETS} names, not {given}")]
    Targets {
        /// How many were given.
        given: usize,
    },
}

fn in_range(field: &'static str, given: f32, least: f32, most: f32) -> Result<(), InvalidValue> {
    if (least..=most).contains(&given) {
        Ok(())
    } else {
        Err(InvalidValue::OutOfRange { field, least, most, given })
    }
}

impl Hello {
    /// Checks what serde cannot; returns the name as it may be shown.
    ///
    /// # Errors
    /// If the name is empty or too long.
    pub fn valid_name(&self) -> Result<String, InvalidValue> {
        clean_name(&self.name).ok_or(InvalidValue::Name { field: "name" })
    }
}

impl TriggerRequest {
    /// Checks what serde cannot: the ranges of numbers, the sizes of texts.
    ///
    /// # Errors
    /// The first field that is out of its bounds.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        in_range("gain", self.gain, 0.0, 4.0)?;
        in_range("rate", self.rate, 0.25, 4.0)?;
        in_range("pan", self.pan, -1.0, 1.0)?;
        if let Some(sound) = &self.sound
            && clean_name(sound).is_none()
        {
            return Err(InvalidValue::Name { field: "sound" });
        }
        if let Some(target) = &self.target {
            if !(1..=MAX_TARGETS).contains(&target.len()) {
                return Err(InvalidValue::Targets { given: target.len() });
            }
            if target.iter().any(|name| clean_name(name).is_none()) {
                return Err(InvalidValue::Name { field: "target" });
            }
        }
        if let Some(data) = &self.data {
            let given = data.to_string().len();
            if given > MAX_DATA_BYTES {
                return Err(InvalidValue::DataTooLarge { given });
            }
        }
        Ok(())
    }
}

//! Validation of values that are well-formed JSON.
//!
//! Limits stand here, with their reasons. The relay checks them once: what it broadcasts is valid.

use thiserror::Error;

use crate::{
    client::Report,
    machine::{AssignRequest, CommandRequest, ForgetRequest},
    message::Hello,
    name::{MAX_NAME_CHARS, clean_name},
    receipt::Outcomes,
    sound::{EditSoundsRequest, UploadRequest},
    target::{TargetRequest, When},
    tone::{TONE, Tone},
    trigger::TriggerRequest,
};

/// Largest `data` of a trigger and largest value of a variable, in bytes of JSON: it is sent to every client.
pub(crate) const MAX_DATA_BYTES: usize = 4096;

/// Most entries of a list in a `target`, and most clients of an `assign`.
pub const MAX_TARGETS: usize = 256;

/// Longest delay by `after_micros`: an hour. What waits is kept by every machine.
const MAX_AFTER_MICROS: u64 = 3_600_000_000;

/// Longest distance between two machines of a stagger.
const MAX_STAGGER_MICROS: u64 = 10_000_000;

/// Shortest and longest duration of a tone.
const TONE_MICROS: std::ops::RangeInclusive<u64> = 1_000..=600_000_000;

/// Most tags of a machine.
pub const MAX_TAGS: usize = 16;

/// Largest number of a seat.
pub const MAX_SEAT: u16 = 9999;

/// Largest extra latency, either way: half a second, in microseconds.
pub const MAX_EXTRA_LATENCY_MICROS: i32 = 500_000;

/// Most outcomes in a message: what a client does within a second.
pub const MAX_OUTCOMES: usize = 64;

/// Most sounds that a report lists as missing.
pub const MAX_MISSING: usize = 16;

/// Largest file that can be uploaded: five minutes in stereo with 24 bits at 48 kHz.
pub const MAX_UPLOAD_BYTES: u64 = 96 << 20;

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidValue {
    /// A number outside its range.
    #[error("{field} must be between {min} and {max}, not {given}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
        /// The value.
        given: f64,
    },
    /// A name without visible characters, or with more than [`MAX_NAME_CHARS`].
    #[error("{field} must have 1 to {MAX_NAME_CHARS} visible characters")]
    Name {
        /// The field's name.
        field: &'static str,
    },
    /// Too many bytes of `data`.
    #[error("data must be at most {MAX_DATA_BYTES} bytes of JSON, not {given}")]
    DataTooLarge {
        /// Its size, in bytes.
        given: usize,
    },
    /// Too many entries in a list.
    #[error("{field} must have at most {max} entries, not {given}")]
    TooMany {
        /// The field's name.
        field: &'static str,
        /// How many are allowed.
        max: usize,
        /// How many there are.
        given: usize,
    },
    /// Only the built-in tone has a `tone`.
    #[error("a trigger with a tone plays the sound {TONE:?}, not {given:?}")]
    ToneOfSound {
        /// The sound of the trigger.
        given: String,
    },
    /// The declaration of a variable is invalid.
    #[error("the declaration of {name:?} is invalid: {reason}")]
    Declaration {
        /// The variable's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A variable does not take a value.
    #[error("{name:?} takes {expected}, not {given}")]
    VariableValue {
        /// The variable's name.
        name: String,
        /// What it takes.
        expected: String,
        /// The beginning of the value.
        given: String,
    },
}

pub(crate) fn in_range(
    field: &'static str,
    given: impl Into<f64>,
    min: f64,
    max: f64,
) -> Result<(), InvalidValue> {
    let given = given.into();
    if (min..=max).contains(&given) {
        Ok(())
    } else {
        Err(InvalidValue::OutOfRange { field, min, max, given })
    }
}

fn integer_in_range(
    field: &'static str,
    given: u64,
    min: u64,
    max: u64,
) -> Result<(), InvalidValue> {
    in_range(field, given as f64, min as f64, max as f64)
}

fn names(field: &'static str, names: &[String], max: usize) -> Result<(), InvalidValue> {
    at_most(field, names.len(), max)?;
    if names.iter().any(|name| clean_name(name).is_none()) {
        return Err(InvalidValue::Name { field });
    }
    Ok(())
}

pub(crate) fn at_most(field: &'static str, given: usize, max: usize) -> Result<(), InvalidValue> {
    if given > max { Err(InvalidValue::TooMany { field, max, given }) } else { Ok(()) }
}

impl Hello {
    /// Returns the cleaned name.
    ///
    /// # Errors
    /// If it is empty or too long.
    pub fn valid_name(&self) -> Result<String, InvalidValue> {
        clean_name(&self.name).ok_or(InvalidValue::Name { field: "name" })
    }
}

impl TriggerRequest {
    /// Checks what serde does not: the ranges of numbers and the sizes of texts.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        in_range("gain", self.gain, 0.0, 4.0)?;
        in_range("rate", self.rate, 0.25, 4.0)?;
        in_range("pan", self.pan, -1.0, 1.0)?;
        if let Some(sound) = &self.sound
            && clean_name(sound).is_none()
        {
            return Err(InvalidValue::Name { field: "sound" });
        }
        let sound = self.sound.as_deref();
        if let Some(tone) = &self.tone {
            if sound != Some(TONE) {
                let given = sound.unwrap_or_default().to_owned();
                return Err(InvalidValue::ToneOfSound { given });
            }
            tone.validate()?;
        }
        if let Some(target) = &self.target {
            target.validate()?;
        }
        self.when.validate()?;
        integer_in_range("stagger_micros", self.stagger_micros, 0, MAX_STAGGER_MICROS)?;
        if let Some(data) = &self.data {
            let given = data.to_string().len();
            if given > MAX_DATA_BYTES {
                return Err(InvalidValue::DataTooLarge { given });
            }
        }
        Ok(())
    }
}

impl Tone {
    fn validate(&self) -> Result<(), InvalidValue> {
        if let Some(frequency) = self.frequency {
            in_range("tone.frequency", frequency, 20.0, 20_000.0)?;
        }
        let (min, max) = TONE_MICROS.into_inner();
        integer_in_range("tone.duration_micros", self.duration_micros, min, max)
    }
}

impl TargetRequest {
    pub(crate) fn validate(&self) -> Result<(), InvalidValue> {
        names("target.names", &self.names, MAX_TARGETS)?;
        names("target.tags", &self.tags, MAX_TARGETS)?;
        at_most("target.clients", self.clients.len(), MAX_TARGETS)
    }
}

impl When {
    pub(crate) fn validate(self) -> Result<(), InvalidValue> {
        match self {
            Self::Together | Self::Now => Ok(()),
            Self::AfterMicros(micros) => {
                integer_in_range("when.after_micros", micros, 0, MAX_AFTER_MICROS)
            }
        }
    }
}

impl AssignRequest {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("clients", self.clients.len(), MAX_TARGETS)?;
        at_most("machines", self.machines.len(), MAX_TARGETS)?;
        names("name", self.name.as_slice(), 1)?;
        if let Some(seat) = self.seat {
            in_range("seat", seat, 0.0, f64::from(MAX_SEAT))?;
        }
        if let Some(place) = self.place {
            in_range("place.x", place.x, 0.0, 1.0)?;
            in_range("place.y", place.y, 0.0, 1.0)?;
        }
        if let Some(volume) = self.volume_db {
            in_range("volume_db", volume, -60.0, 0.0)?;
        }
        if let Some(micros) = self.extra_latency_micros {
            let max = f64::from(MAX_EXTRA_LATENCY_MICROS);
            in_range("extra_latency_micros", micros, -max, max)?;
        }
        names("tags", self.tags.as_deref().unwrap_or_default(), MAX_TAGS)
    }
}

impl ForgetRequest {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// If there are too many machines.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("machines", self.machines.len(), MAX_TARGETS)
    }
}

impl CommandRequest {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// If there are too many clients.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("clients", self.clients.len(), MAX_TARGETS)
    }
}

impl UploadRequest {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// If the name is invalid, or the file is empty or too large.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        names("name", std::slice::from_ref(&self.name), 1)?;
        integer_in_range("bytes", self.bytes, 1, MAX_UPLOAD_BYTES)
    }
}

impl EditSoundsRequest {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("sounds", self.sounds.len(), MAX_TARGETS)?;
        for edit in &self.sounds {
            names("name", edit.name.as_slice(), 1)?;
            if let Some(gain) = edit.gain_db {
                in_range("gain_db", gain, -60.0, 12.0)?;
            }
        }
        Ok(())
    }
}

impl Outcomes {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// If there are too many.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        at_most("outcomes", self.outcomes.len(), MAX_OUTCOMES)
    }
}

impl Report {
    /// Checks what serde does not.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        names("missing", &self.missing, MAX_MISSING)?;
        names("output", self.output.as_slice(), 1)
    }
}

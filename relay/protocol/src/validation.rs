//! Validation of values that are well-formed JSON.
//!
//! Limits stand here, with their reasons. The relay checks them once: what it broadcasts is valid.

use thiserror::Error;

use crate::{
    message::{Hello, TriggerRequest},
    name::{MAX_NAME_CHARS, clean_name},
};

/// Largest `data` of a trigger, in bytes of JSON: it is sent to every client.
const MAX_DATA_BYTES: usize = 4096;

/// Most names in the `target` of a trigger.
const MAX_TARGETS: usize = 256;

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidValue {
    /// A number outside its range.
    #[error("{field} must be between {min} and {max}, not {given}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// Smallest value allowed.
        min: f32,
        /// Largest value allowed.
        max: f32,
        /// The value.
        given: f32,
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
    /// Too many names in `target`, or none.
    #[error("target must have 1 to {MAX_TARGETS} names, not {given}")]
    Targets {
        /// How many there are.
        given: usize,
    },
}

fn in_range(field: &'static str, given: f32, min: f32, max: f32) -> Result<(), InvalidValue> {
    if (min..=max).contains(&given) {
        Ok(())
    } else {
        Err(InvalidValue::OutOfRange { field, min, max, given })
    }
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

//! A sound of the relay's bank, as clients are told about it.

use serde::{Deserialize, Serialize};

use crate::name;

/// The sound of a trigger that names none, and the one that the tutorial wire plays.
pub const DEFAULT_SOUND: &str = "click";

/// A sound of the relay's bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundInfo {
    /// Its name: the file's name without the extension.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// SHA-256 of the file, in hexadecimal; the file is served at `/sounds/<hash>`.
    pub hash: String,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Number of frames; a frame holds one value per channel.
    pub frames: u64,
    /// Frames per second.
    pub rate: u32,
    /// Channels, 1 to 8.
    pub channels: u16,
    /// The frames that repeat until a stop; absent if it plays once.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub looped: Option<LoopFrames>,
}

/// The frames of a sound that repeat: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopFrames {
    /// The first frame that repeats.
    pub start: u64,
    /// The frame after the last one that repeats.
    pub end: u64,
}

impl SoundInfo {
    /// Its duration when played once at `rate` times its speed, in microseconds. A loop has no end.
    #[must_use]
    pub fn duration_micros(&self, rate: f32) -> u64 {
        let seconds = self.frames as f64 / f64::from(self.rate.max(1)) / f64::from(rate.max(0.01));
        (seconds * 1e6) as u64
    }
}

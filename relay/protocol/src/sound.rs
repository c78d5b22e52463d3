//! A sound of the relay's bank, as clients are told about it.

use serde::{Deserialize, Serialize};

use crate::name;

/// The sound of a trigger that names none, and the one that the tutorial wire plays.
pub const DEFAULT_SOUND: &str = "click";

/// A sound of the relay's bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Its gain. The relay has multiplied it into the gain of each trigger.
    #[serde(default, skip_serializing_if = "is_unity")]
    pub gain_db: f32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
fn is_unity(gain_db: &f32) -> bool {
    *gain_db == 0.0
}

/// A sound that was removed from the bank and can be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedSound {
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// SHA-256 of the file.
    pub hash: String,
}

/// A request to change sounds of the bank.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EditSoundsRequest {
    /// What changes about single sounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sounds: Vec<SoundEdit>,
    /// The sound of a trigger that names none, by hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_sound: Option<String>,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// What changes about a sound. Absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoundEdit {
    /// SHA-256 of the file.
    pub hash: String,
    /// Its name.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// Its gain, -60 to 12 dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<f32>,
    /// Whether it repeats until a stop, as a whole if its file has no loop.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub looped: Option<bool>,
    /// Its position among the sounds, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Whether it is removed; false puts it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<bool>,
}

/// A request to upload a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRequest {
    /// The name of the sound: that of the file without its ending.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// The size of the file.
    pub bytes: u64,
    /// Returned in the answer or the error.
    pub ack: u64,
}

/// Where a file can be uploaded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReady {
    /// The `ack` of the request.
    pub ack: u64,
    /// The path of the `PUT`, relative to the page. Who knows it can upload one file.
    pub path: String,
}

impl std::fmt::Debug for UploadReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The path is a secret.
        f.debug_struct("UploadReady").field("ack", &self.ack).finish_non_exhaustive()
    }
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

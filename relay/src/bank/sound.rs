//! A sound and its file.

use std::time::Instant;

use bytes::Bytes;
use downbeat_protocol::{LoopFrames, SoundInfo};
use downbeat_samples::{
    loops::{self, Loop, MIN_LOOP_FRAMES},
    wav::{self, WavError, WavInfo},
};
use sha2::{Digest as _, Sha256};

use super::decode::{self, DecodeError, decode_time};
use crate::text::hex;

/// A sound and its file.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    /// What clients are sent about it.
    pub(crate) info: SoundInfo,
    pub(crate) file: Bytes,
    /// It was uploaded, and not found in a folder or built in.
    pub(super) is_uploaded: bool,
}

impl Sound {
    /// The sound of a WAV file, which is checked. It repeats if its file says so.
    ///
    /// # Errors
    /// If it cannot be played.
    pub(super) fn of_wav(name: String, file: Bytes) -> Result<Self, WavError> {
        let wav = wav::inspect(&file)?;
        Ok(Self::of_checked(name, file, wav))
    }

    /// The sound of an uploaded file, which is decoded. It is slow.
    ///
    /// # Errors
    /// If it cannot be played.
    pub(crate) fn of_upload(name: String, file: &Bytes) -> Result<Self, DecodeError> {
        let (wav, info) = decode::to_wav(file, Instant::now() + decode_time(file.len()))?;
        Ok(Self { is_uploaded: true, ..Self::of_checked(name, wav, info) })
    }

    /// The sound of a file that was checked.
    fn of_checked(name: String, file: Bytes, wav: WavInfo) -> Self {
        let own = loops::loop_of(&file, wav.frames).unwrap_or_else(|reason| {
            tracing::warn!(name, %reason, "the sound is played without its loop");
            None
        });
        let info = SoundInfo {
            name,
            hash: hash_of(&file),
            bytes: file.len() as u64,
            frames: wav.frames,
            rate: wav.rate,
            channels: wav.channels,
            looped: own.map(frames_of),
            gain_db: 0.0,
        };
        Self { info, file, is_uploaded: false }
    }

    /// Lets it repeat as a whole, unless its file has a loop.
    pub(super) fn repeat(&mut self) {
        if self.info.looped.is_none() {
            self.info.looped = whole(self.info.frames);
            if self.info.looped.is_none() {
                tracing::warn!(
                    name = self.info.name,
                    frames = self.info.frames,
                    "too short to repeat: the least is {MIN_LOOP_FRAMES} frames"
                );
            }
        }
    }
}

/// The loop of a whole sound; `None` if it is too short.
pub(super) fn whole(frames: u64) -> Option<LoopFrames> {
    loops::whole(frames).map(frames_of)
}

fn frames_of(Loop { start, end }: Loop) -> LoopFrames {
    LoopFrames { start, end }
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn hash_of(file: &[u8]) -> String {
    hex(&Sha256::digest(file))
}

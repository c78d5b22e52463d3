//! How many sounds a bank may have, and how large.

use downbeat_protocol::MAX_UPLOAD_BYTES;

use super::sound::Sound;

/// Largest sound, in bytes: five minutes of stereo with 24 bits at 48 kHz are 86 MB. The relay holds the
/// bank in memory, and each player holds it decoded, which is larger still.
pub(super) const MAX_SOUND_BYTES: u64 = MAX_UPLOAD_BYTES;

/// Most sounds of a bank. Each takes 170 bytes of a welcome, at most 470, and a welcome must leave space in
/// the outbox for what is sent before the client has read it.
pub const MAX_SOUNDS: usize = 2048;

/// Largest bank, in bytes: it must fit the memory of a small computer.
pub(super) const MAX_BANK_BYTES: u64 = 512 * 1024 * 1024;

/// How many sounds, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) sounds: usize,
    pub(crate) bytes: u64,
}

impl Space {
    /// With a sound more.
    pub(super) fn with(self, sound: &Sound) -> Self {
        Self { sounds: self.sounds + 1, bytes: self.bytes + sound.info.bytes }
    }

    /// What is left of a bank that has this.
    pub(super) fn left(self) -> Self {
        Self {
            sounds: MAX_SOUNDS.saturating_sub(self.sounds),
            bytes: MAX_BANK_BYTES.saturating_sub(self.bytes),
        }
    }
}

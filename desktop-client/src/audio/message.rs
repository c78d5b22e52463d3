//! What the player and the renderer say to each other, and how much of it may be waiting.
//!
//! Both ways are wait-free rings of fixed size. Nothing that owns memory is ever dropped by the
//! renderer: a sound it is done with travels back inside a message, and is freed by
//! [`Player::poll`](super::Player::poll).

use std::sync::Arc;

use super::SoundBuffer;
use crate::time::LocalTime;

/// Messages that may wait for the next block. When it is full the player's call fails with
/// [`QueueFull`](super::QueueFull), and nothing else changes. A block takes out all of them, so at
/// 10 ms a block this is a hundred thousand messages a second.
pub(super) const TO_RENDERER: usize = 1024;

/// Messages that may wait for `poll`. When it is full, a message that carries a sound waits in its
/// voice's slot, a new voice waits for a slot, and in the end the ring above fills up and the
/// player is told; a [`RendererToPlayer::Started`], which is only news, is dropped.
pub(super) const TO_PLAYER: usize = 2048;

/// Names a voice. The player chooses it; the renderer hands it back unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoiceId(pub u64);

/// A voice to be sounded.
#[derive(Clone, Debug)]
pub struct VoiceStart {
    /// What to call it.
    pub id: VoiceId,
    /// What it plays. Decoded at the output's rate it is copied, at another it is interpolated.
    pub sound: Arc<SoundBuffer>,
    /// When its first frame leaves the converter. If that is over, the voice joins in the middle,
    /// at the position it would have reached.
    pub at: LocalTime,
    /// Linear factor on its level, 0 to 4.
    pub gain: f32,
    /// Factor on its speed, and so on its pitch, 0.25 to 4.
    pub rate: f32,
    /// Left (-1) to right (1). See [`Panning`](super::panning::Panning) for what it does to whom.
    pub pan: f32,
}

/// From the player, on any thread, to the renderer, in the device's callback.
#[derive(Debug)]
pub(super) enum PlayerToRenderer {
    Start(VoiceStart),
    Retime { id: VoiceId, at: LocalTime },
    Stop { id: VoiceId, at: LocalTime },
    Volume(f32),
}

/// From the renderer to the player. The sounds are only carried home to be freed.
#[derive(Debug)]
pub(super) enum RendererToPlayer {
    Started {
        id: VoiceId,
        lateness_nanos: i64,
    },
    /// The voice reached its end, or was stopped.
    Ended {
        id: VoiceId,
        sound: Arc<SoundBuffer>,
    },
    /// The voice had to make room for another.
    Stolen {
        id: VoiceId,
        sound: Arc<SoundBuffer>,
    },
    /// The voice was never sounded: too many were waiting.
    Refused {
        id: VoiceId,
        sound: Arc<SoundBuffer>,
    },
    /// Not news: the fading half of a voice that jumped is silent now.
    Spent {
        sound: Arc<SoundBuffer>,
    },
}

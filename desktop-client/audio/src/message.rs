//! The messages between the mixer handle and the mixer, and the capacities of their rings.
//!
//! Both rings are wait-free and of fixed size. The mixer never drops what owns memory: a sound that it
//! no longer needs travels back in a message, and `MixerHandle::poll` frees it.

use super::source::Source;
use downbeat_platform::local_time::LocalTime;

/// Capacity of the ring to the mixer, which empties it with each block: at 10 ms a block that is a
/// hundred thousand messages a second. When it is full, the call of the handle fails with `QueueFull`
/// and has no effect.
pub(super) const TO_MIXER_CAPACITY: usize = 1024;

/// Capacity of the ring from the mixer. When it is full, a message that carries a sound waits in its
/// voice's slot, and a new voice waits for a slot; in the end the ring to the mixer fills up, which the
/// handle reports. [`FromMixer::Started`] owns nothing and is dropped.
pub(super) const FROM_MIXER_CAPACITY: usize = 2048;

/// Identifies a voice. The handle's owner chooses it; the mixer returns it unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VoiceId(pub u64);

/// A voice to start.
#[derive(Clone, Debug)]
pub struct VoiceStart {
    /// Its identity.
    pub id: VoiceId,
    /// What it plays. A sound at the output's rate is copied, at another it is interpolated.
    pub source: Source,
    /// When its first frame leaves the converter. If that has passed, the voice joins in the middle, at
    /// the position it would have reached.
    pub at: LocalTime,
    /// Linear factor on its level, 0 to 4.
    pub gain: f32,
    /// Factor on its speed, and so on its pitch, above 0.
    pub rate: f32,
    /// Left (-1) to right (1). What that means depends on the channels; see `panning`.
    pub pan: f32,
}

/// A parameter of a voice that can change while it sounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The linear factor on its level.
    Gain,
    /// The factor on its speed.
    Rate,
    /// The pan.
    Pan,
}

/// A change of a value, from an instant on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glide {
    /// When it begins, at the converter.
    pub at: LocalTime,
    /// The value at its end. A gain and a pan move there in a straight line, a rate at constant semitones per
    /// second.
    pub to: f32,
    /// How long it takes.
    pub over_nanos: i64,
}

/// What a glide changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlideTarget {
    /// A parameter of a voice.
    Voice(VoiceId, Parameter),
    /// A second volume of the output, beside the one of [`MixerHandle::set_volume`](super::MixerHandle::set_volume).
    RoomVolume,
}

/// From the handle, on any thread, to the mixer, in the device's callback.
#[derive(Debug)]
pub(super) enum ToMixer {
    Start(VoiceStart),
    Retime { id: VoiceId, at: LocalTime },
    Stop { id: VoiceId, at: LocalTime },
    Volume(f32),
    Glide { target: GlideTarget, glide: Glide },
    CancelGlides { target: GlideTarget, from: LocalTime },
}

/// From the mixer to the handle. The sources travel back to be freed.
#[derive(Debug)]
pub(super) enum FromMixer {
    Started {
        id: VoiceId,
        lateness_nanos: i64,
    },
    /// The voice reached its end, or was stopped.
    Ended {
        id: VoiceId,
        source: Source,
    },
    /// The voice was stolen: faded out to make room for another.
    Stolen {
        id: VoiceId,
        source: Source,
    },
    /// The voice never started: too many were waiting.
    Refused {
        id: VoiceId,
        source: Source,
    },
    /// The fading half of a voice that jumped has ended. The voice itself goes on.
    JumpFaded {
        source: Source,
    },
}

//! The mixer's handle: starts, moves and stops voices from any thread, and reports their events.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};

use super::format::OutputFormat;
use super::message::{
    FROM_MIXER_CAPACITY, FromMixer, Glide, GlideTarget, Parameter, TO_MIXER_CAPACITY, ToMixer,
    VoiceId, VoiceStart,
};
use super::mixer::Mixer;
use super::stats::{OutputStats, SharedStats};
use downbeat_platform::local_time::LocalTime;

/// The largest gain: four by the trigger, times four by variables.
const MAX_GAIN: f32 = 16.0;

/// The range of a rate: that of a tone is its frequency over its first one.
const MIN_RATE: f32 = 1.0 / 1024.0;
const MAX_RATE: f32 = 1024.0;

/// The ring to the mixer is full; the call had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many messages are waiting for the mixer")]
pub struct QueueFull;

/// What happened to a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceEvent {
    /// It started, or joined in the middle `lateness_nanos` after its instant; 0 is in time.
    Started {
        /// The voice.
        id: VoiceId,
        /// How much too late its first frame left the mix for the converter, in nanoseconds.
        lateness_nanos: i64,
    },
    /// It reached its end, or was stopped. For a voice that came after its end, this is the only event.
    Ended {
        /// The voice.
        id: VoiceId,
    },
    /// It was faded out to make room for another.
    Stolen {
        /// The voice.
        id: VoiceId,
    },
    /// It never started: too many voices were waiting for their instant.
    Refused {
        /// The voice.
        id: VoiceId,
    },
}

/// The half of a mixer that decides what sounds. It never blocks.
#[derive(Debug)]
pub struct MixerHandle {
    format: OutputFormat,
    to_mixer: Producer<ToMixer>,
    from_mixer: Consumer<FromMixer>,
    stats: Arc<SharedStats>,
}

/// Makes both halves of a mixer: the handle for any thread, and the mixer for the device's callback.
///
/// # Panics
/// If `format` has no rate or no channels, which no device offers.
#[must_use]
pub(crate) fn mixer(format: OutputFormat) -> (MixerHandle, Mixer) {
    assert!(format.rate > 0 && format.channels > 0, "an output has channels and a rate");
    let (to_mixer, from_handle) = RingBuffer::new(TO_MIXER_CAPACITY);
    let (to_handle, from_mixer) = RingBuffer::new(FROM_MIXER_CAPACITY);
    let stats = Arc::new(SharedStats::default());
    let mixer = Mixer::new(format, from_handle, to_handle, Arc::clone(&stats));
    (MixerHandle { format, to_mixer, from_mixer, stats }, mixer)
}

impl MixerHandle {
    /// The format of the output.
    #[must_use]
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Starts a voice. Gain, rate and pan are clamped to their ranges.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice will not sound.
    pub fn start(&mut self, start: VoiceStart) -> Result<(), QueueFull> {
        self.send(ToMixer::Start(VoiceStart {
            gain: within(start.gain, 0.0, MAX_GAIN, 1.0),
            rate: within(start.rate, MIN_RATE, MAX_RATE, 1.0),
            pan: within(start.pan, -1.0, 1.0, 0.0),
            ..start
        }))
    }

    /// Corrects the instant at which a voice starts, or should have started. A waiting voice starts
    /// then; a sounding one glides to its new position, or jumps with a crossfade if that is far.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice keeps its instant.
    pub fn retime(&mut self, id: VoiceId, at: LocalTime) -> Result<(), QueueFull> {
        self.send(ToMixer::Retime { id, at })
    }

    /// Stops a voice: it fades out within a few milliseconds, from the frame that leaves the converter
    /// at `at`. An unknown voice is ignored.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice goes on.
    pub fn stop(&mut self, id: VoiceId, at: LocalTime) -> Result<(), QueueFull> {
        self.send(ToMixer::Stop { id, at })
    }

    /// Lets a parameter of a voice, or the room's volume, glide from an instant on. The value is clamped to its
    /// range. A glide for a voice that starts later is ignored: its start has the value by then.
    ///
    /// # Errors
    /// [`QueueFull`]: nothing changes.
    pub fn glide(&mut self, target: GlideTarget, glide: Glide) -> Result<(), QueueFull> {
        let to = match target {
            GlideTarget::Voice(_, Parameter::Gain) => within(glide.to, 0.0, MAX_GAIN, 1.0),
            GlideTarget::Voice(_, Parameter::Rate) => within(glide.to, MIN_RATE, MAX_RATE, 1.0),
            GlideTarget::Voice(_, Parameter::Pan) => within(glide.to, -1.0, 1.0, 0.0),
            GlideTarget::RoomVolume => within(glide.to, 0.0, 1.0, 1.0),
        };
        self.send(ToMixer::Glide { target, glide: Glide { to, ..glide } })
    }

    /// Cancels the glides of a target that begin at `from` or later.
    ///
    /// # Errors
    /// [`QueueFull`]: they stay.
    pub fn cancel_glides(&mut self, target: GlideTarget, from: LocalTime) -> Result<(), QueueFull> {
        self.send(ToMixer::CancelGlides { target, from })
    }

    /// Sets the volume, a factor of 0 to 1. It is ramped while something sounds, and otherwise set at
    /// once.
    ///
    /// # Errors
    /// [`QueueFull`]: the volume stays.
    pub fn set_volume(&mut self, gain: f32) -> Result<(), QueueFull> {
        let gain = if gain.is_finite() { gain.clamp(0.0, 1.0) } else { 1.0 };
        self.send(ToMixer::Volume(gain))
    }

    /// The next event, if any. Call it several times a second, until there is none: it also frees the
    /// sounds that the mixer no longer needs.
    pub fn poll(&mut self) -> Option<VoiceEvent> {
        loop {
            let (event, source) = match self.from_mixer.pop().ok()? {
                FromMixer::Started { id, lateness_nanos } => {
                    (Some(VoiceEvent::Started { id, lateness_nanos }), None)
                }
                FromMixer::Ended { id, source } => (Some(VoiceEvent::Ended { id }), Some(source)),
                FromMixer::Stolen { id, source } => (Some(VoiceEvent::Stolen { id }), Some(source)),
                FromMixer::Refused { id, source } => {
                    (Some(VoiceEvent::Refused { id }), Some(source))
                }
                FromMixer::JumpFaded { source } => (None, Some(source)),
            };
            drop(source);
            if event.is_some() {
                return event;
            }
        }
    }

    /// The statistics of the output.
    #[must_use]
    pub fn stats(&self) -> OutputStats {
        self.stats.read()
    }

    /// The peak since the last call, on the even (left) and the odd (right) channels. On a mono device
    /// both are the same.
    pub fn take_peak(&mut self) -> [f32; 2] {
        self.stats.take_peak()
    }

    fn send(&mut self, message: ToMixer) -> Result<(), QueueFull> {
        // A message that does not fit is dropped here, on the handle's thread, with its sound.
        self.to_mixer.push(message).map_err(|_| QueueFull)
    }
}

fn within(value: f32, low: f32, high: f32, otherwise: f32) -> f32 {
    if value.is_finite() { value.clamp(low, high) } else { otherwise }
}

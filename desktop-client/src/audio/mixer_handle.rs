//! The player's half: says what shall sound, hears what became of it.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};

use super::message::{
    PlayerToRenderer, RendererToPlayer, TO_PLAYER, TO_RENDERER, VoiceId, VoiceStart,
};
use super::renderer::Renderer;
use super::stats::{OutputStats, SharedStats};
use crate::time::LocalTime;

/// What an output takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    /// Frames per second.
    pub rate: u32,
    /// Values per frame.
    pub channels: u16,
}

/// Too much is waiting for the renderer; what was asked for has not been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many messages are waiting for the audio output")]
pub struct QueueFull;

/// What became of a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayerEvent {
    /// It began, or joined in the middle `lateness_nanos` after its instant; 0 is in time.
    Started {
        /// Which voice.
        id: VoiceId,
        /// How much too late its first frame left the mix for the converter, in nanoseconds.
        lateness_nanos: i64,
    },
    /// It reached its end, or was stopped. A voice that came after its end has this only.
    Ended {
        /// Which voice.
        id: VoiceId,
    },
    /// It was faded out to make room for another.
    Stolen {
        /// Which voice.
        id: VoiceId,
    },
    /// It was never begun: too many voices were waiting for their instant.
    Refused {
        /// Which voice.
        id: VoiceId,
    },
}

/// The half that stays with whoever decides what sounds. It never blocks.
#[derive(Debug)]
pub struct Player {
    format: OutputFormat,
    to_renderer: Producer<PlayerToRenderer>,
    from_renderer: Consumer<RendererToPlayer>,
    stats: Arc<SharedStats>,
}

/// Makes both halves of an output: the player for any thread, and the renderer for the device's
/// callback.
///
/// # Panics
/// If `format` has no rate or no channels: no device offers such a thing.
#[must_use]
pub fn player(format: OutputFormat) -> (Player, Renderer) {
    assert!(format.rate > 0 && format.channels > 0, "an output has channels and a rate");
    let (to_renderer, from_player) = RingBuffer::new(TO_RENDERER);
    let (to_player, from_renderer) = RingBuffer::new(TO_PLAYER);
    let stats = Arc::new(SharedStats::default());
    let renderer = Renderer::new(format, from_player, to_player, Arc::clone(&stats));
    (Player { format, to_renderer, from_renderer, stats }, renderer)
}

impl Player {
    /// What the output takes.
    #[must_use]
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Sounds a voice. A gain, rate or pan outside of its range is brought into it.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice will not sound.
    pub fn start(&mut self, start: VoiceStart) -> Result<(), QueueFull> {
        let within = |value: f32, low, high, otherwise| {
            if value.is_finite() { value.clamp(low, high) } else { otherwise }
        };
        self.send(PlayerToRenderer::Start(VoiceStart {
            gain: within(start.gain, 0.0, 4.0, 1.0),
            rate: within(start.rate, 0.25, 4.0, 1.0),
            pan: within(start.pan, -1.0, 1.0, 0.0),
            ..start
        }))
    }

    /// Tells a better idea of the instant at which a voice is to begin, or should have begun. A
    /// waiting voice begins then; a sounding one glides to where it should be, or jumps there,
    /// with a crossfade, if that is far.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice keeps its instant.
    pub fn retime(&mut self, id: VoiceId, at: LocalTime) -> Result<(), QueueFull> {
        self.send(PlayerToRenderer::Retime { id, at })
    }

    /// Ends a voice: from the frame that leaves the converter at `at` it fades, within a few
    /// milliseconds. An unknown voice is none to stop.
    ///
    /// # Errors
    /// [`QueueFull`]: the voice goes on.
    pub fn stop(&mut self, id: VoiceId, at: LocalTime) -> Result<(), QueueFull> {
        self.send(PlayerToRenderer::Stop { id, at })
    }

    /// Sets the factor on everything, 0 to 1. It is reached smoothly while something sounds, and at
    /// once otherwise.
    ///
    /// # Errors
    /// [`QueueFull`]: the volume stays as it is.
    pub fn set_volume(&mut self, gain: f32) -> Result<(), QueueFull> {
        let gain = if gain.is_finite() { gain.clamp(0.0, 1.0) } else { 1.0 };
        self.send(PlayerToRenderer::Volume(gain))
    }

    /// The next thing that happened to a voice, if any; call it until there is none, some times a
    /// second. It also frees the sounds that the renderer is done with.
    pub fn poll(&mut self) -> Option<PlayerEvent> {
        loop {
            let (event, sound) = match self.from_renderer.pop().ok()? {
                RendererToPlayer::Started { id, lateness_nanos } => {
                    (Some(PlayerEvent::Started { id, lateness_nanos }), None)
                }
                RendererToPlayer::Ended { id, sound } => {
                    (Some(PlayerEvent::Ended { id }), Some(sound))
                }
                RendererToPlayer::Stolen { id, sound } => {
                    (Some(PlayerEvent::Stolen { id }), Some(sound))
                }
                RendererToPlayer::Refused { id, sound } => {
                    (Some(PlayerEvent::Refused { id }), Some(sound))
                }
                RendererToPlayer::Spent { sound } => (None, Some(sound)),
            };
            drop(sound);
            if event.is_some() {
                return event;
            }
        }
    }

    /// How the output is doing.
    #[must_use]
    pub fn stats(&self) -> OutputStats {
        self.stats.read()
    }

    /// Largest absolute value sent to the device since the last call, on the even (left) and the
    /// odd (right) channels. A mono device has both the same.
    pub fn take_peak(&mut self) -> [f32; 2] {
        self.stats.take_peak()
    }

    /// Whether the renderer is gone, and with it the stream it played on.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.to_renderer.is_abandoned()
    }

    fn send(&mut self, message: PlayerToRenderer) -> Result<(), QueueFull> {
        // A message that found no room is dropped here, on the player's side, with its sound.
        self.to_renderer.push(message).map_err(|_| QueueFull)
    }
}

//! What a voice plays, and how a position in a sound becomes a value.

use std::sync::Arc;

use super::buffer::SoundBuffer;
use super::interpolate::{HALF, Weights};

/// What a voice plays.
#[derive(Clone, Debug)]
pub enum Source {
    /// A sound, once.
    Sound(Arc<SoundBuffer>),
    /// A sound of which a part repeats until a stop.
    Loop(LoopedSound),
    /// A tone, synthesised on each frame.
    Tone(ToneSource),
}

impl From<Arc<SoundBuffer>> for Source {
    fn from(sound: Arc<SoundBuffer>) -> Self {
        Self::Sound(sound)
    }
}

/// A sound of which a part repeats until a stop.
#[derive(Clone, Debug)]
pub struct LoopedSound {
    sound: Arc<SoundBuffer>,
    start: f64,
    end: f64,
}

impl LoopedSound {
    /// Repeats the part from `start` to `end`, in frames of `sound`. Fractions keep the length of the part
    /// exact in a sound that was resampled, so that machines of different rates stay together.
    ///
    /// None if that is no part of at least one frame of the sound.
    #[must_use]
    pub fn new(sound: Arc<SoundBuffer>, start: f64, end: f64) -> Option<Self> {
        // Rounding may put the end of a resampled sound a little after its last frame.
        let end = end.min(sound.frames() as f64);
        (start >= 0.0 && end - start >= 1.0).then_some(Self { sound, start, end })
    }
}

/// The waveform of a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToneShape {
    /// A sine.
    Sine,
    /// A triangle.
    Triangle,
    /// A sawtooth.
    Saw,
    /// A square wave.
    Square,
}

/// A tone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneSource {
    /// Its waveform.
    pub shape: ToneShape,
    /// Cycles per second at a rate of 1.
    pub frequency: f64,
    /// How long it sounds, the fades at both ends included.
    pub duration_seconds: f64,
}

impl Source {
    /// The sound, if it is one.
    pub(super) fn sound(&self) -> Option<&SoundBuffer> {
        match self {
            Self::Sound(sound) | Self::Loop(LoopedSound { sound, .. }) => Some(sound),
            Self::Tone(_) => None,
        }
    }

    /// Units of its position per second at a rate of 1: frames of a sound, cycles of a tone.
    pub(super) fn units_per_second(&self) -> f64 {
        match self {
            Self::Sound(sound) | Self::Loop(LoopedSound { sound, .. }) => f64::from(sound.rate()),
            Self::Tone(tone) => tone.frequency,
        }
    }
}

/// The frames of a sound that one interpolated value is made of. Outside of the sound is silence.
pub(super) struct Reach<'a> {
    samples: &'a [f32],
    channels: usize,
    /// The kernel's taps that lie before the first of `samples`.
    skipped: usize,
}

impl<'a> Reach<'a> {
    pub(super) fn new(sound: &'a SoundBuffer, frame: i64) -> Self {
        let channels = usize::from(sound.channels());
        let frames = sound.frames() as i64;
        let from = frame - (HALF - 1);
        let begin = from.clamp(0, frames);
        let end = (frame + HALF + 1).clamp(0, frames);
        let samples = &sound.samples()[begin as usize * channels..end as usize * channels];
        Self { samples, channels, skipped: (begin - from).max(0) as usize }
    }

    pub(super) fn value(&self, weights: &Weights, channel: usize) -> f32 {
        let weights = weights.get(self.skipped..).unwrap_or_default();
        let frames = self.samples.chunks_exact(self.channels);
        frames.zip(weights).map(|(frame, weight)| frame[channel] * weight).sum()
    }
}

impl LoopedSound {
    /// The position in the sound after `position` frames of playing.
    pub(super) fn wrapped(&self, position: f64) -> f64 {
        if position < self.end {
            return position;
        }
        self.start + (position - self.start).rem_euclid(self.end - self.start)
    }

    /// The value at frame `frame` of playing, not wrapped, on `channel`. Frames after the part are those of
    /// its beginning; the seam between two rounds is rounded to a whole frame.
    fn frame(&self, frame: i64, channel: usize) -> f32 {
        let wrapped = self.wrapped(frame as f64).round();
        let frames = self.sound.frames();
        let last = frames.saturating_sub(1) as f64;
        if wrapped < 0.0 || frames == 0 {
            return 0.0;
        }
        let index = wrapped.min(last) as usize * usize::from(self.sound.channels()) + channel;
        self.sound.samples().get(index).copied().unwrap_or(0.0)
    }

    /// The interpolated value at a position of playing, on `channel`. `weights` are those of its fraction
    /// after wrapping.
    pub(super) fn value(&self, weights: &Weights, position: f64, channel: usize) -> f32 {
        // Within one round, the taps are frames of the sound; beyond its end those of the next round.
        let wrapped = self.wrapped(position);
        let round = position - wrapped;
        let floor = wrapped.floor() as i64;
        let has_wrapped = round > 0.0;
        let length = self.end - self.start;
        weights
            .iter()
            .zip(floor - (HALF - 1)..)
            .map(|(weight, frame)| {
                // The frames before the part's first are the last of the round before.
                let frame = if has_wrapped && (frame as f64) < self.start {
                    (frame as f64 + length).round() as i64
                } else {
                    frame
                };
                self.frame(frame, channel) * weight
            })
            .sum()
    }
}

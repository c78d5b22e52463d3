//! A sound as the renderer reads it.

use downbeat_samples::speakers;

/// Below this, 300 dB under full scale, a value is silence.
const LEAST: f32 = 1e-15;

/// A decoded sound at one output's rate. It never changes once made, and is shared by all voices
/// that play it.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundBuffer {
    samples: Box<[f32]>,
    channels: u16,
    mask: u32,
    rate: u32,
}

impl SoundBuffer {
    /// A buffer of interleaved `samples`, full scale at ±1. An unfinished last frame is dropped.
    /// What is no number becomes silence, and so does what is too small ever to be heard: the
    /// renderer need not look for infinities, nor wade through denormal numbers.
    ///
    /// # Panics
    /// If `channels` or `rate` is 0: a decoder that lets such a sound through is broken.
    #[must_use]
    pub fn new(mut samples: Vec<f32>, channels: u16, rate: u32) -> Self {
        assert!(channels > 0 && rate > 0, "a sound has channels and a rate");
        for sample in &mut samples {
            if !sample.is_finite() || sample.abs() < LEAST {
                *sample = 0.0;
            }
        }
        samples.truncate(samples.len() - samples.len() % usize::from(channels));
        let mask = speakers::usual_mask(channels).unwrap_or(0);
        Self { samples: samples.into_boxed_slice(), channels, mask, rate }
    }

    /// The same, with a channel for each loudspeaker of `mask`. Without this they are for the
    /// [usual ones](speakers::usual_mask).
    #[must_use]
    pub fn with_mask(self, mask: u32) -> Self {
        Self { mask, ..self }
    }

    /// How many frames it has: one frame holds one value per channel.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels)
    }

    /// Values per frame.
    #[must_use]
    pub fn channels(&self) -> u16 {
        self.channels
    }

    /// Which loudspeaker each channel is for, as the bits of [`speakers`].
    #[must_use]
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// Frames per second.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        size_of_val(&*self.samples) as u64
    }

    /// All frames, interleaved.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }
}

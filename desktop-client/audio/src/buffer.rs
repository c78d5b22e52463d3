//! A decoded sound, as the mixer reads it.

use downbeat_samples::speakers;

/// Smaller values, 300 dB below full scale, become silence.
const MIN_LEVEL: f32 = 1e-15;

/// A decoded sound at one output's rate. It is immutable, and shared by all voices that play it.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundBuffer {
    samples: Box<[f32]>,
    channels: u16,
    mask: u32,
    rate: u32,
}

impl SoundBuffer {
    /// A buffer of interleaved `samples`, full scale at ±1. An incomplete last frame is dropped. Values
    /// that are not finite or inaudibly small become silence, so that the mixer meets neither NaN nor
    /// denormal numbers.
    ///
    /// # Panics
    /// If `channels` or `rate` is 0, which decoders reject.
    #[must_use]
    pub fn new(mut samples: Vec<f32>, channels: u16, rate: u32) -> Self {
        assert!(channels > 0 && rate > 0, "a sound has channels and a rate");
        for sample in &mut samples {
            if !sample.is_finite() || sample.abs() < MIN_LEVEL {
                *sample = 0.0;
            }
        }
        samples.truncate(samples.len() - samples.len() % usize::from(channels));
        let mask = speakers::usual_mask(channels).unwrap_or(0);
        Self { samples: samples.into_boxed_slice(), channels, mask, rate }
    }

    /// The same, with one channel for each loudspeaker of `mask`. The default is the
    /// [usual ones](speakers::usual_mask).
    #[must_use]
    pub fn with_mask(self, mask: u32) -> Self {
        Self { mask, ..self }
    }

    /// Its length in frames: one frame holds one value per channel.
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

    /// Its size in memory.
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

//! An offline device: it renders on demand, in virtual time, on a clock with a given drift and jitter.
//!
//! It opens no stream and reads no clock. Tests use it to check exact frames; unlike a real device, it
//! knows when each of its frames truly leaves.

use super::format::OutputFormat;
use super::mixer::Mixer;
use super::mixer_handle::{MixerHandle, mixer};
use downbeat_platform::local_time::LocalTime;

/// The device. Its first frame leaves at the instant given by [`OfflineDevice::starting_at`].
#[derive(Debug)]
pub struct OfflineDevice {
    mixer: Mixer,
    format: OutputFormat,
    start: LocalTime,
    frame: u64,
    block: usize,
    drift_ppm: f64,
    jitter_nanos: f64,
    random: fastrand::Rng,
}

impl OfflineDevice {
    /// A device with an exact clock and blocks of 512 frames, and its mixer handle.
    #[must_use]
    pub fn open(format: OutputFormat) -> (MixerHandle, Self) {
        let (handle, mixer) = mixer(format);
        let device = Self {
            mixer,
            format,
            start: LocalTime::from_nanos(0),
            frame: 0,
            block: 512,
            drift_ppm: 0.0,
            jitter_nanos: 0.0,
            random: fastrand::Rng::with_seed(1),
        };
        (handle, device)
    }

    /// Frame 0 leaves at `start`.
    #[must_use]
    pub fn starting_at(self, start: LocalTime) -> Self {
        Self { start, ..self }
    }

    /// Blocks have `frames` frames, at least 1.
    #[must_use]
    pub fn with_block(self, frames: usize) -> Self {
        Self { block: frames.max(1), ..self }
    }

    /// The device's clock is `ppm` faster than local time.
    #[must_use]
    pub fn with_drift_ppm(self, ppm: f64) -> Self {
        Self { drift_ppm: ppm, ..self }
    }

    /// The device's timestamps scatter normally, with this standard deviation.
    #[must_use]
    pub fn with_jitter_nanos(self, deviation: f64, seed: u64) -> Self {
        Self { jitter_nanos: deviation, random: fastrand::Rng::with_seed(seed), ..self }
    }

    /// When `frame` truly leaves the converter.
    #[must_use]
    pub fn time_of(&self, frame: u64) -> LocalTime {
        let nominal = frame as f64 * 1e9 / f64::from(self.format.rate);
        self.start.plus_nanos((nominal / (1.0 + self.drift_ppm * 1e-6)).round() as i64)
    }

    /// How many frames it has rendered.
    #[must_use]
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// Delays all further frames by `nanos`: the device stalled, or its latency grew.
    pub fn stall(&mut self, nanos: i64) {
        self.start = self.start.plus_nanos(nanos);
    }

    /// Renders `frames` frames, block by block, and returns them interleaved.
    pub fn render(&mut self, frames: usize) -> Vec<f32> {
        let channels = usize::from(self.format.channels);
        let mut out = vec![0.0; frames * channels];
        for block in out.chunks_mut(self.block * channels) {
            self.render_into(block);
        }
        out
    }

    /// Renders one block into `out`, whole frames. Nothing is allocated.
    pub fn render_into(&mut self, out: &mut [f32]) {
        let jitter = self.jitter_nanos * self.normal();
        let dac = self.time_of(self.frame).plus_nanos(jitter as i64);
        self.mixer.render(out, dac);
        self.frame += (out.len() / usize::from(self.format.channels)) as u64;
    }

    /// A normally distributed number, by the sum of twelve uniform ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.random.f64()).sum::<f64>() - 6.0
    }
}

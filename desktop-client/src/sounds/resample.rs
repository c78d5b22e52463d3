//! Resamples a sound from its file's rate to a device's.

use downbeat_audio::SoundBuffer;
use downbeat_protocol::SoundInfo;
use downbeat_resampler::frames_at;
use downbeat_samples::wav::{Decoded, MAX_VALUES};
use thiserror::Error;

/// Why a sound cannot be resampled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResampleError {
    /// It would have more than [`MAX_VALUES`] values.
    #[error("at {rate} Hz the sound has {values} values; the limit is {MAX_VALUES}")]
    TooLong {
        /// The device's rate.
        rate: u32,
        /// Frames times channels at that rate.
        values: u64,
    },
    /// The resampler failed.
    #[error("the sound cannot be resampled to {rate} Hz: {reason}")]
    Refused {
        /// The device's rate.
        rate: u32,
        /// The resampler's error.
        reason: String,
    },
}

/// Resamples `sound` to `rate` frames per second, which must not be 0.
///
/// Time is preserved: frame `n` becomes frame `n * rate / sound.rate`, with the filter's delay removed. A
/// sound that has the rate already is not changed.
///
/// # Errors
/// If it would be too long.
pub fn resample(sound: Decoded, rate: u32) -> Result<SoundBuffer, ResampleError> {
    let Decoded { samples, channels, mask, rate: rate_in } = sound;
    if rate == rate_in {
        return Ok(SoundBuffer::new(samples, channels, rate).with_mask(mask));
    }
    let frames_in = samples.len() / usize::from(channels);
    let frames = frames_at(frames_in as u64, rate_in, rate);
    let values = frames * u64::from(channels);
    if values > MAX_VALUES {
        return Err(ResampleError::TooLong { rate, values });
    }

    let output = downbeat_resampler::resample(&samples, channels.into(), rate_in, rate)
        .map_err(|error| ResampleError::Refused { rate, reason: error.to_string() })?;
    Ok(SoundBuffer::new(output, channels, rate).with_mask(mask))
}

/// The size of a sound in memory, decoded and resampled to `rate`, in bytes.
pub(crate) fn decoded_bytes(sound: &SoundInfo, rate: u32) -> u64 {
    let values = frames_at(sound.frames, sound.rate, rate).saturating_mul(sound.channels.into());
    values.saturating_mul(size_of::<f32>() as u64)
}

//! Resamples a sound from its file's rate to a device's.

use downbeat_protocol::SoundInfo;
use downbeat_samples::wav::{Decoded, MAX_VALUES};
use rubato::{
    Fft, FixedSync, Resampler, WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};
use thiserror::Error;

use crate::audio::SoundBuffer;

/// Minimum length of the filter, in frames of the lower of both rates. Its passband is flat up to 97 % of
/// the Nyquist frequency (21.4 kHz at 44.1 kHz), and its stopband starts there.
const FILTER_FRAMES: usize = 1024;

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

    let refused = |reason: String| ResampleError::Refused { rate, reason };
    let block = block_frames(rate_in as usize, rate as usize);
    let mut resampler = Fft::<f32>::new_custom(
        rate_in as usize,
        rate as usize,
        block,
        1,
        channels.into(),
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| refused(error.to_string()))?;
    let input = InterleavedSlice::new(&samples, channels.into(), frames_in)
        .map_err(|error| refused(error.to_string()))?;
    let mut output = resampler
        .process_all(&input, frames_in, None)
        .map_err(|error| refused(error.to_string()))?
        .take_data();
    // The resampler rounds the length up; here it is rounded to the nearest.
    output.resize(values as usize, 0.0);
    Ok(SoundBuffer::new(output, channels, rate).with_mask(mask))
}

/// How many frames at `rate` Hz last as long as `frames` at `from` Hz, to the nearest.
fn frames_at(frames: u64, from: u32, rate: u32) -> u64 {
    let (from, rate) = (u64::from(from.max(1)), u64::from(rate));
    (frames.saturating_mul(rate).saturating_add(from / 2)) / from
}

/// The size of a sound in memory, decoded and resampled to `rate`, in bytes.
pub(crate) fn decoded_bytes(sound: &SoundInfo, rate: u32) -> u64 {
    let values = frames_at(sound.frames, sound.rate, rate).saturating_mul(sound.channels.into());
    values.saturating_mul(size_of::<f32>() as u64)
}

/// Input frames of one block of the resampler.
///
/// A block is a multiple of the shortest duration that is a whole number of frames at both rates. The
/// multiple is even, so that half a block, the filter's delay, is a whole number of frames too and can be
/// removed exactly.
fn block_frames(rate_in: usize, rate: usize) -> usize {
    let divisor = greatest_common_divisor(rate_in, rate);
    let (least_in, least_out) = (rate_in / divisor, rate / divisor);
    let stretches = FILTER_FRAMES.div_ceil(least_in.min(least_out));
    least_in * stretches.next_multiple_of(2)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

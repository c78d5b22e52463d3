//! Resamples decoded sounds, without a delay and with a flat passband.
//!
//! A package of its own, which knows nothing of players: the FFT is generic code, a third of what the compiler would
//! make of the player, each time that the player changes.

use rubato::{
    Fft, FixedSync, ResampleError, Resampler, ResamplerConstructionError, WindowFunction,
    audioadapter_buffers::{SizeError, direct::InterleavedSlice},
};
use thiserror::Error;

/// Why samples cannot be resampled: the library's own errors.
#[derive(Debug, Error)]
pub enum ResamplerError {
    /// It cannot be made for these rates.
    #[error(transparent)]
    Construction(#[from] ResamplerConstructionError),
    /// The samples are no whole number of frames.
    #[error(transparent)]
    Samples(#[from] SizeError),
    /// It failed.
    #[error(transparent)]
    Resampling(#[from] ResampleError),
}

/// Minimum length of the filter, in frames of the lower of both rates. Its passband is flat up to 97 % of
/// the Nyquist frequency (21.4 kHz at 44.1 kHz), and its stopband starts there.
const FILTER_FRAMES: usize = 1024;

/// Resamples interleaved `samples` of so many `channels` from the rate `from` to the rate `to`, in frames per second.
/// No argument may be 0.
///
/// Time is preserved: frame `n` becomes frame `n * to / from`, with the filter's delay removed. The result has
/// [`frames_at`] frames.
///
/// # Errors
/// If the library refuses the rates or the samples.
pub fn resample(
    samples: &[f32],
    channels: usize,
    from: u32,
    to: u32,
) -> Result<Vec<f32>, ResamplerError> {
    let frames = samples.len() / channels;
    let (rate_in, rate) = (from as usize, to as usize);
    let mut resampler = Fft::<f32>::new_custom(
        rate_in,
        rate,
        block_frames(rate_in, rate),
        1,
        channels,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )?;
    let input = InterleavedSlice::new(samples, channels, frames)?;
    let output = resampler.process_all(&input, frames, None)?;
    let mut output = output.take_data();
    // The resampler rounds the length up; here it is rounded to the nearest.
    output.resize(frames_at(frames as u64, from, to) as usize * channels, 0.0);
    Ok(output)
}

/// How many frames at the rate `to` last as long as `frames` at the rate `from`, to the nearest.
#[must_use]
pub fn frames_at(frames: u64, from: u32, to: u32) -> u64 {
    let (from, to) = (u64::from(from.max(1)), u64::from(to));
    (frames.saturating_mul(to).saturating_add(from / 2)) / from
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

//! Encodes a sound as a 16-bit WAV file.

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::synth::{Random, Sound};

/// Encodes `sound`, whose peak is at most 1.
///
/// Triangular dither of one step turns the quantization error, which would be audible as a buzz in
/// a fading bell, into inaudible noise. Silence stays silent.
///
/// # Errors
/// Only if the sound exceeds the maximum size of a WAV file.
pub fn encode(sound: &Sound) -> hound::Result<Vec<u8>> {
    let spec = WavSpec {
        channels: sound.channels.len() as u16,
        sample_rate: sound.rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut random = Random::new(16);
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec)?;
    for frame in 0..sound.frames() {
        for channel in &sound.channels {
            let dither = random.unit() - random.unit();
            let value = if channel[frame] == 0.0 { 0.0 } else { channel[frame] * 32768.0 + dither };
            writer.write_sample(value.round() as i16)?;
        }
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

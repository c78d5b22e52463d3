//! A sound as a WAV of 16 bits.

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::synth::{Chance, Sound};

/// The file of `sound`, whose peak is at most 1.
///
/// Triangular dither of one step turns the error of rounding, which in a fading bell would be heard
/// as a buzz, into a hiss that is not. Silence stays silence.
///
/// # Errors
/// Only if there are more frames than a WAV can have.
pub fn encode(sound: &Sound) -> hound::Result<Vec<u8>> {
    let spec = WavSpec {
        channels: sound.channels.len() as u16,
        sample_rate: sound.rate,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut chance = Chance::new(16);
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec)?;
    for frame in 0..sound.frames() {
        for channel in &sound.channels {
            let dither = chance.unit() - chance.unit();
            let value = if channel[frame] == 0.0 { 0.0 } else { channel[frame] * 32768.0 + dither };
            writer.write_sample(value.round() as i16)?;
        }
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

//! Unmodified files of other programs decode to the sound that the program was given. `FFmpeg` 5.1
//! and `SoX` 14.4 wrote them; `ffmpeg-pipe*` and `sox-pipe*` were written to a pipe, so the lengths
//! in their headers are invalid.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::f64::consts::TAU;

use downbeat_samples::wav::{decode, inspect};

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("programs/", $name, ".wav")).as_slice())
    };
}

/// Asserts that each channel contains 2 ms of a 1 kHz sine at half of full scale.
fn is_the_sine((name, file): (&str, &[u8]), channels: u16, step: f64) {
    let sound = decode(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((sound.rate, sound.channels), (48_000, channels), "{name}");
    assert_eq!(inspect(file).unwrap().frames, 96, "{name}");
    assert_eq!(sound.samples.len(), 96 * usize::from(channels), "{name}");
    for (frame, values) in sound.samples.chunks(channels.into()).enumerate() {
        let meant = 0.5 * (TAU * frame as f64 / 48.0).sin();
        for value in values {
            let off = (f64::from(*value) - meant).abs();
            assert!(off <= step, "{name}: frame {frame} is {value}, not {meant}");
        }
    }
}

#[test]
fn files_and_pipes_of_other_programs_are_decoded_exactly() {
    let steps = |bits: i32| 0.5_f64.powi(bits - 1);
    is_the_sine(file!("ffmpeg-pipe"), 1, steps(16));
    is_the_sine(file!("ffmpeg-pipe-24"), 1, steps(24));
    is_the_sine(file!("ffmpeg-rf64-pipe"), 1, steps(16));
    is_the_sine(file!("ffmpeg-rf64-24"), 1, steps(24));
    is_the_sine(file!("ffmpeg-float-64"), 1, steps(24));
    is_the_sine(file!("ffmpeg-unsigned-8"), 1, steps(8));
    is_the_sine(file!("sox-pipe"), 1, steps(15));
    is_the_sine(file!("sox-pipe-float"), 1, steps(20));
    is_the_sine(file!("sox-24"), 1, steps(20));
    is_the_sine(file!("sox-6"), 6, steps(15));
}

#[test]
fn surround_files_are_decoded_with_their_mask() {
    for ((name, file), mask, levels) in [
        (file!("ffmpeg-5.1"), 0x3F, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6][..]),
        (file!("ffmpeg-2.1"), 0xB, &[0.1, 0.2, 0.3]),
    ] {
        let sound = decode(file).unwrap();
        assert_eq!(sound.mask, mask, "{name}");
        for frame in sound.samples.chunks(levels.len()) {
            for (value, level) in frame.iter().zip(levels) {
                assert!((value - level).abs() < 1e-4, "{name}: {frame:?}");
            }
        }
    }
}

//! Resampling preserves time and adds no audible artefacts.

use std::f64::consts::TAU;

use downbeat::sounds::{ResampleError, resample};
use downbeat_samples::{
    EMBEDDED,
    wav::{Decoded, decode},
};
use proptest::prelude::*;

/// From the rates of files to those of devices. The last two have no common divisor; one is
/// extreme.
const RATES: [(u32, u32); 9] = [
    (44_100, 48_000),
    (48_000, 44_100),
    (32_000, 48_000),
    (11_025, 48_000),
    (96_000, 44_100),
    (48_000, 192_000),
    (768_000, 48_000),
    (44_100, 47_999),
    (1_000, 96_000),
];

fn mono(rate: u32, frames: usize, value: impl Fn(f64) -> f64) -> Decoded {
    let samples = (0..frames).map(|n| value(n as f64) as f32).collect();
    Decoded { samples, channels: 1, mask: 0x4, rate }
}

#[test]
fn time_is_preserved() {
    for (from, into) in RATES {
        // A pulse that is wide enough for the lower rate keeps its centre of mass.
        let wide = 6.0 * (f64::from(from) / f64::from(into)).max(1.0);
        for at in [12.0 * wide, 2_000.0 + 13.0 * wide, 5_000.3 + 20.0 * wide] {
            let frames = (at + 12.0 * wide) as usize;
            let pulse = mono(from, frames, |n| (-0.5 * ((n - at) / wide).powi(2)).exp());
            let sound = resample(pulse, into).unwrap();
            let (mut mass, mut moment) = (0.0, 0.0);
            for (n, value) in sound.samples().iter().enumerate() {
                mass += f64::from(*value);
                moment += n as f64 * f64::from(*value);
            }
            let (landed, meant) = (moment / mass, at * f64::from(into) / f64::from(from));
            let off = (landed - meant).abs();
            assert!(off < 0.01, "{from} to {into}: {meant} landed at {landed}");
        }
    }
}

#[test]
fn an_onset_at_the_first_frame_stays_there() {
    let click = decode(EMBEDDED[0].wav).unwrap();
    let loudest = click.samples[0].abs();
    for rate in [44_100, 96_000, 192_000] {
        let sound = resample(click.clone(), rate).unwrap();
        let first = sound.samples()[0].abs();
        assert!((0.7..1.3).contains(&(first / loudest)), "{first} of {loudest} at {rate}");
    }
}

#[test]
fn a_sine_is_preserved() {
    for (from, into) in RATES {
        let lower = f64::from(from.min(into));
        for hertz in [0.05 * lower, 0.23 * lower, 0.485 * lower] {
            let sine = |rate: u32| move |n: f64| 0.5 * (TAU * hertz * n / f64::from(rate)).sin();
            let frames = (from as usize / 4).max(3_000);
            let sound = resample(mono(from, frames, sine(from)), into).unwrap();
            // Except at the ends, where the truncated signal is not a sine.
            let samples = sound.samples();
            let middle = samples.len() / 3..samples.len() * 2 / 3;
            let (mut signal, mut error) = (0.0, 0.0);
            for n in middle {
                let meant = sine(into)(n as f64);
                signal += meant * meant;
                error += (f64::from(samples[n]) - meant).powi(2);
            }
            let ratio = 10.0 * (signal / error).log10();
            assert!(ratio > 100.0, "{from} to {into}, {hertz} Hz: {ratio:.1} dB");
        }
    }
}

#[test]
fn frequencies_above_the_new_nyquist_frequency_are_removed() {
    let tone = mono(96_000, 48_000, |n| (TAU * 30_000.0 * n / 96_000.0).sin());
    let sound = resample(tone, 44_100).unwrap();
    let middle = &sound.samples()[8_000..14_000];
    let loudest = middle.iter().fold(0.0_f32, |loudest, value| loudest.max(value.abs()));
    assert!(loudest < 3e-5, "an alias of {loudest}");
}

#[test]
fn channels_are_resampled_independently() {
    let frames = 4_000;
    let samples = (0..frames * 3).map(|v| [0.5, -0.25, 0.0][v % 3]).collect();
    let sound =
        resample(Decoded { samples, channels: 3, mask: 0xB, rate: 44_100 }, 48_000).unwrap();
    assert_eq!((sound.channels(), sound.mask()), (3, 0xB));
    let middle = &sound.samples()[sound.frames() / 2 * 3..][..3];
    for (value, meant) in middle.iter().zip([0.5, -0.25, 0.0]) {
        assert!((value - meant).abs() < 1e-4, "{middle:?}");
    }
}

#[test]
fn a_sound_that_has_the_rate_already_is_unchanged() {
    let samples: Vec<f32> = vec![0.1, -0.2, 0.3, -0.4];
    let sound = Decoded { samples: samples.clone(), channels: 2, mask: 0x3, rate: 48_000 };
    assert_eq!(resample(sound, 48_000).unwrap().samples(), samples);
}

#[test]
fn a_result_that_is_too_long_is_rejected() {
    let sound = Decoded { samples: vec![0.0; 1_000_000], channels: 1, mask: 0x4, rate: 1_000 };
    let refused = resample(sound, 96_000).unwrap_err();
    assert_eq!(refused, ResampleError::TooLong { rate: 96_000, values: 96_000_000 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn its_length_is_the_nearest(
        frames in 1..3_000_usize,
        channels in 1..=8_u16,
        from in prop::sample::select(vec![8_000_u32, 22_050, 44_100, 48_000, 96_000]),
        into in prop::sample::select(vec![16_000_u32, 44_100, 48_000, 88_200]),
    ) {
        let samples = vec![0.25; frames * usize::from(channels)];
        let sound = resample(Decoded { samples, channels, mask: 0, rate: from }, into).unwrap();
        let meant = (frames as f64 * f64::from(into) / f64::from(from)).round();
        prop_assert_eq!(sound.frames(), meant as usize);
        prop_assert_eq!((sound.channels(), sound.rate()), (channels, into));
        prop_assert!(sound.samples().iter().all(|value| value.is_finite()));
    }
}

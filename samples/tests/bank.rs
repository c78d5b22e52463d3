//! Properties of the embedded bank that players, users and measurements rely on.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::f64::consts::TAU;

use downbeat_samples::{
    EMBEDDED,
    wav::{Decoded, decode},
};

fn embedded(name: &str) -> Decoded {
    decode(EMBEDDED.iter().find(|sound| sound.name == name).unwrap().wav).unwrap()
}

fn peak(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |peak, value| peak.max(value.abs()))
}

#[test]
fn the_bank_has_six_sounds_of_known_length() {
    let names: Vec<&str> = EMBEDDED.iter().map(|sound| sound.name).collect();
    assert_eq!(names, ["click", "kick", "clap", "bell", "chord", "texture"]);
    let bytes: usize = EMBEDDED.iter().map(|sound| sound.wav.len()).sum();
    assert!(bytes < 3_000_000, "{bytes} bytes");

    let frames = |name| embedded(name).samples.len() / usize::from(embedded(name).channels);
    assert_eq!((frames("click"), embedded("click").rate), (960, 48_000), "20 ms");
    assert_eq!((frames("texture"), embedded("texture").rate), (960_000, 32_000), "30 s");
}

#[test]
fn four_sounds_at_once_stay_below_full_scale() {
    for sound in EMBEDDED {
        let peak = peak(&decode(sound.wav).unwrap().samples);
        assert!((0.250..0.2512).contains(&peak), "{} peaks at {peak}", sound.name);
    }
}

#[test]
fn struck_sounds_start_at_their_first_frame() {
    let click = embedded("click").samples;
    assert!(peak(&click[1..]) < click[0].abs(), "the click's first frame is its loudest");
    for name in ["kick", "clap", "bell"] {
        let samples = embedded(name).samples;
        // Within a millisecond the sound passes a detector's threshold of a tenth of the peak.
        assert!(peak(&samples[..48]) > 0.0251, "{name}");
    }
}

#[test]
fn all_sounds_end_without_a_click() {
    for sound in EMBEDDED {
        let samples = decode(sound.wav).unwrap().samples;
        let end = peak(&samples[samples.len() - 4..]);
        // Two 16-bit steps of dither.
        assert!(end <= 2.0 / 32_768.0, "{} ends at {end}", sound.name);
    }
    for name in ["chord", "texture"] {
        assert!(peak(&embedded(name).samples[..2]) <= 2.0 / 32_768.0, "{name} begins softly");
    }
}

/// A real and an imaginary part.
type Complex = [f32; 2];

fn times([a, b]: Complex, [c, d]: Complex) -> Complex {
    [a * c - b * d, a * d + b * c]
}

/// The discrete Fourier transform in place, by Cooley and Tukey's algorithm with radix 2. `roots` are
/// `exp(-i TAU k / values.len())` for each `k` of the first half.
///
/// A library of transforms compiles for longer than all else in this package.
fn transform(values: &mut [Complex], roots: &[Complex]) {
    let bits = values.len().trailing_zeros();
    for index in 0..values.len() {
        let reversed = index.reverse_bits() >> (usize::BITS - bits);
        if index < reversed {
            values.swap(index, reversed);
        }
    }
    let mut half = 1;
    while half < values.len() {
        let step = roots.len() / half;
        for block in values.chunks_exact_mut(2 * half) {
            let (even, odd) = block.split_at_mut(half);
            for ((even, odd), &root) in even.iter_mut().zip(odd).zip(roots.iter().step_by(step)) {
                let turned = times(*odd, root);
                *odd = [even[0] - turned[0], even[1] - turned[1]];
                *even = [even[0] + turned[0], even[1] + turned[1]];
            }
        }
        half *= 2;
    }
}

/// Any 50 ms of the texture correlate with themselves, and far less with any other position,
/// including a few periods of a pitch away.
#[test]
fn any_section_of_the_texture_identifies_its_position() {
    const WINDOW: usize = 1_600;
    let texture = embedded("texture").samples;
    let size = (texture.len() + WINDOW).next_power_of_two();
    let roots: Vec<Complex> = (0..size / 2)
        .map(|k| (TAU * k as f64 / size as f64).sin_cos())
        .map(|(sin, cos)| [cos as f32, -sin as f32])
        .collect();
    let spectrum = |values: &[f32]| {
        let mut spectrum: Vec<Complex> = values.iter().map(|&value| [value, 0.0]).collect();
        spectrum.resize(size, [0.0; 2]);
        transform(&mut spectrum, &roots);
        spectrum
    };
    let whole = spectrum(&texture);
    let energy_before: Vec<f64> = std::iter::once(0.0)
        .chain(texture.iter().scan(0.0, |sum, value| {
            *sum += f64::from(value * value);
            Some(*sum)
        }))
        .collect();
    let energy = |at: usize| energy_before[at + WINDOW] - energy_before[at];

    // A step that is no multiple of any period in the piece; the last window is at the end.
    let last = texture.len() - WINDOW - 16_000;
    for start in (0..last).step_by(31_013).chain([last]) {
        let mut product = spectrum(&texture[start..start + WINDOW]);
        // The conjugate of the spectrum of the correlation. The correlation is real, so that the forward
        // transform of this is the inverse transform of that.
        for (window, &[re, im]) in product.iter_mut().zip(&whole) {
            *window = times(*window, [re, -im]);
        }
        transform(&mut product, &roots);
        let likeness = |at: usize| {
            let scale = (energy(start) * energy(at)).sqrt() * size as f64;
            f64::from(product[at][0]) / scale
        };
        assert!((likeness(start) - 1.0).abs() < 1e-3, "at {start}: {}", likeness(start));
        let elsewhere = (0..=texture.len() - WINDOW)
            .filter(|at| at.abs_diff(start) > 16)
            .map(|at| (at, likeness(at)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap();
        let (at, likeness) = elsewhere;
        assert!(likeness < 0.6, "at {start} it is {likeness:.2} like at {at}");
    }
}

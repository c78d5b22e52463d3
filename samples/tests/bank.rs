//! Properties of the embedded bank that players, users and measurements rely on.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use downbeat_samples::{
    EMBEDDED,
    wav::{Decoded, decode},
};
use rustfft::{FftPlannerScalar, num_complex::Complex};

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

/// Any 50 ms of the texture correlate with themselves, and far less with any other position,
/// including a few periods of a pitch away.
#[test]
fn any_section_of_the_texture_identifies_its_position() {
    const WINDOW: usize = 1_600;
    let texture = embedded("texture").samples;
    let size = (texture.len() + WINDOW).next_power_of_two();
    // The other planners compile for a minute: they contain each kernel for each kind of processor.
    let mut planner = FftPlannerScalar::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |values: &[f32]| {
        let mut spectrum: Vec<Complex<f32>> = values.iter().map(Complex::from).collect();
        spectrum.resize(size, Complex::default());
        forward.process(&mut spectrum);
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
        for (window, whole) in product.iter_mut().zip(&whole) {
            *window = window.conj() * whole;
        }
        inverse.process(&mut product);
        let likeness = |at: usize| {
            let scale = (energy(start) * energy(at)).sqrt() * size as f64;
            f64::from(product[at].re) / scale
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

//! The waveforms of the built-in tone, and its envelope.
//!
//! The corners of the waveforms are rounded over two samples, by a polynomial approximation of the
//! band-limited step and ramp (V. Välimäki, J. Pekonen, J. Nam: "Perceptually informed synthesis of bandlimited
//! classical waveforms using integrated polynomial interpolation", JASA 131, 2012).

use std::f64::consts::{FRAC_PI_2, TAU};

use super::super::source::ToneShape;

/// The peak of a tone at a gain of 1: a tone is louder than a sample of the same peak.
const LEVEL: f64 = 0.25;

const ATTACK_SECONDS: f64 = 0.002;
const RELEASE_SECONDS: f64 = 0.005;

/// The value of a waveform at `phase`, in cycles, that advances by `step` with each sample. Silence from half
/// the sample rate on.
pub(super) fn value(shape: ToneShape, phase: f64, step: f64) -> f32 {
    if step >= 0.5 {
        return 0.0;
    }
    let phase = phase - phase.floor();
    let value = match shape {
        ToneShape::Sine => (TAU * phase).sin(),
        ToneShape::Saw => {
            // From 0 up; the jump is in the middle of the cycle.
            let phase = wrap(phase + 0.5);
            2.0 * phase - 1.0 - step_residual(phase, step)
        }
        ToneShape::Square => {
            let sign = if phase < 0.5 { 1.0 } else { -1.0 };
            sign + step_residual(phase, step) - step_residual(wrap(phase + 0.5), step)
        }
        ToneShape::Triangle => {
            let phase = wrap(phase + 0.25);
            let line = 1.0 - 4.0 * (phase - 0.5).abs();
            // The slope changes by 8 per cycle at each corner.
            let corners = ramp_residual(phase, step) - ramp_residual(wrap(phase + 0.5), step);
            line + 8.0 * step * corners
        }
    };
    (LEVEL * value) as f32
}

/// The gain of the envelope, `seconds` after the start of a tone of `duration` seconds.
pub(super) fn envelope(seconds: f64, duration: f64) -> f32 {
    // Most of the time it is fully open.
    if seconds >= ATTACK_SECONDS && duration - seconds >= RELEASE_SECONDS {
        return 1.0;
    }
    let rise = |share: f64| {
        let share = share.clamp(0.0, 1.0);
        (share * FRAC_PI_2).sin().powi(2)
    };
    (rise(seconds / ATTACK_SECONDS) * rise((duration - seconds) / RELEASE_SECONDS)) as f32
}

fn wrap(phase: f64) -> f64 {
    if phase >= 1.0 { phase - 1.0 } else { phase }
}

/// The difference between a band-limited step of height 2 at phase 0 and a sharp one.
fn step_residual(phase: f64, step: f64) -> f64 {
    if phase < step {
        let x = phase / step;
        2.0 * x - x * x - 1.0
    } else if phase > 1.0 - step {
        let x = (phase - 1.0) / step;
        x * x + 2.0 * x + 1.0
    } else {
        0.0
    }
}

/// The difference between a band-limited corner at phase 0 and a sharp one, for a slope that changes by 1 per
/// sample: the integral of half the residual of the step.
fn ramp_residual(phase: f64, step: f64) -> f64 {
    let x = if phase < step {
        1.0 - phase / step
    } else if phase > 1.0 - step {
        1.0 + (phase - 1.0) / step
    } else {
        return 0.0;
    };
    x * x * x / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [ToneShape; 4] =
        [ToneShape::Sine, ToneShape::Triangle, ToneShape::Saw, ToneShape::Square];

    fn wave(shape: ToneShape, frequency: f64, frames: usize) -> Vec<f64> {
        let step = frequency / 48_000.0;
        (0..frames).map(|n| value(shape, step * n as f64, step).into()).collect()
    }

    /// The power at a frequency.
    fn power(wave: &[f64], frequency: f64) -> f64 {
        let omega = TAU * frequency / 48_000.0;
        let (mut re, mut im) = (0.0, 0.0);
        for (n, value) in wave.iter().enumerate() {
            // Hann's window, so that nothing leaks far.
            let window = (TAU * n as f64 / wave.len() as f64 / 2.0).sin().powi(2);
            re += value * window * (omega * n as f64).cos();
            im += value * window * (omega * n as f64).sin();
        }
        (re * re + im * im) / (wave.len() as f64 / 4.0).powi(2)
    }

    #[test]
    fn all_shapes_have_the_stated_peak_and_begin_at_zero_or_full() {
        for shape in SHAPES {
            let wave = wave(shape, 100.0, 4800);
            let peak = wave.iter().fold(0.0, |peak: f64, value| peak.max(value.abs()));
            assert!((peak - LEVEL).abs() < 0.01, "{shape:?} {peak}");
            let first = if shape == ToneShape::Square { 0.0 } else { wave[0] };
            assert!(first.abs() < 0.01, "{shape:?} {first}");
            assert!(wave[1] > 0.0, "{shape:?}");
        }
    }

    #[test]
    fn aliases_are_far_below_the_fundamental() {
        // The harmonics of 2400 Hz do not fold onto the frequencies between its multiples, those of
        // 2410 Hz do: the 19th lies at 45790 Hz and folds to 2210 Hz.
        for (shape, most) in [
            (ToneShape::Sine, -120.0),
            (ToneShape::Triangle, -70.0),
            (ToneShape::Saw, -38.0),
            (ToneShape::Square, -38.0),
        ] {
            let wave = wave(shape, 2410.0, 48_000);
            let decibels = 10.0 * (power(&wave, 2210.0) / power(&wave, 2410.0)).log10();
            assert!(decibels < most, "{shape:?} {decibels}");
        }
    }

    #[test]
    fn beyond_half_the_sample_rate_there_is_silence() {
        assert!(wave(ToneShape::Saw, 25_000.0, 100).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn the_envelope_begins_and_ends_in_silence() {
        assert!(envelope(0.0, 1.0).abs() < 1e-6);
        assert!((envelope(0.002, 1.0) - 1.0).abs() < 1e-6);
        assert!((envelope(0.5, 1.0) - 1.0).abs() < 1e-6);
        assert!((envelope(0.9975, 1.0) - 0.5).abs() < 1e-3);
        assert!(envelope(1.0, 1.0).abs() < 1e-6);
        assert!(envelope(2.0, 1.0).abs() < 1e-6);
    }
}

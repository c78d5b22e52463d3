//! Interpolates between the frames of a sound.
//!
//! A windowed sinc (Kaiser's window; J. O. Smith, "Digital Audio Resampling Home Page"), tabulated by
//! phase, with linear interpolation between phases. At a whole frame it yields exactly that frame, so a
//! voice can change from copying to interpolating without a seam.
//!
//! The cut-off is the sound's own Nyquist frequency, at every speed. A voice that plays faster therefore
//! aliases, as a sampler does. A kernel that prevented it would be longer by the same factor, and would
//! dull the attack.

/// Frames on either side of a position that its value depends on. A voice is mixed this much before and
/// after its sound.
pub(super) const HALF: i64 = 8;

const TAPS: usize = 2 * HALF as usize;
const PHASES: usize = 512;

/// Kaiser's parameter: 90 dB of rejection, and flat up to a third of the rate.
const BETA: f64 = 9.0;

/// The kernel's weights at one position.
pub(super) type Weights = [f32; TAPS];

/// The table of weights. It is computed once per output, off the audio thread.
#[derive(Debug)]
pub(super) struct Kernel {
    phases: Box<[Weights]>,
}

impl Kernel {
    pub(super) fn new() -> Self {
        Self { phases: (0..=PHASES).map(|p| weights(p as f64 / PHASES as f64)).collect() }
    }

    /// The weights at `fraction` of the way from one frame to the next, 0 to 1, for the frames
    /// from [`HALF`] - 1 before the position to [`HALF`] after it.
    pub(super) fn weights(&self, fraction: f64) -> Weights {
        let phase = fraction * PHASES as f64;
        let index = (phase as usize).min(PHASES - 1);
        let mix = (phase - index as f64) as f32;
        let (low, high) = (&self.phases[index], &self.phases[index + 1]);
        std::array::from_fn(|tap| low[tap] + mix * (high[tap] - low[tap]))
    }
}

fn weights(fraction: f64) -> Weights {
    let half = HALF as f64;
    let raw: [f64; TAPS] = std::array::from_fn(|tap| {
        let distance = tap as f64 - (half - 1.0) - fraction;
        let window = bessel_i0(BETA * (1.0 - (distance / half).powi(2)).max(0.0).sqrt());
        sinc(distance) * window
    });
    // A constant must be preserved at every phase.
    let sum: f64 = raw.iter().sum();
    raw.map(|weight| (weight / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-12 {
        return 1.0;
    }
    // Exactly 0 at the other whole numbers, where the sine of a rounded multiple of π is not.
    if (x - x.round()).abs() < 1e-12 {
        return 0.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// The modified Bessel function of order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let terms = (1..40).scan(1.0, |term, k| {
        *term *= quarter / f64::from(k * k);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // Exactly that frame.
    fn a_whole_position_yields_that_frame_alone() {
        let kernel = Kernel::new();
        for (fraction, frame) in [(0.0, TAPS / 2 - 1), (1.0, TAPS / 2)] {
            let expected: Weights = std::array::from_fn(|tap| f32::from(tap == frame));
            assert_eq!(kernel.weights(fraction), expected);
        }
    }

    #[test]
    fn a_constant_is_preserved_and_a_sine_is_interpolated() {
        let kernel = Kernel::new();
        for step in 0..100 {
            let fraction = f64::from(step) / 100.0;
            let weights = kernel.weights(fraction);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            // 10 kHz at 48 kHz.
            let omega = std::f64::consts::TAU * 10.0 / 48.0;
            let read: f64 = weights
                .iter()
                .enumerate()
                .map(|(tap, weight)| f64::from(*weight) * (omega * (tap as f64 - 7.0)).sin())
                .sum();
            assert!((read - (omega * fraction).sin()).abs() < 2e-4, "{fraction}");
        }
    }
}

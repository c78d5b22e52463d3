//! Which channel of a sound goes to which channel of the output, and how loud.

/// The gains from a sound's channels to an output's.
///
/// - A mono sound on one channel comes out as it is, whatever its pan. On two or more it goes to
///   the first two with equal power, scaled so that the centre is 1 on both: what a listener in
///   front of two loudspeakers expects of a mono file. Full left or right is √2, and the limiter
///   has the last word.
/// - A sound of several channels on at least as many goes to the same channels; the others stay
///   silent. If it is stereo, pan is a balance: it turns the far side down and leaves the near
///   side as it is.
/// - A sound of more channels than the output is folded: channel `c` goes to `c mod outputs`, and
///   all are divided by how many meet in one output, so that a fold never clips.
#[derive(Clone, Copy, Debug)]
pub struct Panning {
    left: f32,
    right: f32,
    others: f32,
    inputs: usize,
    outputs: usize,
}

impl Panning {
    /// The gains for a sound of `inputs` channels on `outputs`, with `pan` from -1 to 1 and a
    /// linear `gain`.
    #[must_use]
    pub fn new(inputs: u16, outputs: u16, pan: f32, gain: f32) -> Self {
        use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, SQRT_2};
        let (left, right) = match (inputs, outputs) {
            (1, 1) => (1.0, 0.0),
            // Exactly 1 in the centre, so that a centred sound is copied bit by bit.
            (1, _) if pan == 0.0 => (1.0, 1.0),
            (1, _) => {
                let angle = (pan + 1.0) * FRAC_PI_4;
                (SQRT_2 * angle.cos(), SQRT_2 * angle.sin())
            }
            (2, outputs) if outputs >= 2 => {
                let far = (pan.abs() * FRAC_PI_2).cos();
                if pan > 0.0 { (far, 1.0) } else { (1.0, far) }
            }
            _ => (1.0, 1.0),
        };
        let gain = gain / f32::from(inputs.div_ceil(outputs));
        Self {
            left: left * gain,
            right: right * gain,
            others: gain,
            inputs: usize::from(inputs),
            outputs: usize::from(outputs),
        }
    }

    /// Adds one frame, whose channel `c` has the value `read(c)`, times `fade`, to the output's
    /// frame. Returns the largest absolute value added.
    #[inline]
    pub(super) fn add(&self, out: &mut [f32], fade: f32, read: impl Fn(usize) -> f32) -> f32 {
        if self.inputs == 1 {
            let value = read(0) * fade;
            out[0] += value * self.left;
            if self.outputs > 1 {
                out[1] += value * self.right;
            }
            return (value * self.left.max(self.right)).abs();
        }
        let mut peak = 0.0_f32;
        let mut output = 0;
        for input in 0..self.inputs {
            let gain = match input {
                0 => self.left,
                1 => self.right,
                _ => self.others,
            };
            let value = read(input) * fade * gain;
            out[output] += value;
            peak = peak.max(value.abs());
            output += 1;
            if output == self.outputs {
                output = 0;
            }
        }
        peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(inputs: &[f32], outputs: u16, pan: f32) -> Vec<f32> {
        let mut out = vec![0.0; usize::from(outputs)];
        Panning::new(inputs.len() as u16, outputs, pan, 1.0).add(&mut out, 1.0, |c| inputs[c]);
        out
    }

    #[test]
    fn a_mono_sound_in_the_centre_keeps_its_level_everywhere() {
        assert_eq!(mix(&[0.7], 1, 0.0), [0.7]);
        assert_eq!(mix(&[0.7], 2, 0.0), [0.7, 0.7]);
        assert_eq!(mix(&[0.7], 4, 0.0), [0.7, 0.7, 0.0, 0.0]);
        assert_eq!(mix(&[0.7], 1, -1.0), [0.7]);
    }

    #[test]
    fn panning_a_mono_sound_keeps_its_power() {
        for pan in [-1.0, -0.6, 0.0, 0.3, 1.0] {
            let out = mix(&[0.5], 2, pan);
            assert!((out[0] * out[0] + out[1] * out[1] - 0.5).abs() < 1e-6, "{pan}");
        }
        assert!(mix(&[0.5], 2, -1.0)[1].abs() < 1e-6);
    }

    #[test]
    fn balance_turns_only_the_far_side_down() {
        assert_eq!(mix(&[0.5, 0.4], 2, 0.0), [0.5, 0.4]);
        let right = mix(&[0.5, 0.4], 2, 1.0);
        assert!(right[0].abs() < 1e-6 && (right[1] - 0.4).abs() < 1e-6);
    }

    #[test]
    fn a_fold_takes_every_channel_and_cannot_clip() {
        assert_eq!(mix(&[1.0, 0.0], 1, 0.0), [0.5]);
        assert_eq!(mix(&[1.0; 8], 2, 0.0), [1.0, 1.0]);
        assert_eq!(mix(&[1.0; 3], 2, 0.0), [1.0, 0.5]);
        assert_eq!(mix(&[0.1, 0.2, 0.3], 4, 1.0), [0.1, 0.2, 0.3, 0.0]);
    }
}

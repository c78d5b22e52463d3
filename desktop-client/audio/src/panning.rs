//! Maps the channels of a sound to those of the output, with gains.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4, SQRT_2};

use downbeat_samples::speakers::{
    BACK_CENTER, BACK_LEFT, BACK_RIGHT, FRONT_CENTER, FRONT_LEFT, FRONT_LEFT_OF_CENTER,
    FRONT_RIGHT, FRONT_RIGHT_OF_CENTER, SIDE_LEFT, SIDE_RIGHT, TOP_BACK_CENTER, TOP_BACK_LEFT,
    TOP_BACK_RIGHT, TOP_CENTER, TOP_FRONT_CENTER, TOP_FRONT_LEFT, TOP_FRONT_RIGHT, usual_mask,
};

/// Channels of a sound that are played: those of 7.1, as many as a file may have.
const MAX_INPUTS: usize = 8;

/// The gains from a sound's channels to an output's.
///
/// - A mono sound on one channel is unchanged, whatever its pan. On two or more it goes to the first two with
///   equal power, scaled so that the centre is 1 on both, as a listener in front of two loudspeakers expects
///   of a mono file. Full left or right is √2; the limiter prevents clipping.
/// - A channel of any other sound goes to its own loudspeaker if the output has it, at gain 1. Otherwise it is
///   mixed into others, with the coefficients of ITU-R BS.775: a centre at √½ into left and right, a surround
///   at √½ into its own side, a single rear channel at ½ into both; low-frequency effects are dropped.
///   Nothing is attenuated for that: the limiter prevents clipping.
/// - An output of one channel gets half the sum of what two loudspeakers would get. A stereo file with equal
///   channels is then as loud as the same file in mono; with √½, the other usual choice, it would be 3 dB
///   louder.
/// - If the sound is stereo, pan is a balance: it attenuates the far side and leaves the near side unchanged. A
///   sound of more channels is not panned.
/// - An output of more than eight channels is a set of lines: channel `c` goes to `c`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panning {
    routes: [Route; MAX_INPUTS],
    inputs: usize,
}

/// The gains of one channel of a sound: it goes to at most two channels of the output.
#[derive(Clone, Copy, Debug, Default)]
struct Route {
    to: [u16; 2],
    gains: [f32; 2],
}

impl Panning {
    /// The gains for a sound of `inputs` channels for the loudspeakers of `mask` on `outputs` channels,
    /// with `pan` from -1 to 1 and a linear `gain`.
    #[must_use]
    pub(super) fn new(inputs: u16, mask: u32, outputs: u16, pan: f32, gain: f32) -> Self {
        let mut routes = [Route::default(); MAX_INPUTS];
        let used = usize::from(inputs).min(MAX_INPUTS);
        let mut bits = mask;
        for (channel, route) in (0..inputs).zip(&mut routes) {
            // Channels are in the order of the bits of the mask.
            let speaker = bits & bits.wrapping_neg();
            bits ^= speaker;
            *route = match (inputs, outputs) {
                (1, 1) => Route::one(0, 1.0),
                (1, _) => {
                    let (left, right) = equal_power(pan);
                    Route { to: [0, 1], gains: [left, right] }
                }
                _ => match usual_mask(outputs) {
                    Some(room) if speaker != 0 => Route::to_speaker(speaker, room, 1.0),
                    _ if channel < outputs => Route::one(channel, 1.0),
                    _ => Route::default(),
                },
            };
            let side = match speaker {
                FRONT_LEFT if inputs == 2 && outputs > 1 => balance(-pan),
                FRONT_RIGHT if inputs == 2 && outputs > 1 => balance(pan),
                _ => 1.0,
            };
            route.gains = route.gains.map(|own| own * side * gain);
        }
        Self { routes, inputs: used }
    }

    /// Adds one frame, whose channel `c` has the value `read(c)`, times `fade`, to the output's
    /// frame. Returns the largest absolute value added.
    #[inline]
    pub(super) fn add(&self, out: &mut [f32], fade: f32, read: impl Fn(usize) -> f32) -> f32 {
        let mut peak = 0.0_f32;
        for (input, route) in self.routes[..self.inputs].iter().enumerate() {
            if route.is_silent() {
                continue;
            }
            let value = read(input) * fade;
            for (to, gain) in route.to.into_iter().zip(route.gains) {
                if gain != 0.0 {
                    let added = value * gain;
                    out[usize::from(to)] += added;
                    peak = peak.max(added.abs());
                }
            }
        }
        peak
    }
}

impl Route {
    fn is_silent(&self) -> bool {
        self.gains.iter().all(|gain| *gain == 0.0)
    }

    fn one(to: u16, gain: f32) -> Self {
        Self { to: [to, 0], gains: [gain, 0.0] }
    }

    /// The gains to `speaker` in a `room` of these loudspeakers.
    fn to_speaker(speaker: u32, layout: u32, gain: f32) -> Self {
        // The channel of a loudspeaker that the output has.
        let place = |speaker: u32| (layout & (speaker - 1)).count_ones() as u16;
        let has = |speakers: u32| layout & speakers == speakers;
        let pair = |left: u32, right: u32, factor: f32| Self {
            to: [place(left), place(right)],
            gains: [gain * factor; 2],
        };
        if layout == FRONT_CENTER {
            let stereo = Self::to_speaker(speaker, FRONT_LEFT | FRONT_RIGHT, gain);
            return Self::one(0, 0.5 * (stereo.gains[0] + stereo.gains[1]));
        }
        if has(speaker) {
            return Self::one(place(speaker), gain);
        }
        let instead = |other: u32, factor: f32| Self::to_speaker(other, layout, gain * factor);
        match speaker {
            FRONT_CENTER => pair(FRONT_LEFT, FRONT_RIGHT, FRAC_1_SQRT_2),
            // Each replaces the other.
            BACK_LEFT if has(SIDE_LEFT) => instead(SIDE_LEFT, 1.0),
            BACK_RIGHT if has(SIDE_RIGHT) => instead(SIDE_RIGHT, 1.0),
            SIDE_LEFT if has(BACK_LEFT) => instead(BACK_LEFT, 1.0),
            SIDE_RIGHT if has(BACK_RIGHT) => instead(BACK_RIGHT, 1.0),
            BACK_LEFT | SIDE_LEFT => instead(FRONT_LEFT, FRAC_1_SQRT_2),
            BACK_RIGHT | SIDE_RIGHT => instead(FRONT_RIGHT, FRAC_1_SQRT_2),
            BACK_CENTER if has(BACK_LEFT | BACK_RIGHT) => {
                pair(BACK_LEFT, BACK_RIGHT, FRAC_1_SQRT_2)
            }
            BACK_CENTER => pair(FRONT_LEFT, FRONT_RIGHT, 0.5),
            FRONT_LEFT_OF_CENTER | TOP_FRONT_LEFT => instead(FRONT_LEFT, 1.0),
            FRONT_RIGHT_OF_CENTER | TOP_FRONT_RIGHT => instead(FRONT_RIGHT, 1.0),
            TOP_CENTER | TOP_FRONT_CENTER => instead(FRONT_CENTER, 1.0),
            TOP_BACK_LEFT => instead(BACK_LEFT, 1.0),
            TOP_BACK_CENTER => instead(BACK_CENTER, 1.0),
            TOP_BACK_RIGHT => instead(BACK_RIGHT, 1.0),
            // Low-frequency effects, and unassigned bits.
            _ => Self::default(),
        }
    }
}

/// The gains of a mono sound on two loudspeakers: exactly 1 in the centre, so that a centred sound is
/// copied bit by bit.
fn equal_power(pan: f32) -> (f32, f32) {
    if pan == 0.0 {
        return (1.0, 1.0);
    }
    let angle = (pan + 1.0) * FRAC_PI_4;
    (SQRT_2 * angle.cos(), SQRT_2 * angle.sin())
}

/// The gain of one side of a stereo sound that is panned `towards` it, from -1 to 1.
fn balance(towards: f32) -> f32 {
    if towards < 0.0 { (towards * FRAC_PI_2).cos() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f32 = FRAC_1_SQRT_2;

    /// The output of `outputs` channels for one frame of the usual loudspeakers.
    fn mix(inputs: &[f32], outputs: u16, pan: f32) -> Vec<f32> {
        let mask = usual_mask(inputs.len() as u16).unwrap();
        mix_masked(inputs, mask, outputs, pan)
    }

    fn mix_masked(inputs: &[f32], mask: u32, outputs: u16, pan: f32) -> Vec<f32> {
        let mut out = vec![0.0; usize::from(outputs)];
        let panning = Panning::new(inputs.len() as u16, mask, outputs, pan, 1.0);
        panning.add(&mut out, 1.0, |c| inputs[c]);
        out
    }

    /// The output of each channel of a sound alone.
    fn gains(mask: u32, outputs: u16) -> Vec<Vec<f32>> {
        let channels = mask.count_ones() as usize;
        let alone = |channel| {
            let mut frame = vec![0.0; channels];
            frame[channel] = 1.0;
            mix_masked(&frame, mask, outputs, 0.0)
        };
        (0..channels).map(alone).collect()
    }

    #[test]
    fn a_mono_sound_in_the_centre_keeps_its_level_everywhere() {
        assert_eq!(mix(&[0.7], 1, 0.0), [0.7]);
        assert_eq!(mix(&[0.7], 2, 0.0), [0.7, 0.7]);
        assert_eq!(mix(&[0.7], 4, 0.0), [0.7, 0.7, 0.0, 0.0]);
        assert_eq!(mix(&[0.7], 6, 0.0), [0.7, 0.7, 0.0, 0.0, 0.0, 0.0]);
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
        assert_eq!(mix(&[0.5, 0.5], 1, 1.0), [0.5], "one loudspeaker has no sides");
    }

    #[test]
    fn surround_on_two_loudspeakers_has_the_coefficients_of_bs_775() {
        let five_one = [[1.0, 0.0], [0.0, 1.0], [HALF, HALF], [0.0, 0.0], [HALF, 0.0], [0.0, HALF]];
        assert_eq!(gains(0x3F, 2), five_one);
        assert_eq!(gains(0x60F, 2), five_one, "with side loudspeakers");
        // A fold by channel number would put the centre hard left, and the LFE right.
        assert_eq!(mix(&[0.0, 0.0, 0.08, 0.5, 0.0, 0.0], 2, 0.0), [0.08 * HALF; 2]);
        assert_eq!(gains(0x33, 2), [[1.0, 0.0], [0.0, 1.0], [HALF, 0.0], [0.0, HALF]]);
        assert_eq!(gains(0x107, 2), [[1.0, 0.0], [0.0, 1.0], [HALF, HALF], [0.5, 0.5]]);
        assert_eq!(gains(0xB, 2), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], "2.1");
        assert_eq!(gains(0x63F, 2)[6..], [[HALF, 0.0], [0.0, HALF]], "7.1");
    }

    #[test]
    fn one_loudspeaker_gets_half_the_sum_of_two() {
        assert_eq!(gains(0x3, 1), [[0.5], [0.5]]);
        assert_eq!(mix(&[0.6, 0.6], 1, 0.0), [0.6], "a mono signal in a stereo file");
        let half = 0.5 * HALF;
        assert_eq!(gains(0x3F, 1), [[0.5], [0.5], [HALF], [0.0], [half], [half]]);
    }

    #[test]
    fn a_channel_whose_loudspeaker_is_there_passes_straight() {
        let frame = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        for channels in 2..=8_u16 {
            let frame = &frame[..usize::from(channels)];
            assert_eq!(mix(frame, channels, 0.0), frame);
        }
        assert_eq!(mix(&[0.1, 0.2], 6, 0.0), [0.1, 0.2, 0.0, 0.0, 0.0, 0.0]);
        // Quadraphonic on 5.1: the rear channels stay behind.
        assert_eq!(mix(&[0.1, 0.2, 0.3, 0.4], 6, 0.0), [0.1, 0.2, 0.0, 0.0, 0.3, 0.4]);
        // 5.1 on quadraphonic, and 7.1 on 5.1.
        let on_four = mix(&[0.1, 0.2, 0.3, 0.9, 0.5, 0.6], 4, 0.0);
        assert_eq!(on_four, [0.1 + 0.3 * HALF, 0.2 + 0.3 * HALF, 0.5, 0.6]);
        let on_six = mix(&frame, 6, 0.0);
        assert_eq!(on_six, [0.1, 0.2, 0.3, 0.4, 0.5 + 0.7, 0.6 + 0.8]);
    }

    #[test]
    fn an_output_of_many_lines_gets_channel_for_channel() {
        let mut expected = [0.0; 16];
        expected[..6].copy_from_slice(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        assert_eq!(mix(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 16, 0.0), expected);
    }

    #[test]
    fn every_mask_and_output_stays_within_the_frame() {
        for outputs in 1..=12 {
            for mask in 0..1_u32 << 18 {
                let inputs = mask.count_ones() as u16;
                if (1..=8).contains(&inputs) {
                    let panning = Panning::new(inputs, mask, outputs, 0.3, 1.0);
                    let to = panning.routes.iter().flat_map(|route| route.to);
                    assert!(to.max() < Some(outputs), "{mask:#x} on {outputs}");
                }
            }
        }
    }
}

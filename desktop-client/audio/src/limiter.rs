//! Limits the sum of all voices to full scale, without latency.
//!
//! Below [`THRESHOLD`] every value passes unchanged. Above, the gain follows the peaks: it falls at once,
//! holds while the wave swings through zero, and recovers slowly. A soft knee compresses peaks between
//! the threshold and full scale, which they never reach. All channels share one gain, so that the image
//! does not move. This is a feed-forward peak limiter (Zölzer, "DAFX", chapter 4) without look-ahead: a
//! click must leave on its frame.

/// The level above which it limits: -1 dBFS.
const THRESHOLD: f32 = 0.891_250_9;

/// How long the gain is held after a peak: longer than half a period of 30 Hz, so that a low tone is not
/// distorted cycle by cycle.
const HOLD_SECONDS: f32 = 0.020;

/// The time constant of the recovery.
const RELEASE_SECONDS: f32 = 0.120;

#[derive(Debug)]
pub(super) struct Limiter {
    channels: usize,
    envelope: f32,
    hold: u32,
    hold_frames: u32,
    release: f32,
}

impl Limiter {
    pub(super) fn new(rate: u32, channels: u16) -> Self {
        let rate = rate as f32;
        Self {
            channels: usize::from(channels),
            envelope: 0.0,
            hold: 0,
            hold_frames: (HOLD_SECONDS * rate) as u32,
            release: (-1.0 / (RELEASE_SECONDS * rate)).exp(),
        }
    }

    /// Limits interleaved frames where they are.
    pub(super) fn process(&mut self, frames: &mut [f32]) {
        for frame in frames.chunks_exact_mut(self.channels) {
            let peak = frame.iter().fold(0.0_f32, |peak, value| peak.max(value.abs()));
            if peak >= self.envelope {
                self.envelope = peak;
                self.hold = self.hold_frames;
            } else if self.hold > 0 {
                self.hold -= 1;
            } else {
                // Below the threshold the envelope has no effect, so it follows the peak.
                self.envelope = (self.envelope * self.release).max(peak);
                if self.envelope <= THRESHOLD {
                    self.envelope = peak;
                }
            }
            if self.envelope > THRESHOLD {
                let gain = knee(self.envelope) / self.envelope;
                for value in frame {
                    *value *= gain;
                }
            }
        }
    }
}

/// The output level of a peak above the threshold: slope 1 at the threshold, below 1 everywhere.
fn knee(peak: f32) -> f32 {
    let room = 1.0 - THRESHOLD;
    let over = (peak - THRESHOLD) / room;
    THRESHOLD + room * (over / (1.0 + over))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| amplitude * (n as f32 * 0.13).sin()).collect()
    }

    #[test]
    fn values_below_the_threshold_pass_unchanged() {
        let quiet = sine(0.89, 48_000);
        let mut out = quiet.clone();
        Limiter::new(48_000, 1).process(&mut out);
        assert_eq!(out, quiet);
    }

    #[test]
    fn no_peak_reaches_full_scale_however_loud() {
        for amplitude in [0.9, 1.0, 2.0, 64.0, 1e6] {
            let mut out = sine(amplitude, 48_000);
            Limiter::new(48_000, 2).process(&mut out);
            assert!(out.iter().all(|value| value.abs() <= 1.0), "{amplitude}");
        }
    }

    #[test]
    fn after_a_loud_passage_the_gain_recovers_completely() {
        let mut limiter = Limiter::new(48_000, 1);
        limiter.process(&mut sine(8.0, 4_800));
        limiter.process(&mut sine(0.5, 48_000));
        let mut out = sine(0.5, 4_800);
        limiter.process(&mut out);
        assert_eq!(out, sine(0.5, 4_800));
    }

    #[test]
    fn all_channels_of_a_frame_share_one_gain() {
        let mut out = vec![4.0, 1.0, -2.0, 0.5];
        Limiter::new(48_000, 2).process(&mut out);
        assert!((out[0] / out[1] - 4.0).abs() < 1e-5);
        assert!((out[2] / out[3] + 4.0).abs() < 1e-5);
    }
}

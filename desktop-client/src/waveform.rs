//! The waveform of a sound, as a picture of a fixed number of bins. It is computed once, when the sound is
//! decoded. Nothing here draws.

/// Bins of a waveform: a pad is no wider than this many points.
pub const BINS: usize = 128;

/// The peaks of a sound over its length.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// The largest magnitude in each bin, on any channel; 1 is full scale.
    pub peaks: [f32; BINS],
}

impl Waveform {
    /// The waveform of interleaved frames of `channels` values. A sound with fewer frames than bins
    /// repeats them.
    #[must_use]
    pub fn of(samples: &[f32], channels: u16) -> Self {
        let channels = usize::from(channels.max(1));
        let frames = samples.len() / channels;
        let mut peaks = [0.0; BINS];
        if frames == 0 {
            return Self { peaks };
        }
        for (bin, peak) in peaks.iter_mut().enumerate() {
            let start = (bin * frames / BINS).min(frames - 1);
            let end = ((bin + 1) * frames / BINS).clamp(start + 1, frames);
            let values = &samples[start * channels..end * channels];
            *peak = values.iter().fold(0.0, |peak: f32, value| peak.max(value.abs()));
        }
        Self { peaks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_holds_the_peak_of_its_part_on_any_channel() {
        let frames = 1000;
        let samples: Vec<f32> =
            (0..frames).flat_map(|frame| [0.1, -(frame as f32) / frames as f32]).collect();
        let Waveform { peaks } = Waveform::of(&samples, 2);
        assert!(peaks.is_sorted());
        assert!((peaks[BINS - 1] - 0.999).abs() < 1e-6);
        assert!((peaks[0] - 0.1).abs() < 1e-6);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the values are copied")]
    fn a_sound_shorter_than_the_bins_fills_them() {
        assert_eq!(Waveform::of(&[0.5], 1).peaks, [0.5; BINS]);
        assert_eq!(Waveform::of(&[], 1).peaks, [0.0; BINS]);
    }
}

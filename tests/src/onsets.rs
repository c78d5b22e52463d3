//! Onset detection: on one channel to the frame, between two channels to a fraction of a frame.
//!
//! Pure functions.

/// Threshold of detection: -40 dBFS. The quietest sound of the bank starts louder, and a virtual
/// card has no noise.
pub const THRESHOLD: f32 = 0.01;

/// Frames of silence required before a new onset: longer than any gap within a sound of the bank,
/// shorter than the time between two bangs of a test.
pub const REFRACTORY: usize = 4_800;

/// The frames at which sounds begin: where the absolute value reaches `threshold` for the first
/// time, or after at least `refractory` frames below it.
#[must_use]
pub fn find(values: &[f32], threshold: f32, refractory: usize) -> Vec<usize> {
    let mut finder = Finder::new(threshold, refractory);
    finder.search(values);
    finder.onsets
}

/// Finds onsets in a recording that grows.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    threshold: f32,
    refractory: usize,
    /// Frames searched so far.
    searched: usize,
    last_loud: Option<usize>,
    onsets: Vec<usize>,
}

impl Finder {
    pub(crate) fn new(threshold: f32, refractory: usize) -> Self {
        Self { threshold, refractory, searched: 0, last_loud: None, onsets: Vec::new() }
    }

    /// Searches the frames that follow those searched so far.
    pub(crate) fn search<'a>(&mut self, values: impl IntoIterator<Item = &'a f32>) {
        for value in values {
            let frame = self.searched;
            self.searched += 1;
            if value.abs() >= self.threshold {
                if self.last_loud.is_none_or(|last| frame - last > self.refractory) {
                    self.onsets.push(frame);
                }
                self.last_loud = Some(frame);
            }
        }
    }

    /// The onsets found so far.
    pub(crate) fn onsets(&self) -> &[usize] {
        &self.onsets
    }
}

/// Number of neighbours on each side that the interpolation uses.
const NEIGHBOURS: usize = 16;

/// The lag of `values` behind `reference` in fractional frames: the position of the peak of their
/// cross-correlation, searched up to `reach` frames either way.
///
/// The correlation of two band-limited signals is band-limited too, so a windowed sinc interpolates
/// it between frames. (The usual parabola through three points errs by up to a twentieth of a frame
/// on a click, which is rich in high frequencies.)
///
/// `None` if the two do not correlate, or if the peak is at the edge of the reach.
#[must_use]
pub fn lag(values: &[f32], reference: &[f32], reach: usize) -> Option<f64> {
    let margin = reach + NEIGHBOURS + 1;
    let span = margin as isize;
    let products: Vec<f64> = (-span..=span).map(|lag| product(values, reference, lag)).collect();
    let (peak, height) = products
        .iter()
        .copied()
        .enumerate()
        .skip(margin - reach)
        .take(2 * reach + 1)
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    if height <= 0.0 || products[peak - 1] > height || products[peak + 1] > height {
        return None;
    }
    // The correlation is unimodal around the peak, so the search narrows the interval.
    let (mut low, mut high) = (peak as f64 - 1.0, peak as f64 + 1.0);
    while high - low > 1e-4 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if between(&products, left) < between(&products, right) { low = left } else { high = right }
    }
    Some(f64::midpoint(low, high) - margin as f64)
}

/// The value of a band-limited signal at a position between its frames.
fn between(values: &[f64], place: f64) -> f64 {
    let middle = place.round() as usize;
    let reached = middle.saturating_sub(NEIGHBOURS)..=(middle + NEIGHBOURS).min(values.len() - 1);
    reached
        .map(|index| {
            let away = place - index as f64;
            let turn = std::f64::consts::PI * away;
            let sinc = if turn.abs() < 1e-9 { 1.0 } else { turn.sin() / turn };
            // Hann window, one frame wider than the kernel so that it does not truncate.
            let window = 0.5 + 0.5 * (turn / (NEIGHBOURS as f64 + 1.0)).cos();
            values[index] * sinc * window
        })
        .sum()
}

/// The dot product of `values`, shifted `lag` frames earlier, with `reference`.
fn product(values: &[f32], reference: &[f32], lag: isize) -> f64 {
    let (values, reference) = match usize::try_from(lag) {
        Ok(late) => (values.get(late..).unwrap_or_default(), reference),
        Err(_) => (values, reference.get(lag.unsigned_abs()..).unwrap_or_default()),
    };
    values.iter().zip(reference).map(|(v, r)| f64::from(*v) * f64::from(*r)).sum()
}

/// The lags of one sound on several channels.
///
/// `begun` is the frame of its onset on each channel. The channels are compared with the first one
/// over `window` frames, from a little before the earliest onset on.
///
/// Returns each channel's lag behind the first, in frames; `None` if the channels do not correlate.
#[must_use]
pub fn lags(channels: &[&[f32]], begun: &[usize], window: usize) -> Option<Vec<f64>> {
    let earliest = *begun.iter().min()?;
    let latest = *begun.iter().max()?;
    // The true onset may precede the detected one.
    let start = earliest.saturating_sub(64);
    let end = latest + window;
    let reach = (latest - earliest) + 64;
    let cut = |channel: &&[f32]| channel.get(start..end.min(channel.len())).map(<[f32]>::to_vec);
    let reference = cut(channels.first()?)?;
    channels.iter().map(|channel| lag(&cut(channel)?, &reference, reach)).collect()
}

/// The range of the lags.
#[must_use]
pub fn spread(lags: &[f64]) -> f64 {
    let least = lags.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = lags.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if lags.is_empty() { 0.0 } else { greatest - least }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A band-limited burst, delayed by `delay` frames: a sum of decaying partials, which can be
    /// evaluated at any fraction of a frame.
    fn burst(frames: usize, delay: f64) -> Vec<f32> {
        let at = |frame: usize| {
            let time = frame as f64 - delay;
            let envelope = (-((time - 200.0) / 60.0).powi(2)).exp();
            let partials = [(0.05, 0.3), (0.13, 1.1), (0.21, 2.0), (0.31, 0.7)];
            let wave: f64 = partials
                .iter()
                .map(|(pitch, phase)| (std::f64::consts::TAU * pitch * time + phase).sin())
                .sum();
            (0.2 * envelope * wave) as f32
        };
        (0..frames).map(at).collect()
    }

    #[test]
    fn an_onset_is_the_first_loud_frame_after_silence() {
        let mut values = vec![0.0; 1000];
        values[100] = 0.5;
        values[150] = -0.5; // within the same sound
        values[400] = -0.02;
        values[700] = 0.009; // under the threshold
        assert_eq!(find(&values, 0.01, 200), [100, 400]);
        assert_eq!(find(&[0.3], 0.01, 200), [0]);
        assert_eq!(find(&[], 0.01, 200), [0; 0]);

        // In pieces, too.
        let mut finder = Finder::new(0.01, 200);
        for piece in values.chunks(37) {
            finder.search(piece);
        }
        assert_eq!(finder.onsets(), [100, 400]);
    }

    #[test]
    fn a_long_sound_is_one_onset() {
        let values: Vec<f32> = (0..20_000).map(|frame| (frame as f32 * 0.1).sin()).collect();
        assert_eq!(find(&values, THRESHOLD, REFRACTORY), [1]);
    }

    #[test]
    fn a_lag_is_found_to_a_hundredth_of_a_frame() {
        let reference = burst(600, 0.0);
        for delay in [0.0, 0.1, 0.25, 0.5, 0.75, 0.99, 3.3, -7.6, 20.5] {
            let found = lag(&burst(600, delay), &reference, 40).unwrap();
            assert!((found - delay).abs() < 0.01, "{delay} was found as {found}");
        }
    }

    #[test]
    fn the_level_does_not_change_the_lag_and_silence_has_none() {
        let reference = burst(600, 0.0);
        let quiet: Vec<f32> = burst(600, 2.5).iter().map(|value| value * 0.01).collect();
        assert!((lag(&quiet, &reference, 10).unwrap() - 2.5).abs() < 0.02);
        assert_eq!(lag(&[0.0; 600], &reference, 10), None);
        assert_eq!(lag(&burst(600, 30.0), &[], 10), None);
    }

    #[test]
    fn a_peak_beyond_the_reach_is_no_lag() {
        // Three frames late, so the correlation grows up to the edge of the reach.
        let reference = [1.0, 2.0, 4.0];
        let late = [0.0, 0.0, 0.0, 1.0, 2.0, 4.0];
        assert_eq!(lag(&late, &reference, 1), None);
        assert!((lag(&late, &reference, 3).unwrap() - 3.0).abs() < 0.1);
    }

    #[test]
    fn channels_are_compared_with_the_first() {
        let channels = [burst(900, 100.0), burst(900, 102.25), burst(900, 99.5)];
        let slices: Vec<&[f32]> = channels.iter().map(Vec::as_slice).collect();
        let begun: Vec<_> = slices.iter().map(|values| find(values, 0.01, 300)[0]).collect();
        let lags = lags(&slices, &begun, 400).unwrap();
        for (found, expected) in lags.iter().zip([0.0, 2.25, -0.5]) {
            assert!((found - expected).abs() < 0.02, "{lags:?}");
        }
        assert!((spread(&lags) - 2.75).abs() < 0.04);
    }

    #[test]
    fn no_lags_have_no_spread() {
        assert!(spread(&[]).abs() < f64::EPSILON);
        assert!(lags(&[], &[], 10).is_none());
    }
}

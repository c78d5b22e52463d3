//! Quantiles of measurements, and the lag between two sounds.
//!
//! Pure functions.

use crate::onsets::{self, lag};

/// The quantile `share` (0 to 1) of `values`, by nearest rank; `None` if there are no values.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Frames before an onset that are compared too: a sound begins below the threshold of detection.
const BEFORE: usize = 64;

/// The lag of the sound at `begun` in `values` behind the sound at `reference_begun` in
/// `reference`, in fractional frames, from a comparison of `window` frames.
///
/// `None` if the two do not correlate.
#[must_use]
pub fn later(
    (values, begun): (&[f32], usize),
    (reference, reference_begun): (&[f32], usize),
    window: usize,
) -> Option<f64> {
    let cut = |values: &[f32], begun: usize| {
        let from = begun.saturating_sub(BEFORE);
        let to = (begun + window).min(values.len());
        Some((values.get(from..to)?.to_vec(), from))
    };
    let (values, from) = cut(values, begun)?;
    let (reference, reference_from) = cut(reference, reference_begun)?;
    Some(lag(&values, &reference, window / 2)? + from as f64 - reference_from as f64)
}

/// The first onset between `from` and `until`; `onsets` is sorted.
#[must_use]
pub fn within(onsets: &[usize], from: f64, until: f64) -> Option<usize> {
    onsets.iter().copied().find(|onset| (from..until).contains(&(*onset as f64)))
}

/// The range of `values`; `None` if there are fewer than two.
#[must_use]
pub fn spread(values: &[f64]) -> Option<f64> {
    (values.len() > 1).then(|| onsets::spread(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (share, expected) in [(0.0, 1.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)]
        {
            assert_eq!(quantile(&values, share), Some(expected));
        }
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn sounds_far_apart_are_compared_to_a_fraction_of_a_frame() {
        let sound = |delay: f64| -> Vec<f32> {
            let value = |frame: u32| {
                let time = f64::from(frame) - delay;
                let wave = (0.4 * time).sin() + (1.1 * time + 1.0).sin();
                (0.4 * wave * (-(time / 50.0).powi(2)).exp()) as f32
            };
            (0..9000).map(value).collect()
        };
        let (early, late) = (sound(700.0), sound(7900.25));
        let found = later((&late, 7830), (&early, 640), 600).unwrap();
        assert!((found - 7200.25).abs() < 0.02, "{found}");
        assert_eq!(later((&late, 100), (&early, 640), 600), None);
    }

    #[test]
    fn an_onset_is_found_only_within_the_interval() {
        assert_eq!(within(&[10, 200, 3000], 100.0, 1000.0), Some(200));
        assert_eq!(within(&[10, 200, 3000], 300.0, 3000.0), None);
    }

    #[test]
    fn one_value_has_no_spread() {
        assert_eq!(spread(&[3.0]), None);
        assert_eq!(spread(&[3.0, -1.0, 2.0]), Some(4.0));
    }
}

//! Which triggers flash at full contrast. More than three flashes a second can cause seizures (WCAG
//! 2.3.1), and a drum roll has more: the others are shown with little contrast.

use std::collections::VecDeque;

use crate::time::LocalTime;

/// Flashes at full contrast within any second.
const MAX_FLASHES: usize = 3;

const SECOND_NANOS: u64 = 1_000_000_000;

/// Instants that are kept: as many as can lie within a second before or after one. The oldest is
/// dropped.
const KEPT: usize = 2 * MAX_FLASHES;

/// The instants of the last flashes at full contrast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flashes {
    bright: VecDeque<LocalTime>,
    reduced: bool,
}

impl Flashes {
    /// For reduced motion: none has full contrast.
    pub(crate) fn reduced() -> Self {
        Self { reduced: true, ..Self::default() }
    }

    /// Adds a trigger that sounds at `at`. Triggers may be added in another order than they sound.
    pub(super) fn add(&mut self, at: LocalTime) {
        let near = |&&other: &&LocalTime| at.nanos_since(other).unsigned_abs() < SECOND_NANOS;
        if self.reduced || self.bright.iter().filter(near).count() >= MAX_FLASHES {
            return;
        }
        if self.bright.len() == KEPT {
            self.bright.pop_front();
        }
        self.bright.push_back(at);
    }

    /// Whether the trigger that sounds at `at` flashes at full contrast.
    pub(crate) fn is_bright(&self, at: LocalTime) -> bool {
        self.bright.contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright(millis: impl IntoIterator<Item = i64>, mut flashes: Flashes) -> Vec<i64> {
        let at = |millis: i64| LocalTime::from_nanos(millis * 1_000_000);
        let each = millis.into_iter().filter(|&millis| {
            flashes.add(at(millis));
            flashes.is_bright(at(millis))
        });
        each.collect()
    }

    #[test]
    fn no_second_has_more_than_three_flashes_at_full_contrast() {
        for gap in [1, 10, 90, 125, 333, 400] {
            let shown = bright((0..10_000).step_by(gap), Flashes::default());
            for window in shown.windows(MAX_FLASHES + 1) {
                assert!(window[MAX_FLASHES] - window[0] >= 1000, "{gap} ms apart: {window:?}");
            }
            assert!(shown.len() >= 24, "{gap} ms apart: {} in ten seconds", shown.len());
        }
        // Triggers that sound before others that were added first.
        assert_eq!(bright([900, 700, 500, 100, 2500], Flashes::default()), [900, 700, 500, 2500]);
    }

    #[test]
    fn triggers_that_are_far_enough_apart_all_flash() {
        assert_eq!(bright((0..10_000).step_by(334), Flashes::default()).len(), 30);
    }

    #[test]
    fn with_reduced_motion_none_flashes() {
        assert!(bright((0..10_000).step_by(1000), Flashes::reduced()).is_empty());
    }
}

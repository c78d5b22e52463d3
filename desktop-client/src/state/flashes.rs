//! Which triggers flash at full contrast. More than three flashes a second can cause seizures (WCAG
//! 2.3.1), and a drum roll has more: those beyond are shown with little contrast.

use std::collections::VecDeque;

use crate::time::LocalTime;

/// Most flashes at full contrast within any second.
pub const MOST_FLASHES: usize = 3;

const SECOND_NANOS: u64 = 1_000_000_000;

/// As many as can lie within a second of an instant, before it or after it. The oldest goes.
const KEPT: usize = 2 * MOST_FLASHES;

/// The instants of the last flashes at full contrast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flashes {
    bright: VecDeque<LocalTime>,
    reduced: bool,
}

impl Flashes {
    /// For a person who asks for less motion: none has full contrast.
    #[must_use]
    pub fn reduced() -> Self {
        Self { reduced: true, ..Self::default() }
    }

    /// Takes in a trigger that sounds at `at`. Triggers may come in another order than they sound.
    pub fn add(&mut self, at: LocalTime) {
        let near = |&&other: &&LocalTime| at.nanos_since(other).unsigned_abs() < SECOND_NANOS;
        if self.reduced || self.bright.iter().filter(near).count() >= MOST_FLASHES {
            return;
        }
        if self.bright.len() == KEPT {
            self.bright.pop_front();
        }
        self.bright.push_back(at);
    }

    /// Whether what sounds at `at` flashes at full contrast.
    #[must_use]
    pub fn is_bright(&self, at: LocalTime) -> bool {
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
            for window in shown.windows(MOST_FLASHES + 1) {
                assert!(window[MOST_FLASHES] - window[0] >= 1000, "{gap} ms apart: {window:?}");
            }
            assert!(shown.len() >= 24, "{gap} ms apart: {} in ten seconds", shown.len());
        }
        // A trigger that is to sound before others that came first.
        assert_eq!(bright([900, 700, 500, 100, 2500], Flashes::default()), [900, 700, 500, 2500]);
    }

    #[test]
    fn triggers_that_are_far_enough_apart_all_flash() {
        assert_eq!(bright((0..10_000).step_by(334), Flashes::default()).len(), 30);
    }

    #[test]
    fn none_flashes_for_one_who_asks_for_less_motion() {
        assert!(bright((0..10_000).step_by(1000), Flashes::reduced()).is_empty());
    }
}

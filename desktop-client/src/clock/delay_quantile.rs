//! The 99 % quantile of the one-way delay of messages from the relay.
//!
//! A lead that covers the median delay is late one time in two; nearly every trigger must arrive
//! before it is to sound.

use crate::time::LocalTime;

/// The quantile.
const SHARE: f64 = 0.99;

/// The window, in slots: a delay is dropped after [`SLOTS`] times [`SLOT_NANOS`], which is two
/// minutes.
const SLOTS: usize = 12;
const SLOT_NANOS: i64 = 10_000_000_000;

/// The histogram's bins have a constant ratio: eight to the octave, so that a bin is 9 % wide. They
/// reach from 16 us, below which no network matters, to 2 s, above which none is usable.
const BINS_PER_OCTAVE: f64 = 8.0;
const MIN_MICROS: f64 = 16.0;
const BINS: usize = 137;

/// A sliding-window quantile of one-way delays.
///
/// It rises with the first message that is slower than all but one in a hundred, and falls as slow
/// messages leave the window. Memory is constant: one histogram per slot.
#[derive(Clone, Debug)]
pub(super) struct DelayQuantile {
    slots: Vec<Slot>,
    /// Counts slots of local time since its origin; the newest is at this index modulo [`SLOTS`].
    newest: i64,
}

#[derive(Clone, Debug)]
struct Slot {
    counts: [u32; BINS],
    total: u32,
}

impl Slot {
    const EMPTY: Self = Self { counts: [0; BINS], total: 0 };
}

impl DelayQuantile {
    /// An empty window.
    pub(super) fn new() -> Self {
        Self { slots: vec![Slot::EMPTY; SLOTS], newest: i64::MIN }
    }

    /// Adds a message that took `micros` from the relay to here, by the clock estimate. An error of the
    /// estimate can make that negative, which counts as the smallest delay.
    pub(super) fn observe(&mut self, micros: f64, arrived: LocalTime) {
        self.expire(arrived);
        let slot = &mut self.slots[self.newest.rem_euclid(SLOTS as i64) as usize];
        slot.counts[bin(micros)] += 1;
        slot.total += 1;
    }

    /// The quantile over the window before the newest message, in microseconds. With fewer than a
    /// hundred messages it is the maximum; before the first it is 0.
    pub(super) fn needed_micros(&self) -> f64 {
        let total: u32 = self.slots.iter().map(|slot| slot.total).sum();
        let mut above = (f64::from(total) * (1.0 - SHARE)) as u32;
        for index in (0..BINS).rev() {
            let count: u32 = self.slots.iter().map(|slot| slot.counts[index]).sum();
            if count > above {
                return upper_edge(index);
            }
            above -= count;
        }
        0.0
    }

    /// Empties the window: from now on messages take another route.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Empties the slots that have left the window.
    fn expire(&mut self, now: LocalTime) {
        let number = slot_number(now);
        let passed = number.saturating_sub(self.newest).clamp(0, SLOTS as i64);
        for back in 0..passed {
            self.slots[(number - back).rem_euclid(SLOTS as i64) as usize] = Slot::EMPTY;
        }
        self.newest = self.newest.max(number);
    }
}

fn slot_number(time: LocalTime) -> i64 {
    time.as_nanos().div_euclid(SLOT_NANOS)
}

fn bin(micros: f64) -> usize {
    let octaves = (micros.max(MIN_MICROS) / MIN_MICROS).log2();
    ((octaves * BINS_PER_OCTAVE).ceil() as usize).min(BINS - 1)
}

fn upper_edge(bin: usize) -> f64 {
    (MIN_MICROS * (bin as f64 / BINS_PER_OCTAVE).exp2()).ceil()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> LocalTime {
        LocalTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn it_is_zero_before_the_first_message() {
        assert!(DelayQuantile::new().needed_micros().abs() < f64::EPSILON);
    }

    #[test]
    fn it_is_at_most_one_bin_above_the_delay_and_never_below() {
        for micros in [16.0, 17.0, 100.0, 999.5, 1000.0, 14_217.0, 333_333.0, 1_999_999.0] {
            let mut quantile = DelayQuantile::new();
            quantile.observe(micros, at(3));
            let needed = quantile.needed_micros();
            assert!(needed >= micros && needed <= micros * 1.0906 + 1.0, "{micros}: {needed}");
        }
    }

    #[test]
    fn delays_out_of_range_count_as_the_nearest_bin() {
        for (micros, expected) in [
            (-5.0, 16.0),
            (f64::NAN, 16.0),
            (f64::NEG_INFINITY, 16.0),
            (1e300, 2_097_152.0),
            (f64::INFINITY, 2_097_152.0),
        ] {
            let mut quantile = DelayQuantile::new();
            quantile.observe(micros, at(0));
            assert!((quantile.needed_micros() - expected).abs() < 0.5, "{micros}");
        }
    }

    #[test]
    fn one_message_in_a_hundred_may_be_slower() {
        let mut quantile = DelayQuantile::new();
        for second in 0..99 {
            quantile.observe(1000.0, at(second));
        }
        quantile.observe(50_000.0, at(99));
        assert!(quantile.needed_micros() < 1100.0);
        quantile.observe(50_000.0, at(99));
        assert!(quantile.needed_micros() >= 50_000.0);
    }

    #[test]
    fn with_few_messages_it_is_the_maximum() {
        let mut quantile = DelayQuantile::new();
        quantile.observe(1000.0, at(0));
        quantile.observe(30_000.0, at(1));
        assert!(quantile.needed_micros() >= 30_000.0);
    }

    #[test]
    fn it_falls_once_slow_messages_are_two_minutes_old() {
        let mut quantile = DelayQuantile::new();
        for second in 0..10 {
            quantile.observe(80_000.0, at(second));
        }
        for second in 10..300 {
            quantile.observe(1000.0, at(second));
            if second < 110 {
                assert!(quantile.needed_micros() >= 80_000.0, "at {second} s");
            }
            if second >= 120 {
                assert!(quantile.needed_micros() < 1100.0, "at {second} s");
            }
        }
    }

    #[test]
    fn messages_older_than_two_minutes_are_dropped_after_any_silence() {
        for silence in [120, 121, 100_000] {
            let mut quantile = DelayQuantile::new();
            quantile.observe(80_000.0, at(5));
            quantile.observe(2000.0, at(5 + silence));
            assert!(quantile.needed_micros() < 2200.0, "after {silence} s");
            quantile.reset();
            assert!(quantile.needed_micros().abs() < f64::EPSILON);
        }
    }

    #[test]
    fn an_arrival_out_of_order_counts_as_the_newest() {
        let mut quantile = DelayQuantile::new();
        quantile.observe(1000.0, at(1000));
        quantile.observe(9000.0, at(3));
        assert!(quantile.needed_micros() >= 9000.0);
    }
}

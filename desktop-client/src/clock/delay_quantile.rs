//! How long messages from the relay take to get here, at the slow end.
//!
//! A lead that covers the usual delay is late one time in two. What counts is the tail: nearly
//! every message must be here before it is to sound. Pure: delays in, the tail out.

use crate::time::LocalTime;

/// The tail is what this share of recent delays stays below.
const SHARE: f64 = 0.99;

/// The recent past, in slots: a delay is forgotten after [`SLOTS`] times [`SLOT_NANOS`], which is
/// two minutes.
const SLOTS: usize = 12;
const SLOT_NANOS: i64 = 10_000_000_000;

/// Delays are counted in bins of constant ratio: eight to the octave, so that a bin is 9 % wide.
/// From 16 us, below which no network matters, to 2 s, above which none is of use.
const BINS_PER_OCTAVE: f64 = 8.0;
const LEAST_MICROS: f64 = 16.0;
const BINS: usize = 137;

/// One-way delays from the relay, and the tail of their distribution.
///
/// It rises with the first message that is slower than all but one in a hundred, and falls as slow
/// messages leave the two minutes that it looks back on. Memory is constant: a histogram a slot.
#[derive(Clone, Debug)]
pub struct DelayTail {
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

impl Default for DelayTail {
    fn default() -> Self {
        Self::new()
    }
}

impl DelayTail {
    /// Has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: vec![Slot::EMPTY; SLOTS], newest: i64::MIN }
    }

    /// Takes in a message that took `micros` from the relay to here, as the clock estimate has it.
    /// An estimate in error can make that negative: it then counts as next to nothing.
    pub fn observe(&mut self, micros: f64, arrived: LocalTime) {
        self.forget(arrived);
        let slot = &mut self.slots[self.newest.rem_euclid(SLOTS as i64) as usize];
        slot.counts[bin(micros)] += 1;
        slot.total += 1;
    }

    /// The delay, in microseconds, that nearly all messages of the two minutes before the newest
    /// one stayed below: of fewer than a hundred, all. 0 before the first.
    #[must_use]
    pub fn needed_micros(&self) -> f64 {
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

    /// Forgets everything: what is measured from now on came another way.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Empties the slots that local time has passed over.
    fn forget(&mut self, now: LocalTime) {
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
    let octaves = (micros.max(LEAST_MICROS) / LEAST_MICROS).log2();
    ((octaves * BINS_PER_OCTAVE).ceil() as usize).min(BINS - 1)
}

fn upper_edge(bin: usize) -> f64 {
    (LEAST_MICROS * (bin as f64 / BINS_PER_OCTAVE).exp2()).ceil()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> LocalTime {
        LocalTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn nothing_is_needed_before_the_first_message() {
        assert!(DelayTail::new().needed_micros().abs() < f64::EPSILON);
    }

    #[test]
    fn it_is_never_below_the_delay_and_at_most_a_bin_above() {
        for micros in [16.0, 17.0, 100.0, 999.5, 1000.0, 14_217.0, 333_333.0, 1_999_999.0] {
            let mut tail = DelayTail::new();
            tail.observe(micros, at(3));
            let needed = tail.needed_micros();
            assert!(needed >= micros && needed <= micros * 1.0906 + 1.0, "{micros}: {needed}");
        }
    }

    #[test]
    fn absurd_delays_are_taken_for_the_nearest_sensible_one() {
        for (micros, expected) in [
            (-5.0, 16.0),
            (f64::NAN, 16.0),
            (f64::NEG_INFINITY, 16.0),
            (1e300, 2_097_152.0),
            (f64::INFINITY, 2_097_152.0),
        ] {
            let mut tail = DelayTail::new();
            tail.observe(micros, at(0));
            assert!((tail.needed_micros() - expected).abs() < 0.5, "{micros}");
        }
    }

    #[test]
    fn one_in_a_hundred_may_be_late_and_no_more() {
        let mut tail = DelayTail::new();
        for second in 0..99 {
            tail.observe(1000.0, at(second));
        }
        tail.observe(50_000.0, at(99));
        assert!(tail.needed_micros() < 1100.0);
        tail.observe(50_000.0, at(99));
        assert!(tail.needed_micros() >= 50_000.0);
    }

    #[test]
    fn it_rises_at_once_while_little_is_known() {
        let mut tail = DelayTail::new();
        tail.observe(1000.0, at(0));
        tail.observe(30_000.0, at(1));
        assert!(tail.needed_micros() >= 30_000.0);
    }

    #[test]
    fn it_falls_when_slow_messages_are_two_minutes_old_and_not_before() {
        let mut tail = DelayTail::new();
        for second in 0..10 {
            tail.observe(80_000.0, at(second));
        }
        for second in 10..300 {
            tail.observe(1000.0, at(second));
            if second < 110 {
                assert!(tail.needed_micros() >= 80_000.0, "at {second} s");
            }
            if second >= 120 {
                assert!(tail.needed_micros() < 1100.0, "at {second} s");
            }
        }
    }

    #[test]
    fn what_is_older_than_two_minutes_is_forgotten_however_long_it_was_silent() {
        for silence in [120, 121, 100_000] {
            let mut tail = DelayTail::new();
            tail.observe(80_000.0, at(5));
            tail.observe(2000.0, at(5 + silence));
            assert!(tail.needed_micros() < 2200.0, "after {silence} s");
            tail.reset();
            assert!(tail.needed_micros().abs() < f64::EPSILON);
        }
    }

    #[test]
    fn an_arrival_out_of_order_counts_as_new() {
        let mut tail = DelayTail::new();
        tail.observe(1000.0, at(1000));
        tail.observe(9000.0, at(3));
        assert!(tail.needed_micros() >= 9000.0);
    }
}

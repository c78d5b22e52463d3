//! The numbers and instants of triggers, stops and values.
//!
//! Pure: the caller passes the time and the lead.

use downbeat_protocol::{RelayTime, When};

/// Numbers what is broadcast, and assigns instants.
#[derive(Debug)]
pub(super) struct Sequence {
    next: u64,
    /// The latest instant of a request for `together`.
    last_instant: RelayTime,
}

/// A number and an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) seq: u64,
    pub(super) at: RelayTime,
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: 1, last_instant: RelayTime::from_micros(0) }
    }
}

impl Sequence {
    /// Stamps a request that arrives at `now`.
    ///
    /// With `together` it is never before an earlier one, even if the lead has fallen. The others may be
    /// anywhere, and delay none of these.
    pub(super) fn stamp(&mut self, when: When, now: RelayTime, lead_micros: u32) -> Stamp {
        let together = self.last_instant.max(now.plus_micros(u64::from(lead_micros)));
        let at = match when {
            When::Together => {
                self.last_instant = together;
                together
            }
            When::AfterMicros(micros) => together.plus_micros(micros),
            When::Now => now,
        };
        let seq = self.next;
        self.next += 1;
        Stamp { seq, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_or_does_not_delays_nothing_else() {
        let at = RelayTime::from_micros;
        let mut sequence = Sequence::default();
        let mut stamp = |when, now| {
            let Stamp { seq, at } = sequence.stamp(when, at(now), 50);
            (seq, at.as_micros())
        };
        assert_eq!(stamp(When::Together, 100), (1, 150));
        assert_eq!(stamp(When::AfterMicros(1000), 101), (2, 1151));
        assert_eq!(stamp(When::AfterMicros(0), 101), (3, 151));
        assert_eq!(stamp(When::Now, 102), (4, 102));
        assert_eq!(stamp(When::Together, 100), (5, 150));
    }
}

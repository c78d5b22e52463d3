//! This machine's idea of relay time on the present connection, and how late messages come.
//!
//! It makes probes and takes their answers; when they are due is the estimator's to say. It does
//! no I/O and reads no clock.

use downbeat_protocol::{Probe, ProbeReply, RelayTime};

use super::{
    clock::{ClockEstimate, ClockEstimator, Exchange},
    delay::DelayTail,
};
use crate::time::LocalTime;

/// From a message's arrival to the player's ring: the session's own wake-up, with room to spare.
const OWN_MICROS: u32 = 1_000;

/// This machine's idea of relay time.
#[derive(Debug)]
pub(super) struct Timekeeper {
    estimator: ClockEstimator,
    delays: DelayTail,
}

impl Timekeeper {
    pub(super) fn new() -> Self {
        Self { estimator: ClockEstimator::new(), delays: DelayTail::new() }
    }

    /// Another relay, or another life of it: nothing measured before holds.
    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Another connection to the same relay may take another way through the network, and the
    /// machine may have slept in between: what is known is checked soon.
    pub(super) fn reconnected(&mut self) {
        self.estimator.burst();
        self.delays.reset();
    }

    /// When the next probe is due.
    pub(super) fn probe_due(&self, now: LocalTime) -> LocalTime {
        self.estimator.next_probe_at(now)
    }

    /// A probe to be sent at once.
    pub(super) fn probe(&mut self, now: LocalTime) -> Probe {
        self.estimator.probe_sent(now);
        // The relay hands the number back unread: nanoseconds lose nothing on the way.
        Probe { sent: now.as_nanos() }
    }

    /// Takes in the answer to a probe, which `arrived` at this machine and is seen to `now`. The clock
    /// is told the one, the lead the other: what a message waits for here is a delay like any.
    pub(super) fn hear(&mut self, reply: ProbeReply, arrived: LocalTime, now: LocalTime) {
        let ProbeReply { sent, received, replied } = reply;
        let sent = LocalTime::from_nanos(sent);
        self.estimator.observe(Exchange { sent, received, replied, arrived });
        self.came(replied, now);
    }

    /// A message that left the relay at `left` is seen to `now`.
    fn came(&mut self, left: RelayTime, now: LocalTime) {
        if let Some(clock) = self.estimator.estimate() {
            self.delays.observe(now.nanos_since(clock.local_at(left)) as f64 / 1e3, now);
        }
    }

    /// What is known of relay time, once anything is.
    pub(super) fn estimate(&self) -> Option<ClockEstimate> {
        self.estimator.estimate()
    }

    /// The lead that this player needs with an output that reaches `reach_nanos` ahead.
    pub(super) fn lead_micros(&self, reach_nanos: i64) -> u32 {
        let reach = u32::try_from(reach_nanos.max(0) / 1000).unwrap_or(u32::MAX);
        (self.delays.needed_micros() as u32).saturating_add(reach).saturating_add(OWN_MICROS)
    }
}

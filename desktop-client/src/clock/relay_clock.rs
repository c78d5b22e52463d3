//! This machine's estimate of relay time on the current connection, and the lead that it needs.
//!
//! It builds probes and takes their replies; the estimator decides when they are due.

use downbeat_protocol::{Probe, ProbeReply, RelayTime};

use super::{
    delay_quantile::DelayQuantile,
    estimate::ClockEstimate,
    estimator::{ClockEstimator, Exchange},
};
use crate::time::LocalTime;

/// From a message's arrival to the mixer's ring, in microseconds: the session's wake-up, with margin.
const SESSION_MICROS: u32 = 1_000;

/// The estimate of relay time, and the delays of messages.
#[derive(Debug)]
pub(crate) struct RelayClock {
    estimator: ClockEstimator,
    delays: DelayQuantile,
}

impl RelayClock {
    pub(crate) fn new() -> Self {
        Self { estimator: ClockEstimator::new(), delays: DelayQuantile::new() }
    }

    /// The relay has a new epoch: all measurements are void.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Reconnected to the same epoch. The route may differ, and the machine may have slept: the
    /// estimate is kept, and checked soon.
    pub(crate) fn reconnected(&mut self) {
        self.estimator.burst();
        self.delays.reset();
    }

    /// When the next probe is due.
    pub(crate) fn next_probe_at(&self, now: LocalTime) -> LocalTime {
        self.estimator.next_probe_at(now)
    }

    /// A probe, to be sent at once.
    pub(crate) fn probe(&mut self, now: LocalTime) -> Probe {
        self.estimator.probe_sent(now);
        // The relay returns the number unread, so nanoseconds keep their precision.
        Probe { sent: now.as_nanos() }
    }

    /// Takes the reply to a probe, which `arrived` at this machine and is handled `now`. The estimate
    /// uses the arrival; the lead uses `now`, because waiting to be handled is a delay too.
    pub(crate) fn receive(&mut self, reply: ProbeReply, arrived: LocalTime, now: LocalTime) {
        let ProbeReply { sent, received, replied } = reply;
        let sent = LocalTime::from_nanos(sent);
        self.estimator.observe(Exchange { sent, received, replied, arrived });
        self.observe_delay(replied, now);
    }

    /// A message that was sent at `sent` is handled `now`.
    fn observe_delay(&mut self, sent: RelayTime, now: LocalTime) {
        if let Some(clock) = self.estimator.estimate() {
            self.delays.observe(now.nanos_since(clock.local_at(sent)) as f64 / 1e3, now);
        }
    }

    /// The estimate of relay time, once there is one.
    pub(crate) fn estimate(&self) -> Option<ClockEstimate> {
        self.estimator.estimate()
    }

    /// The lead that this player needs, with an output that must be told `reach_nanos` ahead.
    pub(crate) fn lead_micros(&self, reach_nanos: i64) -> u32 {
        let reach = u32::try_from(reach_nanos.max(0) / 1000).unwrap_or(u32::MAX);
        (self.delays.needed_micros() as u32).saturating_add(reach).saturating_add(SESSION_MICROS)
    }
}

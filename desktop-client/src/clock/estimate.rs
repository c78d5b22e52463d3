//! An estimate of relay time with its error bound.

use downbeat_protocol::RelayTime;

use super::fit::{Fit, WANDER};
use crate::time::LocalTime;

/// Relay time as a line over local time, as of one exchange. It does not expire, but its error bound
/// grows.
#[derive(Clone, Copy, Debug)]
pub struct ClockEstimate {
    /// The origin of the fit, on each clock.
    pub(super) local: LocalTime,
    pub(super) relay: RelayTime,
    pub(super) fit: Fit,
    /// Microseconds.
    pub(super) half_round_trip: f64,
    /// Microseconds of a discontinuity that is suspected but not yet proven.
    pub(super) doubt: f64,
}

impl ClockEstimate {
    /// Relay time at a local instant, in whole microseconds.
    #[must_use]
    pub fn relay_at(&self, local: LocalTime) -> RelayTime {
        RelayTime::from_micros(self.relay_micros_at(local).round().max(0.0) as u64)
    }

    /// Relay time at a local instant, in microseconds with their fraction.
    #[must_use]
    pub fn relay_micros_at(&self, local: LocalTime) -> f64 {
        let at = self.micros_since(local);
        self.relay.as_micros() as f64 + (self.fit.offset + at * self.fit.drift + at)
    }

    /// The local instant of a relay time.
    #[must_use]
    pub fn local_at(&self, relay: RelayTime) -> LocalTime {
        let ahead = relay.micros_since(self.relay) as f64;
        let nanos = (ahead - self.fit.offset) / (1.0 + self.fit.drift) * 1000.0;
        self.local.plus_nanos(nanos.round() as i64)
    }

    /// The drift of the relay's clock against the local one, in parts per million.
    #[must_use]
    pub fn drift_ppm(&self) -> f64 {
        self.fit.drift * 1e6
    }

    /// A bound on the error, in microseconds, for local times around `now`: half the shortest round
    /// trip (its asymmetry cannot be measured), three standard deviations of the fit, and the wander of
    /// the clocks since the newest exchange.
    #[must_use]
    pub fn error_micros(&self, now: LocalTime) -> u32 {
        let at = self.micros_since(now);
        let spread = 3.0 * self.fit.spread(at) + WANDER * at.abs();
        (self.half_round_trip + self.doubt + spread).ceil() as u32
    }

    /// One standard deviation of the error, in microseconds, on a symmetric network.
    #[must_use]
    pub fn spread_micros(&self, now: LocalTime) -> f64 {
        self.fit.spread(self.micros_since(now))
    }

    fn micros_since(&self, local: LocalTime) -> f64 {
        local.nanos_since(self.local) as f64 / 1000.0
    }
}

//! What is known of relay time at some moment, and how surely.

use downbeat_protocol::RelayTime;

use super::fit::{Fit, WANDER};
use crate::time::LocalTime;

/// Relay time as a line over local time, as it was known at some moment. It never expires, but its
/// error bound grows.
#[derive(Clone, Copy, Debug)]
pub struct ClockEstimate {
    /// The moment, on either clock, that the fit counts from.
    pub(super) local: LocalTime,
    pub(super) relay: RelayTime,
    pub(super) fit: Fit,
    /// Microseconds.
    pub(super) half_round_trip: f64,
    /// Microseconds that a break might have added which is suspected but not yet proven.
    pub(super) doubt: f64,
}

impl ClockEstimate {
    /// Relay time at a local instant, in whole microseconds.
    #[must_use]
    pub fn relay_at(&self, local: LocalTime) -> RelayTime {
        RelayTime::from_micros(self.relay_micros_at(local).round().max(0.0) as u64)
    }

    /// Relay time at a local instant, in microseconds, as finely as it is known.
    #[must_use]
    pub fn relay_micros_at(&self, local: LocalTime) -> f64 {
        let at = self.micros_since(local);
        self.relay.as_micros() as f64 + (self.fit.offset + at * self.fit.drift + at)
    }

    /// The local instant at which it will be, or was, `relay`.
    #[must_use]
    pub fn local_at(&self, relay: RelayTime) -> LocalTime {
        self.local_after(relay.micros_since(self.relay) as f64)
    }

    /// The same in nanoseconds of local time, for an instant between two microseconds.
    #[must_use]
    pub fn local_nanos_at(&self, relay_micros: f64) -> f64 {
        let ahead = relay_micros - self.relay.as_micros() as f64;
        self.local.as_nanos() as f64 + self.nanos_until(ahead)
    }

    /// How much faster the relay's clock runs than the local one, in parts per million.
    #[must_use]
    pub fn drift_ppm(&self) -> f64 {
        self.fit.drift * 1e6
    }

    /// A bound on the error, in microseconds, for local times around `now`: half the least round
    /// trip (how that divides into there and back cannot be known), three standard deviations of
    /// the rest, and what clocks may wander since the newest exchange.
    #[must_use]
    pub fn error_micros(&self, now: LocalTime) -> u32 {
        let at = self.micros_since(now);
        let spread = 3.0 * self.fit.spread(at) + WANDER * at.abs();
        (self.half_round_trip + self.doubt + spread).ceil() as u32
    }

    /// One standard deviation of the error, in microseconds, if there and back take equally long at
    /// best: what is left of the bound on a symmetric network.
    #[must_use]
    pub fn spread_micros(&self, now: LocalTime) -> f64 {
        self.fit.spread(self.micros_since(now))
    }

    fn micros_since(&self, local: LocalTime) -> f64 {
        local.nanos_since(self.local) as f64 / 1000.0
    }

    fn nanos_until(&self, relay_ahead: f64) -> f64 {
        (relay_ahead - self.fit.offset) / (1.0 + self.fit.drift) * 1000.0
    }

    fn local_after(&self, relay_ahead: f64) -> LocalTime {
        self.local.plus_nanos(self.nanos_until(relay_ahead).round() as i64)
    }
}

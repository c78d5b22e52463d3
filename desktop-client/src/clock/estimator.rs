//! Estimates relay time from probes, with an error bound.
//!
//! An [`Exchange`] bounds relay time from both sides. [`fit`](super::fit) draws the likeliest line
//! through a window of exchanges. This module decides which exchanges belong to the window, and when
//! the next probe is due.
//!
//! The window ends at a clock discontinuity: a machine slept, a clock was set, the relay's host was
//! suspended. A discontinuity shows in one of two ways:
//!
//! - No line fits any more. That proves it, and all but the newest exchange are dropped at once.
//! - A line still fits, but with so much less slack than before that this is improbable. A burst of
//!   probes is then requested. Once they are answered, the exchanges before and after get a line each.
//!   If both lines have much more slack than the common one, the older exchanges are dropped. If not,
//!   the network has merely become faster.
//!
//! What was learnt about drift is kept as a prior: the crystals are still the same.
//!
//! Memory and time per exchange are bounded by [`WINDOW`]. `relay/page/clock.js` is the same algorithm,
//! step by step, and `tests/vectors/clock.json` holds both to the same numbers.

use std::collections::VecDeque;

use downbeat_protocol::RelayTime;

use super::{
    estimate::ClockEstimate,
    fit::{DriftPrior, Fit, Point},
};
use crate::time::LocalTime;

/// One probe and its reply: four timestamps, two of each clock.
///
/// If the local clock is coarse, round `sent` down and `arrived` up: the bounds then stay valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the probe left here.
    pub sent: LocalTime,
    /// When it reached the relay.
    pub received: RelayTime,
    /// When the reply left the relay.
    pub replied: RelayTime,
    /// When the reply arrived here.
    pub arrived: LocalTime,
}

impl Exchange {
    /// Microseconds in the network, both ways. The relay's timestamps are rounded down, which adds up
    /// to one.
    fn round_trip(&self) -> f64 {
        let total = self.arrived.nanos_since(self.sent) as f64 / 1000.0;
        total - self.replied.micros_since(self.received) as f64 + 1.0
    }
}

/// Capacity of the window: one to four minutes at the steady pace.
const WINDOW: usize = 256;

/// Later relay times, in 285 years, are not exact in floating point, and not plausible either.
const MAX_TIME: RelayTime = RelayTime::from_micros(1 << 53);

/// Exchanges before the first estimate: one or two may both have been delayed.
const FIRST: usize = 4;

/// To find a discontinuity, this many of the newest exchanges are compared with the older ones.
const RECENT: usize = 12;

/// Probes in a burst, and the time between them. Sixteen bring LAN and Wi-Fi within their goals in
/// 0.3 s, at 40 kbit/s.
const BURST: u32 = 16;
const BURST_NANOS: i64 = 20_000_000;

/// The steady pace: from four probes a second, while the spread is [`COARSE_SPREAD`] or more, to
/// one a second when it is a quarter of that or less.
const MIN_PROBE_NANOS: f64 = 250e6;
const MAX_PROBE_NANOS: f64 = 1000e6;
/// Microseconds.
const COARSE_SPREAD: f64 = 50.0;

/// A gap of this length between probes means that this process, or the machine, was suspended.
const SUSPENDED_NANOS: i64 = 5_000_000_000;

/// After a gap of this length, clocks have wandered so far that the old exchanges say less than the
/// first new one.
const STALE_NANOS: i64 = 600_000_000_000;

/// Timestamps that contradict each other by less than this, in microseconds, do not prove a
/// discontinuity: neither clock is perfect.
const TOLERANCE: f64 = 100.0;

/// How improbable, in nats, a loss of slack must be to request a burst, and to prove a discontinuity.
const SURPRISE: f64 = 6.0;
const PROOF: f64 = 12.0;

/// The first prior of drift: nearly all machines are within ±100 ppm of each other.
const INITIAL_DRIFT: DriftPrior = DriftPrior { centre: 0.0, scale: 50e-6 };

/// Scale of the prior after a discontinuity, around the former drift: the drift itself may have
/// changed.
const KEPT_DRIFT_SCALE: f64 = 30e-6;

/// Estimates relay time from [`Exchange`]s in the order of their arrival.
#[derive(Clone, Debug)]
pub struct ClockEstimator {
    window: VecDeque<Exchange>,
    prior: DriftPrior,
    estimate: Option<ClockEstimate>,
    /// Whether [`FIRST`] exchanges have been seen since the epoch began.
    usable: bool,
    /// When a discontinuity was proven: exchanges in flight at that time are dropped once there are
    /// enough later ones.
    broke_at: Option<LocalTime>,
    /// When a discontinuity was suspected that is not yet proven.
    suspected_at: Option<LocalTime>,
    burst_left: u32,
    last_sent: Option<LocalTime>,
}

impl Default for ClockEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockEstimator {
    /// An estimator without exchanges, that requests a burst.
    #[must_use]
    pub fn new() -> Self {
        Self {
            window: VecDeque::with_capacity(WINDOW),
            prior: INITIAL_DRIFT,
            estimate: None,
            usable: false,
            broke_at: None,
            suspected_at: None,
            burst_left: BURST,
            last_sent: None,
        }
    }

    /// Drops everything: the relay has a new epoch.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Requests a burst. Call it after a reconnection to the same epoch.
    pub fn burst(&mut self) {
        self.burst_left = BURST;
    }

    /// A probe was sent: paces the next one.
    pub fn probe_sent(&mut self, at: LocalTime) {
        if self.last_sent.is_some_and(|last| at.nanos_since(last) > SUSPENDED_NANOS) {
            self.burst();
        }
        self.burst_left = self.burst_left.saturating_sub(1);
        self.last_sent = Some(at);
    }

    /// When the next probe is due; `now` if it is overdue. An exchange may bring it forward.
    #[must_use]
    pub fn next_probe_at(&self, now: LocalTime) -> LocalTime {
        let Some(last) = self.last_sent else { return now };
        let gap = match self.estimate {
            _ if self.burst_left > 0 => BURST_NANOS,
            Some(estimate) => {
                let calm = COARSE_SPREAD / estimate.fit.spread(0.0);
                (MIN_PROBE_NANOS * calm).clamp(MIN_PROBE_NANOS, MAX_PROBE_NANOS) as i64
            }
            None => MIN_PROBE_NANOS as i64,
        };
        last.plus_nanos(gap).max(now)
    }

    /// The estimate, once there are enough exchanges of the epoch.
    #[must_use]
    pub fn estimate(&self) -> Option<ClockEstimate> {
        self.estimate.filter(|_| self.usable)
    }

    /// Adds an exchange. An impossible one is ignored: replied before it was received, longer at the
    /// relay than in total, or out of the range of time.
    pub fn observe(&mut self, exchange: Exchange) {
        if exchange.arrived < exchange.sent
            || exchange.replied < exchange.received
            || exchange.replied > MAX_TIME
            || exchange.round_trip() < -TOLERANCE
        {
            return;
        }
        let age = self.window.back().map_or(0, |e| exchange.arrived.nanos_since(e.arrived));
        if age > STALE_NANOS {
            self.keep_drift();
            self.window.clear();
        } else if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(exchange);
        if let Some(at) = self.broke_at.filter(|&at| self.sent_since(at) >= FIRST) {
            self.window.retain(|e| e.sent >= at);
            self.broke_at = None;
        }

        let count = self.window.len();
        let mut fit = self.fit(0, count);
        let mut doubt = 0.0;
        if fit.slack < -TOLERANCE {
            self.keep_drift();
            self.window.drain(..count - 1);
            self.broke_at = Some(exchange.arrived);
            self.suspected_at = None;
            self.burst();
            fit = self.fit(0, 1);
        } else if let Some(at) = self.suspected_at {
            doubt = self.estimate.map_or(0.0, |before| before.doubt);
            if self.sent_since(at) >= RECENT {
                self.suspected_at = None;
                doubt = 0.0;
                if self.is_break(at, &fit) {
                    self.keep_drift();
                    self.window.retain(|e| e.sent >= at);
                    fit = self.fit(0, self.window.len());
                }
            }
        } else if count >= 2 * RECENT {
            let before = self.fit(0, count - RECENT);
            if fit.odds_against(before.slack, before.weight) > SURPRISE {
                doubt = 2.0 * (before.slack - fit.slack);
                self.suspected_at = Some(exchange.arrived);
                self.burst();
            }
        }

        self.usable |= self.window.len() >= FIRST;
        let shortest = self.window.iter().map(Exchange::round_trip).fold(f64::INFINITY, f64::min);
        self.estimate = Some(ClockEstimate {
            local: exchange.arrived,
            relay: exchange.replied,
            fit,
            half_round_trip: shortest.max(0.0) / 2.0,
            doubt,
        });
    }

    /// Whether the exchanges before and after `at` have so much more slack apart than together that
    /// there must be a discontinuity in between.
    fn is_break(&self, at: LocalTime, together: &Fit) -> bool {
        let since = self.window.partition_point(|e| e.arrived < at);
        if since == 0 {
            return false;
        }
        let (before, after) = (self.fit(0, since), self.fit(since, self.window.len()));
        together.odds_against(before.slack.min(after.slack), before.weight) > PROOF
    }

    /// Keeps the drift as the prior, beyond the window.
    fn keep_drift(&mut self) {
        if let Some(ClockEstimate { fit, .. }) = self.estimate {
            let scale = KEPT_DRIFT_SCALE.hypot(fit.drift_variance.sqrt());
            self.prior = DriftPrior { centre: fit.drift, scale };
        }
    }

    fn sent_since(&self, at: LocalTime) -> usize {
        self.window.iter().filter(|e| e.sent >= at).count()
    }

    /// Fits a part of the window. Times count from the arrival of the newest exchange.
    fn fit(&self, from: usize, to: usize) -> Fit {
        let origin = self.window[self.window.len() - 1];
        let point = |local: LocalTime, relay: RelayTime, rounding: f64| {
            let at = local.nanos_since(origin.arrived) as f64 / 1000.0;
            Point { at, offset: relay.micros_since(origin.replied) as f64 + rounding - at }
        };
        let part = || self.window.range(from..to);
        // The relay's timestamps are rounded down: it received the probe up to 1 us later.
        let ceilings: Vec<_> = part().map(|e| point(e.sent, e.received, 1.0)).collect();
        let floors: Vec<_> = part().map(|e| point(e.arrived, e.replied, 0.0)).collect();
        let guess = self.estimate.map_or(self.prior.centre, |known| known.fit.drift);
        Fit::new(&ceilings, &floors, self.prior, guess)
    }
}

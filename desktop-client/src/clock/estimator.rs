//! What time it is at the relay: probes in, an estimate with an honest error bound out.
//!
//! An [`Exchange`] bounds relay time from both sides, [`fit`] draws the likeliest line through a
//! window of them, and this file decides which exchanges belong in the window and when to probe.
//!
//! The window ends where a clock broke: a machine slept, a clock was set, a relay's host was
//! suspended. Such a break shows in two ways. Either no line fits any more, and then it is proven:
//! everything older than the newest exchange is forgotten at once. Or a line still fits, but with
//! so much less room than before that it is a surprise: then a burst of probes is asked for, and
//! once they are in, the exchanges from before and since are given a line each. If both have much
//! more room than they have together, the older ones are forgotten; if not, the network has merely
//! become faster. What was learnt about drift outlives a break, as a belief: crystals stay.
//!
//! Nothing here reads a clock, opens a socket or sets a timer. Memory and time per exchange are
//! bounded by [`WINDOW`]. `relay/page/clock.js` is the same algorithm, step by step, and
//! `tests/vectors/clock.json` holds both to the same numbers.

mod estimate;
mod fit;

use std::collections::VecDeque;

use downbeat_protocol::RelayTime;

pub use estimate::ClockEstimate;

use crate::time::LocalTime;
use fit::{DriftPrior, Fit, Point};

/// One probe and its answer: four stamps, two of either clock.
///
/// Where the local clock ticks coarsely, round `sent` down and `arrived` up: then they are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the probe left here.
    pub sent: LocalTime,
    /// When it reached the relay.
    pub received: RelayTime,
    /// When the answer left the relay.
    pub replied: RelayTime,
    /// When the answer arrived here.
    pub arrived: LocalTime,
}

impl Exchange {
    /// Microseconds on the way, there and back; the relay's stamps are rounded down, so it may have
    /// been one more.
    fn round_trip(&self) -> f64 {
        let away = self.arrived.nanos_since(self.sent) as f64 / 1000.0;
        away - self.replied.micros_since(self.received) as f64 + 1.0
    }
}

/// Exchanges that are remembered: one to four minutes of them at the steady pace.
const WINDOW: usize = 256;

/// Relay times beyond this, in 285 years, are not exact as floating point, and not honest either.
const LAST: RelayTime = RelayTime::from_micros(1 << 53);

/// No estimate is given before this many exchanges: one or two may both have been held up.
const FIRST: usize = 4;

/// A break is looked for by comparing this many of the newest exchanges with the older ones.
const RECENT: usize = 12;

/// Probes in a burst, and the time between them. Sixteen put LAN and Wi-Fi within their goals in
/// 0.3 s; at 100 bytes each that is 40 kbit/s for as long.
const BURST: u32 = 16;
const BURST_NANOS: i64 = 20_000_000;

/// The steady pace: from four probes a second, while the spread is [`COARSE_SPREAD`] or more, to
/// one a second when it is a quarter of that or less.
const LEAST_NANOS: f64 = 250e6;
const MOST_NANOS: f64 = 1000e6;
/// Microseconds.
const COARSE_SPREAD: f64 = 50.0;

/// No probe for so long means that this process, or the machine, was asleep.
const ASLEEP_NANOS: i64 = 5_000_000_000;

/// After so long without an exchange the old ones say less, clocks wandering as they do, than the
/// first new one.
const STALE_NANOS: i64 = 600_000_000_000;

/// Stamps that contradict each other by less than this, in microseconds, do not prove a break:
/// neither clock is perfect.
const TOLERANCE: f64 = 100.0;

/// How unlikely, in nats, a loss of room must be to ask for a burst, and to prove a break.
const SURPRISE: f64 = 6.0;
const PROOF: f64 = 12.0;

/// Drift at first: nearly all machines are within +-100 ppm of each other, nothing forbids more.
const ANY_CRYSTALS: DriftPrior = DriftPrior { centre: 0.0, scale: 50e-6 };

/// Drift after a break is around what it was, this closely: what broke may have been the drift.
const SAME_CRYSTALS: f64 = 30e-6;

/// Estimates relay time from [`Exchange`]s, which are to be given to it in the order of arrival.
#[derive(Clone, Debug)]
pub struct ClockEstimator {
    window: VecDeque<Exchange>,
    prior: DriftPrior,
    estimate: Option<ClockEstimate>,
    /// Whether [`FIRST`] exchanges have been seen since the epoch began.
    usable: bool,
    /// Set by a proven break: what was in flight then is dropped once there is better.
    broke_at: Option<LocalTime>,
    /// Set by a surprise: a break that has yet to be proven.
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
    /// Knows nothing, and wants a burst.
    #[must_use]
    pub fn new() -> Self {
        Self {
            window: VecDeque::with_capacity(WINDOW),
            prior: ANY_CRYSTALS,
            estimate: None,
            usable: false,
            broke_at: None,
            suspected_at: None,
            burst_left: BURST,
            last_sent: None,
        }
    }

    /// Forgets everything: the relay has a new epoch, so none of its times mean anything here.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Asks for a burst: to be called on reconnecting to the same epoch, whose times still hold.
    pub fn burst(&mut self) {
        self.burst_left = BURST;
    }

    /// A probe has left: paces the next one.
    pub fn probe_sent(&mut self, at: LocalTime) {
        if self.last_sent.is_some_and(|last| at.nanos_since(last) > ASLEEP_NANOS) {
            self.burst();
        }
        self.burst_left = self.burst_left.saturating_sub(1);
        self.last_sent = Some(at);
    }

    /// When the next probe should leave; `now` if it is due. An exchange may bring it forward.
    #[must_use]
    pub fn next_probe_at(&self, now: LocalTime) -> LocalTime {
        let Some(last) = self.last_sent else { return now };
        let gap = match self.estimate {
            _ if self.burst_left > 0 => BURST_NANOS,
            Some(estimate) => {
                let calm = COARSE_SPREAD / estimate.fit.spread(0.0);
                (LEAST_NANOS * calm).clamp(LEAST_NANOS, MOST_NANOS) as i64
            }
            None => LEAST_NANOS as i64,
        };
        last.plus_nanos(gap).max(now)
    }

    /// What is known by now; nothing before a few exchanges of the epoch.
    #[must_use]
    pub fn estimate(&self) -> Option<ClockEstimate> {
        self.estimate.filter(|_| self.usable)
    }

    /// Takes in an exchange. One that cannot be (its answer left before the probe came, or it was
    /// longer at the relay than away from here, or in another age) is ignored.
    pub fn observe(&mut self, exchange: Exchange) {
        if exchange.arrived < exchange.sent
            || exchange.replied < exchange.received
            || exchange.replied > LAST
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
        let least = self.window.iter().map(Exchange::round_trip).fold(f64::INFINITY, f64::min);
        self.estimate = Some(ClockEstimate {
            local: exchange.arrived,
            relay: exchange.replied,
            fit,
            half_round_trip: least.max(0.0) / 2.0,
            doubt,
        });
    }

    /// Whether the exchanges that arrived before `at` and those since then have so much more room
    /// apart than they have together that a clock must have broken in between.
    fn is_break(&self, at: LocalTime, together: &Fit) -> bool {
        let since = self.window.partition_point(|e| e.arrived < at);
        if since == 0 {
            return false;
        }
        let (before, after) = (self.fit(0, since), self.fit(since, self.window.len()));
        together.odds_against(before.slack.min(after.slack), before.weight) > PROOF
    }

    /// Lets what is known about drift outlive the window.
    fn keep_drift(&mut self) {
        if let Some(ClockEstimate { fit, .. }) = self.estimate {
            let scale = SAME_CRYSTALS.hypot(fit.drift_variance.sqrt());
            self.prior = DriftPrior { centre: fit.drift, scale };
        }
    }

    fn sent_since(&self, at: LocalTime) -> usize {
        self.window.iter().filter(|e| e.sent >= at).count()
    }

    /// Fits a part of the window; times count from the newest exchange's arrival.
    fn fit(&self, from: usize, to: usize) -> Fit {
        let origin = self.window[self.window.len() - 1];
        let point = |local: LocalTime, relay: RelayTime, rounding: f64| {
            let at = local.nanos_since(origin.arrived) as f64 / 1000.0;
            Point { at, offset: relay.micros_since(origin.replied) as f64 + rounding - at }
        };
        let part = || self.window.range(from..to);
        // The relay's stamps are rounded down: it received the probe up to 1 us later than it says.
        let ceilings: Vec<_> = part().map(|e| point(e.sent, e.received, 1.0)).collect();
        let floors: Vec<_> = part().map(|e| point(e.arrived, e.replied, 0.0)).collect();
        let guess = self.estimate.map_or(self.prior.centre, |known| known.fit.drift);
        Fit::new(&ceilings, &floors, self.prior, guess)
    }
}

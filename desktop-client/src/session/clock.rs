//! What time it is at the relay.

mod fit;

use std::collections::VecDeque;

use downbeat_protocol::RelayTime;

use crate::time::LocalTime;
use fit::{DriftPrior, Fit, Point};

/// One probe and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the probe left.
    pub sent: LocalTime,
    /// When it reached the relay.
    pub received: RelayTime,
    /// When the answer left the relay.
    pub replied: RelayTime,
    /// When the answer arrived.
    pub arrived: LocalTime,
}

const WINDOW: usize = 256;
const FIRST: usize = 4;
const RECENT: usize = 12;
const BURST: u32 = 16;
const BURST_NANOS: i64 = 20_000_000;
const TOLERANCE: f64 = 100.0;
const WANDER: f64 = 0.2e-6;
const PRIOR: DriftPrior = DriftPrior { centre: 0.0, scale: 30e-6 };

/// Estimates.
#[derive(Clone, Debug)]
pub struct ClockEstimator {
    window: VecDeque<Exchange>,
    prior: DriftPrior,
    state: Option<(ClockEstimate, f64, f64)>, // estimate, slack, weight
    usable: bool,
    burst_left: u32,
    last_sent: Option<LocalTime>,
    /// counters
    pub hard: u32,
    /// counters
    pub soft: u32,
    /// counters
    pub surprises: u32,
}

/// Estimate.
#[derive(Clone, Copy, Debug)]
pub struct ClockEstimate {
    local: LocalTime,
    relay: RelayTime,
    fit: Fit,
    half_round_trip: f64,
}

impl Default for ClockEstimator {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockEstimator {
    /// New.
    pub fn new() -> Self {
        Self {
            window: VecDeque::with_capacity(WINDOW),
            prior: PRIOR,
            state: None,
            usable: false,
            burst_left: BURST,
            last_sent: None,
            hard: 0,
            soft: 0,
            surprises: 0,
        }
    }
    /// Reset.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Sent.
    pub fn probe_sent(&mut self, at: LocalTime) {
        self.burst_left = self.burst_left.saturating_sub(1);
        self.last_sent = Some(at);
    }
    /// Next.
    pub fn next_probe_at(&self, now: LocalTime) -> LocalTime {
        let Some(last) = self.last_sent else { return now };
        let gap = if self.burst_left > 0 { BURST_NANOS } else { self.pace() };
        last.plus_nanos(gap)
    }
    fn pace(&self) -> i64 {
        let Some((e, ..)) = self.state else { return 250_000_000 };
        let spread: f64 = e.fit.spread(0.0);
        (250e6 * (50.0 / spread as f64).clamp(1.0, 4.0)) as i64
    }

    /// Observe.
    pub fn observe(&mut self, e: Exchange) {
        if e.replied < e.received || e.arrived < e.sent {
            return;
        }
        self.window.push_back(e);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let n = self.window.len();
        let mut fit = self.fit(0, n);
        if fit.slack < -TOLERANCE {
            self.hard += 1;
            self.cut(n - 1);
            fit = self.fit(0, 1);
        } else if n >= RECENT + 8 {
            let a = self.fit(0, n - RECENT);
            let b = self.fit(n - RECENT, n);
            let loss = a.slack.min(b.slack) - fit.slack;
            if loss > 50.0 && a.weight * loss > 12.0 {
                self.soft += 1;
                self.cut(n - RECENT);
                fit = self.fit(0, self.window.len());
            } else if let Some((_, slack, weight)) = self.state {
                let loss = slack - fit.slack;
                if loss > 50.0 && loss * weight > 6.0 {
                    self.surprises += 1;
                    self.burst_left = BURST;
                }
            }
        }
        self.usable |= self.window.len() >= FIRST;
        let half = self.window.iter().map(|e| rtt(e)).fold(f64::INFINITY, f64::min) / 2.0;
        self.state = Some((
            ClockEstimate { local: e.arrived, relay: e.replied, fit, half_round_trip: half },
            fit.slack,
            fit.weight,
        ));
    }
    fn cut(&mut self, from: usize) {
        if let Some((e, ..)) = self.state {
            self.prior = DriftPrior {
                centre: e.fit.drift,
                scale: 10e-6f64.hypot(e.fit.drift_variance.sqrt()),
            };
        }
        self.window.drain(..from);
        self.burst_left = BURST;
    }
    fn fit(&self, from: usize, to: usize) -> Fit {
        let last = self.window[self.window.len() - 1];
        let p = |l: LocalTime, r: RelayTime| {
            let at = l.nanos_since(last.arrived) as f64 / 1e3;
            Point { at, offset: r.micros_since(last.replied) as f64 + 0.5 - at }
        };
        let c: Vec<_> = self.window.range(from..to).map(|e| p(e.sent, e.received)).collect();
        let f: Vec<_> = self.window.range(from..to).map(|e| p(e.arrived, e.replied)).collect();
        Fit::new(&c, &f, self.prior, WANDER)
    }
    /// Estimate.
    pub fn estimate(&self) -> Option<ClockEstimate> {
        if self.usable { self.state.map(|s| s.0) } else { None }
    }
}
fn rtt(e: &Exchange) -> f64 {
    e.arrived.nanos_since(e.sent) as f64 / 1e3 - e.replied.micros_since(e.received) as f64
}
impl ClockEstimate {
    /// Relay.
    pub fn relay_micros_at(&self, l: LocalTime) -> f64 {
        let at = l.nanos_since(self.local) as f64 / 1e3;
        self.relay.as_micros() as f64 + self.fit.offset + at * (1.0 + self.fit.drift)
    }
    /// Ppm.
    pub fn drift_ppm(&self) -> f64 {
        self.fit.drift * 1e6
    }
    /// Spread.
    pub fn spread(&self, now: LocalTime) -> f64 {
        self.fit.spread(now.nanos_since(self.local) as f64 / 1e3)
    }
    /// Error.
    pub fn error_micros(&self, now: LocalTime) -> u32 {
        let at = now.nanos_since(self.local) as f64 / 1e3;
        (self.half_round_trip + 3.0 * self.fit.spread(at) + WANDER * at.abs() + 1.0).ceil() as u32
    }
}

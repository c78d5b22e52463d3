//! A deterministic simulation of a relay, a client and the network between them, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::TAU;

use downbeat::clock::{ClockEstimator, Exchange};
use downbeat::time::LocalTime;
use downbeat_protocol::RelayTime;

/// `SplitMix64` (Steele, Lea and Flood 2014): small, and deterministic on every platform.
pub struct Random(pub u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

/// The delays of one direction of a network, in milliseconds.
#[derive(Clone, Copy)]
pub struct Way {
    pub least: f64,
    /// Mean of the additional, exponentially distributed delay.
    pub mean: f64,
    /// The share of messages with a delay spike, and the range of the spike.
    pub spikes: f64,
    pub spike: (f64, f64),
}

pub const LAN: Way = Way { least: 0.1, mean: 0.05, spikes: 0.0, spike: (0.0, 0.0) };
pub const WIFI: Way = Way { least: 1.0, mean: 2.0, spikes: 0.1, spike: (20.0, 100.0) };
pub const BUSY: Way = Way { least: 2.0, mean: 8.0, spikes: 0.25, spike: (20.0, 150.0) };

impl Way {
    fn seconds(self, random: &mut Random) -> f64 {
        let mut delay = self.least + random.exponential(self.mean);
        if random.unit() < self.spikes {
            delay += self.spike.0 + (self.spike.1 - self.spike.0) * random.unit();
        }
        delay / 1000.0
    }
}

/// A scenario. Times are in seconds since the client connected.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub there: Way,
    pub back: Way,
    pub drift_ppm: f64,
    /// Amplitude of the drift's variation, with a period of ten minutes.
    pub swing_ppm: f64,
    /// Whether messages stay in order, as with TCP.
    pub ordered: bool,
    /// The time of a jump of relay time against local time, and its size in microseconds.
    pub jump: Option<(f64, f64)>,
    /// An interval in which the clock is slewed, and the additional drift in ppm.
    pub slew: Option<(f64, f64, f64)>,
    /// Resolution of the local clock, in microseconds. Timers are late by up to as much.
    pub tick: f64,
}

impl Scenario {
    pub const fn symmetric(name: &'static str, way: Way) -> Self {
        Self {
            name,
            there: way,
            back: way,
            drift_ppm: 50.0,
            swing_ppm: 0.0,
            ordered: false,
            jump: None,
            slew: None,
            tick: 0.0,
        }
    }
}

/// The clocks as functions of true time, in seconds since the client connected.
struct Clocks<'a> {
    scenario: &'a Scenario,
    phase: f64,
}

const LOCAL_ORIGIN_NANOS: f64 = 5e9;

/// The local clock: it has the rate of true time and another origin.
fn local(true_time: f64) -> LocalTime {
    LocalTime::from_nanos((LOCAL_ORIGIN_NANOS + true_time * 1e9) as i64)
}

impl Clocks<'_> {
    fn relay_micros(&self, true_time: f64) -> f64 {
        let s = self.scenario;
        let mut micros = 1e9 + true_time * (1e6 + s.drift_ppm);
        micros += s.swing_ppm * 600.0 / TAU * (true_time * TAU / 600.0 + self.phase).sin();
        if let Some((at, by)) = s.jump {
            micros += if true_time >= at { by } else { 0.0 };
        }
        if let Some((from, to, ppm)) = s.slew {
            micros += (true_time.clamp(from, to) - from) * ppm;
        }
        micros
    }

    fn relay(&self, true_time: f64) -> RelayTime {
        RelayTime::from_micros(self.relay_micros(true_time) as u64)
    }

    fn tick(&self, time: LocalTime, up: bool) -> LocalTime {
        let tick = (self.scenario.tick * 1000.0) as i64;
        if tick == 0 {
            return time;
        }
        let ticks = time.as_nanos().div_euclid(tick) + i64::from(up);
        LocalTime::from_nanos(ticks * tick)
    }
}

/// An estimate and the true value, in microseconds; `time` is in seconds.
pub struct Sample {
    pub time: f64,
    pub error: f64,
    pub bound: f64,
}

/// The results of one run.
pub struct Run {
    pub first_estimate: f64,
    pub samples: Vec<Sample>,
    pub probes: usize,
    /// Every exchange, in the order of arrival.
    pub exchanges: Vec<Exchange>,
}

/// Runs a scenario, sampling the estimate every 50 ms.
pub fn run(scenario: &Scenario, seed: u64, seconds: f64) -> Run {
    const TURNAROUND: f64 = 5e-6;
    let mut random = Random(seed.wrapping_mul(7919).wrapping_add(13));
    let clocks = Clocks { scenario, phase: random.unit() * TAU };
    let mut estimator = ClockEstimator::new();
    // Keyed by the true arrival time in nanoseconds.
    let mut flying: BinaryHeap<Reverse<(u64, [i64; 4])>> = BinaryHeap::new();
    let (mut last_there, mut last_back) = (0.0_f64, 0.0_f64);
    let mut result = Run {
        first_estimate: f64::INFINITY,
        samples: Vec::new(),
        probes: 0,
        exchanges: Vec::new(),
    };
    // The clocks start at odd values, out of phase with the relay's microseconds.
    let start = random.unit();
    let (mut next_probe, mut next_sample) = (start, start);
    loop {
        let arrival = flying.peek().map_or(f64::INFINITY, |Reverse(f)| f.0 as f64 / 1e9);
        let now = next_probe.min(next_sample).min(arrival);
        if now > start + seconds {
            return result;
        }
        if arrival <= now
            && let Some(Reverse((_, stamps))) = flying.pop()
        {
            let [sent, received, replied, arrived] = stamps;
            let exchange = Exchange {
                sent: LocalTime::from_nanos(sent),
                received: RelayTime::from_micros(received as u64),
                replied: RelayTime::from_micros(replied as u64),
                arrived: LocalTime::from_nanos(arrived),
            };
            estimator.observe(exchange);
            result.exchanges.push(exchange);
            if estimator.estimate().is_some() {
                result.first_estimate = result.first_estimate.min(now - start);
            }
        } else if next_probe <= now {
            estimator.probe_sent(local(now));
            result.probes += 1;
            let mut there = now + scenario.there.seconds(&mut random);
            let mut back = there + TURNAROUND + scenario.back.seconds(&mut random);
            if scenario.ordered {
                back += (last_there - there).max(0.0);
                there = there.max(last_there);
                back = back.max(last_back);
                (last_there, last_back) = (there, back);
            }
            let stamps = [
                clocks.tick(local(now), false).as_nanos(),
                clocks.relay(there).as_micros() as i64,
                clocks.relay(there + TURNAROUND).as_micros() as i64,
                clocks.tick(local(back), true).as_nanos(),
            ];
            flying.push(Reverse(((back * 1e9) as u64, stamps)));
        } else {
            next_sample += 0.05;
            if let Some(estimate) = estimator.estimate() {
                let here = local(now);
                result.samples.push(Sample {
                    time: now - start,
                    error: (estimate.relay_micros_at(here) - clocks.relay_micros(now)).abs(),
                    bound: f64::from(estimate.error_micros(here)),
                });
            }
        }
        let due = estimator.next_probe_at(local(now)).as_nanos() as f64;
        next_probe = ((due - LOCAL_ORIGIN_NANOS) / 1e9).max(now + 1e-9);
        if scenario.tick > 0.0 {
            next_probe += scenario.tick / 1e6 * random.unit();
        }
    }
}

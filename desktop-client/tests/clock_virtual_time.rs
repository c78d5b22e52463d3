//! Sim.
use downbeat::session::clock::{ClockEstimator, Exchange};
use downbeat::time::LocalTime;
use downbeat_protocol::RelayTime;
use std::collections::BinaryHeap;
use std::cmp::Reverse;

struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 { self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15); let mut z = self.0; z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9); z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB); z ^ (z >> 31) }
    fn unit(&mut self) -> f64 { (self.next() >> 11) as f64 / (1u64 << 53) as f64 }
    fn exp(&mut self, m: f64) -> f64 { -m * (1.0 - self.unit()).ln() }
}
#[derive(Clone, Copy, Debug)]
struct Way { least: f64, mean: f64, spikes: f64, from: f64, to: f64 }
const LAN: Way = Way { least: 0.1, mean: 0.05, spikes: 0.0, from: 0.0, to: 0.0 };
const WIFI: Way = Way { least: 1.0, mean: 2.0, spikes: 0.1, from: 20.0, to: 100.0 };
const BUSY: Way = Way { least: 2.0, mean: 8.0, spikes: 0.25, from: 20.0, to: 150.0 };
impl Way { fn ms(self, r: &mut Rng) -> f64 { let d = self.least + r.exp(self.mean); if r.unit() < self.spikes { d + self.from + (self.to - self.from) * r.unit() } else { d } } }

#[derive(Clone, Copy)]
struct Scenario { name: &'static str, out: Way, back: Way, ppm: f64, wander: f64, ordered: bool, events: &'static [(f64, f64)], ramp: (f64, f64, f64) }
const S: Scenario = Scenario { name: "", out: LAN, back: LAN, ppm: 50.0, wander: 0.0, ordered: false, events: &[], ramp: (0.0, 0.0, 0.0) };

/// sample: time s since start, |err| us, bound us
struct Run { first: f64, samples: Vec<(f64, f64, f64, f64)>, probes: u32, counts: (u32,u32,u32) }

// true time in seconds; local = piecewise
struct Clocks { ppm: f64, wander: f64, events: &'static [(f64, f64)], ramp:(f64,f64,f64), phase: f64 }
impl Clocks {
    // relay micros at true time t
    fn relay(&self, t: f64) -> f64 {
        let mut r = 1e9 + t * 1e6 * (1.0 + self.ppm * 1e-6);
        r += self.wander * 600.0 / std::f64::consts::TAU * (std::f64::consts::TAU * t / 600.0 + self.phase).sin();
        for &(at, by) in self.events { if t >= at { r += by; } }
        let (a,b,p)=self.ramp; r += (t.clamp(a,b)-a)*p;
        r
    }
    fn local(&self, t: f64) -> LocalTime { LocalTime::from_nanos((t * 1e9) as i64 + 5_000_000_000) }
}

fn run(s: &Scenario, seed: u64, until: f64) -> Run {
    let mut r = Rng(seed * 7919 + 13);
    let c = Clocks { ppm: s.ppm, wander: s.wander, events: s.events, ramp: s.ramp, phase: r.unit()*6.28 };
    let mut e = ClockEstimator::new();
    let mut flying: BinaryHeap<Reverse<(u64, u64, u64, u64)>> = BinaryHeap::new(); // arrived ns, sent, received us, replied us
    let start = r.unit();
    let mut t = start;
    let mut probes = 0;
    let mut samples = vec![];
    let mut first = f64::NAN;
    let mut next_sample = start;
    let (mut lo, mut lb) = (0.0f64, 0.0f64);
    let mut next_probe = start;
    while t < start + until {
        let arrival = flying.peek().map_or(f64::INFINITY, |Reverse(f)| f.0 as f64 / 1e9);
        t = next_probe.min(arrival).min(next_sample);
        if t == arrival {
            let Reverse((a, se, rc, rp)) = flying.pop().unwrap();
            e.observe(Exchange { sent: c.local(se as f64 / 1e9), received: RelayTime::from_micros(rc), replied: RelayTime::from_micros(rp), arrived: c.local(a as f64 / 1e9) });
            if first.is_nan() && e.estimate().is_some() { first = t - start; }
        } else if t == next_probe {
            probes += 1;
            e.probe_sent(c.local(t));
            let mut at = t + s.out.ms(&mut r) / 1e3;
            if s.ordered { at = at.max(lo); lo = at; }
            let mut back = at + 5e-6 + s.back.ms(&mut r) / 1e3;
            if s.ordered { back = back.max(lb); lb = back; }
            flying.push(Reverse(((back * 1e9) as u64, (t * 1e9) as u64, c.relay(at) as u64, c.relay(at + 5e-6) as u64)));
        } else {
            next_sample += 0.05;
            if let Some(est) = e.estimate() {
                let l = c.local(t);
                samples.push((t - start, (est.relay_micros_at(l) - c.relay(t)).abs(), f64::from(est.error_micros(l)), est.spread(l)));
            }
        }
        let np = e.next_probe_at(c.local(t));
        next_probe = ((np.as_nanos() - 5_000_000_000) as f64 / 1e9).max(t + 1e-9);
    }
    Run { first, samples, probes, counts: (e.hard, e.soft, e.surprises) }
}
fn q(v: &mut Vec<f64>, p: f64) -> f64 { if v.is_empty() { return f64::NAN } v.sort_by(f64::total_cmp); v[((v.len() - 1) as f64 * p) as usize] }

#[test]
fn table() {
    let one = Way { least: 0.1, ..BUSY };
    let scen = [
        Scenario { name: "LAN", ..S },
        Scenario { name: "WiFi", out: WIFI, back: WIFI, ..S },
        Scenario { name: "busy", out: BUSY, back: BUSY, ..S },
        Scenario { name: "LAN tcp", ordered: true, ..S },
        Scenario { name: "WiFi tcp", out: WIFI, back: WIFI, ordered: true, ..S },
        Scenario { name: "busy tcp", out: BUSY, back: BUSY, ordered: true, ..S },
        Scenario { name: "WiFi 200", out: WIFI, back: WIFI, ppm: -200.0, ..S },
        Scenario { name: "busy 200", out: BUSY, back: BUSY, ppm: 200.0, ..S },
        Scenario { name: "LAN wander", wander: 2.0, ..S },
        Scenario { name: "WiFi wander", out: WIFI, back: WIFI, wander: 2.0, ..S },
        Scenario { name: "busy wander", out: BUSY, back: BUSY, wander: 2.0, ..S },
        Scenario { name: "one-sided out", out: one, ..S },
        Scenario { name: "one-sided back", back: one, ..S },
        Scenario { name: "WiFi asym", out: WIFI, back: Way { least: 0.2, mean: 1.0, ..WIFI }, ..S },
        Scenario { name: "LAN step", events: &[(60.3, 5000.0)], ..S },
        Scenario { name: "WiFi step", out: WIFI, back: WIFI, events: &[(60.3, 5000.0)], ..S },
        Scenario { name: "busy step", out: BUSY, back: BUSY, events: &[(60.3, -5000.0)], ..S },
        Scenario { name: "LAN suspend", events: &[(60.3, 60e6)], ..S },
        Scenario { name: "WiFi suspend", out: WIFI, back: WIFI, events: &[(60.3, 60e6)], ..S },
        Scenario { name: "busy suspend", out: BUSY, back: BUSY, events: &[(60.3, 60e6)], ..S },
        Scenario { name: "LAN slew", ramp: (60.0, 70.0, 500.0), ..S },
        Scenario { name: "WiFi slew", out: WIFI, back: WIFI, ramp: (60.0, 70.0, 500.0), ..S },
        Scenario { name: "busy slew", out: BUSY, back: BUSY, ramp: (60.0, 70.0, 500.0), ..S },
    ];
    println!("{:15} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>7} {:>8}", "", "first", "0.5-30", "30-120", "max30-", "honest", "bound", "3sig%", "back95", "probes", "hard/soft/surprise");
    for s in scen {
        let mut firsts = vec![]; let mut early = vec![]; let mut late = vec![]; let mut ok = 0u32; let mut all = 0u32; let mut okk = 0; let mut bounds = vec![]; let mut probes = 0; let mut backs = vec![]; let mut cnt = (0,0,0);
        for seed in 0..20 {
            let r = run(&s, seed, 120.0);
            firsts.push(r.first); probes += r.probes; cnt.0 += r.counts.0; cnt.1 += r.counts.1; cnt.2 += r.counts.2;
            let ev = s.events.first().map(|e| e.0);
            let mut last_bad = 0.0;
            for (t, err, b, sp) in r.samples {
                if t < 30.0 { if t >= 0.5 { early.push(err); } } else { late.push(err); }
                all += 1; if err <= b { ok += 1; } else { last_bad = t; } if err <= 3.0 * sp + 1.0 { okk += 1; }
                bounds.push(b);
            }
            if let Some(ev) = ev { backs.push((last_bad - ev).max(0.0)); }
        }
        println!("{:15} {:7.3} {:9.4} {:9.4} {:9.4} {:8.4} {:8.3} {:7.4} {:7.2} {:7} {:?}", s.name, q(&mut firsts, 1.0), q(&mut early, 0.95) / 1e3, q(&mut late, 0.95) / 1e3, q(&mut late, 1.0)/1e3, f64::from(ok) / f64::from(all), q(&mut bounds, 0.5) / 1e3, f64::from(okk)/f64::from(all), q(&mut backs, 0.95), probes / 20, cnt);
    }
}

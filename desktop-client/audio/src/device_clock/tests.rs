//! The device clock in virtual time.

use super::*;

const RATE: u32 = 48_000;
const BLOCK: u64 = 480;
const PER_SECOND: u64 = RATE as u64 / BLOCK;

/// A device whose true clock is a line, and what it says of it.
struct Device {
    clock: DeviceClock,
    frame: u64,
    drift_ppm: f64,
    start_nanos: f64,
    random: fastrand::Rng,
}

impl Device {
    fn new(drift_ppm: f64) -> Self {
        Self {
            clock: DeviceClock::new(RATE),
            frame: 0,
            drift_ppm,
            start_nanos: 7e9,
            random: fastrand::Rng::with_seed(3),
        }
    }

    fn truth(&self, frame: u64) -> f64 {
        let seconds = frame as f64 / f64::from(RATE);
        self.start_nanos + seconds * 1e9 * (1.0 - self.drift_ppm * 1e-6)
    }

    /// Runs for `blocks`, saying the truth plus `noise`; returns the worst error after `skip`
    /// blocks, in microseconds, of the line half a second ahead.
    fn run(&mut self, blocks: u64, skip: u64, noise: impl Fn(&mut fastrand::Rng) -> f64) -> f64 {
        let mut worst = 0.0_f64;
        for block in 0..blocks {
            let said = self.truth(self.frame) + noise(&mut self.random);
            self.clock.observe(self.frame, LocalTime::from_nanos(said.round() as i64));
            if block >= skip {
                worst = worst.max(self.error_micros(self.frame + u64::from(RATE) / 2).abs());
            }
            self.frame += BLOCK;
        }
        worst
    }

    fn error_micros(&self, frame: u64) -> f64 {
        let truth = LocalTime::from_nanos(self.truth(frame).round() as i64);
        self.clock.nanos_from(truth, frame) / 1e3
    }
}

fn normal(random: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// What a busy machine adds to a polled latency: always something, at times a lot, and a block
/// too few when an answer is still under way.
fn busy(random: &mut fastrand::Rng) -> f64 {
    let late = -20e3 * random.f64().max(1e-9).ln();
    match random.u8(0..100) {
        0..5 => late - 1e7,
        5..20 => late + 5e6 * random.f64(),
        _ => late,
    }
}

#[test]
fn an_exact_clock_gives_exact_frames() {
    let mut device = Device::new(0.0);
    assert!(device.run(60 * PER_SECOND, 1, |_| 0.0) < 0.01);
    for frame in [0, device.frame + 1, device.frame + 24_000] {
        let time = LocalTime::from_nanos(device.truth(frame).round() as i64);
        assert!((device.clock.frame_at(time) - frame as f64).abs() < 1e-3);
    }
}

#[test]
fn drift_is_learnt() {
    for ppm in [-200.0, -20.0, 150.0] {
        let mut device = Device::new(ppm);
        let worst = device.run(60 * PER_SECOND, 3 * PER_SECOND, |_| 0.0);
        assert!(worst < 10.0, "{ppm} ppm: {worst} us");
        assert!(((1.0 - device.clock.slope()) * 1e6 - ppm).abs() < 1.0);
    }
}

#[test]
fn a_millisecond_of_jitter_and_150_ppm_are_averaged_away() {
    let mut device = Device::new(150.0);
    let settling = device.run(20 * PER_SECOND, 2 * PER_SECOND, |random| 1e6 * normal(random));
    let settled = device.run(600 * PER_SECOND, 0, |random| 1e6 * normal(random));
    assert!(settling < 1_000.0, "from 2 s on: {settling} us");
    assert!(settled < 250.0, "from 20 s on: {settled} us");
}

#[test]
fn a_busy_machine_costs_little() {
    let mut device = Device::new(-40.0);
    let settling = device.run(10 * PER_SECOND, PER_SECOND, busy);
    let settled = device.run(600 * PER_SECOND, 0, busy);
    assert!(settling < 100.0, "from 1 s on: {settling} us");
    assert!(settled < 100.0, "from 10 s on: {settled} us");
}

#[test]
fn nonsense_at_the_start_is_forgotten() {
    for nonsense in [-9e8, 3e9, 1e15] {
        let mut device = Device::new(0.0);
        device.run(7, 7, |random| nonsense * random.f64());
        let worst = device.run(PER_SECOND, 9, |random| 20e3 * normal(random));
        assert!(worst < 100.0, "{nonsense}: {worst} us");
    }
}

#[test]
fn a_stall_or_a_new_latency_is_followed_within_200_ms() {
    for step in [30e6, -9e6, 1e6, 5e9] {
        let mut device = Device::new(50.0);
        device.run(10 * PER_SECOND, 0, busy);
        device.start_nanos += step;
        let worst = device.run(5 * PER_SECOND, PER_SECOND / 5, busy);
        assert!(worst < 300.0, "{step} ns: {worst} us");
    }
}

#[test]
fn a_polled_latency_costs_no_more_than_the_scatter_of_its_polls() {
    let mut device = Device::new(30.0);
    let held = std::cell::Cell::new((0_u32, 0.0));
    let polled = |random: &mut fastrand::Rng| {
        let (n, value) = held.get();
        let value = if n.is_multiple_of(10) { 100e3 * normal(random) } else { value };
        held.set((n + 1, value));
        value
    };
    device.run(10 * PER_SECOND, 0, polled);
    let worst = device.run(120 * PER_SECOND, 0, polled);
    assert!(worst < 400.0, "{worst} us");
}

#[test]
fn a_slip_below_a_millisecond_is_followed_within_half_a_second_and_is_no_drift() {
    for slip in [-370e3, 370e3, -900e3] {
        let mut device = Device::new(20.0);
        let quiet = |random: &mut fastrand::Rng| 3e3 * normal(random);
        device.run(60 * PER_SECOND, 0, quiet);
        for _ in 0..30 {
            device.start_nanos += slip / 30.0;
            device.run(1, 1, quiet);
        }
        let worst = device.run(PER_SECOND, PER_SECOND / 2, quiet);
        assert!(worst < 30.0, "{slip} ns: {worst} us");
        let ppm = (1.0 - device.clock.slope()) * 1e6;
        assert!((ppm - 20.0).abs() < 10.0, "{slip} ns: {ppm} ppm");
    }
}

#[test]
fn an_old_and_a_young_model_of_a_device_that_slips_agree() {
    let mut device = Device::new(-15.0);
    let mut young = None;
    for block in 0..120 * PER_SECOND {
        // 300 us within half a second, every four seconds.
        let slips = block % (4 * PER_SECOND) < PER_SECOND / 2;
        device.start_nanos -= if slips { 6e3 } else { 0.0 };
        let said = device.truth(device.frame) + 3e3 * normal(&mut device.random);
        let said = LocalTime::from_nanos(said.round() as i64);
        device.clock.observe(device.frame, said);
        if block >= 100 * PER_SECOND {
            let young = young.get_or_insert_with(|| DeviceClock::new(RATE));
            young.observe(device.frame, said);
            if block >= 101 * PER_SECOND {
                let apart = device.clock.nanos_from(said, device.frame)
                    - young.nanos_from(said, device.frame);
                assert!(apart.abs() < 30e3, "block {block}: {apart} ns apart");
            }
        }
        device.frame += BLOCK;
    }
}

#[test]
fn a_new_speed_is_learnt() {
    let mut device = Device::new(0.0);
    let quiet = |random: &mut fastrand::Rng| 3e3 * normal(random);
    device.run(60 * PER_SECOND, 0, quiet);
    // The phase goes on; only the speed changes.
    let before = device.truth(device.frame);
    device.drift_ppm = 60.0;
    device.start_nanos += before - device.truth(device.frame);
    let worst = device.run(120 * PER_SECOND, PER_SECOND / 2, quiet);
    assert!(worst < 50.0, "{worst} us");
    let ppm = (1.0 - device.clock.slope()) * 1e6;
    assert!((ppm - 60.0).abs() < 10.0, "{ppm} ppm");
}

#[test]
fn the_error_bound_holds_through_slips_and_outliers() {
    let mut device = Device::new(40.0);
    let (mut held, mut count) = (0, 0);
    let (mut errors, mut bounds) = (Vec::new(), Vec::new());
    for block in 0..120 * PER_SECOND {
        let slips = block % (4 * PER_SECOND) < PER_SECOND / 2;
        device.start_nanos -= if slips { 8e3 } else { 0.0 };
        device.run(1, 1, |random| {
            let late = -3e3 * random.f64().max(1e-9).ln();
            if random.u8(0..100) < 5 { late + 1e6 * random.f64() } else { late }
        });
        let Some(bound) = device.clock.error_nanos() else { continue };
        let error = device.error_micros(device.frame).abs() * 1e3;
        held += u32::from(error <= bound);
        count += 1;
        errors.push(error);
        bounds.push(bound);
    }
    errors.sort_by(f64::total_cmp);
    bounds.sort_by(f64::total_cmp);
    let (error, bound) = (errors[errors.len() / 2], bounds[bounds.len() / 2]);
    assert!(f64::from(held) >= 0.99 * f64::from(count), "{held} of {count}");
    assert!(error < 5e3 && bound < 35e3, "median error {error} ns, median bound {bound} ns");
}

#[test]
fn small_and_large_blocks_alike_settle() {
    for block in [32, 64, 1_024, 4_096] {
        let mut device_clock = DeviceClock::new(RATE);
        for n in 0..4_000 {
            let frame = n * block;
            let nanos = frame * 1_000_000_000 / u64::from(RATE);
            assert_eq!(device_clock.observe(frame, LocalTime::from_nanos(nanos as i64)), None);
        }
        assert!(device_clock.is_settled() && (device_clock.slope() - 1.0).abs() < 1e-8);
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_said_the_line_stays_finite_and_rises(
        said in proptest::collection::vec((0_u64..100_000, proptest::num::i64::ANY), 1..200),
    ) {
        let mut device_clock = DeviceClock::new(RATE);
        let mut frame = 0;
        for (step, dac) in said {
            frame += step;
            device_clock.observe(frame, LocalTime::from_nanos(dac));
        }
        let at = |nanos| device_clock.frame_at(LocalTime::from_nanos(nanos));
        proptest::prop_assert!(at(0).is_finite() && at(i64::MAX).is_finite());
        proptest::prop_assert!(device_clock.slope() > 0.0, "{}", device_clock.slope());
    }
}

//! When does a frame leave the converter? A filtered model of frame count against local time.
//!
//! A host dates each block: it says when the block's first frame leaves the converter. Such a
//! timestamp is close to the truth or late, by whatever delayed the callback or the answer to a
//! latency query; the first ones can be nonsense, single ones are off by a whole block, and the
//! device runs on its own crystal, tens of parts per million off the local clock. [`DeviceClock`]
//! estimates the line through these timestamps.
//!
//! A sound server's clock also slips: its phase moves by up to a few milliseconds within a second,
//! at up to 2000 ppm, when another stream opens or after an underrun. A slip is a change of offset.
//! A filter that takes it for drift is wrong for a minute. Therefore:
//!
//! - Timestamps are taken in groups of three. The mean of the two that lie closest together is one
//!   measurement: one late timestamp of three does no harm, and a slip is seen within 30 ms.
//! - A Kalman filter of two states, offset and drift (the clock model of time metrology: Galleani
//!   and Tavella, "Time and the Kalman Filter", 2010), follows the measurements. The offset may
//!   wander fast and the drift only slowly, so that the offset takes a slip.
//! - The measurement noise is learnt from second differences of the measurements. A slip or a drift,
//!   however fast, is linear over three measurements and does not count as noise.
//! - An innovation beyond three standard deviations is clipped (Huber, 1964), until the next
//!   measurements confirm it. Then the offset's variance is raised by it, and the filter moves there.
//!
//! Pure: it reads no clock. Nothing is allocated after construction, and a block costs the same
//! small time whatever its content, so the audio thread may call it.

use crate::time::LocalTime;

/// Timestamps in the first measurement. At a block of 10 ms they span 160 ms: more than half of
/// them are good even if the first 70 ms are nonsense.
const FIRST_GROUP: usize = 16;

/// Timestamps in each later measurement, and how many of them count.
const GROUP: usize = 3;
const KEPT: usize = 2;

/// Timestamps closer together than this (small blocks) carry the same information: one is used.
const MIN_SPACING_SECONDS: f64 = 0.005;

/// Bounds of the standard deviation of a measurement, in nanoseconds. The floor keeps filters of
/// quiet machines alike; the ceiling bounds what may pass for noise.
const MIN_NOISE: f64 = 5_000.0;
const MAX_NOISE: f64 = 1_000_000.0;

/// The noise assumed of the first measurement, at least.
const FIRST_NOISE: f64 = 20_000.0;

/// How slowly the noise estimate follows: one part in this many per measurement.
const NOISE_MEMORY: f64 = 16.0;

/// One measurement changes the noise estimate as if it were off by at most so many deviations.
const NOISE_CLIP: f64 = 2.5;

/// Standard deviation of the drift at first: most crystals stay within it.
const FIRST_DRIFT_PPM: f64 = 100.0;

/// No clock is this far off, in nanoseconds per second: half a percent.
const MAX_DRIFT: f64 = 5e6;

/// How fast the drift wanders: nanoseconds per second, per square root of a second. It follows a
/// crystal that warms up, or a local clock that is steered.
const DRIFT_WANDER: f64 = 1_000.0;

/// How fast the offset wanders: nanoseconds per square root of a second. With the least noise the
/// filter's time constant is some 30 ms, with a noise of 1 ms some seconds.
const OFFSET_WANDER: f64 = 40_000.0;

/// Innovations are clipped at this many standard deviations.
const CLIP: f64 = 3.0;

/// Innovations beyond the clip that agree this well, in nanoseconds beyond the clip, confirm each
/// other.
const AGREEMENT: f64 = 100_000.0;

/// A slip moves less than this between two measurements, in nanoseconds; two of them confirm it. More
/// is a step, as after a gap: four confirm it, because late timestamps can agree by chance.
const SLIP: f64 = 300_000.0;

/// A confirmed move of this size, in nanoseconds, is reported: the device's output has a gap.
const STEP: f64 = 1_000_000.0;

/// How long a misfit counts towards the error bound: its time constant, in seconds.
const MISFIT_SECONDS: f64 = 0.5;

/// The model: which frame leaves the converter when.
#[derive(Clone, Debug)]
pub struct DeviceClock {
    rate: u32,
    /// Residual of the first timestamp: nanoseconds that all other residuals are counted from, so
    /// that they stay small enough for exact arithmetic in `f64`.
    origin: Option<i64>,
    /// The latest timestamp used.
    latest: Sample,
    /// The frame at which the line has the residual `offset`.
    frame: f64,
    /// In nanoseconds.
    offset: f64,
    /// The line's slope beyond the nominal one: nanoseconds per second of frames. Positive when
    /// the device is slow.
    drift: f64,
    /// Covariance of offset and drift.
    p_offset: f64,
    p_cross: f64,
    p_drift: f64,
    /// Standard deviation of a measurement, in nanoseconds.
    noise: f64,
    /// The two measurements before the next one, latest first.
    previous: [f64; 2],
    /// Largest recent innovation, fading.
    misfit: f64,
    suspect: Suspect,
    group: Group,
    settled: bool,
}

/// A timestamp: where the host puts `frame`, as a residual in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    frame: u64,
    residual: f64,
}

/// Innovations beyond the clip in a row that agree with each other.
#[derive(Clone, Copy, Debug, Default)]
struct Suspect {
    innovation: f64,
    count: u32,
}

impl DeviceClock {
    /// A model of a device of `rate` frames per second, of which nothing is known yet.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            origin: None,
            latest: Sample::default(),
            frame: 0.0,
            offset: 0.0,
            drift: 0.0,
            p_offset: 0.0,
            p_cross: 0.0,
            p_drift: 0.0,
            noise: FIRST_NOISE,
            previous: [0.0; 2],
            misfit: 0.0,
            suspect: Suspect::default(),
            group: Group::default(),
            settled: false,
        }
    }

    /// Takes the host's timestamp: `frame` leaves the converter at `dac`. Frames must not go back.
    ///
    /// Returns by how many nanoseconds the line was moved, if it was moved by a step: positive when
    /// frames now leave later than the line had promised, as after a gap.
    pub fn observe(&mut self, frame: u64, dac: LocalTime) -> Option<f64> {
        let residual = dac.as_nanos().saturating_sub(self.nominal_nanos(frame));
        let origin = *self.origin.get_or_insert(residual);
        let sample = Sample { frame, residual: residual.saturating_sub(origin) as f64 };
        if !self.group.is_empty() || self.settled {
            let since = self.seconds(self.latest.frame as f64, frame as f64);
            if since < MIN_SPACING_SECONDS {
                return None;
            }
        }
        self.latest = sample;
        self.group.push(sample);
        if !self.settled {
            self.find();
            return None;
        }
        if self.group.len < GROUP {
            return None;
        }
        let measured = self
            .group
            .closest(KEPT, |sample| sample.residual - self.residual_at(sample.frame as f64));
        self.group.clear();
        self.follow(&measured)
    }

    /// Whether the line rests on enough timestamps to steer a sounding voice by it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// The frame, with its fraction, that leaves the converter at `time`.
    #[must_use]
    pub fn frame_at(&self, time: LocalTime) -> f64 {
        let near = self.latest.frame;
        let seconds = -self.nanos_from(time, near) * 1e-9 / self.slope();
        near as f64 + seconds * f64::from(self.rate)
    }

    /// Nanoseconds from `time` until `frame` leaves the converter; negative if it has left before.
    #[must_use]
    pub fn nanos_from(&self, time: LocalTime, frame: u64) -> f64 {
        let nominal = self.nominal_nanos(frame).saturating_add(self.origin.unwrap_or(0));
        nominal.saturating_sub(time.as_nanos()) as f64 + self.residual_at(frame as f64)
    }

    /// Nominal frames per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        f64::from(self.rate)
    }

    /// Local seconds that pass while the device plays one nominal second: 1 for a true device,
    /// 1.0001 for one that is 100 ppm slow.
    #[must_use]
    pub fn slope(&self) -> f64 {
        1.0 + self.drift * 1e-9
    }

    /// Standard deviation of the line's offset, in nanoseconds.
    #[must_use]
    pub fn deviation_nanos(&self) -> f64 {
        self.p_offset.sqrt()
    }

    /// How far the line can be off, in nanoseconds: two standard deviations of the offset, and
    /// twice the largest recent misfit. `None` until the clock has settled.
    #[must_use]
    pub fn error_nanos(&self) -> Option<f64> {
        self.settled.then(|| 2.0 * (self.p_offset.sqrt() + self.misfit))
    }

    /// When `frame` would leave a perfect device that began at local time 0.
    fn nominal_nanos(&self, frame: u64) -> i64 {
        (u128::from(frame) * 1_000_000_000 / u128::from(self.rate)) as i64
    }

    fn seconds(&self, from: f64, to: f64) -> f64 {
        (to - from) / f64::from(self.rate)
    }

    fn residual_at(&self, frame: f64) -> f64 {
        self.offset + self.drift * self.seconds(self.frame, frame)
    }

    /// Over the first group the drift moves a timestamp by less than the noise does.
    fn find(&mut self) {
        let half = (self.group.len / 2 + 1).min(FIRST_GROUP / 2);
        let measured = self.group.closest(half, |sample| sample.residual);
        self.offset = measured.value;
        self.frame = measured.frame;
        if self.group.len == FIRST_GROUP {
            self.noise = measured.width.clamp(FIRST_NOISE, MAX_NOISE);
            self.p_offset = self.noise.powi(2);
            self.p_cross = 0.0;
            self.p_drift = (FIRST_DRIFT_PPM * 1e3).powi(2);
            self.previous = [self.offset; 2];
            self.misfit = measured.width;
            self.group.clear();
            self.settled = true;
        }
    }

    fn follow(&mut self, measured: &Measured) -> Option<f64> {
        self.predict(measured.frame);
        let innovation = measured.value;
        self.learn_noise(self.offset + innovation);

        // A group that scatters more than others counts for less.
        let noise = self.noise.powi(2) + (measured.width / 4.0).powi(2);
        let mut limit = CLIP * (self.p_offset + noise).sqrt();
        let confirmed = self.confirm(innovation, limit);
        if let Some(size) = confirmed {
            self.p_offset += size.powi(2);
            limit = limit.max(size);
        }
        let variance = self.p_offset + noise;
        let gain_offset = self.p_offset / variance;
        let gain_drift = self.p_cross / variance;
        let clipped = innovation.clamp(-limit, limit);
        let move_by = gain_offset * clipped;
        self.offset += move_by;
        self.drift = (self.drift + gain_drift * clipped).clamp(-MAX_DRIFT, MAX_DRIFT);
        self.p_drift -= gain_drift * self.p_cross;
        self.p_cross -= gain_offset * self.p_cross;
        self.p_offset -= gain_offset * self.p_offset;
        self.suspect.innovation -= move_by;
        (confirmed.is_some() && move_by.abs() >= STEP).then_some(move_by)
    }

    fn predict(&mut self, frame: f64) {
        let seconds = self.seconds(self.frame, frame);
        self.offset = self.residual_at(frame);
        self.frame = frame;
        self.misfit *= (-seconds / MISFIT_SECONDS).exp();
        let wander = DRIFT_WANDER * DRIFT_WANDER * seconds;
        self.p_offset += seconds * (2.0 * self.p_cross + seconds * self.p_drift)
            + wander * seconds * seconds / 3.0
            + OFFSET_WANDER * OFFSET_WANDER * seconds;
        self.p_cross += seconds * self.p_drift + wander * seconds / 2.0;
        self.p_drift += wander;
    }

    /// The second difference of three measurements has the variance of six. The mean of |x| is 0.798
    /// standard deviations for Gaussian x.
    fn learn_noise(&mut self, measured: f64) {
        let [last, before] = self.previous;
        let second = (measured - 2.0 * last + before).abs();
        self.previous = [measured, last];
        let deviation = (1.253 * second / 6.0_f64.sqrt()).min(NOISE_CLIP * self.noise);
        self.noise += (deviation - self.noise) / NOISE_MEMORY;
        self.noise = self.noise.clamp(MIN_NOISE, MAX_NOISE);
    }

    /// Returns the size of the move that this innovation and those before it agree on, if they do.
    fn confirm(&mut self, innovation: f64, limit: f64) -> Option<f64> {
        let size = innovation.abs();
        if size <= limit {
            self.suspect.count = 0;
            self.misfit = self.misfit.max(size);
            return None;
        }
        let before = self.suspect.innovation;
        let agrees = innovation * before > 0.0 && (innovation - before).abs() <= limit + AGREEMENT;
        let count = if self.suspect.count > 0 && agrees { self.suspect.count + 1 } else { 1 };
        self.suspect = Suspect { innovation, count };
        // It may be the start of a slip. More than that is a late timestamp, which says nothing of the
        // device, until others confirm it.
        if size < SLIP {
            self.misfit = self.misfit.max(size);
        }
        let enough = if size < SLIP { 2 } else { 4 };
        if count < enough {
            return None;
        }
        let size = size.min(before.abs()).max(limit);
        self.misfit = self.misfit.max(size);
        Some(size)
    }
}

/// What a group of timestamps says.
struct Measured {
    /// The mean frame of the timestamps that count.
    frame: f64,
    /// Their mean value.
    value: f64,
    /// From their least to their largest value.
    width: f64,
}

/// Timestamps that wait to become a measurement.
#[derive(Clone, Debug, Default)]
struct Group {
    samples: [Sample; FIRST_GROUP],
    len: usize,
}

impl Group {
    fn clear(&mut self) {
        self.len = 0;
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, sample: Sample) {
        self.samples[self.len] = sample;
        self.len += 1;
    }

    /// The `kept` samples whose values lie closest together (the "shorth": Andrews et al., "Robust
    /// Estimates of Location", 1972); of two such sets the earlier values, because a late timestamp
    /// is the usual fault.
    fn closest(&self, kept: usize, value: impl Fn(&Sample) -> f64) -> Measured {
        let mut sorted = [(0.0, 0.0); FIRST_GROUP];
        let sorted = &mut sorted[..self.len];
        for (slot, sample) in sorted.iter_mut().zip(&self.samples) {
            *slot = (value(sample), sample.frame as f64);
        }
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let width = |part: &[(f64, f64)]| part[part.len() - 1].0 - part[0].0;
        let closest = sorted.windows(kept).min_by(|a, b| width(a).total_cmp(&width(b)));
        let Some(closest) = closest else { return Measured { frame: 0.0, value: 0.0, width: 0.0 } };
        let mean = |of: fn(&(f64, f64)) -> f64| closest.iter().map(of).sum::<f64>() / kept as f64;
        Measured { frame: mean(|s| s.1), value: mean(|s| s.0), width: width(closest) }
    }
}

#[cfg(test)]
mod tests {
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
        fn run(
            &mut self,
            blocks: u64,
            skip: u64,
            noise: impl Fn(&mut fastrand::Rng) -> f64,
        ) -> f64 {
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
}

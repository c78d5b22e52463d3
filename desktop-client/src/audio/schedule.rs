//! When does a frame leave the converter? A filtered model of frame count against local time.
//!
//! A device tells, once a block, when it believes the block's first frame will be heard. Such a
//! belief is close to the truth or later, by whatever kept the callback or the answer to a latency
//! query waiting; it begins with nonsense, is off by a whole block now and then, and runs on the
//! device's own crystal, some tens of parts per million off this machine's clock. [`Schedule`]
//! holds the line through these beliefs.
//!
//! Beliefs are taken sixteen at a time. Of those the mode counts, judged by the half that lies
//! closest together (the "shorth": Andrews et al., "Robust Estimates of Location", 1972), because
//! it is in the right place both if the noise is even-handed and if it only ever delays. A
//! Kalman filter of two states, offset and drift (the usual clock model of time metrology: Galleani
//! & Tavella, "Time and the Kalman Filter", 2010), draws the line through the modes. It learns the
//! measurement noise from its innovations, so that a quiet device is followed closely and a noisy
//! one averaged for longer. When the closest half of the latest beliefs lies elsewhere, the device
//! has stalled or changed its latency, and the line is moved there at once.
//!
//! Pure: it reads no clock. Nothing is allocated after construction, and a block costs the same
//! small time whatever its content, so the audio thread may call it.

use crate::time::LocalTime;

/// How many beliefs make one measurement. At a block of 10 ms they span 160 ms: longer than a polled
/// latency stays stale (100 ms with PulseAudio), and than the nonsense at the start goes on.
const WINDOW: usize = 16;
const HALF: usize = WINDOW / 2;

/// Beliefs closer together than this (small blocks) say the same thing twice: one of them is used.
const MIN_SPACING_SECONDS: f64 = 0.005;

/// Least standard deviation that a measurement is credited with, in nanoseconds: hosts count
/// microseconds.
const LEAST_NOISE: f64 = 1_000.0;

/// Most that it is credited with. It bounds what may pass for noise: were it to grow with every
/// stall, a new latency of some milliseconds would be averaged in, for seconds, and not followed.
const MOST_NOISE: f64 = 500_000.0;

/// What it is credited with at first, before there are any to compare.
const FIRST_NOISE: f64 = 50_000.0;

/// How uncertain the drift is at first: most crystals stay within it, and 200 ppm is still reached
/// quickly.
const FIRST_DRIFT_PPM: f64 = 100.0;

/// No clock is this far off, in nanoseconds per second: half a percent.
const MOST_DRIFT: f64 = 5e6;

/// How fast the device's speed wanders against the local clock: nanoseconds per second, per square
/// root of a second. It lets the filter follow a crystal that warms up or a clock being steered.
const DRIFT_WANDER: f64 = 100.0;

/// How fast the offset wanders by itself: nanoseconds per square root of a second.
const OFFSET_WANDER: f64 = 200.0;

/// Innovations are clipped at this many standard deviations (Huber, 1964).
const CLIP: f64 = 3.0;

/// The line is elsewhere if the mode of the latest beliefs is off it by this many standard
/// deviations of a measurement, plus [`JUMP_NANOS`]. It is moved there at once if they agree on
/// the place as well as that; if not even the next window does, to where they are roughly.
const JUMP: f64 = 5.0;
const JUMP_NANOS: f64 = 200_000.0;

/// How slowly the noise estimate follows: one part in this many per measurement.
const NOISE_MEMORY: f64 = 16.0;

/// The model: which frame leaves the converter when.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate: u32,
    /// Residual of the first belief: nanoseconds that all other residuals are counted from, so
    /// that they stay small enough for exact arithmetic in `f64`.
    origin: Option<i64>,
    /// The frame of the latest belief used.
    latest: u64,
    /// The frame at which the line has the residual `offset`.
    frame: u64,
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
    window: Window,
    /// Beliefs since the last measurement.
    fresh: usize,
    settled: bool,
}

impl Schedule {
    /// A model of a device of `rate` frames per second, of which nothing is known yet.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            origin: None,
            latest: 0,
            frame: 0,
            offset: 0.0,
            drift: 0.0,
            p_offset: 0.0,
            p_cross: 0.0,
            p_drift: 0.0,
            noise: LEAST_NOISE,
            window: Window::default(),
            fresh: 0,
            settled: false,
        }
    }

    /// Takes the device's belief that `frame` leaves the converter at `dac`. Frames must not go
    /// back.
    ///
    /// Returns by how many nanoseconds the line was moved at once, if it was: positive when frames
    /// now leave later than the line had promised, as after a gap.
    pub fn observe(&mut self, frame: u64, dac: LocalTime) -> Option<f64> {
        let residual = dac.as_nanos().saturating_sub(self.nominal_nanos(frame));
        let Some(origin) = self.origin else {
            self.origin = Some(residual);
            self.latest = frame;
            self.frame = frame;
            self.window.push(0.0);
            return None;
        };
        if self.seconds(self.latest, frame) < MIN_SPACING_SECONDS {
            return None;
        }
        self.latest = frame;
        let residual = residual.saturating_sub(origin) as f64;
        if self.settled {
            self.follow(frame, residual)
        } else {
            self.find(frame, residual);
            None
        }
    }

    /// Whether the line rests on enough beliefs to steer a sounding voice by it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// The frame, with its fraction, that leaves the converter at `time`.
    #[must_use]
    pub fn frame_at(&self, time: LocalTime) -> f64 {
        let seconds = -self.nanos_from(time, self.frame) * 1e-9 / self.slope();
        self.frame as f64 + seconds * f64::from(self.rate)
    }

    /// Nanoseconds from `time` until `frame` leaves the converter; negative if it has left before.
    #[must_use]
    pub fn nanos_from(&self, time: LocalTime, frame: u64) -> f64 {
        let nominal = self.nominal_nanos(frame).saturating_add(self.origin.unwrap_or(0));
        nominal.saturating_sub(time.as_nanos()) as f64 + self.residual_at(frame)
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

    /// How far measurements scatter around the line: their standard deviation, in nanoseconds.
    #[must_use]
    pub fn noise_nanos(&self) -> f64 {
        self.noise
    }

    /// When `frame` would leave a perfect device that began at local time 0.
    fn nominal_nanos(&self, frame: u64) -> i64 {
        (u128::from(frame) * 1_000_000_000 / u128::from(self.rate)) as i64
    }

    fn seconds(&self, from: u64, to: u64) -> f64 {
        (to as f64 - from as f64) / f64::from(self.rate)
    }

    fn residual_at(&self, frame: u64) -> f64 {
        self.offset + self.drift * self.seconds(self.frame, frame)
    }

    /// Over the first window, the drift moves a belief by less than the noise does: the mode is the
    /// best there is.
    fn find(&mut self, frame: u64, residual: f64) {
        self.window.push(residual);
        let mode = self.window.mode();
        self.frame = frame;
        self.offset = mode.centre;
        if self.window.is_full() {
            self.noise = mode.width.clamp(FIRST_NOISE, MOST_NOISE);
            self.p_offset = self.noise.powi(2);
            self.p_cross = 0.0;
            self.p_drift = (FIRST_DRIFT_PPM * 1e3).powi(2);
            self.window.clear();
            self.fresh = 0;
            self.settled = true;
        }
    }

    fn follow(&mut self, frame: u64, residual: f64) -> Option<f64> {
        self.window.push(residual - self.residual_at(frame));
        self.fresh += 1;
        if !self.window.is_full() {
            return None;
        }
        let mode = self.window.mode();
        let distance = mode.centre.abs();
        let doubt = JUMP * self.noise + JUMP_NANOS;
        if distance <= doubt {
            if self.fresh >= WINDOW {
                self.fresh = 0;
                self.predict(frame);
                self.update(&mode);
            }
            return None;
        }
        let agreed = mode.width < doubt;
        let overdue = self.fresh >= 2 * WINDOW && distance > 2.0 * mode.width;
        if agreed || overdue {
            self.offset += mode.centre;
            self.p_offset = mode.width.max(self.noise).powi(2);
            self.p_cross = 0.0;
            self.window.clear();
            self.fresh = 0;
            return Some(mode.centre);
        }
        if self.fresh.is_multiple_of(WINDOW) {
            // Beliefs that are elsewhere but nowhere in particular teach only that they are noise.
            self.noise += (distance.min(MOST_NOISE) - self.noise) / NOISE_MEMORY;
        }
        None
    }

    fn predict(&mut self, frame: u64) {
        let seconds = self.seconds(self.frame, frame);
        self.offset = self.residual_at(frame);
        self.frame = frame;
        let wander = DRIFT_WANDER * DRIFT_WANDER * seconds;
        self.p_offset += seconds * (2.0 * self.p_cross + seconds * self.p_drift)
            + wander * seconds * seconds / 3.0
            + OFFSET_WANDER * OFFSET_WANDER * seconds;
        self.p_cross += seconds * self.p_drift + wander * seconds / 2.0;
        self.p_drift += wander;
    }

    fn update(&mut self, mode: &Mode) {
        // A window that scatters more than others counts for less.
        let variance = self.p_offset + self.noise.powi(2) + (mode.width / 2.0).powi(2);
        let most = CLIP * variance.sqrt();
        let innovation = mode.centre.clamp(-most, most);
        // The mean of |x| is 0.798 standard deviations for Gaussian x.
        self.noise += (1.253 * innovation.abs() - self.noise) / NOISE_MEMORY;
        self.noise = self.noise.clamp(LEAST_NOISE, MOST_NOISE);

        let gain_offset = self.p_offset / variance;
        let gain_drift = self.p_cross / variance;
        self.offset += gain_offset * innovation;
        self.drift = (self.drift + gain_drift * innovation).clamp(-MOST_DRIFT, MOST_DRIFT);
        self.p_drift -= gain_drift * self.p_cross;
        self.p_cross -= gain_offset * self.p_cross;
        self.p_offset -= gain_offset * self.p_offset;
        self.window.shift(-gain_offset * innovation);
    }
}

/// Where most of a window lies.
struct Mode {
    centre: f64,
    /// From the least to the largest of the half that lies closest together.
    width: f64,
}

/// The latest [`WINDOW`] values, oldest overwritten.
#[derive(Clone, Debug, Default)]
struct Window {
    values: [f64; WINDOW],
    len: usize,
    next: usize,
}

impl Window {
    fn clear(&mut self) {
        self.len = 0;
        self.next = 0;
    }

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % WINDOW;
        self.len = WINDOW.min(self.len + 1);
    }

    fn shift(&mut self, by: f64) {
        for value in &mut self.values {
            *value += by;
        }
    }

    fn is_full(&self) -> bool {
        self.len == WINDOW
    }

    /// The mode of what is there: the mean of the half that lies closest together, the lower of
    /// two such halves.
    fn mode(&self) -> Mode {
        let mut sorted = self.values;
        let sorted = &mut sorted[..self.len];
        sorted.sort_unstable_by(f64::total_cmp);
        let half = (self.len / 2 + 1).min(HALF);
        let width = |half: &&[f64]| half[half.len() - 1] - half[0];
        let closest = sorted.windows(half).min_by(|a, b| width(a).total_cmp(&width(b)));
        closest.map_or(Mode { centre: 0.0, width: 0.0 }, |closest| Mode {
            centre: closest.iter().sum::<f64>() / closest.len() as f64,
            width: width(&closest),
        })
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
        schedule: Schedule,
        frame: u64,
        drift_ppm: f64,
        start_nanos: f64,
        random: fastrand::Rng,
    }

    impl Device {
        fn new(drift_ppm: f64) -> Self {
            Self {
                schedule: Schedule::new(RATE),
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
                self.schedule.observe(self.frame, LocalTime::from_nanos(said.round() as i64));
                if block >= skip {
                    worst = worst.max(self.error_micros(self.frame + u64::from(RATE) / 2).abs());
                }
                self.frame += BLOCK;
            }
            worst
        }

        fn error_micros(&self, frame: u64) -> f64 {
            let truth = LocalTime::from_nanos(self.truth(frame).round() as i64);
            self.schedule.nanos_from(truth, frame) / 1e3
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
            assert!((device.schedule.frame_at(time) - frame as f64).abs() < 1e-3);
        }
    }

    #[test]
    fn drift_is_learnt() {
        for ppm in [-200.0, -20.0, 150.0] {
            let mut device = Device::new(ppm);
            let worst = device.run(60 * PER_SECOND, 3 * PER_SECOND, |_| 0.0);
            assert!(worst < 5.0, "{ppm} ppm: {worst} us");
            assert!(((1.0 - device.schedule.slope()) * 1e6 - ppm).abs() < 1.0);
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
        assert!(settled < 40.0, "from 10 s on: {settled} us");
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
    fn a_latency_polled_ten_times_a_second_is_no_step() {
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
        assert!(worst < 150.0, "{worst} us");
    }

    #[test]
    fn small_and_large_blocks_alike_settle() {
        for block in [32, 64, 1_024, 4_096] {
            let mut schedule = Schedule::new(RATE);
            for n in 0..4_000 {
                let frame = n * block;
                let nanos = frame * 1_000_000_000 / u64::from(RATE);
                assert_eq!(schedule.observe(frame, LocalTime::from_nanos(nanos as i64)), None);
            }
            assert!(schedule.is_settled() && (schedule.slope() - 1.0).abs() < 1e-8);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_said_the_line_stays_finite_and_rises(
            said in proptest::collection::vec((0_u64..100_000, proptest::num::i64::ANY), 1..200),
        ) {
            let mut schedule = Schedule::new(RATE);
            let mut frame = 0;
            for (step, dac) in said {
                frame += step;
                schedule.observe(frame, LocalTime::from_nanos(dac));
            }
            let at = |nanos| schedule.frame_at(LocalTime::from_nanos(nanos));
            proptest::prop_assert!(at(0).is_finite() && at(i64::MAX).is_finite());
            proptest::prop_assert!(schedule.slope() > 0.0, "{}", schedule.slope());
        }
    }
}

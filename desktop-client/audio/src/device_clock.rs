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
//! - Innovations beyond the noise that follow each other in one direction tell the slip's speed. The
//!   line leans by it, so that it does not lag behind a slip for as long as it lasts. The speed is
//!   forgotten within a second, or at once by an innovation in the other direction.
//! - The measurement noise is learnt from second differences of the measurements. A slip or a drift,
//!   however fast, is linear over three measurements and does not count as noise.
//! - An innovation beyond three standard deviations is clipped (Huber, 1964), until the next
//!   measurements confirm it. Then the offset's variance is raised by it, and the filter moves there.
//!
//! Pure: it reads no clock. Nothing is allocated after construction, and a block costs the same
//! small time whatever its content, so the audio thread may call it.

use downbeat_platform::local_time::LocalTime;

/// Timestamps in the first measurement. At a block of 10 ms they span 160 ms: more than half of
/// them are good even if the first 70 ms are nonsense.
const FIRST_GROUP: usize = 16;

/// Timestamps in each later measurement, and how many of them count.
const GROUP: usize = 3;
const KEPT: usize = 2;

/// Timestamps closer together than this (small blocks) carry the same information: one is used.
const MIN_SPACING_SECONDS: f64 = 0.005;

/// A timestamp that lies this close to the one before it, in nanoseconds, is counted from the same
/// answer of a sound server and says nothing new. After so many seconds it counts all the same: the
/// host's timestamps are that exact. While a move waits to be confirmed, all count.
const REPEATED: f64 = 4.0;
const MAX_REPEATED_SECONDS: f64 = 0.05;

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
/// filter's time constant is some 50 ms, with a noise of 1 ms some seconds.
const OFFSET_WANDER: f64 = 24_000.0;

/// Innovations are clipped at this many standard deviations.
const CLIP: f64 = 3.0;

/// Innovations beyond the clip that agree this well, in nanoseconds beyond the clip, confirm each
/// other.
const AGREEMENT: f64 = 100_000.0;

/// A slip moves less than this between two measurements, in nanoseconds; two of them confirm it. More
/// is a step, as after a gap: four confirm it, because late timestamps can agree by chance.
const MAX_SLIP_MOVE: f64 = 300_000.0;

/// The speed of a slip shows in measurements of no more noise than this, in nanoseconds. Noisier ones
/// would be taken for slips.
const MAX_SLIP_NOISE: f64 = 12_000.0;

/// Innovations beyond this many standard deviations of the measurements tell the speed of a slip. Each
/// adds this part of the speed that it shows.
const SLIP_DEVIATIONS: f64 = 2.25;
const SLIP_GAIN: f64 = 0.8;

/// How long the speed of a slip lasts by itself: its time constant, in seconds.
const SLIP_SECONDS: f64 = 0.3;

/// The fastest slip, in nanoseconds per second: a little more than was seen of any sound server.
const MAX_SLIP: f64 = 2_500_000.0;

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
    /// The speed of a slip under way, in the same unit.
    slip: f64,
    /// The latest innovation, if noise does not explain it; else 0.
    unexplained: f64,
    /// The part of the latest innovation by which the line was not moved.
    remainder: f64,
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
            slip: 0.0,
            unexplained: 0.0,
            remainder: 0.0,
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
            let repeated = (sample.residual - self.latest.residual).abs() <= REPEATED;
            let calm = self.settled && self.suspect.count == 0;
            let least = if repeated && calm { MAX_REPEATED_SECONDS } else { MIN_SPACING_SECONDS };
            if since < least {
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
        1.0 + (self.drift + self.slip) * 1e-9
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
        self.offset + (self.drift + self.slip) * self.seconds(self.frame, frame)
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
        let seconds = self.seconds(self.frame, measured.frame);
        self.predict(measured.frame, seconds);
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
        self.learn_slip(innovation, noise.sqrt(), seconds);
        self.remainder = innovation - move_by;
        (confirmed.is_some() && move_by.abs() >= STEP).then_some(move_by)
    }

    fn predict(&mut self, frame: f64, seconds: f64) {
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

    /// A step leaves a remainder that the next innovations repeat; only what they add to it is motion.
    fn learn_slip(&mut self, innovation: f64, noise: f64, seconds: f64) {
        self.slip *= (-seconds / SLIP_SECONDS).exp();
        let explained = noise > MAX_SLIP_NOISE || innovation.abs() <= SLIP_DEVIATIONS * noise;
        let unexplained = if explained { 0.0 } else { innovation };
        let moved = innovation - self.remainder;
        if innovation.abs() > MAX_SLIP_MOVE || unexplained * self.unexplained < 0.0 {
            self.slip = 0.0;
        } else if unexplained * self.unexplained > 0.0 && innovation * moved > 0.0 {
            let speed = self.slip + SLIP_GAIN * moved / seconds;
            self.slip = speed.clamp(-MAX_SLIP, MAX_SLIP);
        }
        self.unexplained = unexplained;
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
        if size < MAX_SLIP_MOVE {
            self.misfit = self.misfit.max(size);
        }
        let enough = if size < MAX_SLIP_MOVE { 2 } else { 4 };
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
mod tests;

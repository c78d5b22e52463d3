//! When does a frame leave the converter? A filtered model of frame count against local time.
//!
//! A device tells, once a block, when it believes the block's first frame will be heard. That
//! belief jitters by what the scheduler and a polled latency add, begins with nonsense, and runs
//! on the device's own crystal, which is some tens of parts per million off this machine's clock.
//! [`Schedule`] holds the line through these beliefs.
//!
//! The line has two states, an offset and a drift, tracked by a Kalman filter (R. E. Kalman, "A New
//! Approach to Linear Filtering and Prediction Problems", 1960; the two-state clock model is
//! the usual one of time metrology, see Galleani & Tavella, "Time and the Kalman Filter", 2010).
//! The measurement noise is learnt from the innovations, so that a quiet device is followed
//! closely and a noisy one is averaged for longer. Around it stands what a plain filter lacks: large
//! innovations are clipped (Huber, 1964), absurd ones are not believed at all, and when most of the
//! latest beliefs agree on another line, that line is taken over at once.
//!
//! Pure: it reads no clock. Nothing is allocated after construction, and a block costs the same
//! small time whatever its content, so the audio thread may call it.

use crate::time::LocalTime;

/// How many of the latest innovations decide whether the line is still the right one. At a block
/// of 10 ms they span 160 ms: longer than a polled latency stays stale (100 ms with PulseAudio).
const WINDOW: usize = 16;

/// Beliefs closer together than this (small blocks) say the same thing twice: one of them is used.
const MIN_SPACING_SECONDS: f64 = 0.005;

/// Least standard deviation a belief is credited with, in nanoseconds: hosts count microseconds.
const LEAST_NOISE: f64 = 1_000.0;

/// A newly found line is this uncertain in its slope: common crystals stay within it, and 200 ppm
/// is still reached quickly.
const FIRST_DRIFT_PPM: f64 = 100.0;

/// How fast the device's speed wanders against the local clock: nanoseconds per second, per square
/// root of a second. It lets the filter follow a crystal that warms up or a clock being steered.
const DRIFT_WANDER: f64 = 300.0;

/// How fast the offset wanders by itself: nanoseconds per square root of a second.
const OFFSET_WANDER: f64 = 500.0;

/// Innovations are clipped at this many standard deviations.
const CLIP: f64 = 3.0;

/// Innovations beyond this many standard deviations, plus [`ABSURD_NANOS`], teach nothing.
const ABSURD: f64 = 8.0;
const ABSURD_NANOS: f64 = 1_000_000.0;

/// The line is moved at once when the window's median is off it by this many standard deviations
/// of a single belief, plus [`JUMP_NANOS`].
const JUMP: f64 = 4.0;
const JUMP_NANOS: f64 = 200_000.0;

/// How slowly the noise estimate follows: one part in this many per belief.
const NOISE_MEMORY: f64 = 64.0;

/// The model: which frame leaves the converter when.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate: u32,
    /// Residual of the first belief: nanoseconds that all other residuals are counted from, so
    /// that they stay small enough for exact arithmetic in `f64`.
    origin: Option<i64>,
    /// The frame that `offset` holds at: that of the latest belief used.
    frame: u64,
    /// The line's residual at `frame`, in nanoseconds.
    offset: f64,
    /// The line's slope beyond the nominal one: nanoseconds per second of frames. Positive when
    /// the device is slow.
    drift: f64,
    /// Covariance of offset and drift.
    p_offset: f64,
    p_cross: f64,
    p_drift: f64,
    /// Standard deviation of a belief, in nanoseconds.
    noise: f64,
    window: Window,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The window gathers residuals, and the line is their median.
    Finding,
    /// The window holds innovations, and the line is the filter's.
    Following,
}

impl Schedule {
    /// A model of a device of `rate` frames per second, of which nothing is known yet.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            origin: None,
            frame: 0,
            offset: 0.0,
            drift: 0.0,
            p_offset: 0.0,
            p_cross: 0.0,
            p_drift: 0.0,
            noise: LEAST_NOISE,
            window: Window::new(),
            phase: Phase::Finding,
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
            self.frame = frame;
            self.window.push(0.0);
            return None;
        };
        let residual = residual.saturating_sub(origin) as f64;
        let seconds = frame.saturating_sub(self.frame) as f64 / f64::from(self.rate);
        if seconds < MIN_SPACING_SECONDS {
            return None;
        }
        match self.phase {
            Phase::Finding => {
                self.find(frame, residual);
                None
            }
            Phase::Following => self.follow(frame, seconds, residual),
        }
    }

    /// Whether the line rests on enough beliefs to steer a sounding voice by it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.phase == Phase::Following
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
        let seconds = (frame as f64 - self.frame as f64) / f64::from(self.rate);
        nominal.saturating_sub(time.as_nanos()) as f64 + self.offset + self.drift * seconds
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

    /// The standard deviation of a single belief, as learnt, in nanoseconds.
    #[must_use]
    pub fn noise_nanos(&self) -> f64 {
        self.noise
    }

    /// When `frame` would leave a perfect device that began at local time 0.
    fn nominal_nanos(&self, frame: u64) -> i64 {
        (u128::from(frame) * 1_000_000_000 / u128::from(self.rate)) as i64
    }

    /// While finding, the drift is unknown, and over a window it moves a belief by less than the
    /// noise does: the median residual is the best there is, and nonsense at the start (fewer than
    /// half of the window) leaves no trace in it.
    fn find(&mut self, frame: u64, residual: f64) {
        self.window.push(residual);
        self.frame = frame;
        self.offset = self.window.median();
        if self.window.is_full() {
            self.noise = self.window.deviation_from(self.offset).max(LEAST_NOISE);
            self.p_offset = self.noise * self.noise;
            self.p_cross = 0.0;
            self.p_drift = (FIRST_DRIFT_PPM * 1e3).powi(2);
            self.window.clear();
            self.phase = Phase::Following;
        }
    }

    fn follow(&mut self, frame: u64, seconds: f64, residual: f64) -> Option<f64> {
        self.predict(frame, seconds);
        let innovation = residual - self.offset;
        self.window.push(innovation);

        let variance = self.p_offset + self.noise * self.noise;
        let deviation = variance.sqrt();
        let clipped = innovation.clamp(-CLIP * deviation, CLIP * deviation);
        // The mean of |x| is 0.798 standard deviations for Gaussian x.
        self.noise += (1.253 * clipped.abs() - self.noise) / NOISE_MEMORY;
        self.noise = self.noise.max(LEAST_NOISE);
        if innovation.abs() <= ABSURD * deviation + ABSURD_NANOS {
            self.update(clipped, variance);
        }
        self.jump()
    }

    fn predict(&mut self, frame: u64, seconds: f64) {
        self.frame = frame;
        self.offset += self.drift * seconds;
        let wander = DRIFT_WANDER * DRIFT_WANDER * seconds;
        self.p_offset += seconds * (2.0 * self.p_cross + seconds * self.p_drift)
            + wander * seconds * seconds / 3.0
            + OFFSET_WANDER * OFFSET_WANDER * seconds;
        self.p_cross += seconds * self.p_drift + wander * seconds / 2.0;
        self.p_drift += wander;
    }

    fn update(&mut self, innovation: f64, variance: f64) {
        let gain_offset = self.p_offset / variance;
        let gain_drift = self.p_cross / variance;
        self.offset += gain_offset * innovation;
        self.drift += gain_drift * innovation;
        self.p_drift -= gain_drift * self.p_cross;
        self.p_cross -= gain_offset * self.p_cross;
        self.p_offset -= gain_offset * self.p_offset;
    }

    /// Moves the line at once if most of the latest beliefs agree that it is elsewhere.
    fn jump(&mut self) -> Option<f64> {
        if !self.window.is_full() {
            return None;
        }
        let median = self.window.median();
        if median.abs() <= JUMP * self.noise + JUMP_NANOS {
            return None;
        }
        self.offset += median;
        self.p_offset = self.noise * self.noise;
        self.p_cross = 0.0;
        self.window.clear();
        Some(median)
    }
}

/// The latest [`WINDOW`] values, oldest overwritten.
#[derive(Clone, Debug)]
struct Window {
    values: [f64; WINDOW],
    len: usize,
    next: usize,
}

impl Window {
    fn new() -> Self {
        Self { values: [0.0; WINDOW], len: 0, next: 0 }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.next = 0;
    }

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % WINDOW;
        self.len = WINDOW.min(self.len + 1);
    }

    fn is_full(&self) -> bool {
        self.len == WINDOW
    }

    /// The median, or 0 of nothing.
    fn median(&self) -> f64 {
        self.middle(|value| value)
    }

    /// The standard deviation, judged by the median of distances so that outliers count little.
    fn deviation_from(&self, centre: f64) -> f64 {
        1.483 * self.middle(|value| (value - centre).abs())
    }

    fn middle(&self, map: impl Fn(f64) -> f64) -> f64 {
        let mut sorted = self.values.map(map);
        let sorted = &mut sorted[..self.len];
        sorted.sort_unstable_by(f64::total_cmp);
        match (self.len, self.len / 2) {
            (0, _) => 0.0,
            (len, half) if len % 2 == 1 => sorted[half],
            (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
        }
    }
}

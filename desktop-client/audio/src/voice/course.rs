//! The position that a voice must have at each instant: its rate, integrated over time.
//!
//! All machines compute it from the same instants, so a glide of the rate leaves them together. It knows no
//! device and no frames of one.

use downbeat_platform::local_time::LocalTime;

/// Below this logarithm of a ratio, a glide is computed as a straight line: the exact formula divides by it.
const STRAIGHT: f64 = 1e-9;

/// The position of a voice over time, in units of its source: frames of a sound, or cycles of a tone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// From here on the rate glides.
    since: LocalTime,
    /// The position at `since`.
    position: f64,
    /// Units per second, at `since` and after the glide. Between them the pitch moves in a straight line.
    from: f64,
    to: f64,
    glide_seconds: f64,
}

impl Course {
    /// A course that is at position 0 at `at`, with `rate` units per second.
    pub(super) fn new(at: LocalTime, rate: f64) -> Self {
        Self { since: at, position: 0.0, from: rate, to: rate, glide_seconds: 0.0 }
    }

    /// The instant from which seconds are counted.
    pub(super) fn since(&self) -> LocalTime {
        self.since
    }

    /// The position, `seconds` after [`Course::since`].
    pub(super) fn position(&self, seconds: f64) -> f64 {
        let glided = seconds.clamp(0.0, self.glide_seconds);
        let steady = if seconds < 0.0 { seconds * self.from } else { (seconds - glided) * self.to };
        self.position + self.glided_over(glided) + steady
    }

    /// Units per second, `seconds` after [`Course::since`].
    pub(super) fn rate(&self, seconds: f64) -> f64 {
        if !self.is_gliding(seconds) {
            return if seconds < 0.0 { self.from } else { self.to };
        }
        self.from * (self.log_ratio() * seconds / self.glide_seconds).exp()
    }

    fn is_gliding(&self, seconds: f64) -> bool {
        (0.0..self.glide_seconds).contains(&seconds)
    }

    /// Whether the rate changes between two times, in seconds after [`Course::since`]. A change at once counts
    /// where the first is before it: a frame is taken for the instant from which it is a little off.
    #[allow(clippy::float_cmp)] // A steady course has the same rate twice.
    pub(super) fn changes_between(&self, begin: f64, end: f64) -> bool {
        self.from != self.to && begin < self.glide_seconds && end > 0.0
    }

    /// Lets the rate glide to `rate`, from `at` on and for `glide_seconds`.
    pub(super) fn glide(&mut self, at: LocalTime, rate: f64, glide_seconds: f64) {
        let seconds = at.nanos_since(self.since) as f64 * 1e-9;
        *self = Self {
            since: at,
            position: self.position(seconds),
            from: self.rate(seconds),
            to: rate,
            glide_seconds,
        };
    }

    /// Everything happens later by `nanos`.
    pub(super) fn shift(&mut self, nanos: i64) {
        self.since = self.since.plus_nanos(nanos);
    }

    fn log_ratio(&self) -> f64 {
        (self.to / self.from).ln()
    }

    /// The way within the first `seconds` of the glide: the integral of an exponential.
    fn glided_over(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            return 0.0;
        }
        let slope = self.log_ratio() / self.glide_seconds;
        if (slope * seconds).abs() < STRAIGHT {
            return self.from * seconds;
        }
        self.from * (slope * seconds).exp_m1() / slope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> LocalTime {
        LocalTime::from_nanos((seconds * 1e9).round() as i64)
    }

    /// The position at a time on the local clock.
    fn position(course: &Course, time: f64) -> f64 {
        course.position(at(time).nanos_since(course.since()) as f64 * 1e-9)
    }

    #[test]
    fn a_steady_rate_is_a_straight_line_on_both_sides_of_the_start() {
        let course = Course::new(at(2.0), 48_000.0);
        assert!((position(&course, 3.5) - 72_000.0).abs() < 1e-6);
        assert!((position(&course, 1.999) + 48.0).abs() < 1e-6);
    }

    #[test]
    fn a_glide_is_the_integral_of_its_rate() {
        let mut course = Course::new(at(0.0), 440.0);
        course.glide(at(1.0), 880.0, 0.5);
        course.glide(at(1.25), 110.0, 0.0);
        course.glide(at(2.0), 110.0, 3.0);
        let mut integral = 0.0;
        let steps = 300_000;
        for step in 0..steps {
            let time = (f64::from(step) + 0.5) * 3.0 / f64::from(steps);
            let rate = match time {
                ..1.0 => 440.0,
                1.0..1.25 => 440.0 * 2.0_f64.powf((time - 1.0) / 0.5),
                _ => 110.0,
            };
            integral += rate * 3.0 / f64::from(steps);
        }
        assert!((position(&course, 3.0) - integral).abs() < 1e-3, "{integral}");
    }

    #[test]
    fn a_shifted_course_is_the_same_later() {
        let mut course = Course::new(at(0.0), 100.0);
        course.glide(at(1.0), 200.0, 1.0);
        let before = position(&course, 1.7);
        course.shift(250_000_000);
        assert!((position(&course, 1.95) - before).abs() < 1e-9);
    }
}

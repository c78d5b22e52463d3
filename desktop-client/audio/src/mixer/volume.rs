//! The output's volume: a gain that changes in a straight line.

/// A gain that is ramped to its target.
#[derive(Debug)]
pub(super) struct Volume {
    now: f32,
    target: f32,
    step: f32,
}

impl Volume {
    pub(super) fn new() -> Self {
        Self { now: 1.0, target: 1.0, step: 0.0 }
    }

    /// Ramps to `target` over so many frames.
    pub(super) fn ramp_to(&mut self, target: f32, frames: f32) {
        self.target = target;
        self.step = (target - self.now) / frames.max(1.0);
    }

    /// Moves the ramp on by a fraction of a frame, or back if negative.
    pub(super) fn advance(&mut self, frames: f32) {
        self.now += self.step * frames;
    }

    /// Sets the gain at once.
    pub(super) fn set(&mut self, target: f32) {
        self.now = target;
        self.target = target;
    }

    /// Applies the gain to interleaved frames.
    #[allow(clippy::float_cmp)] // The ramp ends exactly on its target, and 1 is exactly 1.
    pub(super) fn apply(&mut self, out: &mut [f32], channels: usize) {
        if self.now == self.target && self.now == 1.0 {
            return;
        }
        for frame in out.chunks_exact_mut(channels) {
            if (self.target - self.now).abs() <= self.step.abs() {
                self.now = self.target;
            } else {
                self.now += self.step;
            }
            for value in frame {
                *value *= self.now;
            }
        }
    }
}

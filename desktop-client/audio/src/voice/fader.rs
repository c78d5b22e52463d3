//! The level of a voice: its gain, which a glide changes, times the fade with which it begins or ends.

/// A value that changes in a straight line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    now: f32,
    target: f32,
    step: f32,
}

impl Ramp {
    pub(super) fn at(value: f32) -> Self {
        Self { now: value, target: value, step: 0.0 }
    }

    pub(super) fn now(&self) -> f32 {
        self.now
    }

    /// Reaches `target` within so many frames.
    pub(super) fn towards(&mut self, target: f32, frames: f64) {
        self.target = target;
        self.step = ((f64::from(target) - f64::from(self.now)) / frames.max(1.0)) as f32;
    }

    #[allow(clippy::float_cmp)] // It ends exactly on its target.
    pub(super) fn is_moving(&self) -> bool {
        self.now != self.target
    }

    /// The value after `frames` more frames.
    pub(super) fn advance(&mut self, frames: f32) -> f32 {
        let way = self.step * frames;
        let is_near = (self.target - self.now).abs() <= way.abs();
        self.now = if is_near { self.target } else { self.now + way };
        self.now
    }
}

/// The level of a voice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fader {
    pub(super) gain: Ramp,
    /// The gain of the fade: 1 is unfaded.
    fade: f32,
    fade_step: f32,
}

impl Fader {
    /// At full level from the first frame.
    pub(super) fn full(gain: f32) -> Self {
        Self { gain: Ramp::at(gain), fade: 1.0, fade_step: 0.0 }
    }

    /// Fades in over so many frames.
    pub(super) fn fading_in(gain: f32, frames: f32) -> Self {
        Self { gain: Ramp::at(gain), fade: 0.0, fade_step: 1.0 / frames }
    }

    pub(super) fn fade(&self) -> f32 {
        self.fade
    }

    pub(super) fn is_fading_out(&self) -> bool {
        self.fade_step < 0.0
    }

    pub(super) fn has_faded_out(&self) -> bool {
        self.fade <= 0.0 && self.is_fading_out()
    }

    /// Fades out over so many frames, from where it is.
    pub(super) fn fade_out(&mut self, frames: f32) {
        self.fade_step = -1.0 / frames;
    }

    /// Begins anew from silence, unless a fade out is under way.
    pub(super) fn fade_in_again(&mut self, frames: f32) {
        if !self.is_fading_out() {
            self.fade_step = 1.0 / frames;
        }
        self.fade = 0.0;
    }

    /// The level of the next frame.
    #[inline]
    pub(super) fn next(&mut self) -> f32 {
        let level = self.fade * self.gain.now;
        self.fade = (self.fade + self.fade_step).clamp(0.0, 1.0);
        if self.gain.is_moving() {
            self.gain.advance(1.0);
        }
        level
    }
}

//! One sounding instance of a sound: its position, its speed, its fade.
//!
//! A voice knows the instant at which its first frame was to leave the converter. Once a block it
//! compares where it is with where the device clock says it should be, and glides there by playing a
//! little faster or slower, too little to be heard; only a voice that is far off jumps.

use std::sync::Arc;

use super::SoundBuffer;
use super::device_clock::DeviceClock;
use super::interpolate::{HALF, Kernel, Weights};
use super::message::{RendererToPlayer, VoiceId, VoiceStart};
use super::panning::Panning;
use super::player::OutputFormat;
use crate::time::LocalTime;

/// How many output frames before its instant a voice begins, silently: the interpolation of its
/// first frame reaches back this far.
pub(super) const LEAD_IN: i64 = HALF;

/// A start closer than this to a whole frame, in frames, is on it: a fifth of a microsecond is
/// beyond every clock here, and whole frames are copied bit by bit.
const WHOLE: f64 = 0.01;

/// Off by less than this, in seconds, a voice that was never off by more keeps its exact speed: a
/// short sound is then a plain copy.
const DEADBAND_SECONDS: f64 = 5e-6;

/// The servo closes a small gap within about this time, in seconds: so slowly that noise of the
/// device clock does not modulate the pitch.
const SERVO_SECONDS: f64 = 1.0;

/// A gap that noise does not explain is closed faster, within about this time: the device slipped. Noise
/// explains this many standard deviations of the device clock, and [`SMALL_GAP_SECONDS`].
const FAST_SERVO_SECONDS: f64 = 0.1;
const NOISE_DEVIATIONS: f64 = 6.0;
const SMALL_GAP_SECONDS: f64 = 20e-6;

/// The time constants with which the speed changes: for a small gap, and for a larger one. The damping
/// is 1 and 0.7: the gap closes without ringing.
const SMOOTHING_SECONDS: f64 = 0.25;
const FAST_SMOOTHING_SECONDS: f64 = 0.05;

/// Most that the speed is changed: 2000 ppm or 3.5 cents, below what is heard as a change of pitch
/// (5 cents), and as fast as a sound server's clock slips.
const MAX_SERVO: f64 = 2_000e-6;

/// What the servo may always change, however far off the device's clock is.
const MIN_SERVO: f64 = 400e-6;

/// Off by more than this, a glide would take a second and more: the voice jumps, with a crossfade.
const JUMP_SECONDS: f64 = 0.002;

/// The same after a step of the device clock. Then the device has a gap and its sound is broken
/// anyway, or the stream has just begun and its first frames were placed by a guess: to be together
/// again now is worth more than to glide there.
const STEP_JUMP_SECONDS: f64 = 100e-6;

/// The shortest and the most usual fades, in frames of one output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fades {
    /// In, for a voice that joins in the middle: 3 ms, or as long as it is late if that is less.
    join: f32,
    /// Out, for a voice that makes room or jumps: 2.5 ms.
    make_room: f32,
    /// Out, for a voice that is stopped: 5 ms.
    stop: f32,
}

impl Fades {
    pub(super) fn new(rate: u32) -> Self {
        let rate = rate as f32;
        Self { join: 0.003 * rate, make_room: 0.0025 * rate, stop: 0.005 * rate }
    }
}

/// What a voice's silence will mean.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Ended,
    Stolen,
    Jumped,
}

#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) id: VoiceId,
    pub(super) at: LocalTime,
    pub(super) stop_at: Option<LocalTime>,
    sound: Arc<SoundBuffer>,
    panning: Panning,
    /// Where in the sound the next output frame lies, in its frames. Negative before it begins.
    position: f64,
    /// Frames of the sound per output frame, if both clocks were true.
    speed: f64,
    /// What is added to the speed to meet local time, as a part of it.
    correction: f64,
    /// The part of the correction that closes the gap there is; the rest keeps it closed.
    servo: f64,
    /// Whether the servo has taken over; it then stays.
    steered: bool,
    fade: f32,
    fade_step: f32,
    /// How loud it was of late.
    level: f32,
    /// Whether any of it has been mixed.
    heard: bool,
    ending: Ending,
}

/// The frame at which `at` leaves the converter, taken as whole if it nearly is.
pub(super) fn onset(device_clock: &DeviceClock, at: LocalTime) -> f64 {
    let frame = device_clock.frame_at(at);
    let whole = frame.round();
    if (frame - whole).abs() < WHOLE { whole } else { frame }
}

impl Voice {
    /// A voice whose next frame is `frame`, with how late that is in nanoseconds.
    pub(super) fn begin(
        start: VoiceStart,
        format: OutputFormat,
        device_clock: &DeviceClock,
        fades: &Fades,
        frame: u64,
    ) -> (Self, i64) {
        let VoiceStart { id, sound, at, gain, rate, pan } = start;
        let panning = Panning::new(sound.channels(), sound.mask(), format.channels, pan, gain);
        let speed = f64::from(rate) * f64::from(sound.rate()) / f64::from(format.rate);
        let behind = frame as f64 - onset(device_clock, at);
        let late = behind > 0.0;
        let (fade, fade_step) =
            if behind >= 1.0 { (0.0, 1.0 / fades.join.min(behind as f32)) } else { (1.0, 0.0) };
        let voice = Self {
            id,
            at,
            stop_at: None,
            sound,
            panning,
            position: behind * speed,
            speed,
            correction: 0.0,
            servo: 0.0,
            steered: false,
            fade,
            fade_step,
            level: gain,
            heard: false,
            ending: Ending::Ended,
        };
        let lateness = if late { device_clock.nanos_from(at, frame).max(0.0) as i64 } else { 0 };
        (voice, lateness)
    }

    /// Whether there is nothing left to hear.
    pub(super) fn is_over(&self) -> bool {
        let faded = self.fade <= 0.0 && self.fade_step < 0.0;
        faded || self.position >= self.sound.frames() as f64 + self.tail()
    }

    /// How loud it was of late; of a voice not heard yet, how loud it may be.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    pub(super) fn was_heard(&self) -> bool {
        self.heard
    }

    /// How far it has faded: 1 is not at all.
    pub(super) fn fade(&self) -> f32 {
        self.fade
    }

    /// Begins the fade that a stop asks for, if no fade out is under way.
    pub(super) fn stop(&mut self, fades: &Fades) {
        if self.fade_step >= 0.0 {
            self.fade_step = -1.0 / fades.stop;
        }
    }

    /// Turns it into one that fades to make room.
    pub(super) fn steal(&mut self, fades: &Fades) {
        self.fade_step = -1.0 / fades.make_room;
        self.ending = Ending::Stolen;
    }

    /// Sets the voice to where it should be at `frame`, and returns its former self, fading out.
    pub(super) fn jump(&mut self, device_clock: &DeviceClock, fades: &Fades, frame: u64) -> Self {
        let mut former = self.clone();
        former.fade_step = -1.0 / fades.make_room;
        former.ending = Ending::Jumped;
        self.position = self.due_position(device_clock, frame);
        self.fade_step = if self.fade_step < 0.0 { self.fade_step } else { 1.0 / fades.make_room };
        self.fade = 0.0;
        former
    }

    /// Corrects the speed for a block of `seconds` that begins with `frame`. Returns true if the
    /// voice is too far off for that, and must jump. `moved` says that the device clock has not come
    /// here smoothly.
    pub(super) fn steer(
        &mut self,
        device_clock: &DeviceClock,
        frame: u64,
        seconds: f64,
        moved: bool,
    ) -> bool {
        self.level *= 0.5;
        if !device_clock.is_settled() || self.fade_step < 0.0 {
            return false;
        }
        let per_second = self.speed * device_clock.rate();
        let behind = (self.due_position(device_clock, frame) - self.position) / per_second;
        if behind.abs() > if moved { STEP_JUMP_SECONDS } else { JUMP_SECONDS } {
            return true;
        }
        self.steered |= behind.abs() > DEADBAND_SECONDS;
        if self.steered {
            // The device's drift is known, and is met before it becomes a gap. What remains of the
            // allowance closes the gap; a clock that is off by more than all of it is still met.
            let drift = device_clock.slope() - 1.0;
            let most = (MAX_SERVO - drift.abs()).max(MIN_SERVO);
            let noise = NOISE_DEVIATIONS * device_clock.deviation_nanos() * 1e-9;
            let small = noise.max(SMALL_GAP_SECONDS);
            let beyond = (behind.abs() - small).max(0.0).copysign(behind);
            let wanted = behind / SERVO_SECONDS + beyond / FAST_SERVO_SECONDS;
            let change = wanted.clamp(-most, most) - self.servo;
            let smoothing = if beyond == 0.0 { SMOOTHING_SECONDS } else { FAST_SMOOTHING_SECONDS };
            self.servo += change * (seconds / smoothing).min(1.0);
            self.correction = drift + self.servo;
        }
        false
    }

    /// Adds the voice to `out`, whole frames of `channels` values, and moves it on.
    pub(super) fn mix(&mut self, kernel: &Kernel, out: &mut [f32], channels: usize) {
        self.heard = true;
        let peak = if self.is_whole() {
            self.mix_copied(out, channels)
        } else {
            self.mix_interpolated(kernel, out, channels)
        };
        self.level = self.level.max(peak);
    }

    /// What to tell the player when it is over. It takes the sound home.
    pub(super) fn into_message(self) -> RendererToPlayer {
        let Self { id, sound, .. } = self;
        match self.ending {
            Ending::Ended => RendererToPlayer::Ended { id, sound },
            Ending::Stolen => RendererToPlayer::Stolen { id, sound },
            Ending::Jumped => RendererToPlayer::Spent { sound },
        }
    }

    fn due_position(&self, device_clock: &DeviceClock, frame: u64) -> f64 {
        device_clock.nanos_from(self.at, frame) * 1e-9 * self.speed * device_clock.rate()
    }

    #[allow(clippy::float_cmp)] // Exactly 1 is what a copy needs.
    fn is_whole(&self) -> bool {
        self.speed * (1.0 + self.correction) == 1.0 && self.position.fract() == 0.0
    }

    /// Frames of interpolation after the sound's last.
    fn tail(&self) -> f64 {
        if self.is_whole() { 0.0 } else { HALF as f64 }
    }

    fn mix_copied(&mut self, out: &mut [f32], channels: usize) -> f32 {
        let inputs = usize::from(self.sound.channels());
        let before = (-self.position).max(0.0) as usize;
        let first = self.position.max(0.0) as usize;
        self.position += (out.len() / channels) as f64;
        let frames = self.sound.samples().get(first * inputs..).unwrap_or_default();
        let mut peak = 0.0_f32;
        for (out, frame) in
            out.chunks_exact_mut(channels).skip(before).zip(frames.chunks_exact(inputs))
        {
            peak = peak.max(self.panning.add(out, self.fade, |channel| frame[channel]));
            self.fade = (self.fade + self.fade_step).clamp(0.0, 1.0);
        }
        peak
    }

    fn mix_interpolated(&mut self, kernel: &Kernel, out: &mut [f32], channels: usize) -> f32 {
        let step = self.speed * (1.0 + self.correction);
        let start = self.position;
        let mut fraction = start - start.floor();
        let mut weights = kernel.weights(fraction);
        let mut peak = 0.0_f32;
        for (n, out) in out.chunks_exact_mut(channels).enumerate() {
            let position = start + step * n as f64;
            let floor = position.floor();
            // At speed 1 the fraction stays, but for rounding, and with it the weights.
            if (position - floor - fraction).abs() > 1e-7 {
                fraction = position - floor;
                weights = kernel.weights(fraction);
            }
            let reach = Reach::new(&self.sound, floor as i64);
            let added = self.panning.add(out, self.fade, |channel| reach.value(&weights, channel));
            peak = peak.max(added);
            self.fade = (self.fade + self.fade_step).clamp(0.0, 1.0);
        }
        self.position = start + step * (out.len() / channels) as f64;
        peak
    }
}

/// The frames of a sound that one interpolated value is made of; outside of the sound is silence.
struct Reach<'a> {
    samples: &'a [f32],
    channels: usize,
    /// How many of the kernel's taps lie before the first of `samples`.
    skipped: usize,
}

impl<'a> Reach<'a> {
    fn new(sound: &'a SoundBuffer, frame: i64) -> Self {
        let channels = usize::from(sound.channels());
        let frames = sound.frames() as i64;
        let from = frame - (HALF - 1);
        let begin = from.clamp(0, frames);
        let end = (frame + HALF + 1).clamp(0, frames);
        let samples = &sound.samples()[begin as usize * channels..end as usize * channels];
        Self { samples, channels, skipped: (begin - from).max(0) as usize }
    }

    fn value(&self, weights: &Weights, channel: usize) -> f32 {
        let weights = weights.get(self.skipped..).unwrap_or_default();
        let frames = self.samples.chunks_exact(self.channels);
        frames.zip(weights).map(|(frame, weight)| frame[channel] * weight).sum()
    }
}

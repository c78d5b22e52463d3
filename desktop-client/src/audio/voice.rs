//! One sounding instance of a sound: its position, its speed, its fade.
//!
//! A voice knows the instant at which its first frame leaves the converter. Once a block, a servo
//! compares its position with the one that the device clock demands, and closes the gap by playing
//! inaudibly faster or slower. A voice that is far off jumps instead, with a crossfade.

use std::sync::Arc;

use super::buffer::SoundBuffer;
use super::device_clock::DeviceClock;
use super::format::OutputFormat;
use super::interpolate::{HALF, Kernel, Weights};
use super::message::{FromMixer, VoiceId, VoiceStart};
use super::panning::Panning;
use crate::time::LocalTime;

/// Output frames that a voice is mixed, silently, before its instant: the interpolation of its first
/// frame reaches back this far.
pub(super) const LEAD_IN: i64 = HALF;

/// A start closer than this to a whole frame, in frames, is rounded to it: a fifth of a microsecond is
/// beyond every clock here, and whole frames are copied bit by bit.
const WHOLE: f64 = 0.01;

/// A gap below this, in seconds, does not start the servo: a short sound is then a plain copy.
const DEADBAND_SECONDS: f64 = 5e-6;

/// The time constant for a small gap, in seconds: slow enough for noise of the device clock not to
/// modulate the pitch.
const SERVO_SECONDS: f64 = 1.0;

/// The time constant for a gap beyond noise, which is a slip of the device's clock. Noise is this many
/// standard deviations of the device clock, or [`SMALL_GAP_SECONDS`] if that is more.
const FAST_SERVO_SECONDS: f64 = 0.1;
const NOISE_DEVIATIONS: f64 = 6.0;
const SMALL_GAP_SECONDS: f64 = 20e-6;

/// The time constants of a change of speed, for a small gap and for a larger one. The damping is 1 and
/// 0.7, so that the gap closes without ringing.
const SMOOTHING_SECONDS: f64 = 0.25;
const FAST_SMOOTHING_SECONDS: f64 = 0.05;

/// The largest correction of the speed: 2000 ppm or 3.5 cents, below the audible change of pitch
/// (5 cents), and as fast as the clock of a sound server slips.
const MAX_SERVO: f64 = 2_000e-6;

/// The correction that the servo may always make, whatever the drift of the device's clock.
const MIN_SERVO: f64 = 400e-6;

/// Beyond this gap, a glide would take more than a second: the voice jumps, with a crossfade.
const JUMP_SECONDS: f64 = 0.002;

/// The same after a step of the device clock. The device then has a gap, which is audible anyway, or
/// the stream has just started, on a guessed timeline: synchrony matters more than smoothness.
const STEP_JUMP_SECONDS: f64 = 100e-6;

/// The fades of one output, in frames.
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

/// What the end of a voice means.
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
    /// The position of the next output frame in the sound, in its frames. Negative before the start.
    position: f64,
    /// Frames of the sound per output frame, on exact clocks.
    speed: f64,
    /// The relative correction of the speed.
    correction: f64,
    /// The part of the correction that closes the present gap; the rest compensates the drift.
    servo: f64,
    /// Whether the servo has started; it does not end.
    steered: bool,
    fade: f32,
    fade_step: f32,
    /// Its recent level.
    level: f32,
    /// Whether any of it has been mixed.
    heard: bool,
    ending: Ending,
}

/// The frame that leaves the converter at `at`, rounded if it is nearly whole.
pub(super) fn onset(device_clock: &DeviceClock, at: LocalTime) -> f64 {
    let frame = device_clock.frame_at(at);
    let whole = frame.round();
    if (frame - whole).abs() < WHOLE { whole } else { frame }
}

impl Voice {
    /// A voice whose next output frame is `frame`, and how late that is in nanoseconds.
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

    /// Whether nothing of it is left to sound.
    pub(super) fn is_over(&self) -> bool {
        let faded = self.fade <= 0.0 && self.fade_step < 0.0;
        faded || self.position >= self.sound.frames() as f64 + self.tail()
    }

    /// Its recent level; before it sounds, an upper bound.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    pub(super) fn was_heard(&self) -> bool {
        self.heard
    }

    /// The gain of its fade: 1 is unfaded.
    pub(super) fn fade(&self) -> f32 {
        self.fade
    }

    /// Starts the fade of a stop, unless a fade out is under way.
    pub(super) fn stop(&mut self, fades: &Fades) {
        if self.fade_step >= 0.0 {
            self.fade_step = -1.0 / fades.stop;
        }
    }

    /// Starts the fade of a stolen voice.
    pub(super) fn steal(&mut self, fades: &Fades) {
        self.fade_step = -1.0 / fades.make_room;
        self.ending = Ending::Stolen;
    }

    /// Moves the voice to its due position at `frame`, and returns its former self, fading out.
    pub(super) fn jump(&mut self, device_clock: &DeviceClock, fades: &Fades, frame: u64) -> Self {
        let mut former = self.clone();
        former.fade_step = -1.0 / fades.make_room;
        former.ending = Ending::Jumped;
        self.position = self.due_position(device_clock, frame);
        self.fade_step = if self.fade_step < 0.0 { self.fade_step } else { 1.0 / fades.make_room };
        self.fade = 0.0;
        former
    }

    /// Corrects the speed for a block of `seconds` that begins with `frame`. Returns true if the voice is
    /// too far off for that, and must jump. `stepped` says that the device clock has stepped.
    pub(super) fn steer(
        &mut self,
        device_clock: &DeviceClock,
        frame: u64,
        seconds: f64,
        stepped: bool,
    ) -> bool {
        self.level *= 0.5;
        if !device_clock.is_settled() || self.fade_step < 0.0 {
            return false;
        }
        let per_second = self.speed * device_clock.rate();
        let behind = (self.due_position(device_clock, frame) - self.position) / per_second;
        if behind.abs() > if stepped { STEP_JUMP_SECONDS } else { JUMP_SECONDS } {
            return true;
        }
        self.steered |= behind.abs() > DEADBAND_SECONDS;
        if self.steered {
            // The known drift is compensated before it becomes a gap, even if it exceeds MAX_SERVO. The
            // rest of that allowance closes the gap.
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

    /// Adds the voice to `out`, whole frames of `channels` values, and advances it.
    pub(super) fn mix(&mut self, kernel: &Kernel, out: &mut [f32], channels: usize) {
        self.heard = true;
        let peak = if self.is_whole() {
            self.mix_copied(out, channels)
        } else {
            self.mix_interpolated(kernel, out, channels)
        };
        self.level = self.level.max(peak);
    }

    /// The message for the handle when it is over, which returns the sound.
    pub(super) fn into_message(self) -> FromMixer {
        let Self { id, sound, .. } = self;
        match self.ending {
            Ending::Ended => FromMixer::Ended { id, sound },
            Ending::Stolen => FromMixer::Stolen { id, sound },
            Ending::Jumped => FromMixer::JumpFaded { sound },
        }
    }

    fn due_position(&self, device_clock: &DeviceClock, frame: u64) -> f64 {
        device_clock.nanos_from(self.at, frame) * 1e-9 * self.speed * device_clock.rate()
    }

    #[allow(clippy::float_cmp)] // Only a speed of exactly 1 is a copy.
    fn is_whole(&self) -> bool {
        self.speed * (1.0 + self.correction) == 1.0 && self.position.fract() == 0.0
    }

    /// Frames of interpolation after the sound's last frame.
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
            // At speed 1 the fraction, and with it the weights, only changes by rounding.
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

/// The frames of a sound that one interpolated value is made of. Outside of the sound is silence.
struct Reach<'a> {
    samples: &'a [f32],
    channels: usize,
    /// The kernel's taps that lie before the first of `samples`.
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

//! One sounding instance of a sound or a tone: its position, its speed, its fade.
//!
//! A voice knows the instant at which its first frame leaves the converter, and the course of its rate since
//! then. Once a block, a servo compares its position with the one that the device clock demands, and closes
//! the gap by playing inaudibly faster or slower. A voice that is far off jumps instead, with a crossfade.

mod course;
mod fader;
mod oscillator;

use self::course::Course;
use self::fader::{Fader, Ramp};
use self::oscillator::{envelope, value};
use super::device_clock::DeviceClock;
use super::format::OutputFormat;
use super::interpolate::{HALF, Kernel, Weights};
use super::message::{FromMixer, Glide, Parameter, VoiceId, VoiceStart};
use super::panning::Panning;
use super::source::{Reach, Source};
use downbeat_platform::local_time::LocalTime;

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

/// While its rate or pan glides, a voice is mixed in pieces of this many frames: a third of a millisecond, in
/// which neither changes audibly.
const PIECE: usize = 16;

/// A change of gain or pan takes at least this long, so that it does not click.
const MIN_RAMP_SECONDS: f64 = 0.005;

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
    at: LocalTime,
    pub(super) stop_at: Option<LocalTime>,
    source: Source,
    /// The position that it must have.
    course: Course,
    /// Frames per second of the output.
    output_rate: f64,
    channels: Channels,
    panning: Panning,
    pan: Ramp,
    fader: Fader,
    /// The position of the next output frame in the source. Negative before the start.
    position: f64,
    /// The relative correction of the speed.
    correction: f64,
    /// The part of the correction that closes the present gap; the rest compensates the drift.
    servo: f64,
    /// Whether the servo has started; it does not end.
    steered: bool,
    /// Its recent level.
    level: f32,
    /// Whether any of it has been mixed.
    heard: bool,
    /// Whether nothing of its source is left.
    exhausted: bool,
    ending: Ending,
}

/// The channels between which a voice is panned.
#[derive(Clone, Copy, Debug)]
struct Channels {
    inputs: u16,
    mask: u32,
    outputs: u16,
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
        let VoiceStart { id, source, at, gain, rate, pan } = start;
        let (inputs, mask) = source.sound().map_or((1, 0), |s| (s.channels(), s.mask()));
        let channels = Channels { inputs, mask, outputs: format.channels };
        let output_rate = f64::from(format.rate);
        let course = Course::new(at, f64::from(rate) * source.units_per_second());
        let behind = frame as f64 - onset(device_clock, at);
        let late = behind > 0.0;
        let opening = if behind >= 1.0 {
            Fader::fading_in(gain, fades.join.min(behind as f32))
        } else {
            Fader::full(gain)
        };
        let mut voice = Self {
            id,
            at,
            stop_at: None,
            source,
            course,
            output_rate,
            channels,
            panning: channels.panning(pan),
            pan: Ramp::at(pan),
            fader: opening,
            position: behind * (course.rate(0.0) / output_rate),
            correction: 0.0,
            servo: 0.0,
            steered: false,
            level: gain,
            heard: false,
            exhausted: false,
            ending: Ending::Ended,
        };
        voice.exhausted = voice.is_exhausted(behind / output_rate);
        let lateness = if late { device_clock.nanos_from(at, frame).max(0.0) as i64 } else { 0 };
        (voice, lateness)
    }

    /// When its first frame leaves the converter.
    pub(super) fn at(&self) -> LocalTime {
        self.at
    }

    /// Moves its start, and with it everything since.
    pub(super) fn retime(&mut self, at: LocalTime) {
        self.course.shift(at.nanos_since(self.at));
        self.at = at;
    }

    /// Whether nothing of it is left to sound.
    pub(super) fn is_over(&self) -> bool {
        self.fader.has_faded_out() || self.exhausted
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
        self.fader.fade()
    }

    /// Starts the fade of a stop, unless a fade out is under way.
    pub(super) fn stop(&mut self, fades: &Fades) {
        if !self.fader.is_fading_out() {
            self.fader.fade_out(fades.stop);
        }
    }

    /// Starts the fade of a stolen voice.
    pub(super) fn steal(&mut self, fades: &Fades) {
        self.fader.fade_out(fades.make_room);
        self.ending = Ending::Stolen;
    }

    /// Moves the voice to its due position at `frame`, and returns its former self, fading out.
    pub(super) fn jump(&mut self, device_clock: &DeviceClock, fades: &Fades, frame: u64) -> Self {
        let mut former = self.clone();
        former.fader.fade_out(fades.make_room);
        former.ending = Ending::Jumped;
        self.position = self.course.position(self.course_seconds(device_clock, frame));
        self.fader.fade_in_again(fades.make_room);
        former
    }

    /// Lets a parameter glide. The rate follows the instants exactly; gain and pan change from `frame` on, or
    /// from where they would be by then.
    pub(super) fn glide(
        &mut self,
        parameter: Parameter,
        glide: Glide,
        device_clock: &DeviceClock,
        frame: u64,
    ) {
        let Glide { at, to, over_nanos } = glide;
        let seconds = over_nanos.max(0) as f64 * 1e-9;
        if parameter == Parameter::Rate {
            let rate = f64::from(to) * self.source.units_per_second();
            return self.course.glide(at, rate, seconds);
        }
        let elapsed = device_clock.nanos_from(at, frame).max(0.0) * 1e-9;
        // A glide that is on time began between the previous frame and this one. Its ramp starts from that instant,
        // so that machines whose frames lie elsewhere change together.
        let begun = elapsed * self.output_rate;
        let late = if begun < 1.0 { 0.0 } else { elapsed };
        let left = (seconds - late).max(MIN_RAMP_SECONDS) * self.output_rate;
        let ramp = match parameter {
            Parameter::Gain => &mut self.fader.gain,
            _ => &mut self.pan,
        };
        if self.heard {
            ramp.towards(to, left);
            if begun < 1.0 {
                ramp.advance(begun as f32);
            }
        } else {
            // Nothing of it was heard, so that a step does not click. It may still be gliding.
            let share = if seconds > 0.0 { (elapsed / seconds).min(1.0) as f32 } else { 1.0 };
            *ramp = Ramp::at(ramp.now() + (to - ramp.now()) * share);
            if share < 1.0 {
                ramp.towards(to, left);
            }
            self.panning = self.channels.panning(self.pan.now());
        }
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
        if !device_clock.is_settled() || self.fader.is_fading_out() {
            return false;
        }
        let since = self.course_seconds(device_clock, frame);
        let behind = (self.course.position(since) - self.position) / self.course.rate(since);
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

    /// Adds the voice to `out`, whole frames of `channels` values of which the first is `frame`, and advances
    /// it.
    pub(super) fn mix(
        &mut self,
        kernel: &Kernel,
        device_clock: &DeviceClock,
        frame: u64,
        out: &mut [f32],
    ) {
        self.heard = true;
        let since = self.course_seconds(device_clock, frame);
        let age = device_clock.nanos_from(self.at, frame) * 1e-9;
        let frames = out.len() / usize::from(self.channels.outputs);
        let frame_seconds = device_clock.slope() / self.output_rate;
        let is_gliding = self.course.changes_between(since, since + frames as f64 * frame_seconds);
        let piece = if is_gliding || self.pan.is_moving() { PIECE } else { frames.max(1) };
        let mut done = 0;
        for out in out.chunks_mut(piece * usize::from(self.channels.outputs)) {
            let frames = out.len() / usize::from(self.channels.outputs);
            if self.pan.is_moving() {
                let pan = self.pan.advance(frames as f32);
                self.panning = self.channels.panning(pan);
            }
            let begin = since + done as f64 * frame_seconds;
            let step = if is_gliding {
                let end = begin + frames as f64 * frame_seconds;
                let way = self.course.position(end) - self.course.position(begin);
                way / (frames as f64 * device_clock.slope()) * (1.0 + self.correction)
            } else {
                self.course.rate(begin) / self.output_rate * (1.0 + self.correction)
            };
            let peak = self.mix_piece(kernel, out, step, age + done as f64 * frame_seconds);
            self.level = self.level.max(peak);
            done += frames;
        }
        self.exhausted = self.is_exhausted(age + done as f64 * frame_seconds);
    }

    /// The message for the handle when it is over, which returns the source.
    pub(super) fn into_message(self) -> FromMixer {
        let Self { id, source, .. } = self;
        match self.ending {
            Ending::Ended => FromMixer::Ended { id, source },
            Ending::Stolen => FromMixer::Stolen { id, source },
            Ending::Jumped => FromMixer::JumpFaded { source },
        }
    }

    /// Whether nothing of the source is left, `age` seconds after the start.
    fn is_exhausted(&self, age: f64) -> bool {
        match &self.source {
            // After the last frame, as far as its interpolation reaches.
            Source::Sound(sound) => {
                let tail = if self.is_whole(self.nominal_step()) { 0.0 } else { HALF as f64 };
                self.position >= sound.frames() as f64 + tail
            }
            Source::Loop(_) => false,
            Source::Tone(tone) => age >= tone.duration_seconds,
        }
    }

    fn course_seconds(&self, device_clock: &DeviceClock, frame: u64) -> f64 {
        device_clock.nanos_from(self.course.since(), frame) * 1e-9
    }

    /// Units per output frame, where the rate is steady.
    fn nominal_step(&self) -> f64 {
        self.course.rate(f64::INFINITY) / self.output_rate * (1.0 + self.correction)
    }

    #[allow(clippy::float_cmp)] // Only a speed of exactly 1 is a copy.
    fn is_whole(&self, step: f64) -> bool {
        step == 1.0 && self.position.fract() == 0.0
    }

    /// Adds a piece in which the position advances by `step` per frame. Returns the largest absolute value
    /// added.
    fn mix_piece(&mut self, kernel: &Kernel, out: &mut [f32], step: f64, age: f64) -> f32 {
        let is_whole = self.is_whole(step);
        let Self { source, channels, panning, fader, position, output_rate, .. } = self;
        let (start, outputs) = (*position, usize::from(channels.outputs));
        *position = start + step * (out.len() / outputs) as f64;
        let frames = out.chunks_exact_mut(outputs);
        let mut peak = 0.0_f32;
        match source {
            Source::Sound(sound) if is_whole => {
                let inputs = usize::from(sound.channels());
                let before = (-start).max(0.0) as usize;
                let first = start.max(0.0) as usize;
                let samples = sound.samples().get(first * inputs..).unwrap_or_default();
                for (out, frame) in frames.skip(before).zip(samples.chunks_exact(inputs)) {
                    peak = peak.max(panning.add(out, fader.next(), |channel| frame[channel]));
                }
            }
            Source::Sound(sound) => {
                let mut weights = CachedWeights::new(kernel, start);
                for (n, out) in frames.enumerate() {
                    let position = start + step * n as f64;
                    let weights = weights.at(kernel, position);
                    let reach = Reach::new(sound, position.floor() as i64);
                    let read = |channel| reach.value(weights, channel);
                    peak = peak.max(panning.add(out, fader.next(), read));
                }
            }
            Source::Loop(looped) => {
                let mut weights = CachedWeights::new(kernel, looped.wrapped(start));
                for (n, out) in frames.enumerate() {
                    let position = start + step * n as f64;
                    let weights = weights.at(kernel, looped.wrapped(position));
                    let read = |channel| looped.value(weights, position, channel);
                    peak = peak.max(panning.add(out, fader.next(), read));
                }
            }
            Source::Tone(tone) => {
                for (n, out) in frames.enumerate() {
                    let age = age + n as f64 / *output_rate;
                    let level = fader.next() * envelope(age, tone.duration_seconds);
                    let value = value(tone.shape, start + step * n as f64, step);
                    peak = peak.max(panning.add(out, level, |_| value));
                }
            }
        }
        peak
    }
}

impl Channels {
    fn panning(self, pan: f32) -> Panning {
        Panning::new(self.inputs, self.mask, self.outputs, pan, 1.0)
    }
}

/// The weights at the last fraction: at speed 1 the fraction, and with it the weights, only changes by
/// rounding.
struct CachedWeights {
    fraction: f64,
    weights: Weights,
}

impl CachedWeights {
    fn new(kernel: &Kernel, position: f64) -> Self {
        let fraction = position - position.floor();
        Self { fraction, weights: kernel.weights(fraction) }
    }

    #[inline]
    fn at(&mut self, kernel: &Kernel, position: f64) -> &Weights {
        let fraction = position - position.floor();
        if (fraction - self.fraction).abs() > 1e-7 {
            *self = Self { fraction, weights: kernel.weights(fraction) };
        }
        &self.weights
    }
}

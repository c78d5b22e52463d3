//! The renderer's half: fills the device's blocks, and obeys the real-time law.
//!
//! Everything reachable from [`Renderer::render`] allocates nothing, frees nothing, takes no lock,
//! makes no system call, and does not panic. All room is made in advance; whatever holds memory is
//! moved, never dropped.

use std::sync::Arc;

use rtrb::{Consumer, Producer, PushError};

use super::device_clock::DeviceClock;
use super::interpolate::Kernel;
use super::limiter::Limiter;
use super::message::{PlayerToRenderer, RendererToPlayer, VoiceId, VoiceStart};
use super::player::OutputFormat;
use super::stats::SharedStats;
use super::timing_trace::{Entry, Tap};
use super::voice::{Fades, LEAD_IN, Voice, onset};
use crate::time::LocalTime;

/// Voices that sound at the same time. The next one takes the place of the quietest, which fades.
pub const VOICES: usize = 64;

/// Voices that are fading out to make room. If they come faster than they fade, the one that has
/// faded most is cut.
const TAILS: usize = 16;

/// Voices that wait for their instant: a second of the heaviest fire a relay lets through. One more
/// is refused.
const WAITING: usize = 512;

/// How long a change of volume takes.
const VOLUME_SECONDS: f32 = 0.020;

/// The half that lives in the device's callback. Drop it on another thread.
#[derive(Debug)]
pub struct Renderer {
    format: OutputFormat,
    from_player: Consumer<PlayerToRenderer>,
    to_player: Producer<RendererToPlayer>,
    stats: Arc<SharedStats>,
    device_clock: DeviceClock,
    kernel: Kernel,
    fades: Fades,
    /// The first frame of the next block, counted from the stream's beginning.
    frame: u64,
    /// Latest first, so that the next one is taken from the end.
    waiting: Vec<Waiting>,
    voices: [Slot; VOICES],
    tails: [Slot; TAILS],
    volume: Volume,
    limiter: Limiter,
    latency_nanos: f64,
    trace: Option<Tap>,
}

#[derive(Debug)]
struct Waiting {
    start: VoiceStart,
    stop_at: Option<LocalTime>,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    Sounding(Voice),
    /// The ring to the player was full: what is to be said, and the sound in it, wait here.
    Unsaid(RendererToPlayer),
}

impl Renderer {
    pub(super) fn new(
        format: OutputFormat,
        from_player: Consumer<PlayerToRenderer>,
        to_player: Producer<RendererToPlayer>,
        stats: Arc<SharedStats>,
    ) -> Self {
        Self {
            format,
            from_player,
            to_player,
            stats,
            device_clock: DeviceClock::new(format.rate),
            kernel: Kernel::new(),
            fades: Fades::new(format.rate),
            frame: 0,
            waiting: Vec::with_capacity(WAITING),
            voices: std::array::from_fn(|_| Slot::Free),
            tails: std::array::from_fn(|_| Slot::Free),
            volume: Volume::new(VOLUME_SECONDS * format.rate as f32),
            limiter: Limiter::new(format.rate, format.channels),
            latency_nanos: 0.0,
            trace: None,
        }
    }

    /// Records into `trace` what the device says of its time and what is made of it.
    pub(super) fn record(&mut self, mut trace: Tap) {
        trace.record(Entry::Stream { rate: self.format.rate });
        self.trace = Some(trace);
    }

    /// What the output takes.
    #[must_use]
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    pub(super) fn stats(&self) -> &Arc<SharedStats> {
        &self.stats
    }

    /// Fills one block: `out` holds whole interleaved frames, the first of which leaves the
    /// converter at about `dac`, as far as the device knows.
    pub fn render(&mut self, out: &mut [f32], dac: LocalTime) {
        let channels = usize::from(self.format.channels);
        let frames = out.len() / channels;
        out.fill(0.0);
        if frames == 0 {
            return;
        }
        let moved = self.observe(dac, frames);
        self.repeat_unsaid();
        self.receive();
        self.steer(frames, moved);

        // The block is cut where something begins or stops.
        let mut done = 0;
        while done < frames {
            self.begin_due(self.frame + done as u64);
            self.stop_due(self.frame + done as u64);
            let until = self.next_event(self.frame + done as u64, self.frame + frames as u64);
            let until = (until - self.frame) as usize;
            self.mix(&mut out[done * channels..until * channels]);
            done = until;
        }

        let out = &mut out[..frames * channels];
        self.volume.apply(out, channels);
        self.limiter.process(out);
        self.note(out, frames);
        self.frame += frames as u64;
    }

    /// Takes note of how long what is rendered now will need to reach the converter.
    pub fn note_latency(&mut self, nanos: i64) {
        // Nonsense, as devices tell while they start, is not averaged in.
        if !(0..2_000_000_000).contains(&nanos) {
            return;
        }
        let nanos = nanos as f64;
        let first = self.latency_nanos <= 0.0;
        self.latency_nanos += (nanos - self.latency_nanos) * if first { 1.0 } else { 1.0 / 32.0 };
        self.stats.note_latency(self.latency_nanos as i64);
    }

    /// Takes in what the device believes. Returns true if the device clock was not merely refined.
    fn observe(&mut self, dac: LocalTime, frames: usize) -> bool {
        let was_settled = self.device_clock.is_settled();
        let moved = self.device_clock.observe(self.frame, dac);
        if let Some(trace) = &mut self.trace {
            trace.record(Entry::Block {
                frame: self.frame,
                dac: dac.as_nanos(),
                believed: dac
                    .plus_nanos(self.device_clock.nanos_from(dac, self.frame) as i64)
                    .as_nanos(),
                drift_ppb: ((self.device_clock.slope() - 1.0) * 1e9) as i64,
                error: self.device_clock.error_nanos().unwrap_or(0.0) as i64,
            });
        }
        // Frames that leave a block later than promised were overtaken by a gap. While the stream
        // starts, it only means that the device made up its mind.
        let block_nanos = frames as f64 * 1e9 / f64::from(self.format.rate);
        if was_settled && moved.is_some_and(|nanos| nanos > block_nanos / 2.0) {
            self.stats.note_xrun();
        }
        self.stats.note_clock_error(self.device_clock.error_nanos());
        moved.is_some() || was_settled != self.device_clock.is_settled()
    }

    /// Takes in all messages, as long as each could be answered.
    fn receive(&mut self) {
        while !self.to_player.is_full() {
            let Ok(message) = self.from_player.pop() else { break };
            match message {
                PlayerToRenderer::Start(start) => self.await_instant(start, None),
                PlayerToRenderer::Retime { id, at } => self.retime(id, at),
                PlayerToRenderer::Stop { id, at } => self.stop(id, at),
                PlayerToRenderer::Volume(gain) => self.set_volume(gain),
            }
        }
    }

    /// Ramps to `gain`, so that what sounds does not click. While nothing sounds there is nothing
    /// to smooth, and a ramp would let the next voice begin at the volume before: it jumps.
    fn set_volume(&mut self, gain: f32) {
        let mut slots = self.voices.iter().chain(&self.tails);
        if slots.any(|slot| matches!(slot, Slot::Sounding(_))) {
            self.volume.go(gain);
        } else {
            self.volume.jump(gain);
        }
    }

    fn await_instant(&mut self, start: VoiceStart, stop_at: Option<LocalTime>) {
        if self.waiting.len() == WAITING {
            let VoiceStart { id, sound, .. } = start;
            self.say_in_room(RendererToPlayer::Refused { id, sound });
            return;
        }
        let place = self.waiting.partition_point(|other| other.start.at > start.at);
        self.waiting.insert(place, Waiting { start, stop_at });
    }

    fn retime(&mut self, id: VoiceId, at: LocalTime) {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.start.id == id) {
            let Waiting { mut start, stop_at } = self.waiting.remove(place);
            start.at = at;
            self.await_instant(start, stop_at);
        } else if let Some(voice) = self.sounding().find(|voice| voice.id == id) {
            voice.at = at;
        }
    }

    fn stop(&mut self, id: VoiceId, at: LocalTime) {
        let earlier = |old: Option<LocalTime>| Some(old.map_or(at, |old| old.min(at)));
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.start.id == id) {
            if at > self.waiting[place].start.at {
                self.waiting[place].stop_at = earlier(self.waiting[place].stop_at);
            } else {
                let VoiceStart { id, sound, .. } = self.waiting.remove(place).start;
                self.say_in_room(RendererToPlayer::Ended { id, sound });
            }
        } else if let Some(voice) = self.sounding().find(|voice| voice.id == id) {
            voice.stop_at = earlier(voice.stop_at);
        }
    }

    fn steer(&mut self, frames: usize, moved: bool) {
        let seconds = frames as f64 / f64::from(self.format.rate);
        for slot in &mut self.voices {
            let Slot::Sounding(voice) = slot else { continue };
            if voice.steer(&self.device_clock, self.frame, seconds, moved)
                && let Some(tail) = free_tail(&mut self.tails, &mut self.to_player)
            {
                *tail = Slot::Sounding(voice.jump(&self.device_clock, &self.fades, self.frame));
            }
        }
    }

    /// Begins every waiting voice that is due by `frame`.
    fn begin_due(&mut self, frame: u64) {
        while let Some(next) = self.waiting.last() {
            if first_frame(&self.device_clock, next.start.at) > frame as i64 {
                break;
            }
            // Without a slot it waits, and joins in the middle once there is one.
            let Some(place) = self.free_voice() else { break };
            let Some(Waiting { start, stop_at }) = self.waiting.pop() else { break };
            let (mut voice, lateness_nanos) =
                Voice::begin(start, self.format, &self.device_clock, &self.fades, frame);
            voice.stop_at = stop_at;
            if voice.is_over() {
                say(&mut self.voices[place], &mut self.to_player, voice.into_message());
                continue;
            }
            if let Some(trace) = &mut self.trace {
                let (voice, at) = (voice.id.0, voice.at);
                let frame = onset(&self.device_clock, at);
                trace.record(Entry::Start { voice, at: at.as_nanos(), frame });
            }
            let started = RendererToPlayer::Started { id: voice.id, lateness_nanos };
            if let Err(PushError::Full(started)) = self.to_player.push(started) {
                // Only news, and it owns nothing: it may be lost.
                drop(started);
            }
            self.voices[place] = Slot::Sounding(voice);
        }
    }

    fn stop_due(&mut self, frame: u64) {
        let Self { voices, device_clock, fades, .. } = self;
        for slot in voices {
            if let Slot::Sounding(voice) = slot
                && voice.stop_at.is_some_and(|at| stop_frame(device_clock, at) <= frame as i64)
            {
                voice.stop(fades);
            }
        }
    }

    /// The first frame after `now` at which something begins or stops, or `end`.
    fn next_event(&self, now: u64, end: u64) -> u64 {
        let begin = self.waiting.last().map(|next| first_frame(&self.device_clock, next.start.at));
        let stops = self.voices.iter().filter_map(|slot| match slot {
            Slot::Sounding(voice) => voice.stop_at.map(|at| stop_frame(&self.device_clock, at)),
            _ => None,
        });
        begin
            .into_iter()
            .chain(stops)
            .filter(|frame| *frame > now as i64)
            .min()
            .map_or(end, |frame| end.min(frame as u64))
    }

    fn mix(&mut self, out: &mut [f32]) {
        let channels = usize::from(self.format.channels);
        for slot in self.voices.iter_mut().chain(&mut self.tails) {
            let Slot::Sounding(voice) = slot else { continue };
            voice.mix(&self.kernel, out, channels);
            if voice.is_over() {
                end(slot, &mut self.to_player);
            }
        }
    }

    /// A free place for a voice, if need be that of the quietest. None if the ring to the player is
    /// so full that nothing can be let go.
    fn free_voice(&mut self) -> Option<usize> {
        if let Some(free) = self.voices.iter().position(|slot| matches!(slot, Slot::Free)) {
            return Some(free);
        }
        let levels = self.voices.iter().enumerate().filter_map(|(place, slot)| match slot {
            Slot::Sounding(voice) => Some((place, voice.level())),
            _ => None,
        });
        let (quietest, _) = levels.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let slot = &mut self.voices[quietest];
        let Slot::Sounding(voice) = slot else { return None };
        voice.steal(&self.fades);
        if voice.was_heard() {
            let tail = free_tail(&mut self.tails, &mut self.to_player)?;
            std::mem::swap(slot, tail);
        } else {
            // Nothing of it was heard: there is nothing to fade.
            end(slot, &mut self.to_player);
        }
        matches!(slot, Slot::Free).then_some(quietest)
    }

    fn sounding(&mut self) -> impl Iterator<Item = &mut Voice> {
        self.voices.iter_mut().filter_map(|slot| match slot {
            Slot::Sounding(voice) => Some(voice),
            _ => None,
        })
    }

    fn repeat_unsaid(&mut self) {
        for slot in self.voices.iter_mut().chain(&mut self.tails) {
            if let Slot::Unsaid(_) = slot
                && let Slot::Unsaid(message) = std::mem::take(slot)
            {
                say(slot, &mut self.to_player, message);
            }
        }
    }

    /// Says what the caller has made sure there is room for.
    fn say_in_room(&mut self, message: RendererToPlayer) {
        if let Err(PushError::Full(message)) = self.to_player.push(message) {
            // Only this thread fills the ring, so this cannot be. To leak the sound would still be
            // better than to free it here.
            std::mem::forget(message);
        }
    }

    fn note(&self, out: &[f32], frames: usize) {
        let mut peak = [0.0_f32; 2];
        for frame in out.chunks_exact(usize::from(self.format.channels)) {
            for (channel, value) in frame.iter().enumerate() {
                peak[channel % 2] = peak[channel % 2].max(value.abs());
            }
        }
        if self.format.channels == 1 {
            peak[1] = peak[0];
        }
        self.stats.note_peak(peak);
        let sounding = self.voices.iter().filter(|slot| matches!(slot, Slot::Sounding(_))).count();
        self.stats.note_block(frames as u32, sounding as u32);
    }
}

/// The frame from which a voice must be mixed to sound at `at`.
fn first_frame(device_clock: &DeviceClock, at: LocalTime) -> i64 {
    onset(device_clock, at).floor() as i64 - LEAD_IN
}

fn stop_frame(device_clock: &DeviceClock, at: LocalTime) -> i64 {
    device_clock.frame_at(at).round() as i64
}

/// Empties a slot whose voice is over, or leaves in it what could not be said.
fn end(slot: &mut Slot, to_player: &mut Producer<RendererToPlayer>) {
    match std::mem::take(slot) {
        Slot::Sounding(voice) => say(slot, to_player, voice.into_message()),
        other => *slot = other,
    }
}

/// Says `message`, or leaves it in the free `slot` that it came from.
fn say(slot: &mut Slot, to_player: &mut Producer<RendererToPlayer>, message: RendererToPlayer) {
    if let Err(PushError::Full(message)) = to_player.push(message) {
        *slot = Slot::Unsaid(message);
    }
}

/// A free place for a fading voice, if need be that of the one that has faded most.
fn free_tail<'a>(
    tails: &'a mut [Slot; TAILS],
    to_player: &mut Producer<RendererToPlayer>,
) -> Option<&'a mut Slot> {
    let fade = |slot: &Slot| match slot {
        Slot::Free => -1.0,
        Slot::Sounding(voice) => voice.fade(),
        Slot::Unsaid(_) => 2.0,
    };
    let tail = tails.iter_mut().min_by(|a, b| fade(a).total_cmp(&fade(b)))?;
    end(tail, to_player);
    matches!(tail, Slot::Free).then_some(tail)
}

/// A gain that changes in a straight line.
#[derive(Debug)]
struct Volume {
    now: f32,
    target: f32,
    step: f32,
    ramp_frames: f32,
}

impl Volume {
    fn new(ramp_frames: f32) -> Self {
        Self { now: 1.0, target: 1.0, step: 0.0, ramp_frames }
    }

    fn go(&mut self, target: f32) {
        self.target = target;
        self.step = (target - self.now) / self.ramp_frames;
    }

    fn jump(&mut self, target: f32) {
        self.now = target;
        self.target = target;
    }

    #[allow(clippy::float_cmp)] // The ramp ends exactly on its target, and 1 is exactly 1.
    fn apply(&mut self, out: &mut [f32], channels: usize) {
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

//! The mixer: renders the device's blocks in its callback.
//!
//! Everything reachable from [`Mixer::render`] allocates nothing, frees nothing, takes no lock, makes no
//! system call, and does not panic. All memory is allocated in advance; what owns memory is moved, never
//! dropped.

mod glides;
mod slot;
mod volume;
mod waiting;

use std::sync::Arc;

use rtrb::{Consumer, Producer, PushError};

use self::glides::WaitingGlides;
use self::slot::{Slot, free_tail};
use self::volume::Volume;
use self::waiting::{Waiting, WaitingVoices};
use super::device_clock::DeviceClock;
use super::format::OutputFormat;
use super::interpolate::Kernel;
use super::limiter::Limiter;
use super::message::{FromMixer, Glide, GlideTarget, ToMixer, VoiceId, VoiceStart};
use super::stats::SharedStats;
use super::timing_trace::{Entry, Tap};
use super::voice::{Fades, LEAD_IN, Voice, onset};
use downbeat_platform::local_time::LocalTime;

/// Voices that sound at the same time. A further one steals the slot of the quietest, which fades out.
pub const VOICES: usize = 64;

/// Stolen voices that are fading out. If they come faster than they fade, the one that has faded most is
/// cut.
const TAILS: usize = 16;

/// How long a change of volume takes.
const VOLUME_SECONDS: f32 = 0.020;

/// Latencies beyond this are not plausible: devices report such while they start.
const MAX_LATENCY_NANOS: i64 = 2_000_000_000;

/// The half of a mixer that lives in the device's callback. Drop it on another thread.
#[derive(Debug)]
pub(crate) struct Mixer {
    format: OutputFormat,
    from_handle: Consumer<ToMixer>,
    to_handle: Producer<FromMixer>,
    stats: Arc<SharedStats>,
    device_clock: DeviceClock,
    kernel: Kernel,
    fades: Fades,
    /// The first frame of the next block, counted from the start of the stream.
    frame: u64,
    waiting: WaitingVoices,
    glides: WaitingGlides,
    voices: [Slot; VOICES],
    tails: [Slot; TAILS],
    volume: Volume,
    room_volume: Volume,
    limiter: Limiter,
    latency_nanos: f64,
    trace: Option<Tap>,
}

impl Mixer {
    pub(super) fn new(
        format: OutputFormat,
        from_handle: Consumer<ToMixer>,
        to_handle: Producer<FromMixer>,
        stats: Arc<SharedStats>,
    ) -> Self {
        Self {
            format,
            from_handle,
            to_handle,
            stats,
            device_clock: DeviceClock::new(format.rate),
            kernel: Kernel::new(),
            fades: Fades::new(format.rate),
            frame: 0,
            waiting: WaitingVoices::new(),
            glides: WaitingGlides::new(),
            voices: std::array::from_fn(|_| Slot::Free),
            tails: std::array::from_fn(|_| Slot::Free),
            volume: Volume::new(),
            room_volume: Volume::new(),
            limiter: Limiter::new(format.rate, format.channels),
            latency_nanos: 0.0,
            trace: None,
        }
    }

    /// Records into `trace` the device's timestamps and the device clock's estimates.
    pub(super) fn record(&mut self, mut trace: Tap) {
        trace.record(Entry::Stream { rate: self.format.rate });
        self.trace = Some(trace);
    }

    pub(super) fn stats(&self) -> &Arc<SharedStats> {
        &self.stats
    }

    /// Fills one block: `out` holds whole interleaved frames, the first of which leaves the converter at
    /// about `dac`, by the device's timestamp.
    pub(super) fn render(&mut self, out: &mut [f32], dac: LocalTime) {
        let channels = usize::from(self.format.channels);
        let frames = out.len() / channels;
        out.fill(0.0);
        if frames == 0 {
            return;
        }
        let stepped = self.observe(dac, frames);
        self.retry_sends();
        self.receive();
        self.steer(frames, stepped);

        // The block is divided where a voice starts or stops, and where a glide begins.
        let mut done = 0;
        while done < frames {
            let frame = self.frame + done as u64;
            self.start_due(frame);
            self.glide_due(frame);
            self.stop_due(frame);
            let until = self.next_change(frame, self.frame + frames as u64);
            let until = (until - self.frame) as usize;
            let out = &mut out[done * channels..until * channels];
            self.mix(out, frame);
            self.room_volume.apply(out, channels);
            done = until;
        }

        let out = &mut out[..frames * channels];
        self.volume.apply(out, channels);
        self.limiter.process(out);
        self.update_stats(out, frames);
        self.frame += frames as u64;
    }

    /// Averages the time that rendered frames take to the converter.
    pub(super) fn note_latency(&mut self, nanos: i64) {
        if !(0..MAX_LATENCY_NANOS).contains(&nanos) {
            return;
        }
        let nanos = nanos as f64;
        let first = self.latency_nanos <= 0.0;
        self.latency_nanos += (nanos - self.latency_nanos) * if first { 1.0 } else { 1.0 / 32.0 };
        self.stats.note_latency(self.latency_nanos as i64);
    }

    /// Gives the device clock a timestamp. Returns whether it stepped, or settled just now.
    fn observe(&mut self, dac: LocalTime, frames: usize) -> bool {
        let was_settled = self.device_clock.is_settled();
        let step = self.device_clock.observe(self.frame, dac);
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
        // Frames that leave more than half a block late follow a gap. While the stream starts, it only
        // means that the device clock settles.
        let block_nanos = frames as f64 * 1e9 / f64::from(self.format.rate);
        if was_settled && step.is_some_and(|nanos| nanos > block_nanos / 2.0) {
            self.stats.note_xrun();
        }
        self.stats.note_clock_error(self.device_clock.error_nanos());
        step.is_some() || was_settled != self.device_clock.is_settled()
    }

    /// Takes all messages, as long as there is room for an answer to each.
    fn receive(&mut self) {
        while !self.to_handle.is_full() {
            let Ok(message) = self.from_handle.pop() else { break };
            match message {
                ToMixer::Start(start) => self.await_instant(Waiting { start, stop_at: None }),
                ToMixer::Retime { id, at } => self.retime(id, at),
                ToMixer::Stop { id, at } => self.stop(id, at),
                ToMixer::Volume(gain) => self.set_volume(gain),
                ToMixer::CancelGlides { target, from } => self.glides.cancel(target, from),
                ToMixer::Glide { target, glide } => {
                    if let Some((target, glide)) = self.glides.insert(target, glide) {
                        self.begin_glide(target, glide, self.frame);
                    }
                }
            }
        }
    }

    /// Ramps to `gain`, so that nothing clicks. While nothing sounds it is set at once: during a ramp,
    /// the next voice would start at the former volume.
    fn set_volume(&mut self, gain: f32) {
        if self.is_heard() {
            self.volume.ramp_to(gain, VOLUME_SECONDS * self.format.rate as f32);
        } else {
            self.volume.set(gain);
        }
    }

    /// Whether anything is heard, so that a step of the volume would click.
    fn is_heard(&self) -> bool {
        let mut slots = self.voices.iter().chain(&self.tails);
        slots.any(|slot| matches!(slot, Slot::Sounding(voice) if voice.was_heard()))
    }

    fn await_instant(&mut self, waiting: Waiting) {
        if let Err(Waiting { start: VoiceStart { id, source, .. }, .. }) =
            self.waiting.insert(waiting)
        {
            self.send_reserved(FromMixer::Refused { id, source });
        }
    }

    fn retime(&mut self, id: VoiceId, at: LocalTime) {
        if let Some(mut waiting) = self.waiting.remove(id) {
            waiting.start.at = at;
            self.await_instant(waiting);
        } else if let Some(voice) = self.sounding(id) {
            voice.retime(at);
        }
    }

    fn stop(&mut self, id: VoiceId, at: LocalTime) {
        let earlier = |old: Option<LocalTime>| Some(old.map_or(at, |old| old.min(at)));
        if let Some(waiting) = self.waiting.get_mut(id) {
            if at > waiting.start.at {
                waiting.stop_at = earlier(waiting.stop_at);
            } else if let Some(Waiting { start, .. }) = self.waiting.remove(id) {
                let VoiceStart { id, source, .. } = start;
                self.send_reserved(FromMixer::Ended { id, source });
            }
        } else if let Some(voice) = self.sounding(id) {
            voice.stop_at = earlier(voice.stop_at);
        }
    }

    fn steer(&mut self, frames: usize, stepped: bool) {
        let seconds = frames as f64 / f64::from(self.format.rate);
        for slot in &mut self.voices {
            let Slot::Sounding(voice) = slot else { continue };
            if voice.steer(&self.device_clock, self.frame, seconds, stepped)
                && let Some(tail) = free_tail(&mut self.tails, &mut self.to_handle)
            {
                *tail = Slot::Sounding(voice.jump(&self.device_clock, &self.fades, self.frame));
            }
        }
    }

    /// Starts every waiting voice that is due by `frame`.
    fn start_due(&mut self, frame: u64) {
        while let Some(at) = self.waiting.next_at() {
            if first_frame(&self.device_clock, at) > frame as i64 {
                break;
            }
            // Without a slot it waits, and joins in the middle once there is one.
            let Some(place) = self.free_voice() else { break };
            let Some(Waiting { start, stop_at }) = self.waiting.pop() else { break };
            let (mut voice, lateness_nanos) =
                Voice::begin(start, self.format, &self.device_clock, &self.fades, frame);
            voice.stop_at = stop_at;
            if voice.is_over() {
                self.voices[place].send(&mut self.to_handle, voice.into_message());
                continue;
            }
            if let Some(trace) = &mut self.trace {
                let (voice, at) = (voice.id.0, voice.at());
                let frame = onset(&self.device_clock, at);
                trace.record(Entry::Start { voice, at: at.as_nanos(), frame });
            }
            let started = FromMixer::Started { id: voice.id, lateness_nanos };
            if let Err(PushError::Full(started)) = self.to_handle.push(started) {
                // It owns nothing, so dropping it frees nothing.
                drop(started);
            }
            self.voices[place] = Slot::Sounding(voice);
        }
    }

    /// Begins every glide that is due by `frame`.
    fn glide_due(&mut self, frame: u64) {
        while let Some(at) = self.glides.next_at() {
            if glide_frame(&self.device_clock, at) > frame as i64 {
                break;
            }
            let Some((target, glide)) = self.glides.pop() else { break };
            self.begin_glide(target, glide, frame);
        }
    }

    fn begin_glide(&mut self, target: GlideTarget, glide: Glide, frame: u64) {
        match target {
            GlideTarget::Voice(id, parameter) => {
                let Self { voices, device_clock, .. } = self;
                let sounding = voices.iter_mut().find_map(|slot| match slot {
                    Slot::Sounding(voice) if voice.id == id => Some(voice),
                    _ => None,
                });
                if let Some(voice) = sounding {
                    voice.glide(parameter, glide, device_clock, frame);
                }
            }
            GlideTarget::RoomVolume => {
                let passed = self.device_clock.nanos_from(glide.at, frame).max(0.0);
                let seconds = (glide.over_nanos as f64 - passed) * 1e-9;
                if seconds <= 0.0 && !self.is_heard() {
                    return self.room_volume.set(glide.to);
                }
                let rate = self.format.rate as f32;
                self.room_volume.ramp_to(glide.to, (seconds as f32).max(VOLUME_SECONDS) * rate);
                // Like that of a voice, the ramp starts from the instant between two frames. The volume moves before it
                // is applied, hence one frame less.
                let begun = passed as f32 * 1e-9 * rate;
                if begun < 1.0 {
                    self.room_volume.advance(begun - 1.0);
                }
            }
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

    /// The first frame after `now` at which a voice starts or stops or a glide begins, or `end`.
    fn next_change(&self, now: u64, end: u64) -> u64 {
        let start = self.waiting.next_at().map(|at| first_frame(&self.device_clock, at));
        let stops = self.voices.iter().filter_map(|slot| match slot {
            Slot::Sounding(voice) => voice.stop_at.map(|at| stop_frame(&self.device_clock, at)),
            _ => None,
        });
        let glide = self.glides.next_at().map(|at| glide_frame(&self.device_clock, at));
        start
            .into_iter()
            .chain(glide)
            .chain(stops)
            .filter(|frame| *frame > now as i64)
            .min()
            .map_or(end, |frame| end.min(frame as u64))
    }

    fn mix(&mut self, out: &mut [f32], frame: u64) {
        for slot in self.voices.iter_mut().chain(&mut self.tails) {
            let Slot::Sounding(voice) = slot else { continue };
            voice.mix(&self.kernel, &self.device_clock, frame, out);
            if voice.is_over() {
                slot.end(&mut self.to_handle);
            }
        }
    }

    /// The place of a free slot; if need be, the quietest voice is stolen. None if the ring to the
    /// handle is so full that no voice can be ended.
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
            let tail = free_tail(&mut self.tails, &mut self.to_handle)?;
            std::mem::swap(slot, tail);
        } else {
            // Nothing of it was heard, so there is nothing to fade.
            slot.end(&mut self.to_handle);
        }
        matches!(slot, Slot::Free).then_some(quietest)
    }

    /// The sounding voice of this identity.
    fn sounding(&mut self, id: VoiceId) -> Option<&mut Voice> {
        self.voices.iter_mut().find_map(|slot| match slot {
            Slot::Sounding(voice) if voice.id == id => Some(voice),
            _ => None,
        })
    }

    fn retry_sends(&mut self) {
        for slot in self.voices.iter_mut().chain(&mut self.tails) {
            slot.retry_send(&mut self.to_handle);
        }
    }

    /// Sends a message for which [`Mixer::receive`] has reserved room.
    fn send_reserved(&mut self, message: FromMixer) {
        if let Err(PushError::Full(message)) = self.to_handle.push(message) {
            // Only this thread fills the ring, so this cannot happen. To leak the sound would still be
            // better than to free it here.
            std::mem::forget(message);
        }
    }

    fn update_stats(&self, out: &[f32], frames: usize) {
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

/// The first frame that leaves at `at` or later. A voice that starts at the same instant has started by then.
fn glide_frame(device_clock: &DeviceClock, at: LocalTime) -> i64 {
    onset(device_clock, at).ceil() as i64
}

fn stop_frame(device_clock: &DeviceClock, at: LocalTime) -> i64 {
    device_clock.frame_at(at).round() as i64
}

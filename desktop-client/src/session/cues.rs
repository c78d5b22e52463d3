//! What sounds on this machine, and when: each trigger of the room as a voice of the open output.
//!
//! Here relay time becomes local time; `audio` knows only the latter. A cue is kept until its sound is
//! over, so that an output that opens late, a sound that is decoded late, and a clock estimate that
//! comes late are one case: the voice joins in the middle. It reads no clock and does no I/O.

mod cue;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use downbeat_protocol::{RelayTime, SoundInfo, Stop, Trigger, VariableState};

use self::cue::{Cue, CueKind, Instant, SentGlides, Timeline};
use super::{
    automation::{Automation, Driven},
    decoded_sounds::DecodedSounds,
};
use crate::{
    audio::{
        Glide, GlideTarget, MixerHandle, OutputFormat, OutputStats, SoundBuffer, VoiceEvent,
        VoiceId,
    },
    clock::ClockEstimate,
    event::{ScheduledVoice, VoiceEnd, VoiceUpdate},
    settings::ExtraLatency,
    time::LocalTime,
};

/// Cues that are kept. An output plays 64 voices; beyond this the oldest cue is dropped.
const MAX_CUES: usize = 256;

/// A start that changes by less than this, a tenth of a frame, is not sent again: it is noise.
const RETIME_NANOS: i64 = 2_000;

/// How far ahead glides are sent to the mixer. Until then a better clock estimate may move them.
const GLIDES_AHEAD_MICROS: u64 = 500_000;

/// How much of the past of the variables is kept while nothing sounds.
const KEPT_MICROS: u64 = 2_000_000;

/// How long a cue is kept past its end, for the mixer to report that the voice has ended.
const GRACE_NANOS: i64 = 1_000_000_000;

/// The output's latency until it is known.
const ASSUMED_LATENCY_NANOS: i64 = 30_000_000;

/// Counts of the triggers of this connection, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Triggers that were played.
    pub(super) triggers: u64,
    /// How many of them came too late to play from the start.
    pub(super) late: u64,
    /// How late the last one was.
    pub(super) lateness_micros: Option<u32>,
}

/// When a trigger starts to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scheduled {
    /// When it starts to sound here.
    pub(super) at: LocalTime,
    /// Whether the output can no longer play it from the start.
    pub(super) late: bool,
}

/// The triggers that sound on this machine, or are about to.
#[derive(Debug, Default)]
pub(super) struct Cues {
    output: Option<MixerHandle>,
    clock: Option<ClockEstimate>,
    bank: HashMap<String, SoundInfo>,
    sounds: DecodedSounds,
    entries: Vec<Cue>,
    voices_named: u64,
    /// What variables do to voices and to the volume.
    automation: Automation,
    /// The glides of the room's volume that the mixer knows; none before the first.
    volume_glides: Option<SentGlides>,
    /// What happened to voices since the last [`Cues::take_updates`].
    updates: Vec<VoiceUpdate>,
    volume: f32,
    is_muted: bool,
    extra_latency: ExtraLatency,
    tally: Tally,
}

impl Cues {
    /// No cues. Outputs play at `volume`.
    pub(super) fn new(volume: f32) -> Self {
        Self { volume, ..Self::default() }
    }

    /// The counts since [`Cues::reset_tally`].
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts from zero, for a new connection.
    pub(super) fn reset_tally(&mut self) {
        self.tally = Tally::default();
    }

    /// The format of the open output.
    pub(super) fn format(&self) -> Option<OutputFormat> {
        self.output.as_ref().map(MixerHandle::format)
    }

    /// The statistics of the open output.
    pub(super) fn stats(&self) -> Option<OutputStats> {
        self.output.as_ref().map(MixerHandle::stats)
    }

    /// The peak since the last call, left and right.
    pub(super) fn take_peak(&mut self) -> [f32; 2] {
        self.output.as_mut().map_or([0.0; 2], MixerHandle::take_peak)
    }

    /// Whether anything sounds or is about to.
    pub(super) fn is_active(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Sets the sounds that triggers can name. Decoded sounds that it lacks are dropped.
    pub(super) fn set_bank(&mut self, bank: &[SoundInfo]) {
        let bank: HashMap<_, _> = bank.iter().map(|s| (s.name.clone(), s.clone())).collect();
        self.sounds
            .retain(|name| bank.get(name).map(|s| &s.hash) == self.bank.get(name).map(|s| &s.hash));
        self.bank = bank;
    }

    /// Adds a decoded sound. Cues that wait for it join in the middle; voices keep their buffer.
    pub(super) fn set_sound(&mut self, name: String, sound: Arc<SoundBuffer>, now: LocalTime) {
        self.sounds.insert(name, sound);
        self.update_mixer(now);
    }

    /// Whether a sound is decoded, at any rate.
    pub(super) fn is_decoded(&self, name: &str) -> bool {
        self.sounds.get(name).is_some()
    }

    /// Whether there is a cue of the sound.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        self.entries.iter().any(|cue| cue.trigger.sound == name)
    }

    /// The memory that decoded sounds take, in bytes.
    pub(super) fn decoded_bytes(&self) -> u64 {
        self.sounds.bytes()
    }

    /// The decoded sounds without a cue or a voice, with their sizes in bytes.
    pub(super) fn idle_sounds(&self) -> impl Iterator<Item = (&str, u64)> {
        let awaited: HashSet<_> =
            self.entries.iter().map(|cue| cue.trigger.sound.as_str()).collect();
        self.sounds.idle().filter(move |(name, _)| !awaited.contains(name))
    }

    /// Drops a decoded sound. Voices that play it play it to its end.
    pub(super) fn forget(&mut self, name: &str) {
        self.sounds.remove(name);
    }

    /// Replaces the output, or removes it. All voices move to the new one.
    pub(super) fn set_output(&mut self, output: Option<MixerHandle>, now: LocalTime) {
        self.output = output;
        self.volume_glides = None;
        for cue in &mut self.entries {
            cue.sent_start = None;
            cue.is_stop_sent = false;
        }
        self.send_volume();
        self.update_mixer(now);
    }

    /// Sets this machine's volume, 0 to 1.
    pub(super) fn set_volume(&mut self, volume: f32) {
        self.volume = volume;
        self.send_volume();
    }

    /// Silences this machine, or lets it be heard again. Voices go on, so that they are heard where they are by then.
    pub(super) fn set_muted(&mut self, is_muted: bool) {
        self.is_muted = is_muted;
        self.send_volume();
    }

    fn send_volume(&mut self) {
        let volume = if self.is_muted { 0.0 } else { self.volume };
        if let Some(mixer) = &mut self.output {
            // The ring is full after hundreds of messages within one block; the next change fits.
            let _ = mixer.set_volume(volume);
        }
    }

    /// Sets the output's extra latency: starts and stops are sent to it earlier by as much. Voices
    /// glide or jump to their new position.
    pub(super) fn set_extra_latency(&mut self, extra_latency: ExtraLatency, now: LocalTime) {
        self.extra_latency = extra_latency;
        for cue in &mut self.entries {
            // The mixer takes the earliest stop it is sent.
            cue.is_stop_sent = false;
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// Replaces all variables. What they drive has their values from now on.
    pub(super) fn set_variables(&mut self, variables: &[VariableState], now: LocalTime) {
        self.automation.clear();
        self.add_variables(variables, now);
    }

    /// Drops all variables: a tutorial relay has none, and no time at which the volume could change.
    pub(super) fn clear_variables(&mut self, now: LocalTime) {
        self.automation.clear();
        self.volume_glides = None;
        if let Some(mixer) = &mut self.output {
            let glide = Glide { at: now, to: 1.0, over_nanos: 0 };
            // The ring is full after hundreds of messages within one block.
            let _ = mixer.glide(GlideTarget::RoomVolume, glide);
        }
    }

    /// Adds variables, or replaces those of the same names.
    pub(super) fn add_variables(&mut self, variables: &[VariableState], now: LocalTime) {
        for VariableState { variable, value } in variables {
            if let Some(value) = value.as_f64() {
                self.automation.declare(variable, value);
            }
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// Removes variables.
    pub(super) fn remove_variables(&mut self, names: &[String], now: LocalTime) {
        for name in names {
            self.automation.remove(name);
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// A variable takes a value at an instant.
    pub(super) fn set_variable(
        &mut self,
        name: &str,
        value: f64,
        apply_at: RelayTime,
        over_micros: u64,
        now: LocalTime,
    ) {
        if self.automation.set(name, value, apply_at, over_micros) {
            self.glides_changed_from(apply_at);
            self.update_mixer(now);
        }
    }

    fn glides_changed(&mut self, now: LocalTime) {
        if let Some(clock) = self.clock {
            self.glides_changed_from(clock.relay_at(now));
        }
    }

    fn glides_changed_from(&mut self, from: RelayTime) {
        for cue in &mut self.entries {
            cue.glides.changed(from);
        }
        if let Some(glides) = &mut self.volume_glides {
            glides.changed(from);
        }
    }

    /// What happened to voices since the last call.
    pub(super) fn take_updates(&mut self) -> Vec<VoiceUpdate> {
        std::mem::take(&mut self.updates)
    }

    /// Sets the estimate of relay time.
    pub(super) fn set_clock(&mut self, clock: Option<ClockEstimate>, now: LocalTime) {
        self.clock = clock;
        self.update_mixer(now);
    }

    /// The relay's epoch has ended, and its clock with it. Voices go on by the local clock, and any
    /// later stop may end them.
    pub(super) fn leave_epoch(&mut self) {
        let Some(clock) = self.clock.take() else {
            self.drop_cues(|cue| matches!(cue.start, Instant::Relay(_)));
            return;
        };
        let to_local = |instant: Instant| match instant {
            Instant::Relay(time) => Instant::Local(clock.local_at(time)),
            local @ Instant::Local(_) => local,
        };
        for cue in &mut self.entries {
            cue.trigger.seq = 0;
            cue.start = to_local(cue.start);
            cue.stop_at = cue.stop_at.map(to_local);
        }
        // What the mixer knows was told in times of the former epoch.
        self.volume_glides = None;
    }

    /// Drops the cues that `is_over` says, none of which the mixer reports any more.
    fn drop_cues(&mut self, mut is_over: impl FnMut(&Cue) -> bool) {
        let updates = &mut self.updates;
        self.entries.retain(|cue| {
            let drops = is_over(cue);
            if drops {
                let reason = match cue.sent_start {
                    Some(_) => VoiceEnd::Finished,
                    None => VoiceEnd::Unheard,
                };
                updates.push(VoiceUpdate::Ended { voice: cue.voice.0, reason });
            }
            !drops
        });
    }

    /// Schedules a trigger of the room; none if its sound is not in the bank.
    pub(super) fn schedule(
        &mut self,
        trigger: Trigger,
        stop_at: Option<RelayTime>,
        now: LocalTime,
    ) -> Option<Scheduled> {
        let start = Instant::Relay(trigger.play_at);
        self.schedule_at(trigger, start, stop_at.map(Instant::Relay), now)
    }

    /// Schedules a trigger that plays on arrival: it starts as soon as the output can play it. Where relay time
    /// is known, it follows stops and variables like any other.
    pub(super) fn schedule_now(&mut self, trigger: Trigger, now: LocalTime) -> Option<Scheduled> {
        let at = now.plus_nanos(self.reach_nanos());
        let start = match self.clock {
            Some(clock) => Instant::Relay(clock.relay_at(at)),
            None => Instant::Local(at),
        };
        self.schedule_at(trigger, start, None, now)
    }

    fn schedule_at(
        &mut self,
        trigger: Trigger,
        start: Instant,
        stop_at: Option<Instant>,
        now: LocalTime,
    ) -> Option<Scheduled> {
        let info = self.bank.get(&trigger.sound);
        let kind = CueKind::of(&trigger, info)?;
        let duration_nanos = kind.duration_nanos(trigger.rate, info);
        if self.entries.len() == MAX_CUES {
            let oldest = self.entries[0].voice;
            self.drop_cues(|cue| cue.voice == oldest);
        }
        self.voices_named += 1;
        let voice = VoiceId(self.voices_named);
        let at = self.local(start).unwrap_or(now);
        self.updates.push(VoiceUpdate::Scheduled(ScheduledVoice {
            voice: voice.0,
            seq: trigger.seq,
            sound: trigger.sound.clone(),
            at,
            duration_nanos,
        }));
        let begins = match start {
            Instant::Relay(at) => at,
            Instant::Local(_) => RelayTime::from_micros(0),
        };
        self.entries.push(Cue {
            voice,
            trigger,
            kind,
            start,
            duration_nanos,
            stop_at,
            sent_start: None,
            is_stop_sent: false,
            glides: SentGlides::Until(begins),
        });
        self.update_mixer(now);
        let sent_at = at.plus_nanos(-self.extra_latency.nanos());
        Some(Scheduled { at, late: sent_at.nanos_since(now) < self.latency_nanos() })
    }

    /// Applies a stop of the room.
    pub(super) fn stop(&mut self, stop: &Stop, now: LocalTime) {
        for cue in self.entries.iter_mut().filter(|cue| stop.ends(&cue.trigger)) {
            cue.stop_at = Some(Instant::Relay(stop.stop_at));
            cue.is_stop_sent = false;
        }
        self.update_mixer(now);
    }

    /// Stops everything on this machine at once, without the relay.
    pub(super) fn stop_all(&mut self, now: LocalTime) {
        // What the mixer does not know need not be stopped.
        self.drop_cues(|cue| cue.sent_start.is_none());
        // A negative extra latency must not delay the stop: the mixer is sent `now`.
        let stop_at = Instant::Local(now.plus_nanos(self.extra_latency.nanos()));
        for cue in &mut self.entries {
            cue.stop_at = Some(stop_at);
            cue.is_stop_sent = false;
        }
        self.update_mixer(now);
    }

    /// Stops at once all cues of the relay but those that it says are `sounding`: the others were
    /// stopped while this client was disconnected.
    pub(super) fn keep_only(&mut self, sounding: &[u64], now: LocalTime) {
        for cue in &mut self.entries {
            let seq = cue.trigger.seq;
            if matches!(cue.start, Instant::Relay(_)) && !sounding.contains(&seq) {
                cue.stop_at = Some(Instant::Local(now));
                cue.is_stop_sent = false;
            }
        }
        self.update_mixer(now);
    }

    /// Takes the mixer's events, sends it what is due, and drops what is over. Call it some thirty
    /// times a second while [`Cues::is_active`].
    pub(super) fn tick(&mut self, now: LocalTime) {
        while let Some(event) = self.output.as_mut().and_then(MixerHandle::poll) {
            match event {
                VoiceEvent::Started { id, lateness_nanos } => {
                    let lateness_micros =
                        u32::try_from(lateness_nanos.max(0) / 1000).unwrap_or(u32::MAX);
                    self.tally.triggers += 1;
                    self.tally.late += u64::from(lateness_nanos > 0);
                    self.tally.lateness_micros = Some(lateness_micros);
                    self.updates.push(VoiceUpdate::Started { voice: id.0, lateness_micros });
                }
                VoiceEvent::Ended { id } => self.ended(id, VoiceEnd::Finished),
                VoiceEvent::Stolen { id } => self.ended(id, VoiceEnd::Stolen),
                VoiceEvent::Refused { id } => self.ended(id, VoiceEnd::Refused),
            }
        }
        self.update_mixer(now);
        self.forget_past(now);
    }

    fn ended(&mut self, id: VoiceId, reason: VoiceEnd) {
        let before = self.entries.len();
        self.entries.retain(|cue| cue.voice != id);
        // A former output may report a voice that is dropped already.
        if self.entries.len() < before {
            self.updates.push(VoiceUpdate::Ended { voice: id.0, reason });
        }
    }

    /// Forgets values of variables from before everything that sounds.
    fn forget_past(&mut self, now: LocalTime) {
        let Some(clock) = self.clock else { return };
        let now = clock.relay_at(now).as_micros().saturating_sub(KEPT_MICROS);
        let starts = self.entries.iter().filter_map(|cue| match cue.start {
            Instant::Relay(at) => Some(at),
            Instant::Local(_) => None,
        });
        self.automation.forget_before(starts.fold(RelayTime::from_micros(now), RelayTime::min));
    }

    /// Sends the mixer all starts, corrected starts and stops that it does not know.
    fn update_mixer(&mut self, now: LocalTime) {
        let (clock, extra_nanos) = (self.clock, self.extra_latency.nanos());
        // The instant that the mixer is sent; the extra latency adds up to the true one.
        let sent = |instant| {
            let at = match instant {
                Instant::Local(at) => at,
                Instant::Relay(at) => clock?.local_at(at),
            };
            Some(at.plus_nanos(-extra_nanos))
        };
        self.drop_cues(|cue| {
            // Stopped before the mixer knew it.
            let never_begins = cue.sent_start.is_none()
                && cue.stop_at.and_then(sent).is_some_and(|at| at.nanos_since(now) <= 0);
            // Without a clock estimate nothing is known to be over; MAX_CUES bounds the cues.
            let is_over = sent(cue.start).is_some_and(|at| {
                cue.duration_nanos.is_some_and(|duration| {
                    now.nanos_since(at) >= duration.saturating_add(GRACE_NANOS)
                })
            });
            never_begins || is_over
        });
        let Self { output: Some(mixer), automation, bank, sounds, .. } = self else { return };
        let timeline = clock.map(|clock| Timeline {
            clock,
            extra_nanos,
            horizon: clock.relay_at(now).plus_micros(GLIDES_AHEAD_MICROS),
        });
        if let Some(timeline) = timeline {
            // A new output learns the present volume from its recent past: a value that begins now would begin
            // after the first frame.
            let known = self.volume_glides.unwrap_or_else(|| {
                let past = timeline.horizon.as_micros().saturating_sub(KEPT_MICROS);
                SentGlides::ChangedFrom(RelayTime::from_micros(past))
            });
            let target = (GlideTarget::RoomVolume, Driven::RoomVolume);
            let value = |driven| driven as f32;
            if cue::send(mixer, automation, timeline, target, known, value).is_err() {
                return;
            }
            self.volume_glides = Some(SentGlides::Until(timeline.horizon));
        }
        for cue in &mut self.entries {
            if let Some(at) = sent(cue.start) {
                let result = match cue.sent_start {
                    None => {
                        // At another rate than the output's, the mixer interpolates it until the
                        // loader has resampled it: in time, at a lower quality.
                        let name = &cue.trigger.sound;
                        let (sound, info) = (sounds.get(name), bank.get(name));
                        let Some(start) = cue.voice_start(at, sound, info, automation) else {
                            continue;
                        };
                        if let Instant::Relay(begins) = cue.start {
                            cue.glides = SentGlides::Until(begins);
                        }
                        mixer.start(start)
                    }
                    Some(sent) if at.nanos_since(sent).abs() < RETIME_NANOS => Ok(()),
                    Some(_) => mixer.retime(cue.voice, at).map(|()| cue.sent_start = Some(at)),
                };
                // The next block empties a full ring; the next tick sends the rest.
                let Ok(()) = result else { return };
                cue.sent_start.get_or_insert(at);
                if let Some(timeline) = timeline
                    && cue.send_glides(mixer, automation, timeline).is_err()
                {
                    return;
                }
            }
            // A stop on the local clock needs no estimate of relay time.
            if cue.sent_start.is_some()
                && !cue.is_stop_sent
                && let Some(stop_at) = cue.stop_at.and_then(sent)
            {
                cue.is_stop_sent = mixer.stop(cue.voice, stop_at).is_ok();
            }
        }
    }

    fn local(&self, instant: Instant) -> Option<LocalTime> {
        match instant {
            Instant::Local(at) => Some(at),
            Instant::Relay(at) => self.clock.map(|clock| clock.local_at(at)),
        }
    }

    /// From the mix to the converter; 0 without an output.
    fn latency_nanos(&self) -> i64 {
        match self.stats() {
            None => 0,
            Some(stats) if stats.latency_nanos == 0 => ASSUMED_LATENCY_NANOS,
            Some(stats) => stats.latency_nanos,
        }
    }

    /// How far ahead of its instant the mixer must know a start to play it in time.
    pub(super) fn reach_nanos(&self) -> i64 {
        let (Some(format), Some(stats)) = (self.format(), self.stats()) else { return 0 };
        let rate = i64::from(format.rate.max(1));
        let block_nanos = i64::from(stats.block_frames) * 1_000_000_000 / rate;
        self.latency_nanos() + block_nanos + self.extra_latency.nanos().max(0)
    }
}

#[cfg(test)]
mod tests;

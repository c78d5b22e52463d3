//! What sounds on this machine, and when: each trigger of the room as a voice of the open output.
//!
//! Here relay time becomes local time; `audio` knows only the latter. A cue is kept until its sound is
//! over, so that an output that opens late, a sound that is decoded late, and a clock estimate that
//! comes late are one case: the voice joins in the middle. It reads no clock and does no I/O.

mod cue;
mod driven;
mod output;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use downbeat_audio::{MixerHandle, SoundBuffer, VoiceId};
use downbeat_protocol::{Missed, RelayTime, SoundInfo, Stop, Trigger, TriggerOutcome};

use self::cue::{Cue, CueKind, Dropped, Instant, SentGlides};
use super::{automation::Automation, decoded_sounds::DecodedSounds};
use crate::{
    clock::ClockEstimate,
    event::{ScheduledVoice, VoiceEnd, VoiceUpdate},
    settings::ExtraLatency,
    time::LocalTime,
};

/// Cues that are kept. An output plays 64 voices; beyond this the oldest cue is dropped.
const MAX_CUES: usize = 256;

/// How long after its instant, and after its arrival, a trigger that the mixer does not know counts as missed. It
/// may still join in the middle.
const MISSED_AFTER_NANOS: i64 = 150_000_000;

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

/// How this client came to know a trigger.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// The relay has just sent it.
    Live,
    /// It has been sounding since before this client came, or while it was away, up to this stop.
    Joined { stop_at: Option<Instant> },
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
    /// What became of triggers since the last [`Cues::take_outcomes`], one for each.
    outcomes: Vec<TriggerOutcome>,
    volume: f32,
    is_muted: bool,
    /// Whether the mixer knows both.
    is_volume_sent: bool,
    extra_latency: ExtraLatency,
    tally: Tally,
}

impl Cues {
    /// No cues. Outputs play at `volume`.
    pub(super) fn new(volume: f32) -> Self {
        Self { volume, is_volume_sent: true, ..Self::default() }
    }

    /// The counts since [`Cues::reset_tally`].
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts from zero, for a new connection.
    pub(super) fn reset_tally(&mut self) {
        self.tally = Tally::default();
    }

    /// Whether anything sounds or is about to, or the mixer does not know the volume.
    pub(super) fn is_active(&self) -> bool {
        !self.entries.is_empty() || !self.is_volume_sent
    }

    /// Sets the sounds that triggers can name. Decoded sounds that it lacks are dropped.
    pub(super) fn set_bank(&mut self, bank: &[SoundInfo]) {
        let hashes: HashSet<_> = bank.iter().map(|sound| sound.hash.as_str()).collect();
        self.sounds.retain(|hash| hashes.contains(hash));
        self.bank = bank.iter().map(|sound| (sound.name.clone(), sound.clone())).collect();
    }

    /// Adds a decoded sound, by the hash of its file. Cues that wait for it join in the middle; voices keep their
    /// buffer.
    pub(super) fn set_sound(&mut self, hash: String, sound: Arc<SoundBuffer>, now: LocalTime) {
        self.sounds.insert(hash, sound);
        self.update_mixer(now);
    }

    /// Whether a sound is decoded, at any rate.
    pub(super) fn is_decoded(&self, name: &str) -> bool {
        decoded(&self.sounds, &self.bank, name).is_some()
    }

    /// Whether there is a cue of the sound.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        self.entries.iter().any(|cue| cue.trigger.sound == name)
    }

    /// The memory that decoded sounds take, in bytes.
    pub(super) fn decoded_bytes(&self) -> u64 {
        self.sounds.bytes()
    }

    /// The decoded sounds without a cue or a voice, by the hashes of their files, with their sizes in bytes.
    pub(super) fn idle_sounds(&self) -> impl Iterator<Item = (&str, u64)> {
        let awaited = self.entries.iter().filter_map(|cue| self.bank.get(&cue.trigger.sound));
        let awaited: HashSet<_> = awaited.map(|sound| sound.hash.as_str()).collect();
        self.sounds.idle().filter(move |(hash, _)| !awaited.contains(hash))
    }

    /// Drops a decoded sound, by the hash of its file. Voices that play it play it to its end.
    pub(super) fn forget(&mut self, hash: &str) {
        self.sounds.remove(hash);
    }

    /// What happened to voices since the last call.
    pub(super) fn take_updates(&mut self) -> Vec<VoiceUpdate> {
        std::mem::take(&mut self.updates)
    }

    /// What became of triggers since the last call.
    pub(super) fn take_outcomes(&mut self) -> Vec<TriggerOutcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// Nobody asks any more what becomes of the triggers that are known.
    pub(super) fn forget_outcomes(&mut self) {
        self.outcomes.clear();
        for cue in &mut self.entries {
            cue.missed_at = None;
        }
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
            self.drop_cues(|cue| matches!(cue.start, Instant::Relay(_)).then_some(Dropped::Over));
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

    /// Drops the cues for which there is a reason, none of which the mixer reports any more.
    fn drop_cues(&mut self, mut reason: impl FnMut(&Cue) -> Option<Dropped>) {
        let mut reasons = Vec::new();
        let is_dropped = |cue: &mut Cue| {
            let reason = reason(cue);
            reasons.extend(reason);
            reason.is_some()
        };
        let dropped: Vec<_> = self.entries.extract_if(.., is_dropped).collect();
        for (mut cue, reason) in dropped.into_iter().zip(reasons) {
            let missed = match reason {
                Dropped::Crowded => Missed::Voices,
                Dropped::Over => self.obstacle(&cue),
            };
            self.outcomes.extend(cue.missed(missed));
            let end = cue.sent_start.map_or(VoiceEnd::Unheard, |_| VoiceEnd::Finished);
            self.updates.push(VoiceUpdate::Ended { voice: cue.voice.0, reason: end });
        }
    }

    /// Why a cue does not sound.
    fn obstacle(&self, cue: &Cue) -> Missed {
        if cue.is_cancelled(self.clock) {
            return Missed::Stopped;
        }
        let is_sound = !matches!(cue.kind, CueKind::Tone(_));
        // An output that was told and says nothing stands still.
        if self.output.is_none() || cue.sent_start.is_some() {
            Missed::NoOutput
        } else if self.local(cue.start).is_none() {
            Missed::NoClock
        } else if is_sound && !self.is_decoded(&cue.trigger.sound) {
            Missed::NotReady
        } else {
            Missed::TooLate
        }
    }

    /// Triggers that should have begun a while ago and that the mixer does not know count as missed.
    fn miss_overdue(&mut self, now: LocalTime) {
        let is_overdue = |cue: &Cue| {
            cue.sent_start.is_none() && cue.missed_at.is_some_and(|at| now.nanos_since(at) >= 0)
        };
        for index in 0..self.entries.len() {
            if is_overdue(&self.entries[index]) {
                let missed = self.obstacle(&self.entries[index]);
                self.outcomes.extend(self.entries[index].missed(missed));
            }
        }
    }

    /// Schedules a trigger of the room; none if its sound is not in the bank.
    pub(super) fn schedule(&mut self, trigger: Trigger, now: LocalTime) -> Option<Scheduled> {
        let start = Instant::Relay(trigger.play_at);
        self.schedule_at(trigger, start, Arrival::Live, now)
    }

    /// Joins a trigger that has been sounding since before this client came, or while it was away. Nobody asks
    /// what becomes of it, and it is not late.
    pub(super) fn join(
        &mut self,
        trigger: Trigger,
        stop_at: Option<RelayTime>,
        now: LocalTime,
    ) -> Option<Scheduled> {
        let start = Instant::Relay(trigger.play_at);
        let arrival = Arrival::Joined { stop_at: stop_at.map(Instant::Relay) };
        self.schedule_at(trigger, start, arrival, now)
    }

    /// Schedules a trigger that plays on arrival: it starts as soon as the output can play it. Where relay time
    /// is known, it follows stops and variables like any other.
    pub(super) fn schedule_now(&mut self, trigger: Trigger, now: LocalTime) -> Option<Scheduled> {
        let at = now.plus_nanos(self.reach_nanos());
        let start = match self.clock {
            Some(clock) => Instant::Relay(clock.relay_at(at)),
            None => Instant::Local(at),
        };
        self.schedule_at(trigger, start, Arrival::Live, now)
    }

    fn schedule_at(
        &mut self,
        trigger: Trigger,
        start: Instant,
        arrival: Arrival,
        now: LocalTime,
    ) -> Option<Scheduled> {
        let (is_joined, stop_at) = match arrival {
            Arrival::Live => (false, None),
            Arrival::Joined { stop_at } => (true, stop_at),
        };
        let info = self.bank.get(&trigger.sound);
        let kind = CueKind::of(&trigger, info)?;
        let duration_nanos = kind.duration_nanos(trigger.rate, info);
        if self.entries.len() == MAX_CUES {
            let oldest = self.entries[0].voice;
            self.drop_cues(|cue| (cue.voice == oldest).then_some(Dropped::Crowded));
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
        let sent_at = at.plus_nanos(-self.extra_latency.nanos());
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
            is_started: false,
            is_joined,
            came_late_nanos: now.nanos_since(sent_at),
            missed_at: (!is_joined).then_some(at.max(now).plus_nanos(MISSED_AFTER_NANOS)),
        });
        self.update_mixer(now);
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
        // A negative extra latency must not delay the stop: the mixer is sent `now`.
        let stop_at = Instant::Local(now.plus_nanos(self.extra_latency.nanos()));
        for cue in &mut self.entries {
            cue.stop_at = Some(stop_at);
            cue.is_stop_sent = false;
        }
        // What the mixer does not know need not be stopped.
        self.drop_cues(|cue| cue.sent_start.is_none().then_some(Dropped::Over));
        self.update_mixer(now);
    }

    /// Stops at once all cues of the relay but those that it says are `sounding`: the others were
    /// stopped while this client was disconnected. What the relay says is complete `from` a number on; of earlier
    /// triggers it may have forgotten some that sound.
    pub(super) fn keep_only(&mut self, sounding: &[u64], from: u64, now: LocalTime) {
        for cue in &mut self.entries {
            let seq = cue.trigger.seq;
            let is_known = matches!(cue.start, Instant::Relay(_)) && seq >= from;
            if is_known && !sounding.contains(&seq) {
                cue.stop_at = Some(Instant::Local(now));
                cue.is_stop_sent = false;
            }
        }
        self.update_mixer(now);
    }

    fn local(&self, instant: Instant) -> Option<LocalTime> {
        match instant {
            Instant::Local(at) => Some(at),
            Instant::Relay(at) => self.clock.map(|clock| clock.local_at(at)),
        }
    }
}

/// The decoded sound of this name.
fn decoded<'a>(
    sounds: &'a DecodedSounds,
    bank: &HashMap<String, SoundInfo>,
    name: &str,
) -> Option<&'a Arc<SoundBuffer>> {
    sounds.get(&bank.get(name)?.hash)
}

#[cfg(test)]
mod tests;

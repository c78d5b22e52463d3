//! What sounds on this machine: each trigger of the room as a voice of the open output.
//!
//! The stage is where relay time becomes local time; the audio below it knows only the latter. It
//! keeps every trigger until its sound is over, so that an output that opens late, a sound that
//! is decoded late, or a clock that is known late joins it in the middle. It reads no clock and
//! does no I/O.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use downbeat_protocol::{RelayTime, SoundInfo, Stop, Trigger};

use super::{clock::ClockEstimate, decoded::DecodedSounds};
use crate::{
    action::Trim,
    audio::{OutputFormat, OutputStats, Player, PlayerEvent, SoundBuffer, VoiceId, VoiceStart},
    time::LocalTime,
};

/// Most triggers kept at once. An output sounds 64 voices; the rest of the room's past is of no
/// use to it, and the oldest is forgotten first.
const MOST_CUES: usize = 256;

/// A better idea of when a voice starts is passed on from this much on: less than a tenth of a
/// frame is noise.
const RETIME_NANOS: i64 = 2_000;

/// How long a cue is kept past its end, for the voice's own ending to be heard of.
const GRACE_NANOS: i64 = 1_000_000_000;

/// Before the output says what its latency is.
const ASSUMED_LATENCY_NANOS: i64 = 30_000_000;

/// What has become of the triggers of this connection, as the report tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Triggers that sounded.
    pub triggers: u64,
    /// How many of them too late to be sounded from the start.
    pub late: u64,
    /// How late the last one was.
    pub lateness_micros: Option<u32>,
}

/// When a cue's trigger starts to sound.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Relay(RelayTime),
    /// For what no clock but this machine's knows: the seed's wire, or a relay that is gone.
    Local(LocalTime),
}

#[derive(Debug)]
struct Cue {
    voice: VoiceId,
    trigger: Trigger,
    start: Start,
    duration_nanos: i64,
    stop_at: Option<Start>,
    /// The start that the player was last told; none if it has not been told of this cue.
    told: Option<LocalTime>,
    told_stop: bool,
}

/// What is told of a trigger that was put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutOn {
    /// When it starts to sound here.
    pub at: LocalTime,
    /// That instant is past what the output can still make.
    pub late: bool,
}

/// What sounds on this machine.
#[derive(Debug, Default)]
pub struct Stage {
    output: Option<Player>,
    clock: Option<ClockEstimate>,
    bank: HashMap<String, SoundInfo>,
    sounds: DecodedSounds,
    cues: Vec<Cue>,
    voices_named: u64,
    volume: f32,
    trim: Trim,
    tally: Tally,
}

impl Stage {
    /// An empty stage, whose outputs will play at `volume`.
    #[must_use]
    pub fn new(volume: f32) -> Self {
        Self { volume, ..Self::default() }
    }

    /// What has become of the triggers since [`Stage::reset_tally`].
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts from nothing, as a new connection does.
    pub fn reset_tally(&mut self) {
        self.tally = Tally::default();
    }

    /// The open output's rate and channels.
    #[must_use]
    pub fn format(&self) -> Option<OutputFormat> {
        self.output.as_ref().map(Player::format)
    }

    /// How the open output does.
    #[must_use]
    pub fn stats(&self) -> Option<OutputStats> {
        self.output.as_ref().map(Player::stats)
    }

    /// Highest level since the last call, left and right.
    pub fn take_peak(&mut self) -> [f32; 2] {
        self.output.as_mut().map_or([0.0; 2], Player::take_peak)
    }

    /// Whether anything sounds or is about to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.cues.is_empty()
    }

    /// The sounds that triggers can name. Buffers of sounds that are no longer in it are dropped.
    pub fn set_bank(&mut self, bank: &[SoundInfo]) {
        let bank: HashMap<_, _> = bank.iter().map(|s| (s.name.clone(), s.clone())).collect();
        self.sounds
            .retain(|name| bank.get(name).map(|s| &s.hash) == self.bank.get(name).map(|s| &s.hash));
        self.bank = bank;
    }

    /// A sound is decoded; what was waiting for it joins in. What sounds already keeps its buffer.
    pub fn set_sound(&mut self, name: String, sound: Arc<SoundBuffer>, now: LocalTime) {
        self.sounds.insert(name, sound);
        self.catch_up(now);
    }

    /// Whether a sound is decoded, at whatever rate.
    #[must_use]
    pub fn is_decoded(&self, name: &str) -> bool {
        self.sounds.get(name).is_some()
    }

    /// Whether a trigger of the sound is kept.
    #[must_use]
    pub fn is_awaited(&self, name: &str) -> bool {
        self.cues.iter().any(|cue| cue.trigger.sound == name)
    }

    /// The memory that decoded sounds take, in bytes.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        self.sounds.bytes()
    }

    /// The decoded sounds that neither sound nor are about to, and the bytes that each takes.
    pub fn idle_sounds(&self) -> impl Iterator<Item = (&str, u64)> {
        let awaited: HashSet<_> = self.cues.iter().map(|cue| cue.trigger.sound.as_str()).collect();
        self.sounds.idle().filter(move |(name, _)| !awaited.contains(name))
    }

    /// Lets go of a decoded sound. Voices that play it play it to its end.
    pub fn forget(&mut self, name: &str) {
        self.sounds.remove(name);
    }

    /// Another output is open, or none. All that sounds moves over.
    pub fn set_output(&mut self, output: Option<Player>, now: LocalTime) {
        self.output = output;
        for cue in &mut self.cues {
            cue.told = None;
            cue.told_stop = false;
        }
        self.set_volume(self.volume);
        self.catch_up(now);
    }

    /// This machine's volume, 0 to 1.
    pub fn set_volume(&mut self, volume: f32) {
        self.volume = volume;
        if let Some(player) = &mut self.output {
            // A full queue means hundreds of messages within one block; the next change gets in.
            let _ = player.set_volume(volume);
        }
    }

    /// Every start and stop is handed to the output so much earlier than its instant. What sounds
    /// moves over smoothly.
    pub fn set_trim(&mut self, trim: Trim, now: LocalTime) {
        self.trim = trim;
        for cue in &mut self.cues {
            // The output takes the earliest stop it is told of.
            cue.told_stop = false;
        }
        self.catch_up(now);
    }

    /// A new idea of relay time.
    pub fn set_clock(&mut self, clock: Option<ClockEstimate>, now: LocalTime) {
        self.clock = clock;
        self.catch_up(now);
    }

    /// The relay's clock is gone for good: what sounds goes on by this machine's own, and any
    /// later stop may end it.
    pub fn leave_epoch(&mut self) {
        let Some(clock) = self.clock.take() else {
            self.cues.retain(|cue| matches!(cue.start, Start::Local(_)));
            return;
        };
        let own = |start: Start| match start {
            Start::Relay(time) => Start::Local(clock.local_at(time)),
            local @ Start::Local(_) => local,
        };
        for cue in &mut self.cues {
            cue.trigger.seq = 0;
            cue.start = own(cue.start);
            cue.stop_at = cue.stop_at.map(own);
        }
    }

    /// Puts on a trigger of the room.
    pub fn put_on(
        &mut self,
        trigger: Trigger,
        stop_at: Option<RelayTime>,
        now: LocalTime,
    ) -> Option<PutOn> {
        let start = Start::Relay(trigger.play_at);
        self.put_on_at(trigger, start, stop_at.map(Start::Relay), now)
    }

    /// Puts on a trigger that has no schedule: it starts as soon as the output can make it.
    pub fn put_on_now(&mut self, trigger: Trigger, now: LocalTime) -> Option<PutOn> {
        let start = Start::Local(now.plus_nanos(self.reach_nanos()));
        self.put_on_at(trigger, start, None, now)
    }

    fn put_on_at(
        &mut self,
        trigger: Trigger,
        start: Start,
        stop_at: Option<Start>,
        now: LocalTime,
    ) -> Option<PutOn> {
        let info = self.bank.get(&trigger.sound)?;
        let duration_nanos = info.duration_micros(trigger.rate) as i64 * 1000;
        if self.cues.len() == MOST_CUES {
            self.cues.remove(0);
        }
        self.voices_named += 1;
        let voice = VoiceId(self.voices_named);
        self.cues.push(Cue {
            voice,
            trigger,
            start,
            duration_nanos,
            stop_at,
            told: None,
            told_stop: false,
        });
        self.catch_up(now);
        let at = self.local(start).unwrap_or(now);
        let handed = at.plus_nanos(-self.trim.nanos());
        Some(PutOn { at, late: handed.nanos_since(now) < self.latency_nanos() })
    }

    /// Silences what `stop` says.
    pub fn stop(&mut self, stop: &Stop, now: LocalTime) {
        for cue in self.cues.iter_mut().filter(|cue| stop.ends(&cue.trigger)) {
            cue.stop_at = Some(Start::Relay(stop.stop_at));
            cue.told_stop = false;
        }
        self.catch_up(now);
    }

    /// Silences this machine at once, whatever the relay says or does not say.
    pub fn stop_all(&mut self, now: LocalTime) {
        // What the output has not been told of never gets there.
        self.cues.retain(|cue| cue.told.is_some());
        // A trim that holds sounds back holds no stop back: the output is told `now`.
        let stop_at = Start::Local(now.plus_nanos(self.trim.nanos()));
        for cue in &mut self.cues {
            cue.stop_at = Some(stop_at);
            cue.told_stop = false;
        }
        self.catch_up(now);
    }

    /// Silences at once whatever the relay no longer says is sounding: it was stopped while this
    /// player was away.
    pub fn keep_only(&mut self, sounding: &[u64], now: LocalTime) {
        for cue in &mut self.cues {
            let seq = cue.trigger.seq;
            if matches!(cue.start, Start::Relay(_)) && !sounding.contains(&seq) {
                cue.stop_at = Some(Start::Local(now));
                cue.told_stop = false;
            }
        }
        self.catch_up(now);
    }

    /// Hears what became of the voices, tells the player what it has not been told, and forgets
    /// what is over. To be called some thirty times a second while [`Stage::is_active`].
    pub fn tick(&mut self, now: LocalTime) {
        while let Some(event) = self.output.as_mut().and_then(Player::poll) {
            match event {
                PlayerEvent::Started { lateness_nanos, .. } => {
                    self.tally.triggers += 1;
                    self.tally.late += u64::from(lateness_nanos > 0);
                    self.tally.lateness_micros =
                        Some(u32::try_from(lateness_nanos.max(0) / 1000).unwrap_or(u32::MAX));
                }
                PlayerEvent::Ended { id }
                | PlayerEvent::Stolen { id }
                | PlayerEvent::Refused { id } => self.cues.retain(|cue| cue.voice != id),
            }
        }
        self.catch_up(now);
    }

    /// Brings the player up to what is known: starts, better starts, stops.
    fn catch_up(&mut self, now: LocalTime) {
        let (clock, trim_nanos) = (self.clock, self.trim.nanos());
        // The instant that the output is told. What it adds after that brings the sound to its own.
        let local = |start| {
            let at = match start {
                Start::Local(at) => at,
                Start::Relay(at) => clock?.local_at(at),
            };
            Some(at.plus_nanos(-trim_nanos))
        };
        self.cues.retain(|cue| {
            // What was stopped before the output heard of it does not begin.
            let never_begins = cue.told.is_none()
                && cue.stop_at.and_then(local).is_some_and(|at| at.nanos_since(now) <= 0);
            // Without a clock nothing is known to be over; the bound on cues holds.
            let is_over = local(cue.start).is_some_and(|at| {
                now.nanos_since(at) >= cue.duration_nanos.saturating_add(GRACE_NANOS)
            });
            !never_begins && !is_over
        });
        let Some(player) = &mut self.output else { return };
        for cue in &mut self.cues {
            if let Some(at) = local(cue.start) {
                let news = match cue.told {
                    None => {
                        // One at another rate than the output's is interpolated by the renderer
                        // until the loader has resampled it: less exact, but in time.
                        let Some(sound) = self.sounds.get(&cue.trigger.sound) else { continue };
                        let Trigger { gain, rate, pan, .. } = cue.trigger;
                        let sound = Arc::clone(sound);
                        player.start(VoiceStart { id: cue.voice, sound, at, gain, rate, pan })
                    }
                    Some(told) if at.nanos_since(told).abs() < RETIME_NANOS => Ok(()),
                    Some(_) => player.retime(cue.voice, at).map(|()| cue.told = Some(at)),
                };
                // A full queue is emptied by the next block; the next tick tells the rest.
                let Ok(()) = news else { return };
                cue.told.get_or_insert(at);
            }
            // A stop by this machine's own clock needs no relay time.
            if cue.told.is_some()
                && !cue.told_stop
                && let Some(stop_at) = cue.stop_at.and_then(local)
            {
                cue.told_stop = player.stop(cue.voice, stop_at).is_ok();
            }
        }
    }

    fn local(&self, start: Start) -> Option<LocalTime> {
        match start {
            Start::Local(at) => Some(at),
            Start::Relay(at) => self.clock.map(|clock| clock.local_at(at)),
        }
    }

    /// From the mix to the converter; 0 without an output.
    #[must_use]
    pub fn latency_nanos(&self) -> i64 {
        match self.stats() {
            None => 0,
            Some(stats) if stats.latency_nanos == 0 => ASSUMED_LATENCY_NANOS,
            Some(stats) => stats.latency_nanos,
        }
    }

    /// How far ahead a start must lie for the output to make it, trimmed as it is.
    #[must_use]
    pub fn reach_nanos(&self) -> i64 {
        let (Some(format), Some(stats)) = (self.format(), self.stats()) else { return 0 };
        let rate = i64::from(format.rate.max(1));
        let block_nanos = i64::from(stats.block_frames) * 1_000_000_000 / rate;
        self.latency_nanos() + block_nanos + self.trim.nanos().max(0)
    }
}

#[cfg(test)]
mod tests;

//! The sounds that triggers can name, and which of them are decoded for the open output.
//!
//! The loader works on a thread of its own; this module decides what it works on. The memory of decoded
//! sounds is bounded: the default sound, the most triggered and the short ones are decoded ahead, as
//! many as fit. Any other is decoded when it is first triggered, and replaces the one that was triggered
//! longest ago.

mod usage;

use std::{cmp::Reverse, collections::HashSet, mem};

use downbeat_protocol::{BankNow, DEFAULT_SOUND, SoundInfo};

use self::usage::Usage;
use super::cues::Cues;
use crate::{
    event::SessionEvent,
    sounds::{LoadRequest, Loader, LoaderToSession, Source, decoded_bytes, embedded_bank},
    time::LocalTime,
};

/// The rate to decode at until an output is open: most outputs have it.
const ASSUMED_RATE: u32 = 48_000;

/// The sounds that triggers can name.
pub(super) struct SoundBank {
    loader: Loader,
    source: Source,
    /// As the relay serves it.
    bank: BankNow,
    rate: u32,
    generation: u64,
    /// Bytes that decoded sounds may take. A sound that is being decoded takes its own size on top.
    limit: u64,
    usage: Usage,
    /// Triggered before they were decoded; decoded before all others.
    needed: Vec<SoundInfo>,
    /// To be decoded ahead of their use, in this order.
    wanted: Vec<SoundInfo>,
    /// Triggered, and waiting for memory.
    waiting: Vec<String>,
    /// The names of sounds that can never be played here.
    failed: HashSet<String>,
    is_ready_reported: bool,
    events: Vec<SessionEvent>,
}

impl SoundBank {
    /// The embedded bank, until a relay sends its own. Decoded sounds take at most `limit` bytes.
    pub(super) fn new(loader: Loader, limit: u64, cues: &mut Cues) -> Self {
        let mut bank = Self {
            loader,
            source: Source::Embedded,
            bank: embedded(),
            rate: ASSUMED_RATE,
            generation: 0,
            limit,
            usage: Usage::default(),
            needed: Vec::new(),
            wanted: Vec::new(),
            waiting: Vec::new(),
            failed: HashSet::new(),
            is_ready_reported: false,
            events: Vec::new(),
        };
        bank.serve_embedded(cues);
        bank
    }

    /// The bank, as the relay serves it.
    pub(super) fn bank(&self) -> &BankNow {
        &self.bank
    }

    /// The sounds that cannot be played now, in the order of the bank.
    pub(super) fn missing<'a>(&'a self, cues: &'a Cues) -> impl Iterator<Item = &'a str> {
        let names = self.bank.sounds.iter().map(|sound| sound.name.as_str());
        names.filter(|name| !cues.is_decoded(name))
    }

    /// What happened to the sounds since the last call.
    pub(super) fn take_events(&mut self) -> Vec<SessionEvent> {
        mem::take(&mut self.events)
    }

    /// Replaces the bank by that of a relay.
    pub(super) fn serve(&mut self, source: Source, bank: BankNow, cues: &mut Cues) {
        cues.set_bank(&bank.sounds);
        self.source = source;
        self.bank = bank;
        let names: HashSet<_> = self.bank.sounds.iter().map(|sound| sound.name.as_str()).collect();
        self.usage.keep_only(|name| names.contains(name));
        self.plan(cues);
    }

    /// Replaces the bank by the embedded one: a tutorial relay has none.
    pub(super) fn serve_embedded(&mut self, cues: &mut Cues) {
        self.serve(Source::Embedded, embedded(), cues);
    }

    /// Sets the rate of the output that was opened.
    pub(super) fn set_rate(&mut self, rate: u32, cues: &mut Cues) {
        if self.rate != rate {
            self.rate = rate;
            self.plan(cues);
        }
    }

    /// Decides anew which sounds are decoded ahead of their use.
    fn plan(&mut self, cues: &mut Cues) {
        self.generation += 1;
        self.is_ready_reported = false;
        self.needed.clear();
        self.wanted.clear();
        self.waiting.clear();
        self.failed.clear();
        let mut sounds = self.bank.sounds.clone();
        sounds.sort_by_cached_key(|SoundInfo { name, bytes, .. }| {
            // Sounds with a cue first: they go on, on another output or at another rate.
            let is_idle = !cues.is_awaited(name);
            (is_idle, *name != self.bank.default_sound, Reverse(self.usage.times(name)), *bytes)
        });
        let mut planned = 0;
        let mut planned_files = HashSet::new();
        for sound in sounds {
            // A file that the bank has under two names is decoded once.
            let is_planned = planned_files.contains(&sound.hash);
            let bytes = if is_planned { 0 } else { decoded_bytes(&sound, self.rate) };
            if bytes > self.limit {
                cues.forget(&sound.hash);
                self.fail(sound.name, too_long(bytes, self.limit), false);
            } else if planned + bytes <= self.limit {
                planned += bytes;
                planned_files.insert(sound.hash.clone());
                self.wanted.push(sound);
            } else {
                self.postpone(&sound.hash, cues);
            }
        }
        self.request();
    }

    /// This sound was triggered: unless it is decoded, it is decoded next.
    pub(super) fn triggered(&mut self, name: &str, cues: &mut Cues) {
        self.usage.add(name);
        let is_under_way = self.needed.iter().any(|sound| sound.name == name)
            || self.waiting.iter().any(|waiting| waiting == name);
        if cues.is_decoded(name) || is_under_way || self.failed.contains(name) {
            return;
        }
        if let Some(place) = self.wanted.iter().position(|sound| sound.name == name) {
            let sound = self.wanted.remove(place);
            self.needed.push(sound);
            self.request();
        } else {
            self.waiting.push(name.to_owned());
            self.retry_waiting(cues);
        }
    }

    /// Checks whether there is memory by now for the sounds that wait for it.
    pub(super) fn retry_waiting(&mut self, cues: &mut Cues) {
        for name in mem::take(&mut self.waiting) {
            // Its triggers may be over by now.
            if !cues.is_awaited(&name) {
                continue;
            }
            let Some(sound) = self.bank.sounds.iter().find(|sound| sound.name == name).cloned()
            else {
                continue;
            };
            if self.make_room(decoded_bytes(&sound, self.rate), cues) {
                self.needed.push(sound);
                self.events.push(SessionEvent::SoundLoading { name });
                self.request();
            } else {
                self.waiting.push(name);
            }
        }
    }

    /// Takes an answer of the loader. One for a sound that was postponed meanwhile is ignored.
    pub(super) fn take(&mut self, answer: LoaderToSession, cues: &mut Cues, now: LocalTime) {
        match answer {
            LoaderToSession::Loaded { generation, name, hash, sound, waveform }
                if generation == self.generation && self.is_pending(&name) =>
            {
                self.settle(&name, None);
                cues.set_sound(hash, sound, now);
                self.events.push(SessionEvent::SoundReady { name, waveform });
            }
            LoaderToSession::Failed { generation, name, reason, will_retry }
                if generation == self.generation && self.is_pending(&name) =>
            {
                // The loader retries it last, so that it does not delay the others.
                let again = self.pending().find(|sound| sound.name == name).cloned();
                self.settle(&name, again.filter(|_| will_retry));
                self.fail(name, reason, will_retry);
            }
            LoaderToSession::AllDone { generation }
                if generation == self.generation && self.pending().next().is_none() =>
            {
                self.report_ready(cues);
            }
            // An answer to a former request.
            _ => {}
        }
    }

    /// Reports, once, that nothing is left to decode ahead.
    fn report_ready(&mut self, cues: &Cues) {
        if mem::replace(&mut self.is_ready_reported, true) {
            return;
        }
        let sounds = self.bank.sounds.len() - self.failed.len();
        let is_postponed = |sound: &&SoundInfo| {
            !cues.is_decoded(&sound.name) && !self.failed.contains(&sound.name)
        };
        let on_first_use = self.bank.sounds.iter().filter(is_postponed).count();
        self.events.push(SessionEvent::BankReady { sounds, on_first_use });
    }

    fn fail(&mut self, name: String, reason: String, will_retry: bool) {
        if !will_retry {
            self.failed.insert(name.clone());
        }
        self.events.push(SessionEvent::SoundFailed { name, reason });
    }

    /// The loader is done with a sound, or wants to try it `again`. Once nothing is needed any more, it
    /// goes on with the sounds that are wanted.
    fn settle(&mut self, name: &str, again: Option<SoundInfo>) {
        let had_needed = !self.needed.is_empty();
        self.needed.retain(|sound| sound.name != name);
        self.wanted.retain(|sound| sound.name != name);
        self.wanted.extend(again);
        if had_needed && self.needed.is_empty() && !self.wanted.is_empty() {
            self.request();
        }
    }

    fn pending(&self) -> impl Iterator<Item = &SoundInfo> {
        self.needed.iter().chain(&self.wanted)
    }

    fn is_pending(&self, name: &str) -> bool {
        self.pending().any(|sound| sound.name == name)
    }

    fn request(&mut self) {
        let sounds = if self.needed.is_empty() { &self.wanted } else { &self.needed };
        self.loader.load(LoadRequest {
            source: self.source.clone(),
            sounds: sounds.clone(),
            rate: self.rate,
            generation: self.generation,
        });
    }

    /// Makes room for `bytes`, or does nothing if there cannot be enough. It first postpones what is
    /// still to be decoded ahead, then drops idle sounds, those triggered longest ago first and the
    /// default sound last.
    fn make_room(&mut self, bytes: u64, cues: &mut Cues) -> bool {
        let size = |sound: &SoundInfo| decoded_bytes(sound, self.rate);
        let pending: u64 = self.pending().map(size).sum();
        let mut excess = (cues.decoded_bytes() + pending + bytes).saturating_sub(self.limit);
        let mut idle: Vec<_> = cues
            .idle_sounds()
            .map(|(hash, bytes)| {
                let names = || self.named(hash);
                let is_default = names().any(|name| *name == self.bank.default_sound);
                let last = names().map(|name| self.usage.last(name)).max();
                (is_default, last, names().next().cloned(), hash.to_owned(), bytes)
            })
            .collect();
        idle.sort();
        let postponable: u64 = self.wanted.iter().map(size).sum();
        if postponable + idle.iter().map(|(.., bytes)| bytes).sum::<u64>() < excess {
            return false;
        }
        let mut idle = idle.into_iter();
        while excess > 0 {
            let (hash, freed) = if let Some(sound) = self.wanted.pop() {
                let freed = decoded_bytes(&sound, self.rate);
                (sound.hash, freed)
            } else if let Some((.., hash, freed)) = idle.next() {
                (hash, freed)
            } else {
                break;
            };
            excess = excess.saturating_sub(freed);
            self.postpone(&hash, cues);
        }
        true
    }

    /// The names under which the bank has a file.
    fn named<'a>(&'a self, hash: &'a str) -> impl Iterator<Item = &'a String> {
        let sounds = self.bank.sounds.iter().filter(move |sound| sound.hash == hash);
        sounds.map(|sound| &sound.name)
    }

    /// Drops the sound with this hash; it is decoded when it is next triggered.
    fn postpone(&mut self, hash: &str, cues: &mut Cues) {
        cues.forget(hash);
        let names: Vec<_> = self.named(hash).cloned().collect();
        self.events.extend(names.into_iter().map(|name| SessionEvent::SoundOnFirstUse { name }));
    }
}

/// The embedded bank, as a relay would serve it.
fn embedded() -> BankNow {
    let default_sound = DEFAULT_SOUND.to_owned();
    BankNow { sounds: embedded_bank(), default_sound, bank: 0, removed: Vec::new() }
}

fn too_long(bytes: u64, limit: u64) -> String {
    format!(
        "it needs {} MiB of memory; the limit is {} MiB (--sound-memory-mib)",
        bytes.div_ceil(1 << 20),
        limit >> 20
    )
}

#[cfg(test)]
mod tests;

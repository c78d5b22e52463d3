//! The sounds that triggers can name: which there are, and which are decoded for the open output.
//!
//! The work is the loader's, on its own thread; this decides what it works on. What is decoded is
//! bounded: the default sound, those most used and the short ones come first, as many as fit. Another
//! is decoded when it is first triggered, in the place of what was triggered longest ago.

use std::{cmp::Reverse, collections::HashSet, mem};

use downbeat_protocol::{DEFAULT_SOUND, SoundInfo};

use super::{stage::Stage, usage::Usage};
use crate::{
    event::SessionEvent,
    sounds::{LoadRequest, Loader, LoaderToSession, Source, decoded_bytes, embedded_bank},
    time::LocalTime,
};

/// Rate that sounds are decoded to while no output says better: most outputs have it.
const ASSUMED_RATE: u32 = 48_000;

/// The sounds that triggers can name.
pub(super) struct Bank {
    loader: Loader,
    source: Source,
    sounds: Vec<SoundInfo>,
    default_sound: String,
    rate: u32,
    generation: u64,
    /// Most bytes of decoded sounds. While a sound is prepared, it takes its own size beyond that.
    limit: u64,
    usage: Usage,
    /// Triggered before they were decoded; decoded before all others.
    needed: Vec<SoundInfo>,
    /// To be decoded ahead of their use, the first one first.
    wanted: Vec<SoundInfo>,
    /// Triggered, and waiting for what sounds to make room.
    waiting: Vec<String>,
    /// What can never be heard here, by name.
    failed: HashSet<String>,
    is_told_ready: bool,
    news: Vec<SessionEvent>,
}

impl Bank {
    /// The embedded bank, until a relay names its own. At most `limit` bytes are decoded at a time.
    pub(super) fn new(loader: Loader, limit: u64, stage: &mut Stage) -> Self {
        let mut bank = Self {
            loader,
            source: Source::Embedded,
            sounds: Vec::new(),
            default_sound: String::new(),
            rate: ASSUMED_RATE,
            generation: 0,
            limit,
            usage: Usage::default(),
            needed: Vec::new(),
            wanted: Vec::new(),
            waiting: Vec::new(),
            failed: HashSet::new(),
            is_told_ready: false,
            news: Vec::new(),
        };
        bank.serve_embedded(stage);
        bank
    }

    pub(super) fn sounds(&self) -> &[SoundInfo] {
        &self.sounds
    }

    pub(super) fn default_sound(&self) -> &str {
        &self.default_sound
    }

    /// What has become of the sounds since the last call.
    pub(super) fn take_news(&mut self) -> Vec<SessionEvent> {
        mem::take(&mut self.news)
    }

    /// The relay's sounds take the place of those before.
    pub(super) fn serve(
        &mut self,
        source: Source,
        sounds: Vec<SoundInfo>,
        default_sound: String,
        stage: &mut Stage,
    ) {
        stage.set_bank(&sounds);
        self.source = source;
        self.sounds = sounds;
        self.default_sound = default_sound;
        let names: HashSet<_> = self.sounds.iter().map(|sound| sound.name.as_str()).collect();
        self.usage.keep_only(|name| names.contains(name));
        self.load(stage);
    }

    /// The embedded sounds take the place of those before: a plain relay names none.
    pub(super) fn serve_embedded(&mut self, stage: &mut Stage) {
        self.serve(Source::Embedded, embedded_bank(), DEFAULT_SOUND.to_owned(), stage);
    }

    /// Sounds are wanted at the rate of the output that was opened.
    pub(super) fn set_rate(&mut self, rate: u32, stage: &mut Stage) {
        if self.rate != rate {
            self.rate = rate;
            self.load(stage);
        }
    }

    /// Begins anew: decides what is decoded ahead of its use.
    fn load(&mut self, stage: &mut Stage) {
        self.generation += 1;
        self.is_told_ready = false;
        self.needed.clear();
        self.wanted.clear();
        self.waiting.clear();
        self.failed.clear();
        let mut sounds = self.sounds.clone();
        sounds.sort_by_cached_key(|SoundInfo { name, bytes, .. }| {
            // What sounds goes on, on another output or at another rate.
            let is_idle = !stage.is_awaited(name);
            (is_idle, *name != self.default_sound, Reverse(self.usage.times(name)), *bytes)
        });
        let mut planned = 0;
        for sound in sounds {
            let bytes = decoded_bytes(&sound, self.rate);
            if bytes > self.limit {
                stage.forget(&sound.name);
                self.failed(sound.name, too_long(bytes, self.limit), false);
            } else if planned + bytes <= self.limit {
                planned += bytes;
                self.wanted.push(sound);
            } else {
                self.put_off(&sound.name, stage);
            }
        }
        self.request();
    }

    /// A trigger has named this sound: if it is not decoded, it is the next one that is.
    pub(super) fn need(&mut self, name: &str, stage: &mut Stage) {
        self.usage.note(name);
        let is_under_way = self.needed.iter().any(|sound| sound.name == name)
            || self.waiting.iter().any(|waiting| waiting == name);
        if stage.is_decoded(name) || is_under_way || self.failed.contains(name) {
            return;
        }
        if let Some(place) = self.wanted.iter().position(|sound| sound.name == name) {
            let sound = self.wanted.remove(place);
            self.needed.push(sound);
            self.request();
        } else {
            self.waiting.push(name.to_owned());
            self.tend(stage);
        }
    }

    /// Looks whether there is room by now for what waits for it.
    pub(super) fn tend(&mut self, stage: &mut Stage) {
        for name in mem::take(&mut self.waiting) {
            // Its triggers may be over by now.
            if !stage.is_awaited(&name) {
                continue;
            }
            let Some(sound) = self.sounds.iter().find(|sound| sound.name == name).cloned() else {
                continue;
            };
            if self.make_room(decoded_bytes(&sound, self.rate), stage) {
                self.needed.push(sound);
                self.news.push(SessionEvent::SoundLoading { name });
                self.request();
            } else {
                self.waiting.push(name);
            }
        }
    }

    /// What the loader says. What was put off in the meantime is passed over.
    pub(super) fn take(&mut self, news: LoaderToSession, stage: &mut Stage, now: LocalTime) {
        match news {
            LoaderToSession::Loaded { generation, name, sound, .. }
                if generation == self.generation && self.is_pending(&name) =>
            {
                self.settle(&name, None);
                stage.set_sound(name.clone(), sound, now);
                self.news.push(SessionEvent::SoundReady { name });
            }
            LoaderToSession::Failed { generation, name, reason, will_retry }
                if generation == self.generation && self.is_pending(&name) =>
            {
                // The loader asks for it again and again. It keeps no other from its turn.
                let again = self.pending().find(|sound| sound.name == name).cloned();
                self.settle(&name, again.filter(|_| will_retry));
                self.failed(name, reason, will_retry);
            }
            LoaderToSession::AllDone { generation }
                if generation == self.generation && self.pending().next().is_none() =>
            {
                self.all_done(stage);
            }
            // Of a bank that has been replaced since.
            _ => {}
        }
    }

    /// Nothing is left to be decoded ahead of its use, which is told once.
    fn all_done(&mut self, stage: &Stage) {
        if mem::replace(&mut self.is_told_ready, true) {
            return;
        }
        let sounds = self.sounds.len() - self.failed.len();
        let is_put_off = |sound: &&SoundInfo| {
            !stage.is_decoded(&sound.name) && !self.failed.contains(&sound.name)
        };
        let on_first_use = self.sounds.iter().filter(is_put_off).count();
        self.news.push(SessionEvent::BankReady { sounds, on_first_use });
    }

    fn failed(&mut self, name: String, reason: String, will_retry: bool) {
        if !will_retry {
            self.failed.insert(name.clone());
        }
        self.news.push(SessionEvent::SoundFailed { name, reason });
    }

    /// The loader has said what there is to say of a sound, but for one that is wanted `again`. Once
    /// nothing is needed any more, it goes on with what is merely wanted.
    fn settle(&mut self, name: &str, again: Option<SoundInfo>) {
        let had_needs = !self.needed.is_empty();
        self.needed.retain(|sound| sound.name != name);
        self.wanted.retain(|sound| sound.name != name);
        self.wanted.extend(again);
        if had_needs && self.needed.is_empty() && !self.wanted.is_empty() {
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

    /// Makes room for `bytes`, or does nothing if there cannot be enough. First what is still to be
    /// decoded ahead of its use is put off, then what was triggered longest ago and does not sound, the
    /// default sound last.
    fn make_room(&mut self, bytes: u64, stage: &mut Stage) -> bool {
        let size = |sound: &SoundInfo| decoded_bytes(sound, self.rate);
        let pending: u64 = self.pending().map(size).sum();
        let mut excess = (stage.decoded_bytes() + pending + bytes).saturating_sub(self.limit);
        let mut idle: Vec<_> = stage
            .idle_sounds()
            .map(|(name, bytes)| {
                let last = self.usage.last(name);
                (name == self.default_sound, last, name.to_owned(), bytes)
            })
            .collect();
        idle.sort();
        let put_off: u64 = self.wanted.iter().map(size).sum();
        if put_off + idle.iter().map(|(.., bytes)| bytes).sum::<u64>() < excess {
            return false;
        }
        let mut idle = idle.into_iter();
        while excess > 0 {
            let (name, freed) = if let Some(sound) = self.wanted.pop() {
                let freed = decoded_bytes(&sound, self.rate);
                (sound.name, freed)
            } else if let Some((.., name, freed)) = idle.next() {
                (name, freed)
            } else {
                break;
            };
            excess = excess.saturating_sub(freed);
            self.put_off(&name, stage);
        }
        true
    }

    /// The sound is decoded when it is next triggered.
    fn put_off(&mut self, name: &str, stage: &mut Stage) {
        stage.forget(name);
        self.news.push(SessionEvent::SoundOnFirstUse { name: name.to_owned() });
    }
}

fn too_long(bytes: u64, limit: u64) -> String {
    format!(
        "it takes {} MiB of memory, and at most {} may be used (--sound-memory-mib)",
        bytes.div_ceil(1 << 20),
        limit >> 20
    )
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use downbeat_protocol::{By, ClientId, RelayTime, Trigger};

    use super::*;
    use crate::sounds::Cache;

    const NOW: LocalTime = LocalTime::from_nanos(0);

    struct Rig {
        bank: Bank,
        stage: Stage,
        answers: Receiver<LoaderToSession>,
    }

    impl Rig {
        fn start(limit: u64) -> Self {
            let (send, answers) = channel();
            let loader = Loader::start(Cache::none(), move |news| drop(send.send(news))).unwrap();
            let mut stage = Stage::new(1.0);
            let bank = Bank::new(loader, limit, &mut stage);
            Self { bank, stage, answers }
        }

        /// What is told up to the event that `ends` it.
        fn until(&mut self, ends: impl Fn(&SessionEvent) -> bool) -> Vec<SessionEvent> {
            let mut told = self.bank.take_news();
            while !told.iter().any(&ends) {
                let news = self.answers.recv_timeout(Duration::from_mins(1)).unwrap();
                self.bank.take(news, &mut self.stage, NOW);
                told.extend(self.bank.take_news());
                assert!(self.stage.decoded_bytes() <= self.bank.limit);
            }
            told
        }

        fn until_ready(&mut self) -> Vec<SessionEvent> {
            self.until(|event| matches!(event, SessionEvent::BankReady { .. }))
        }

        fn trigger(&mut self, sound: &str) {
            let trigger = Trigger {
                seq: 1,
                play_at: RelayTime::from_micros(0),
                sound: sound.to_owned(),
                gain: 1.0,
                rate: 1.0,
                pan: 0.0,
                target: None,
                data: None,
                by: By { id: ClientId(1), name: String::new() },
            };
            self.stage.put_on_now(trigger, NOW).unwrap();
            self.bank.need(sound, &mut self.stage);
        }
    }

    /// The embedded sounds that are told ready, in that order.
    fn ready(told: &[SessionEvent]) -> Vec<&str> {
        let ready = told.iter().filter_map(|event| match event {
            SessionEvent::SoundReady { name } => Some(name.as_str()),
            _ => None,
        });
        ready.collect()
    }

    fn on_first_use(name: &str) -> SessionEvent {
        SessionEvent::SoundOnFirstUse { name: name.to_owned() }
    }

    fn size(name: &str) -> u64 {
        let bank = embedded_bank();
        decoded_bytes(bank.iter().find(|sound| sound.name == name).unwrap(), ASSUMED_RATE)
    }

    fn whole_bank() -> u64 {
        embedded_bank().iter().map(|sound| size(&sound.name)).sum()
    }

    #[test]
    fn a_bank_that_fits_is_decoded_whole() {
        let mut rig = Rig::start(whole_bank());
        let told = rig.until_ready();
        assert_eq!(ready(&told).len(), 6);
        assert_eq!(ready(&told)[0], DEFAULT_SOUND);
        assert_eq!(told.last(), Some(&SessionEvent::BankReady { sounds: 6, on_first_use: 0 }));
        assert_eq!(rig.stage.decoded_bytes(), whole_bank());
    }

    #[test]
    fn what_does_not_fit_is_decoded_when_it_is_triggered() {
        let mut rig = Rig::start(whole_bank() - 1);
        let told = rig.until_ready();
        assert!(told.contains(&on_first_use("texture")), "{told:?}");
        assert_eq!(told.last(), Some(&SessionEvent::BankReady { sounds: 6, on_first_use: 1 }));
        assert!(!rig.stage.is_decoded("texture"));

        rig.trigger("texture");
        let told = rig.until(|event| matches!(event, SessionEvent::SoundReady { .. }));
        assert!(told.contains(&SessionEvent::SoundLoading { name: "texture".to_owned() }));
        assert_eq!(ready(&told), ["texture"]);
        assert!(
            told.contains(&on_first_use("bell")),
            "the first by name of those not used: {told:?}"
        );
        assert!(rig.stage.is_decoded(DEFAULT_SOUND));
    }

    #[test]
    fn what_sounds_makes_no_room() {
        let mut rig = Rig::start(whole_bank() - 1);
        rig.until_ready();
        for sound in ["click", "kick", "clap", "bell", "chord", "texture"] {
            rig.trigger(sound);
        }
        assert_eq!(rig.bank.take_news(), []);
        assert!(!rig.stage.is_decoded("texture"));

        // Its trigger is over too, and it is not decoded for nobody.
        rig.stage.stop_all(NOW);
        rig.bank.tend(&mut rig.stage);
        rig.trigger("texture");
        let told = rig.until(|event| matches!(event, SessionEvent::SoundReady { .. }));
        assert!(told.contains(&on_first_use("kick")), "triggered longest ago: {told:?}");
    }

    #[test]
    fn what_was_triggered_most_is_decoded_first() {
        let mut rig = Rig::start(whole_bank());
        rig.until_ready();
        for sound in ["chord", "texture", "texture"] {
            rig.trigger(sound);
        }
        rig.stage.stop_all(NOW);
        rig.bank.limit *= 2;
        rig.bank.set_rate(96_000, &mut rig.stage);
        assert_eq!(ready(&rig.until_ready())[..3], ["click", "texture", "chord"]);
    }

    #[test]
    fn a_sound_beyond_the_limit_is_refused_by_its_name() {
        let mut rig = Rig::start(1 << 20);
        let told = rig.until_ready();
        let reason = "it takes 6 MiB of memory, and at most 1 may be used (--sound-memory-mib)";
        let (name, reason) = ("texture".to_owned(), reason.to_owned());
        assert!(told.contains(&SessionEvent::SoundFailed { name, reason }), "{told:?}");
    }
}

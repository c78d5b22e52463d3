//! The sound bank with a real loader and a limited memory.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use downbeat_protocol::{By, ClientId, RelayTime, Trigger};

use super::*;
use crate::sounds::Cache;

const NOW: LocalTime = LocalTime::from_nanos(0);

struct Rig {
    bank: SoundBank,
    cues: Cues,
    answers: Receiver<LoaderToSession>,
}

impl Rig {
    fn start(limit: u64) -> Self {
        let (send, answers) = channel();
        let loader = Loader::start(Cache::none(), move |news| drop(send.send(news))).unwrap();
        let mut cues = Cues::new(1.0);
        let bank = SoundBank::new(loader, limit, &mut cues);
        Self { bank, cues, answers }
    }

    /// The events up to the one that `ends` it.
    fn until(&mut self, ends: impl Fn(&SessionEvent) -> bool) -> Vec<SessionEvent> {
        let mut events = self.bank.take_events();
        while !events.iter().any(&ends) {
            let news = self.answers.recv_timeout(Duration::from_mins(1)).unwrap();
            self.bank.take(news, &mut self.cues, NOW);
            events.extend(self.bank.take_events());
            assert!(self.cues.decoded_bytes() <= self.bank.limit);
        }
        events
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
            tone: None,
            target: None,
            stagger_micros: 0,
            on_arrival: false,
            data: None,
            by: By { id: ClientId(1), name: String::new() },
        };
        self.cues.schedule_now(trigger, NOW).unwrap();
        self.bank.triggered(sound, &mut self.cues);
    }
}

/// The sounds that became ready, in that order.
fn ready(events: &[SessionEvent]) -> Vec<&str> {
    let ready = events.iter().filter_map(|event| match event {
        SessionEvent::SoundReady { name, .. } => Some(name.as_str()),
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
    let events = rig.until_ready();
    assert_eq!(ready(&events).len(), 6);
    assert_eq!(ready(&events)[0], DEFAULT_SOUND);
    assert_eq!(events.last(), Some(&SessionEvent::BankReady { sounds: 6, on_first_use: 0 }));
    assert_eq!(rig.cues.decoded_bytes(), whole_bank());
}

#[test]
fn a_sound_that_does_not_fit_is_decoded_when_it_is_triggered() {
    let mut rig = Rig::start(whole_bank() - 1);
    let events = rig.until_ready();
    assert!(events.contains(&on_first_use("texture")), "{events:?}");
    assert_eq!(events.last(), Some(&SessionEvent::BankReady { sounds: 6, on_first_use: 1 }));
    assert!(!rig.cues.is_decoded("texture"));

    rig.trigger("texture");
    let events = rig.until(|event| matches!(event, SessionEvent::SoundReady { .. }));
    assert!(events.contains(&SessionEvent::SoundLoading { name: "texture".to_owned() }));
    assert_eq!(ready(&events), ["texture"]);
    assert!(
        events.contains(&on_first_use("bell")),
        "the first by name of those not used: {events:?}"
    );
    assert!(rig.cues.is_decoded(DEFAULT_SOUND));
}

#[test]
fn a_sounding_voice_keeps_its_sound_decoded() {
    let mut rig = Rig::start(whole_bank() - 1);
    rig.until_ready();
    for sound in ["click", "kick", "clap", "bell", "chord", "texture"] {
        rig.trigger(sound);
    }
    assert_eq!(rig.bank.take_events(), []);
    assert!(!rig.cues.is_decoded("texture"));

    // Its own trigger has ended too, so it is not decoded.
    rig.cues.stop_all(NOW);
    rig.bank.retry_waiting(&mut rig.cues);
    rig.trigger("texture");
    let events = rig.until(|event| matches!(event, SessionEvent::SoundReady { .. }));
    assert!(events.contains(&on_first_use("kick")), "triggered longest ago: {events:?}");
}

#[test]
fn the_most_triggered_sounds_are_decoded_first() {
    let mut rig = Rig::start(whole_bank());
    rig.until_ready();
    for sound in ["chord", "texture", "texture"] {
        rig.trigger(sound);
    }
    rig.cues.stop_all(NOW);
    rig.bank.limit *= 2;
    rig.bank.set_rate(96_000, &mut rig.cues);
    assert_eq!(ready(&rig.until_ready())[..3], ["click", "texture", "chord"]);
}

#[test]
fn a_sound_beyond_the_limit_fails_with_the_reason() {
    let mut rig = Rig::start(1 << 20);
    let events = rig.until_ready();
    let reason = "it needs 6 MiB of memory; the limit is 1 MiB (--sound-memory-mib)";
    let (name, reason) = ("texture".to_owned(), reason.to_owned());
    assert!(events.contains(&SessionEvent::SoundFailed { name, reason }), "{events:?}");
}

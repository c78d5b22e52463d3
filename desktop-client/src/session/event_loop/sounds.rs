//! The sounds' part of the session: the bank, what the loader says, and the triggers that sound here.

use std::time::Duration;

use downbeat_protocol::{By, ClientId, RelayTime, SoundInfo, Trigger};
use tokio::time::Instant;

use super::Session;
use crate::{
    event::{Heard, SessionEvent},
    session::{conversation::Wire, stage::PutOn},
    sounds::{LoaderToSession, Source},
    time::LocalTime,
};

/// While something sounds, the stage is looked after and the meter read this often.
const STAGE_EVERY: Duration = Duration::from_millis(33);

impl Session {
    /// The relay's sounds take the place of those before.
    pub(super) fn serve(&mut self, sounds: Vec<SoundInfo>, default_sound: String) {
        if let Some(address) = self.line.address() {
            let source = Source::Relay(Box::new(address.clone()));
            self.bank.serve(source, sounds, default_sound, &mut self.stage);
        }
    }

    /// What whoever watches is shown of the bank; what has become of its sounds is told after that.
    pub(super) fn bank_now(&self) -> (Vec<SoundInfo>, String) {
        (self.bank.sounds().to_vec(), self.bank.default_sound().to_owned())
    }

    /// Tells what has become of the bank's sounds.
    pub(super) fn tell_of_sounds(&mut self) {
        for event in self.bank.take_news() {
            self.tell(event);
        }
    }

    /// Takes in what the loader says.
    pub(super) fn loader_news(&mut self, news: LoaderToSession, now: LocalTime) {
        self.bank.take(news, &mut self.stage, now);
        self.tell_of_sounds();
    }

    /// Sounds a trigger, if it is for this machine.
    pub(super) fn put_on(&mut self, trigger: Trigger, stop_at: Option<RelayTime>, now: LocalTime) {
        if !trigger.is_for(&self.hello.name) {
            return;
        }
        let own = self.conversation.wire() == Wire::Downbeat(trigger.by.id);
        let (sound, by) = (trigger.sound.clone(), Some(trigger.by.name.clone()));
        let put_on = self.stage.put_on(trigger, stop_at, now);
        self.heard(put_on, sound, by, own);
    }

    /// A trigger of the seed's wire says nothing but "now".
    pub(super) fn put_on_plain(&mut self, now: LocalTime) {
        let sound = self.bank.default_sound().to_owned();
        let trigger = Trigger {
            seq: 0,
            play_at: RelayTime::from_micros(0),
            sound: sound.clone(),
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
            target: None,
            data: None,
            by: By { id: ClientId(0), name: String::new() },
        };
        let put_on = self.stage.put_on_now(trigger, now);
        self.heard(put_on, sound, None, false);
    }

    fn heard(&mut self, put_on: Option<PutOn>, sound: String, by: Option<String>, own: bool) {
        let Some(PutOn { at, late }) = put_on else {
            tracing::warn!(sound, "a trigger names a sound that is not in the bank");
            return;
        };
        self.look_after_stage();
        self.bank.need(&sound, &mut self.stage);
        self.tell_of_sounds();
        self.tell(SessionEvent::Heard(Heard { sound, by, own, at, late }));
    }

    /// The stage has something to do.
    pub(super) fn look_after_stage(&mut self) {
        self.stage_due.get_or_insert_with(|| Instant::now() + STAGE_EVERY);
    }

    /// What the stage needs while something sounds, and what its meter shows.
    pub(super) fn tend_stage(&mut self) {
        self.stage.tick(self.clock.now());
        // What is over makes room.
        self.bank.tend(&mut self.stage);
        self.tell_of_sounds();
        let peak = self.stage.take_peak();
        let voices = self.stage.stats().map_or(0, |stats| stats.voices);
        self.tell(SessionEvent::Meter { peak, voices });
        let moves = self.stage.is_active() || peak.iter().any(|level| *level > 0.0);
        self.stage_due = moves.then(|| Instant::now() + STAGE_EVERY);
    }
}

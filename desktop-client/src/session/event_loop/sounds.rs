//! The session's sounds: the bank, the loader's answers, and the triggers that sound here.

use std::time::Duration;

use downbeat_protocol::{BankNow, By, ClientId, RelayTime, Sounding, Trigger};
use tokio::time::Instant;

use super::{super::cues::Scheduled, session::Session};
use crate::{
    event::{Played, SessionEvent},
    sounds::{LoaderToSession, Source},
    time::LocalTime,
};

/// How often the cues are updated and the meter is read while something sounds.
const CUES_EVERY: Duration = Duration::from_millis(33);

/// What an observer is told of a trigger.
struct Heard {
    sound: String,
    by: Option<String>,
    own: bool,
}

impl Session {
    /// Replaces the bank by the relay's.
    pub(super) fn serve(&mut self, bank: BankNow) {
        if let Some(address) = self.connection.address() {
            let source = Source::Relay(Box::new(address.clone()));
            self.bank.serve(source, bank, &mut self.cues);
        }
    }

    /// Emits what has happened to the bank's sounds.
    pub(super) fn emit_bank_events(&mut self) {
        for event in self.bank.take_events() {
            self.emit(event);
        }
    }

    /// Handles an answer of the loader.
    pub(super) fn loader_answer(&mut self, answer: LoaderToSession, now: LocalTime) {
        self.bank.take(answer, &mut self.cues, now);
        self.emit_bank_events();
    }

    /// Schedules a trigger, if it is for this machine.
    pub(super) fn schedule(&mut self, mut trigger: Trigger, now: LocalTime) {
        let Some(delay) = self.protocol.delay_micros(&trigger) else { return };
        trigger.play_at = trigger.play_at.plus_micros(delay);
        let (seq, heard) = (trigger.seq, self.heard(&trigger));
        let scheduled = if trigger.on_arrival {
            self.cues.schedule_now(trigger, now)
        } else {
            self.cues.schedule(trigger, now)
        };
        if scheduled.is_none() {
            self.miss(seq);
        }
        self.played(scheduled, heard);
    }

    /// Joins what has been sounding since before this client came, if it is for this machine.
    pub(super) fn join(&mut self, Sounding { mut trigger, stop_at }: Sounding, now: LocalTime) {
        let Some(delay) = self.protocol.delay_micros(&trigger) else { return };
        trigger.play_at = trigger.play_at.plus_micros(delay);
        let heard = self.heard(&trigger);
        let scheduled = self.cues.join(trigger, stop_at, now);
        self.played(scheduled, heard);
    }

    fn heard(&self, trigger: &Trigger) -> Heard {
        let own = self.protocol.own_id() == Some(trigger.by.id);
        Heard { sound: trigger.sound.clone(), by: Some(trigger.by.name.clone()), own }
    }

    /// Schedules a trigger of a tutorial relay, which says nothing but "now".
    pub(super) fn schedule_tutorial_trigger(&mut self, now: LocalTime) {
        let sound = self.bank.bank().default_sound.clone();
        let trigger = Trigger {
            seq: 0,
            play_at: RelayTime::from_micros(0),
            sound: sound.clone(),
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
            tone: None,
            target: None,
            stagger_micros: 0,
            on_arrival: false,
            data: None,
            by: By { id: ClientId(0), name: String::new() },
        };
        let scheduled = self.cues.schedule_now(trigger, now);
        self.played(scheduled, Heard { sound, by: None, own: false });
    }

    fn played(&mut self, scheduled: Option<Scheduled>, Heard { sound, by, own }: Heard) {
        let Some(Scheduled { at, late }) = scheduled else {
            tracing::warn!(sound, "trigger of a sound that is not in the bank");
            return;
        };
        self.schedule_cue_updates();
        self.bank.triggered(&sound, &mut self.cues);
        self.emit_bank_events();
        self.emit(SessionEvent::Played(Played { sound, by, own, at, late }));
    }

    /// Starts the periodic updates of the cues, unless they are under way.
    pub(super) fn schedule_cue_updates(&mut self) {
        self.cues_due.get_or_insert_with(|| Instant::now() + CUES_EVERY);
    }

    /// Updates the cues and the meter. Goes on as long as something sounds.
    pub(super) fn update_cues(&mut self) {
        self.cues.tick(self.clock.now());
        // A voice that has ended may have made room.
        self.bank.retry_waiting(&mut self.cues);
        self.emit_bank_events();
        let peak = self.cues.take_peak();
        self.loudest = peak.into_iter().fold(self.loudest, f32::max);
        self.emit(SessionEvent::Meter { peak });
        let is_active = self.cues.is_active() || peak.iter().any(|level| *level > 0.0);
        self.cues_due = is_active.then(|| Instant::now() + CUES_EVERY);
    }
}

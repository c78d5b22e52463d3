//! The session's loop: one place where everything that can happen meets, one thing at a time.
//!
//! What each thing means is decided elsewhere and without I/O (`conversation`, `timekeeper`,
//! `stage`); this file carries meanings from the line, the output and the loader to each other and
//! to whoever watches.

mod output;

use std::{io, time::Duration};

use downbeat_protocol::{
    BankNow, By, ClientId, ClientToRelay, Hello, RelayTime, Report, SEED_TRIGGER_INPUT, SoundInfo,
    StopRequest, Trigger, TriggerRequest, Welcome,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    SessionOptions,
    bank::Bank,
    choices::Choices,
    conversation::{Conversation, Meaning, Wire},
    line::{Line, LineNews},
    notable::Shown,
    stage::{PutOn, Stage},
    timekeeper::Timekeeper,
};
use crate::{
    action::Action,
    address::{RelayAddress, TypedAddress},
    audio::{DeviceInfo, DeviceKeeper, DeviceToSession},
    event::{self, Heard, SessionEvent},
    sounds::{Loader, LoaderToSession, Source},
    time::{LocalClock, LocalTime},
};

/// A relay says welcome within a round trip; a server that has not by now is a plain one.
const WELCOME_WITHIN: Duration = Duration::from_secs(1);

/// How often the line is looked after and the relay told how this player does.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// An error bound that has grown by half and by this much, or fallen as far, is reported at once, but
/// not within [`REPORT_PAUSE`] of the last report.
const ERROR_NEWS_MICROS: u32 = 10;
const REPORT_PAUSE: Duration = Duration::from_millis(250);

/// A lead that has grown by so much is reported at once: the next trigger should have it.
const LEAD_NEWS_MICROS: u32 = 2_000;

/// While something sounds, the stage is looked after and the meter read this often.
const STAGE_EVERY: Duration = Duration::from_millis(33);

/// Bangs kept while it is not yet known what the far end speaks.
const HELD_BANGS: usize = 8;

/// What the session's helpers may have waiting. They send a few messages a second; one that is
/// ahead by so many blocks until the session has caught up, which harms nothing.
const HELPER_QUEUE: usize = 256;

/// From the session's helpers.
enum Helped {
    Device(DeviceToSession),
    Loader(LoaderToSession),
}

/// Runs a session until the other end of `actions` is dropped.
pub(super) async fn run(mut session: Session, mut actions: mpsc::Receiver<Action>) {
    loop {
        let wake = session.wake_at();
        tokio::select! {
            action = actions.recv() => match action {
                Some(action) => session.act(action).await,
                None => break,
            },
            news = session.line.next() => session.line_news(news).await,
            Some(news) = session.helped.recv() => session.helper_news(news),
            () = sleep_until(wake) => session.wake().await,
        }
    }
    // Helpers that wait for room in the queue must see its end, or they would not see theirs.
    session.helped.close();
    session.line.close().await;
    session.choices.close().await;
}

pub(super) struct Session {
    hello: Hello,
    helped: mpsc::Receiver<Helped>,
    clock: LocalClock,
    tell: Box<dyn FnMut(SessionEvent) + Send>,
    line: Line,
    /// The relay that was dialled last.
    relay: RelayAddress,
    conversation: Conversation,
    timekeeper: Timekeeper,
    stage: Stage,
    bank: Bank,
    choices: Choices,
    devices: DeviceKeeper,
    /// The open output, or why there is none.
    output: Result<DeviceInfo, String>,
    /// Why it is not the chosen one, if it is not.
    instead: Option<String>,
    shown_latency_micros: u32,
    shown: Shown,
    /// Bangs that wait for the far end to show what it speaks.
    held: Vec<Option<String>>,
    /// Whether a stop waits for the same, before those bangs.
    stop_held: bool,
    welcome_due: Option<Instant>,
    report_due: Instant,
    reported_lead_micros: u32,
    reported_error_micros: Option<u32>,
    stage_due: Option<Instant>,
}

impl Session {
    /// A session that is about to connect.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(super) fn new(
        options: SessionOptions,
        tell: Box<dyn FnMut(SessionEvent) + Send>,
    ) -> io::Result<Self> {
        let (helpers, helped) = mpsc::channel(HELPER_QUEUE);
        let SessionOptions { relay, name, kind, output, volume, outputs, cache, .. } = options;
        let clock = outputs.clock;
        let choices = Choices::new(options.remembered, options.trims, options.trim, output.clone());
        let to_session = helpers.clone();
        let loader = Loader::start(cache, move |news| {
            // A session that is gone needs no sounds.
            let _ = to_session.blocking_send(Helped::Loader(news));
        })?;
        let devices = DeviceKeeper::start(output::device_choice(output), outputs, move |news| {
            let _ = helpers.blocking_send(Helped::Device(news));
        });
        let bank = Bank::new(loader);
        let mut stage = Stage::new(volume);
        stage.set_bank(bank.sounds());
        let client = concat!("downbeat/", env!("CARGO_PKG_VERSION")).to_owned();
        let mut session = Self {
            hello: Hello { name, kind, client },
            helped,
            clock,
            tell,
            line: Line::new(clock),
            relay: relay.clone(),
            conversation: Conversation::new(),
            timekeeper: Timekeeper::new(),
            stage,
            bank,
            choices,
            devices,
            output: Err("no output has been opened yet".to_owned()),
            instead: None,
            shown_latency_micros: 0,
            shown: Shown::default(),
            held: Vec::new(),
            stop_held: false,
            welcome_due: None,
            report_due: Instant::now() + REPORT_EVERY,
            reported_lead_micros: 0,
            reported_error_micros: None,
            stage_due: None,
        };
        session.line.dial(relay);
        Ok(session)
    }

    fn tell(&mut self, event: SessionEvent) {
        if self.shown.is_news(&event, self.clock.now()) {
            (self.tell)(event);
        }
    }

    // What the person wants.

    async fn act(&mut self, action: Action) {
        let output_id = self.output.as_ref().ok().map(|device| device.id.as_str());
        self.choices.pick(&action, output_id, Instant::now());
        match action {
            Action::Bang { sound } => self.bang(sound).await,
            Action::StopAll => self.stop_all().await,
            Action::SetVolume(volume) => self.stage.set_volume(volume),
            Action::SetOutput(choice) => {
                self.devices.choose(output::device_choice(choice));
                // The choice may change nothing, and is answered all the same.
                self.show_output();
            }
            Action::SetTrim(_) => self.stage.set_trim(self.trim(), self.clock.now()),
            Action::SetRelay(relay) => self.set_relay(&relay),
            Action::RetryNow => self.line.retry_now(),
            // Which sound is chosen is the window's own business: a bang names it.
            Action::SelectSound(_) => {}
        }
    }

    fn set_relay(&mut self, relay: &TypedAddress) {
        self.end_talk();
        match relay.read(None, None) {
            Ok(address) => {
                self.relay = address.knowing(&self.relay);
                self.line.dial(self.relay.clone());
            }
            Err(error) => {
                self.line.hang_up();
                self.tell(SessionEvent::WrongAddress { reason: error.to_string() });
            }
        }
    }

    async fn bang(&mut self, sound: Option<String>) {
        match self.conversation.wire() {
            Wire::Downbeat(_) => {
                let request = TriggerRequest { sound, ..TriggerRequest::default() };
                self.say(&ClientToRelay::Trigger(request)).await;
            }
            Wire::Plain => {
                let sent = self.line.say_text(SEED_TRIGGER_INPUT.to_owned()).await;
                self.mind(sent);
            }
            // Bangs made before the far end has shown what it speaks are its first.
            Wire::Unknown if self.welcome_due.is_some() && self.held.len() < HELD_BANGS => {
                self.held.push(sound);
            }
            Wire::Unknown => {}
        }
    }

    /// Silences this machine before anything else, and then everyone, if there is a relay to say it.
    async fn stop_all(&mut self) {
        self.stage.stop_all(self.clock.now());
        self.look_after_stage();
        self.held.clear();
        // Before the welcome it is the first thing to say after it.
        self.stop_held = self.welcome_due.is_some();
        self.say(&ClientToRelay::Stop(StopRequest::default())).await;
    }

    // The line.

    async fn say(&mut self, message: &ClientToRelay) {
        // Who speaks the seed's wire is told nothing else; before the hello nothing is said.
        if matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            let sent = self.line.say(message).await;
            self.mind(sent);
        }
    }

    fn mind(&mut self, sent: Result<(), LineNews>) {
        if let Err(LineNews::Down { reason, retry_in }) = sent {
            self.lost(reason, retry_in);
        }
    }

    async fn line_news(&mut self, news: LineNews) {
        match news {
            LineNews::Trying => {
                let relay = self.line.address().map(ToString::to_string).unwrap_or_default();
                self.tell(SessionEvent::Connecting { relay });
            }
            LineNews::Up => {
                self.conversation.begin();
                self.welcome_due = Some(Instant::now() + WELCOME_WITHIN);
                let hello = ClientToRelay::Hello(self.hello.clone());
                let sent = self.line.say(&hello).await;
                self.mind(sent);
            }
            LineNews::Text(text, arrived) => {
                let meaning = self.conversation.hear(&text);
                self.understand(meaning, arrived).await;
            }
            LineNews::Down { reason, retry_in } => self.lost(reason, retry_in),
        }
    }

    fn lost(&mut self, reason: String, retry_in: Duration) {
        self.end_talk();
        self.tell(SessionEvent::Lost { reason, retry_in });
    }

    fn end_talk(&mut self) {
        self.conversation.begin();
        self.welcome_due = None;
        self.held.clear();
        self.stop_held = false;
    }

    // What the relay says.

    async fn understand(&mut self, meaning: Meaning, arrived: LocalTime) {
        let now = self.clock.now();
        match meaning {
            Meaning::Welcomed { welcome, new_epoch, missed } => {
                self.welcomed(*welcome, new_epoch, now);
                // What is about to be stopped does not begin here.
                if !self.stop_held {
                    for sounding in missed {
                        self.put_on(sounding.trigger, sounding.stop_at, now);
                    }
                }
                self.release_held().await;
            }
            Meaning::Probed(reply) => {
                self.timekeeper.hear(reply, arrived, now);
                self.stage.set_clock(self.timekeeper.estimate(), now);
            }
            Meaning::Cue(trigger) => self.put_on(trigger, None, now),
            Meaning::Silence(stop) => {
                self.stage.stop(&stop, now);
                self.look_after_stage();
            }
            Meaning::Roster(roster) => self.tell(SessionEvent::Roster(roster)),
            Meaning::OtherBank(BankNow { sounds, default_sound }) => {
                self.serve(sounds, default_sound);
                let (bank, default_sound) = self.bank_now();
                self.tell(SessionEvent::OtherBank { bank, default_sound });
            }
            Meaning::Refused(refusal) => {
                self.tell(SessionEvent::Refused { reason: refusal.message });
            }
            Meaning::PlainCue => {
                self.is_plain().await;
                self.put_on_plain(now);
            }
            Meaning::Nothing(why) => tracing::debug!(why, "passed over a text from the relay"),
        }
    }

    fn welcomed(&mut self, welcome: Welcome, new_epoch: bool, now: LocalTime) {
        tracing::info!(relay = welcome.relay, epoch = %welcome.epoch, "welcomed");
        self.welcome_due = None;
        self.line.answered();
        if new_epoch {
            self.stage.leave_epoch();
            self.timekeeper.reset();
        } else {
            self.timekeeper.reconnected();
            let sounding: Vec<_> = welcome.sounding.iter().map(|s| s.trigger.seq).collect();
            self.stage.keep_only(&sounding, now);
        }
        self.stage.set_clock(self.timekeeper.estimate(), now);
        self.stage.reset_tally();
        self.reported_lead_micros = 0;
        let roster = welcome.roster();
        self.serve(welcome.sounds, welcome.default_sound);
        let most_lead_micros = welcome.limits.most_lead_micros;
        self.connected(event::Wire::Downbeat { id: welcome.id, most_lead_micros });
        self.tell(SessionEvent::Roster(roster));
    }

    fn serve(&mut self, sounds: Vec<SoundInfo>, default_sound: String) {
        if let Some(address) = self.line.address() {
            let source = Source::Relay(Box::new(address.clone()));
            self.bank.serve(source, sounds, default_sound);
        }
    }

    async fn is_plain(&mut self) {
        if self.welcome_due.take().is_some() {
            self.line.answered();
            self.stage.leave_epoch();
            self.bank.serve_embedded();
            self.connected(event::Wire::Plain);
            self.release_held().await;
        }
    }

    fn connected(&mut self, wire: event::Wire) {
        let (bank, default_sound) = self.bank_now();
        self.tell(SessionEvent::Connected { wire, bank, default_sound });
    }

    /// Gives the stage the bank as it is now, and whoever watches what to show of it.
    fn bank_now(&mut self) -> (Vec<SoundInfo>, String) {
        self.stage.set_bank(self.bank.sounds());
        (self.bank.sounds().to_vec(), self.bank.default_sound().to_owned())
    }

    async fn release_held(&mut self) {
        if std::mem::take(&mut self.stop_held) {
            self.say(&ClientToRelay::Stop(StopRequest::default())).await;
        }
        for sound in std::mem::take(&mut self.held) {
            self.bang(sound).await;
        }
    }

    // What sounds.

    fn put_on(&mut self, trigger: Trigger, stop_at: Option<RelayTime>, now: LocalTime) {
        if !trigger.is_for(&self.hello.name) {
            return;
        }
        let own = self.conversation.wire() == Wire::Downbeat(trigger.by.id);
        let (sound, by) = (trigger.sound.clone(), Some(trigger.by.name.clone()));
        let put_on = self.stage.put_on(trigger, stop_at, now);
        self.heard(put_on, sound, by, own);
    }

    /// A trigger of the seed's wire says nothing but "now".
    fn put_on_plain(&mut self, now: LocalTime) {
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
        self.tell(SessionEvent::Heard(Heard { sound, by, own, at, late }));
    }

    fn look_after_stage(&mut self) {
        self.stage_due.get_or_insert_with(|| Instant::now() + STAGE_EVERY);
    }

    // The output and the sounds.

    fn helper_news(&mut self, news: Helped) {
        let now = self.clock.now();
        match news {
            Helped::Loader(news) => {
                let (event, decoded) = self.bank.take(news);
                if let Some(decoded) = decoded {
                    self.stage.set_sound(decoded.name, decoded.sound, now);
                }
                if let Some(event) = event {
                    self.tell(event);
                }
            }
            Helped::Device(news) => self.device_news(news, now),
        }
    }

    // What is due by the clock.

    fn wake_at(&self) -> Instant {
        let mut due = self.report_due;
        if matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            let probe_due = self.timekeeper.probe_due(self.clock.now());
            due = due.min(self.clock.instant(probe_due).into());
        }
        let others = [self.welcome_due, self.stage_due, self.choices.due()];
        others.into_iter().flatten().fold(due, Instant::min)
    }

    async fn wake(&mut self) {
        let now = Instant::now();
        if self.welcome_due.is_some_and(|due| due <= now) {
            self.conversation.give_up_on_welcome();
            self.is_plain().await;
        }
        if matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            let local = self.clock.now();
            if self.timekeeper.probe_due(local) <= local {
                let probe = self.timekeeper.probe(local);
                self.say(&ClientToRelay::Probe(probe)).await;
            }
        }
        if self.stage_due.is_some_and(|due| due <= now) {
            self.tend_stage();
        }
        self.choices.write(now);
        if self.report_due <= now || self.lead_has_grown() || self.error_has_changed(now) {
            self.report_due = now + REPORT_EVERY;
            let checked = self.line.check().await;
            self.mind(checked);
            self.show_latency();
            self.tell(SessionEvent::Clock { error_micros: self.clock_error_micros() });
            self.report().await;
        }
    }

    fn tend_stage(&mut self) {
        self.stage.tick(self.clock.now());
        let peak = self.stage.take_peak();
        let voices = self.stage.stats().map_or(0, |stats| stats.voices);
        self.tell(SessionEvent::Meter { peak, voices });
        let moves = self.stage.is_active() || peak.iter().any(|level| *level > 0.0);
        self.stage_due = moves.then(|| Instant::now() + STAGE_EVERY);
    }

    fn lead_micros(&self) -> u32 {
        self.timekeeper.lead_micros(self.stage.reach_nanos())
    }

    fn lead_has_grown(&self) -> bool {
        self.stage.stats().is_some()
            && self.timekeeper.estimate().is_some()
            && self.lead_micros() > self.reported_lead_micros + LEAD_NEWS_MICROS
    }

    fn error_has_changed(&self, now: Instant) -> bool {
        let paused = self.report_due.duration_since(now) + REPORT_PAUSE < REPORT_EVERY;
        let (Some(reported), Some(error)) = (self.reported_error_micros, self.clock_error_micros())
        else {
            return false;
        };
        let (less, more) = (error.min(reported), error.max(reported));
        paused && more > less.saturating_add(less / 2).saturating_add(ERROR_NEWS_MICROS)
    }

    /// How far this machine's sounds can be off the instants that the relay gives: the error of the
    /// clock estimate and that of the device clock.
    fn clock_error_micros(&self) -> Option<u32> {
        let clock = self.timekeeper.estimate()?.error_micros(self.clock.now());
        // Without an output nothing is played that could be off.
        let Some(stats) = self.stage.stats() else { return Some(clock) };
        Some(clock.saturating_add(stats.clock_error_nanos?.div_ceil(1000)))
    }

    async fn report(&mut self) {
        let clock_error_micros = self.clock_error_micros();
        let stats = self.stage.stats();
        // A lead is needed only by who can sound, and known only with the clock.
        let lead_micros = clock_error_micros.and(stats.as_ref()).map(|_| self.lead_micros());
        self.reported_lead_micros = lead_micros.unwrap_or(0);
        self.reported_error_micros = clock_error_micros;
        let tally = self.stage.tally();
        let report = Report {
            lead_micros,
            clock_error_micros,
            latency_micros: self.latency_micros(),
            triggers: tally.triggers,
            late: tally.late,
            lateness_micros: tally.lateness_micros,
            xruns: stats.map_or(0, |stats| stats.xruns),
        };
        self.say(&ClientToRelay::Report(report)).await;
    }
}

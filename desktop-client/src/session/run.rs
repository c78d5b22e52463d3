//! The session's loop: one place where everything that can happen meets, one thing at a time.
//!
//! What each thing means is decided elsewhere and without I/O (`conversation`, `timekeeper`,
//! `stage`); this file carries meanings from the line, the output and the loader to each other and
//! to whoever watches.

mod output;
mod report;
mod sounds;

use std::{io, time::Duration};

use downbeat_protocol::{
    BankNow, ClientToRelay, Hello, StopRequest, TUTORIAL_TRIGGER_INPUT, TriggerRequest, Welcome,
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
    stage::Stage,
    timekeeper::Timekeeper,
};
use crate::{
    action::Action,
    address::{RelayAddress, TypedAddress},
    audio::{DeviceInfo, DeviceKeeper, DeviceToSession},
    event::{self, SessionEvent},
    sounds::{Loader, LoaderToSession},
    time::{LocalClock, LocalTime},
};

/// A relay says welcome within a round trip; a server that has not by now is a plain one.
const WELCOME_WITHIN: Duration = Duration::from_secs(1);

/// How often the line is looked after and the relay told how this player does.
const REPORT_EVERY: Duration = Duration::from_secs(2);

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
                Some(action) => session.act(action),
                None => break,
            },
            news = session.line.next() => session.line_news(news),
            Some(news) = session.helped.recv() => session.helper_news(news),
            () = sleep_until(wake) => session.wake(),
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
        let mut stage = Stage::new(volume);
        let bank = Bank::new(loader, options.sound_memory, &mut stage);
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

    fn act(&mut self, action: Action) {
        let output_id = self.output.as_ref().ok().map(|device| device.id.as_str());
        self.choices.pick(&action, output_id, Instant::now());
        match action {
            Action::Bang { sound } => self.bang(sound),
            Action::StopAll => self.stop_all(),
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

    fn bang(&mut self, sound: Option<String>) {
        match self.conversation.wire() {
            Wire::Downbeat(_) => {
                let request = TriggerRequest { sound, ..TriggerRequest::default() };
                self.say(&ClientToRelay::Trigger(request));
            }
            Wire::Plain => {
                let sent = self.line.say_text(TUTORIAL_TRIGGER_INPUT.to_owned());
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
    /// Without one nothing is kept to be said later: it would silence what has begun since.
    fn stop_all(&mut self) {
        self.stage.stop_all(self.clock.now());
        self.look_after_stage();
        self.held.clear();
        // Before the welcome it is the first thing to say after it.
        self.stop_held = self.welcome_due.is_some();
        self.say(&ClientToRelay::Stop(StopRequest::default()));
        if !self.stop_held && !matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            self.tell(SessionEvent::StoppedHereOnly);
        }
    }

    // The line.

    fn say(&mut self, message: &ClientToRelay) {
        // Who speaks the seed's wire is told nothing else; before the hello nothing is said.
        if matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            let sent = self.line.say(message);
            self.mind(sent);
        }
    }

    fn mind(&mut self, sent: Result<(), LineNews>) {
        if let Err(LineNews::Down { reason, retry_in }) = sent {
            self.lost(reason, retry_in);
        }
    }

    fn line_news(&mut self, news: LineNews) {
        match news {
            LineNews::Trying => {
                let relay = self.line.address().map(ToString::to_string).unwrap_or_default();
                self.tell(SessionEvent::Connecting { relay });
            }
            LineNews::Up => {
                self.conversation.begin();
                self.welcome_due = Some(Instant::now() + WELCOME_WITHIN);
                let hello = ClientToRelay::Hello(self.hello.clone());
                let sent = self.line.say(&hello);
                self.mind(sent);
            }
            LineNews::Text(text, arrived) => {
                let meaning = self.conversation.hear(&text);
                self.understand(meaning, arrived);
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

    fn understand(&mut self, meaning: Meaning, arrived: LocalTime) {
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
                self.release_held();
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
                self.tell_of_sounds();
            }
            Meaning::Refused(refusal) => {
                self.tell(SessionEvent::Refused { reason: refusal.message });
            }
            Meaning::PlainCue => {
                self.is_plain();
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
        let most_lead_micros = welcome.limits.max_lead_micros;
        self.connected(event::Wire::Downbeat { id: welcome.id, most_lead_micros });
        self.tell(SessionEvent::Roster(roster));
    }

    fn is_plain(&mut self) {
        if self.welcome_due.take().is_some() {
            self.line.answered();
            self.stage.leave_epoch();
            self.bank.serve_embedded(&mut self.stage);
            self.connected(event::Wire::Plain);
            self.release_held();
        }
    }

    fn connected(&mut self, wire: event::Wire) {
        let (bank, default_sound) = self.bank_now();
        self.tell(SessionEvent::Connected { wire, bank, default_sound });
        self.tell_of_sounds();
    }

    fn release_held(&mut self) {
        if std::mem::take(&mut self.stop_held) {
            self.say(&ClientToRelay::Stop(StopRequest::default()));
        }
        for sound in std::mem::take(&mut self.held) {
            self.bang(sound);
        }
    }

    // The output and the sounds.

    fn helper_news(&mut self, news: Helped) {
        let now = self.clock.now();
        match news {
            Helped::Loader(news) => self.loader_news(news, now),
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

    fn wake(&mut self) {
        let now = Instant::now();
        if self.welcome_due.is_some_and(|due| due <= now) {
            self.conversation.give_up_on_welcome();
            self.is_plain();
        }
        if matches!(self.conversation.wire(), Wire::Downbeat(_)) {
            let local = self.clock.now();
            if self.timekeeper.probe_due(local) <= local {
                let probe = self.timekeeper.probe(local);
                self.say(&ClientToRelay::Probe(probe));
            }
        }
        if self.stage_due.is_some_and(|due| due <= now) {
            self.tend_stage();
        }
        self.choices.write(now);
        if self.report_due <= now || self.lead_has_grown() || self.error_has_changed(now) {
            self.report_due = now + REPORT_EVERY;
            let checked = self.line.check();
            self.mind(checked);
            self.show_latency();
            self.tell(SessionEvent::Clock { error_micros: self.clock_error_micros() });
            self.report();
        }
    }
}

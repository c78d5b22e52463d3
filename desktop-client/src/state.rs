//! Everything the window shows, as plain data. It has one owner, the window's thread, and changes
//! only by what the session says and what the person picks.
//!
//! Nothing here draws, blocks, or reads a clock.

mod flashes;

use std::{collections::VecDeque, time::Duration};

use downbeat_protocol::{Roster, SoundInfo};

use crate::{
    action::{Action, OutputChoice, Trim},
    event::{Heard, Output, SessionEvent, Wire},
    standing::Standing,
};

pub use flashes::Flashes;

/// Triggers that are remembered: as many as can be on their way to their instant, or still fading
/// from the window, when people bang as fast as they can.
pub const RECENT: usize = 16;

/// Everything the window shows.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The relay's address, as people read it.
    pub relay: String,
    /// This player's name.
    pub name: String,
    /// How things stand with the relay.
    pub connection: Connection,
    /// The sounds that can be banged.
    pub bank: Vec<BankSound>,
    /// Name of the sound that a bang plays.
    pub selected: Option<String>,
    /// This machine's volume, 0 to 1.
    pub volume: f32,
    /// Where the sound goes.
    pub output: OutputState,
    /// What the person chose to play through.
    pub output_choice: OutputChoice,
    /// What can be chosen.
    pub outputs: Vec<Output>,
    /// Who is here.
    pub roster: Roster,
    /// The last triggers that sounded here, or are about to, oldest first; at most [`RECENT`].
    pub recent: VecDeque<Heard>,
    /// Which of them flash at full contrast.
    pub flashes: Flashes,
    /// How many have since the window opened.
    pub heard: u64,
    /// How this machine's own part in the room stands.
    pub standing: Standing,
    /// What the meter shows.
    pub meter: Meter,
    /// What the relay refused last; cleared by the next trigger heard.
    pub refusal: Option<String>,
    /// Whether the last stop went no further than this machine.
    pub stopped_here_only: bool,
}

/// How things stand with the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A first answer is awaited.
    Connecting,
    /// The relay answered, and speaks this.
    Connected(Wire),
    /// It is lost, and being tried again.
    Lost {
        /// Why, in plain words.
        reason: String,
        /// How long the session waits before the next try.
        retry_in: Duration,
    },
    /// The address can never be connected to.
    WrongAddress {
        /// Why, in plain words.
        reason: String,
    },
}

/// Where the sound goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputState {
    /// An output is being opened.
    Opening,
    /// Sound leaves through this one.
    Open {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// From the mix to the converter, once it is known.
        latency_micros: Option<u32>,
        /// How what it sounds is shifted.
        trim: Trim,
        /// Why it is not the chosen one, in plain words, if it is not.
        instead: Option<String>,
    },
    /// There is none; it is looked for.
    None {
        /// Why, in plain words.
        reason: String,
    },
}

/// One sound that can be banged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankSound {
    /// What the relay says of it.
    pub info: SoundInfo,
    /// Whether it can be heard here.
    pub readiness: Readiness,
}

/// Whether a sound can be heard here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is being fetched and decoded.
    Loading,
    /// It can.
    Ready,
    /// It can, after it has been fetched and decoded at its first trigger.
    OnFirstUse,
    /// It cannot.
    Failed {
        /// Why, in plain words.
        reason: String,
    },
}

/// What the meter shows: linear levels, 1 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meter {
    /// Highest level since the last one, left and right.
    pub peak: [f32; 2],
    /// Voices that sound.
    pub voices: u32,
}

impl State {
    /// What a window shows before the session has said anything.
    #[must_use]
    pub fn new(relay: String, name: String, volume: f32, output_choice: OutputChoice) -> Self {
        Self {
            relay,
            name,
            connection: Connection::Connecting,
            bank: Vec::new(),
            selected: None,
            volume,
            output: OutputState::Opening,
            output_choice,
            outputs: Vec::new(),
            roster: Roster { total: 0, clients: Vec::new(), lead_micros: 0 },
            recent: VecDeque::with_capacity(RECENT),
            flashes: Flashes::default(),
            heard: 0,
            standing: Standing::default(),
            meter: Meter::default(),
            refusal: None,
            stopped_here_only: false,
        }
    }

    /// Whether a bang would go anywhere.
    #[must_use]
    pub fn can_bang(&self) -> bool {
        matches!(self.connection, Connection::Connected(_))
    }

    /// The last trigger that sounded here.
    #[must_use]
    pub fn last(&self) -> Option<&Heard> {
        self.recent.back()
    }

    /// Why there is no output, if there is none; one that is being opened is no problem yet.
    #[must_use]
    pub fn output_problem(&self) -> Option<&str> {
        match &self.output {
            OutputState::None { reason } => Some(reason),
            OutputState::Opening | OutputState::Open { .. } => None,
        }
    }

    /// Takes in what the person picked. The session is told the same action, and acts on it.
    pub fn pick(&mut self, action: &Action) {
        match action {
            Action::SelectSound(name) => self.selected = Some(name.clone()),
            Action::SetVolume(volume) => self.volume = volume.clamp(0.0, 1.0),
            Action::SetOutput(choice) => {
                self.output_choice = choice.clone();
                self.output = OutputState::Opening;
            }
            Action::SetTrim(picked) => {
                if let OutputState::Open { trim, .. } = &mut self.output {
                    *trim = *picked;
                }
            }
            Action::SetRelay(relay) => {
                relay.shown().clone_into(&mut self.relay);
                self.connection = Connection::Connecting;
                self.refusal = None;
                self.leave_room();
            }
            Action::Bang { .. } | Action::StopAll | Action::RetryNow => {}
        }
    }

    /// Takes in what the session said.
    pub fn apply(&mut self, event: SessionEvent) {
        self.standing.apply(&event);
        match event {
            SessionEvent::Connecting { relay } => {
                if self.relay != relay {
                    self.relay = relay;
                    self.connection = Connection::Connecting;
                }
                // While the same relay is tried again, the reason it was lost stays on show.
            }
            SessionEvent::Connected { wire, bank, default_sound } => {
                self.connection = Connection::Connected(wire);
                self.take_bank(bank, &default_sound);
                self.refusal = None;
                self.stopped_here_only = false;
            }
            SessionEvent::OtherBank { bank, default_sound } => self.take_bank(bank, &default_sound),
            SessionEvent::Lost { reason, retry_in } => {
                self.connection = Connection::Lost { reason, retry_in };
                self.leave_room();
            }
            SessionEvent::WrongAddress { reason } => {
                self.connection = Connection::WrongAddress { reason };
                self.leave_room();
            }
            SessionEvent::SoundReady { name } => self.set_readiness(&name, Readiness::Ready),
            SessionEvent::SoundOnFirstUse { name } => {
                self.set_readiness(&name, Readiness::OnFirstUse);
            }
            SessionEvent::SoundLoading { name } => self.set_readiness(&name, Readiness::Loading),
            SessionEvent::SoundFailed { name, reason } => {
                self.set_readiness(&name, Readiness::Failed { reason });
            }
            SessionEvent::OutputOpened { id, name, trim, instead } => {
                self.output = OutputState::Open { id, name, latency_micros: None, trim, instead };
            }
            SessionEvent::OutputLatency { micros } => {
                if let OutputState::Open { latency_micros, .. } = &mut self.output {
                    *latency_micros = Some(micros);
                }
            }
            SessionEvent::OutputLost { reason } => {
                self.output = OutputState::None { reason };
                self.meter = Meter::default();
            }
            SessionEvent::Outputs(outputs) => self.outputs = outputs,
            SessionEvent::Roster(roster) => self.roster = roster,
            SessionEvent::Heard(heard) => {
                self.heard += 1;
                self.flashes.add(heard.at);
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back(heard);
                self.refusal = None;
                self.stopped_here_only = false;
            }
            SessionEvent::StoppedHereOnly => self.stopped_here_only = true,
            SessionEvent::Refused { reason } => self.refusal = Some(reason),
            SessionEvent::Meter { peak, voices } => self.meter = Meter { peak, voices },
            SessionEvent::BankReady { .. }
            | SessionEvent::Clock { .. }
            | SessionEvent::OutputLatencyChanged { .. } => {}
        }
    }

    fn take_bank(&mut self, bank: Vec<SoundInfo>, default_sound: &str) {
        let known = std::mem::take(&mut self.bank);
        self.bank = bank
            .into_iter()
            .map(|info| {
                let readiness = known
                    .iter()
                    .find(|old| old.info.hash == info.hash)
                    .map_or(Readiness::Loading, |old| old.readiness.clone());
                BankSound { info, readiness }
            })
            .collect();
        let offered = |name: &String| self.bank.iter().any(|sound| sound.info.name == *name);
        if !self.selected.as_ref().is_some_and(offered) {
            self.selected = Some(default_sound.to_owned()).filter(offered);
        }
    }

    fn set_readiness(&mut self, name: &str, readiness: Readiness) {
        if let Some(sound) = self.bank.iter_mut().find(|sound| sound.info.name == name) {
            sound.readiness = readiness;
        }
    }

    fn leave_room(&mut self) {
        self.roster.clients.clear();
        self.roster.total = 0;
        self.standing = Standing::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::TypedAddress, time::LocalTime};

    fn state() -> State {
        State::new("lab".to_owned(), "lab-3".to_owned(), 0.5, OutputChoice::SystemDefault)
    }

    fn sound(name: &str, hash: &str) -> SoundInfo {
        SoundInfo {
            name: name.to_owned(),
            hash: hash.to_owned(),
            bytes: 44,
            frames: 0,
            rate: 48_000,
            channels: 1,
        }
    }

    fn connect(state: &mut State, bank: Vec<SoundInfo>) {
        let default_sound = "click".to_owned();
        state.apply(SessionEvent::Connected { wire: Wire::Plain, bank, default_sound });
    }

    #[test]
    fn only_the_last_triggers_are_remembered() {
        let mut state = state();
        for index in 0..3 * RECENT as i64 {
            state.apply(SessionEvent::Heard(Heard {
                sound: "click".to_owned(),
                by: None,
                own: false,
                at: LocalTime::from_nanos(index),
                late: false,
            }));
        }
        assert_eq!(state.recent.len(), RECENT);
        assert_eq!(state.heard, 3 * RECENT as u64);
        assert_eq!(state.last().unwrap().at, LocalTime::from_nanos(3 * RECENT as i64 - 1));
    }

    #[test]
    fn a_reconnect_keeps_the_choice_and_what_is_decoded() {
        let mut state = state();
        connect(&mut state, vec![sound("click", "a"), sound("bell", "b")]);
        assert_eq!(state.selected.as_deref(), Some("click"));
        state.pick(&Action::SelectSound("bell".to_owned()));
        state.apply(SessionEvent::SoundReady { name: "bell".to_owned() });
        state.apply(SessionEvent::Lost {
            reason: "it closed".to_owned(),
            retry_in: Duration::from_millis(300),
        });
        assert!(!state.can_bang());
        connect(&mut state, vec![sound("click", "changed"), sound("bell", "b")]);
        assert_eq!(state.selected.as_deref(), Some("bell"));
        assert_eq!(state.bank[0].readiness, Readiness::Loading);
        assert_eq!(state.bank[1].readiness, Readiness::Ready);

        // A bank without it falls back to the relay's default.
        connect(&mut state, vec![sound("click", "a")]);
        assert_eq!(state.selected.as_deref(), Some("click"));
    }

    #[test]
    fn a_sound_that_is_put_off_is_shown_as_such_until_it_is_decoded() {
        let mut state = state();
        connect(&mut state, vec![sound("bell", "b")]);
        let name = || "bell".to_owned();
        for (event, readiness) in [
            (SessionEvent::SoundOnFirstUse { name: name() }, Readiness::OnFirstUse),
            (SessionEvent::SoundLoading { name: name() }, Readiness::Loading),
            (SessionEvent::SoundReady { name: name() }, Readiness::Ready),
        ] {
            state.apply(event);
            assert_eq!(state.bank[0].readiness, readiness);
        }
    }

    #[test]
    fn a_stop_that_went_no_further_is_shown_until_there_is_a_relay() {
        let mut state = state();
        state.apply(SessionEvent::StoppedHereOnly);
        assert!(state.stopped_here_only);
        connect(&mut state, vec![sound("bell", "b")]);
        assert!(!state.stopped_here_only);
    }

    #[test]
    fn another_bank_is_shown_and_keeps_the_choice_if_it_can() {
        let mut state = state();
        connect(&mut state, vec![sound("click", "a"), sound("bell", "b")]);
        state.apply(SessionEvent::SoundReady { name: "bell".to_owned() });
        state.pick(&Action::SelectSound("bell".to_owned()));
        let other = |bank| SessionEvent::OtherBank { bank, default_sound: "click".to_owned() };
        state.apply(other(vec![sound("bell", "b"), sound("click", "a"), sound("kick", "k")]));
        let shown: Vec<_> = state.bank.iter().map(|sound| sound.info.name.as_str()).collect();
        assert_eq!(shown, ["bell", "click", "kick"]);
        assert_eq!(state.bank[0].readiness, Readiness::Ready);
        assert_eq!(state.selected.as_deref(), Some("bell"));
        state.apply(other(vec![sound("click", "a")]));
        assert_eq!(state.selected.as_deref(), Some("click"));
        assert!(state.can_bang(), "it is the same connection");
    }

    #[test]
    fn another_relay_is_awaited_and_its_room_unknown() {
        let mut state = state();
        connect(&mut state, vec![sound("click", "a")]);
        state.apply(SessionEvent::Clock { error_micros: Some(20) });
        state.pick(&Action::SetRelay(TypedAddress::new("stage#token=hidden")));
        assert_eq!(state.connection, Connection::Connecting);
        assert_eq!(state.relay, "stage");
        assert_eq!(state.standing.clock_error_micros(), None);
    }

    #[test]
    fn trying_the_same_relay_again_keeps_the_reason_on_show() {
        let mut state = state();
        state.apply(SessionEvent::Lost {
            reason: "refused".to_owned(),
            retry_in: Duration::from_secs(1),
        });
        state.apply(SessionEvent::Connecting { relay: "lab".to_owned() });
        assert!(
            matches!(&state.connection, Connection::Lost { reason, .. } if reason == "refused")
        );
    }
}

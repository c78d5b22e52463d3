//! Everything the window shows, as plain data. The window's thread owns it, and session events alone
//! change it.
//!
//! Nothing here draws, blocks, or reads a clock.

pub(crate) mod channel;
mod flashes;
mod values;

use std::{collections::VecDeque, mem};

use downbeat_protocol::{ClientId, Roster, SoundInfo, VariableState, VariablesChange};

use crate::{
    event::{OutputInfo, Played, RelayProtocol, SessionEvent, VoiceUpdate},
    settings::{Appearance, OutputChoice},
    sync_status::SyncStatus,
};

pub use flashes::Flashes;
pub use values::{BankSound, ConnectionState, Meter, OutputState, Readiness, ShownVoice};

/// Triggers that are kept: as many as can be waiting for their instant, or still fading from the
/// window, when people bang as fast as they can.
const RECENT: usize = 16;

/// Voices that are kept: as many as the session keeps.
const MAX_VOICES: usize = 256;

/// Everything the window shows.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The relay's address, for people.
    pub relay: String,
    /// This player's name.
    pub name: String,
    /// The state of the connection to the relay.
    pub connection: ConnectionState,
    /// The sounds that can be banged.
    pub bank: Vec<BankSound>,
    /// Name of the sound that a bang plays.
    pub selected: Option<String>,
    /// This machine's volume, 0 to 1.
    pub volume: f32,
    /// The state of the output.
    pub output: OutputState,
    /// The output that the person chose.
    pub output_choice: OutputChoice,
    /// The outputs that can be chosen.
    pub outputs: Vec<OutputInfo>,
    /// The clients in the room.
    pub roster: Roster,
    /// The voices that sound on this machine or are about to, oldest first.
    pub voices: Vec<ShownVoice>,
    /// The variables of the room with their values, in the order of their declaration.
    pub variables: Vec<VariableState>,
    /// The colours of the window.
    pub appearance: Appearance,
    /// The last triggers that played here, or are about to, oldest first.
    pub recent: VecDeque<Played>,
    /// Which of them flash at full contrast.
    pub flashes: Flashes,
    /// This machine's synchrony with the room.
    pub sync_status: SyncStatus,
    /// The level of the output.
    pub meter: Meter,
    /// What the relay refused last; cleared by the next trigger.
    pub refusal: Option<String>,
    /// Whether the last stop reached this machine only.
    pub stopped_locally: bool,
}

impl State {
    /// The state before the first event.
    #[must_use]
    pub fn new(relay: String, name: String, volume: f32, output_choice: OutputChoice) -> Self {
        Self {
            relay,
            name,
            connection: ConnectionState::Connecting,
            bank: Vec::new(),
            selected: None,
            volume,
            output: OutputState::Opening,
            output_choice,
            outputs: Vec::new(),
            roster: Roster { total: 0, clients: Vec::new(), lead_micros: 0 },
            voices: Vec::new(),
            variables: Vec::new(),
            appearance: Appearance::default(),
            recent: VecDeque::with_capacity(RECENT),
            flashes: Flashes::default(),
            sync_status: SyncStatus::default(),
            meter: Meter::default(),
            refusal: None,
            stopped_locally: false,
        }
    }

    /// Whether there is a relay to bang at.
    pub(crate) fn can_bang(&self) -> bool {
        matches!(self.connection, ConnectionState::Connected(_))
    }

    /// This client's number, on a relay that speaks `downbeat.v1`.
    pub(crate) fn own_id(&self) -> Option<ClientId> {
        match self.connection {
            ConnectionState::Connected(RelayProtocol::V1 { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// The last trigger that played here.
    pub(crate) fn last(&self) -> Option<&Played> {
        self.recent.back()
    }

    /// Why there is no output, if there is none. One that is being opened is not a problem yet.
    pub(crate) fn output_problem(&self) -> Option<&str> {
        match &self.output {
            OutputState::None { reason } => Some(reason),
            OutputState::Opening | OutputState::Open { .. } => None,
        }
    }

    /// Applies an event of the session.
    pub fn apply(&mut self, event: SessionEvent) {
        self.sync_status.apply(&event);
        match event {
            SessionEvent::RelayChanged { relay } => {
                self.relay = relay;
                self.connection = ConnectionState::Connecting;
                self.refusal = None;
                self.clear_roster();
            }
            SessionEvent::Connecting { relay } => {
                // On a retry of the same relay, the reason of the loss stays visible.
                if self.relay != relay {
                    self.relay = relay;
                    self.connection = ConnectionState::Connecting;
                }
            }
            SessionEvent::Connected { protocol, bank, default_sound } => {
                self.connection = ConnectionState::Connected(protocol);
                self.set_bank(bank, &default_sound);
                self.refusal = None;
                self.stopped_locally = false;
            }
            SessionEvent::BankChanged { bank, default_sound } => {
                self.set_bank(bank, &default_sound);
            }
            SessionEvent::Lost { reason, retry_in } => {
                self.connection = ConnectionState::Lost { reason, retry_in };
                self.clear_roster();
            }
            SessionEvent::InvalidAddress { reason } => {
                self.connection = ConnectionState::InvalidAddress { reason };
                self.clear_roster();
            }
            SessionEvent::SoundSelected { name } => self.selected = Some(name),
            SessionEvent::SoundReady { name, waveform } => {
                self.set_readiness(&name, Readiness::Ready);
                if let Some(sound) = self.sound_mut(&name) {
                    sound.waveform = Some(waveform);
                }
            }
            SessionEvent::SoundOnFirstUse { name } => {
                self.set_readiness(&name, Readiness::OnFirstUse);
            }
            SessionEvent::SoundLoading { name } => self.set_readiness(&name, Readiness::Loading),
            SessionEvent::SoundFailed { name, reason } => {
                self.set_readiness(&name, Readiness::Failed { reason });
            }
            SessionEvent::VolumeChanged { volume } => self.volume = volume,
            SessionEvent::OutputChosen(choice) => {
                self.output_choice = choice;
                self.output = OutputState::Opening;
            }
            SessionEvent::OutputOpened { id, name, extra_latency, fallback_reason } => {
                let latency_micros = None;
                self.output =
                    OutputState::Open { id, name, latency_micros, extra_latency, fallback_reason };
            }
            SessionEvent::ExtraLatencyChanged { extra_latency: changed } => {
                if let OutputState::Open { extra_latency, .. } = &mut self.output {
                    *extra_latency = changed;
                }
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
            SessionEvent::Played(played) => {
                self.flashes.add(played.at);
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back(played);
                self.refusal = None;
                self.stopped_locally = false;
            }
            SessionEvent::Voice(update) => self.update_voice(update),
            SessionEvent::Variables(variables) => self.variables = variables,
            SessionEvent::VariablesChanged(change) => self.change_variables(change),
            SessionEvent::ValueApplied { name, value } => {
                if let Some(variable) =
                    self.variables.iter_mut().find(|state| state.variable.name == name)
                {
                    variable.value = value;
                }
            }
            SessionEvent::AppearanceChanged(appearance) => self.appearance = appearance,
            SessionEvent::StoppedLocally => self.stopped_locally = true,
            SessionEvent::Refused { reason } => self.refusal = Some(reason),
            SessionEvent::Meter { peak } => self.meter = Meter { peak },
            SessionEvent::BankReady { .. }
            | SessionEvent::Clock { .. }
            | SessionEvent::OutputLatencyAdapted { .. } => {}
        }
    }

    fn set_bank(&mut self, bank: Vec<SoundInfo>, default_sound: &str) {
        let former = mem::take(&mut self.bank);
        self.bank = bank
            .into_iter()
            .map(|info| {
                let old = former.iter().find(|old| old.info.hash == info.hash);
                let readiness = old.map_or(Readiness::Loading, |old| old.readiness.clone());
                let waveform = old.and_then(|old| old.waveform.clone());
                BankSound { info, readiness, waveform }
            })
            .collect();
        let is_in_bank = |name: &String| self.bank.iter().any(|sound| sound.info.name == *name);
        if !self.selected.as_ref().is_some_and(is_in_bank) {
            self.selected = Some(default_sound.to_owned()).filter(is_in_bank);
        }
    }

    fn set_readiness(&mut self, name: &str, readiness: Readiness) {
        if let Some(sound) = self.sound_mut(name) {
            sound.readiness = readiness;
        }
    }

    fn sound_mut(&mut self, name: &str) -> Option<&mut BankSound> {
        self.bank.iter_mut().find(|sound| sound.info.name == name)
    }

    fn update_voice(&mut self, update: VoiceUpdate) {
        match update {
            VoiceUpdate::Scheduled(scheduled) => {
                // The session keeps no more either.
                if self.voices.len() == MAX_VOICES {
                    self.voices.remove(0);
                }
                self.voices.push(ShownVoice { scheduled, lateness_micros: None });
            }
            VoiceUpdate::Started { voice, lateness_micros } => {
                let shown = self.voices.iter_mut().find(|shown| shown.scheduled.voice == voice);
                if let Some(shown) = shown {
                    shown.lateness_micros = Some(lateness_micros);
                }
            }
            VoiceUpdate::Ended { voice, .. } => {
                self.voices.retain(|shown| shown.scheduled.voice != voice);
            }
        }
    }

    fn change_variables(&mut self, change: VariablesChange) {
        let VariablesChange { declared, removed } = change;
        self.variables.retain(|state| !removed.contains(&state.variable.name));
        for state in declared {
            let name = &state.variable.name;
            match self.variables.iter_mut().find(|known| known.variable.name == *name) {
                Some(known) => *known = state,
                None => self.variables.push(state),
            }
        }
    }

    fn clear_roster(&mut self) {
        self.roster.clients.clear();
        self.roster.total = 0;
    }
}

#[cfg(test)]
mod tests;

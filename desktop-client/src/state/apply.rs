//! What each event of the session changes in the window's state.

use downbeat_protocol::{MachineRecord, VariablesChange};

use super::{
    ConnectionState, Identified, Incidents, MAX_VOICES, Meter, OutputState, RECENT, Readiness,
    ShownVoice, State, WatchedRoom,
};
use crate::{
    event::{SessionEvent, UploadUpdate, VoiceUpdate},
    time::LocalTime,
};

impl State {
    /// Applies an event of the session, which came at `now`.
    pub fn apply(&mut self, event: SessionEvent, now: LocalTime) {
        self.sync_status.apply(&event);
        match event {
            event @ (SessionEvent::RelayChanged { .. }
            | SessionEvent::Connecting { .. }
            | SessionEvent::Connected { .. }
            | SessionEvent::Lost { .. }
            | SessionEvent::InvalidAddress { .. }
            | SessionEvent::CodeRefused { .. }) => self.apply_to_connection(event),
            SessionEvent::RelaysFound(relays) => self.relays = relays,
            SessionEvent::Machine(machine) => self.machine = machine,
            SessionEvent::Locked { locked, .. } => self.locked = locked,
            SessionEvent::BankChanged(bank) => self.set_bank(bank),
            SessionEvent::SoundSelected { name } => self.selected = Some(name),
            SessionEvent::SoundReady { name, waveform } => {
                self.set_readiness(&name, Readiness::Ready);
                self.set_waveform(&name, waveform);
            }
            SessionEvent::SoundOnFirstUse { name } => {
                self.set_readiness(&name, Readiness::OnFirstUse);
            }
            SessionEvent::SoundLoading { name } => self.set_readiness(&name, Readiness::Loading),
            SessionEvent::SoundFailed { name, reason } => {
                self.set_readiness(&name, Readiness::Failed { reason });
            }
            SessionEvent::NameChanged { name } => self.name = name,
            SessionEvent::VolumeChanged { volume } => self.volume = volume,
            SessionEvent::MuteChanged { muted } => self.muted = muted,
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
            event @ (SessionEvent::Reported(_)
            | SessionEvent::Watching(_)
            | SessionEvent::Machines(_)
            | SessionEvent::Receipt(_)
            | SessionEvent::Joining(_)
            | SessionEvent::Identify { .. }) => self.apply_to_room(event, now),
            SessionEvent::Upload(update) => self.update_upload(update),
            SessionEvent::UploadRemoved { id } => self.uploads.remove(id),
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

    /// Applies what becomes of the connection.
    fn apply_to_connection(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::RelayChanged { relay } => {
                self.relay = relay;
                self.connection = ConnectionState::Connecting;
                self.refusal = None;
                self.leave_room();
            }
            // On a retry of the same relay, the reason of the loss stays visible.
            SessionEvent::Connecting { relay } if self.relay != relay => {
                self.relay = relay;
                self.connection = ConnectionState::Connecting;
            }
            SessionEvent::Connected { protocol, bank } => {
                self.connection = ConnectionState::Connected(protocol);
                // A relay that was started again numbers its banks from one.
                self.uploads.forget_banks();
                self.set_bank(bank);
                self.refusal = None;
                self.stopped_locally = false;
            }
            SessionEvent::Lost { reason, retry_in } => {
                self.connection = ConnectionState::Lost { reason, retry_in };
                self.leave_room();
            }
            SessionEvent::InvalidAddress { reason } => {
                self.connection = ConnectionState::InvalidAddress { reason };
                self.leave_room();
            }
            SessionEvent::CodeRefused { relay, reason } => {
                self.connection = ConnectionState::CodeRefused { relay, reason };
                self.leave_room();
            }
            _ => {}
        }
    }

    /// Applies what is told about this machine and the others.
    fn apply_to_room(&mut self, event: SessionEvent, now: LocalTime) {
        match event {
            SessionEvent::Reported(report) => {
                self.own_incidents.update(&report, now);
                self.report = Some(report);
            }
            SessionEvent::Watching(watching) => {
                self.room = watching.then(WatchedRoom::default);
            }
            SessionEvent::Machines(change) => {
                if let Some(room) = &mut self.room {
                    room.update(change, now);
                }
            }
            SessionEvent::Receipt(receipt) => {
                if let Some(room) = &mut self.room {
                    room.add_receipt(receipt, now);
                }
            }
            SessionEvent::Joining(joining) => {
                if let Some(room) = &mut self.room {
                    room.joining = Some(joining);
                }
            }
            SessionEvent::Identify { at, by } => {
                let identified = Identified { at, by };
                // They count with those of triggers.
                for flash in identified.flashes() {
                    self.flashes.add(flash);
                }
                self.identified = Some(identified);
            }
            _ => {}
        }
    }

    fn update_upload(&mut self, update: UploadUpdate) {
        self.uploads.update(update);
        // Its bank may have come before it.
        let hashes: Vec<_> = self.bank.iter().map(|one| one.info.hash.as_str()).collect();
        self.uploads.bank_changed(self.bank_number, &hashes);
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

    /// The room is unknown until a relay says what it is.
    fn leave_room(&mut self) {
        self.roster.clients.clear();
        self.roster.total = 0;
        self.room = None;
        self.report = None;
        self.own_incidents = Incidents::default();
        self.machine = MachineRecord::default();
        self.locked = false;
    }
}

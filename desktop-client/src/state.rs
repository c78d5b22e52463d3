//! Everything the window shows, as plain data. The window's thread owns it, and session events alone
//! change it.
//!
//! Nothing here draws, blocks, or reads a clock.

mod apply;
mod bank;
pub(crate) mod channel;
mod clients;
mod flashes;
mod incidents;
mod room;
mod trouble;
mod uploads;
pub(crate) mod urgency;
mod values;

use std::collections::VecDeque;

use downbeat_protocol::{
    ClientId, MachineRecord, RemovedSound, Report, Rights, Roster, Variable, VariableState,
};

use crate::{
    event::{FoundRelay, OutputInfo, Played, RelayProtocol},
    settings::{Appearance, OutputChoice},
    sync_status::SyncStatus,
};

pub(crate) use self::room::plays_bank;
pub use self::{
    flashes::Flashes,
    incidents::Incidents,
    room::{ReadyOn, TimedReceipt, WatchedRoom},
    trouble::{Trouble, severity, trouble_of_away},
    uploads::{Upload, Uploads},
    values::{BankSound, ConnectionState, Identified, Meter, OutputState, Readiness, ShownVoice},
};

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
    /// The relays that were found on the network, while none is joined.
    pub relays: Vec<FoundRelay>,
    /// What the relay keeps of this machine, and what it may do.
    pub machine: MachineRecord,
    /// Whether the room is locked: only conductors bang, stop and set.
    pub locked: bool,
    /// The sounds that can be banged.
    pub bank: Vec<BankSound>,
    /// The number of that bank.
    pub bank_number: u64,
    /// The sound of a bang that names none.
    pub default_sound: String,
    /// Sounds that were removed and can be put back, the newest first.
    pub removed_sounds: Vec<RemovedSound>,
    /// Files on their way to the bank.
    pub uploads: Uploads,
    /// Name of the sound that a bang plays.
    pub selected: Option<String>,
    /// This machine's volume, 0 to 1.
    pub volume: f32,
    /// Whether this machine is silenced.
    pub muted: bool,
    /// The state of the output.
    pub output: OutputState,
    /// The output that the person chose.
    pub output_choice: OutputChoice,
    /// The outputs that can be chosen.
    pub outputs: Vec<OutputInfo>,
    /// The clients in the room.
    pub roster: Roster,
    /// All machines, while this one watches the room.
    pub room: Option<WatchedRoom>,
    /// What the relay was last told of this machine.
    pub report: Option<Report>,
    /// What has gone wrong on this machine lately.
    own_incidents: Incidents,
    /// Someone looks for this machine, or did.
    pub identified: Option<Identified>,
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
            relays: Vec::new(),
            machine: MachineRecord::default(),
            locked: false,
            bank: Vec::new(),
            bank_number: 0,
            default_sound: String::new(),
            removed_sounds: Vec::new(),
            uploads: Uploads::default(),
            selected: None,
            volume,
            muted: false,
            output: OutputState::Opening,
            output_choice,
            outputs: Vec::new(),
            roster: Roster::default(),
            room: None,
            report: None,
            own_incidents: Incidents::default(),
            identified: None,
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

    /// Whether there is a relay to bang at, and it lets this machine.
    pub(crate) fn can_bang(&self) -> bool {
        matches!(self.connection, ConnectionState::Connected(_)) && self.prohibition().is_none()
    }

    /// What this machine may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.machine.rights
    }

    /// Whether this machine may change the room: machines, sounds, the lock.
    #[must_use]
    pub fn is_conductor(&self) -> bool {
        self.own_id().is_some() && self.rights() == Rights::Conductor
    }

    /// Whether this machine may set a variable.
    #[must_use]
    pub fn may_set(&self, variable: &Variable) -> bool {
        let is_open = self.rights() == Rights::Player && !self.locked && variable.open;
        self.is_conductor() || is_open
    }

    /// Why this machine may not set a variable, for people, if it may not.
    pub(crate) fn reason_not_to_set(&self, variable: &Variable) -> Option<&'static str> {
        let is_relay_known = self.own_id().is_some();
        match (is_relay_known && !self.may_set(variable), self.rights(), self.locked) {
            (false, ..) => None,
            (true, Rights::Listener, _) => Some("This machine listens: it may not set variables."),
            (true, _, true) => Some("The room is locked: only conductors set variables."),
            (true, _, false) => Some("This variable is not open: only conductors set it."),
        }
    }

    /// Why this machine may neither bang nor stop, for people, if it may not.
    #[must_use]
    pub fn prohibition(&self) -> Option<&'static str> {
        match (self.rights(), self.locked) {
            (Rights::Listener, _) => Some("This machine listens: it may not bang."),
            (Rights::Player, true) => Some("The room is locked: only conductors bang."),
            (Rights::Player, false) | (Rights::Conductor, _) => None,
        }
    }

    /// The last report of a client, if it is known: that of this machine, and those of a watched room.
    #[must_use]
    pub fn report_of(&self, id: ClientId) -> Option<&Report> {
        let watched = self.room.as_ref().and_then(|room| room.client(id)?.report.as_ref());
        let own = || self.report.as_ref().filter(|_| self.own_id() == Some(id));
        watched.or_else(own)
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
}

#[cfg(test)]
mod tests;

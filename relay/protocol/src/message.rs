//! The messages, by direction. A new message is a variant here, a table and an example in
//! `docs/PROTOCOL.md`, and a `match` arm at both ends.

use serde::{Deserialize, Serialize};

use crate::{
    client::{ClientId, ClientKind, Report},
    machine::{
        AssignRequest, CommandNow, CommandRequest, ForgetRequest, Joining, LockChange, LockRequest,
        MachineId, MachineRecord, MachinesChange, WatchRequest,
    },
    name,
    receipt::{Outcomes, Receipt},
    roster::{Roster, RosterChange, RosterEntry},
    sound::{EditSoundsRequest, RemovedSound, SoundInfo, UploadReady, UploadRequest},
    time::{Epoch, RelayTime},
    trigger::{Stop, StopRequest, Trigger, TriggerRequest},
    variable::{
        Ack, DeclareRequest, RemoveRequest, SetRequest, ValueChange, VariableState, VariablesChange,
    },
};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientToRelay {
    /// The first message of every client.
    Hello(Hello),
    /// A probe of the relay's clock, answered by [`RelayToClient::ProbeReply`].
    Probe(Probe),
    /// A request to play a sound everywhere.
    Trigger(TriggerRequest),
    /// A request to stop what sounds.
    Stop(StopRequest),
    /// A request to declare variables.
    Declare(DeclareRequest),
    /// A request to remove variables.
    Remove(RemoveRequest),
    /// A request to set a variable.
    Set(SetRequest),
    /// A request to change what is kept about machines.
    Assign(AssignRequest),
    /// A request to forget machines.
    Forget(ForgetRequest),
    /// A request to let clients do something.
    Command(CommandRequest),
    /// A request to lock the room.
    Lock(LockRequest),
    /// A request to be told about all machines.
    Watch(WatchRequest),
    /// A request to upload a file.
    Upload(UploadRequest),
    /// A request to change sounds of the bank.
    EditSounds(EditSoundsRequest),
    /// What the client did about the last triggers.
    Outcomes(Outcomes),
    /// The state of the client, every few seconds and on large changes.
    Report(Report),
}

/// What the relay sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelayToClient {
    /// The reply to a hello.
    Welcome(Welcome),
    /// The reply to a probe.
    ProbeReply(ProbeReply),
    /// Play a sound at an instant.
    Trigger(Trigger),
    /// Stop at an instant.
    Stop(Stop),
    /// A variable takes a value at an instant.
    Value(ValueChange),
    /// Variables were declared or removed.
    Variables(VariablesChange),
    /// A request is done.
    Ack(Ack),
    /// A change of the roster and the lead.
    Roster(RosterChange),
    /// The new bank.
    Bank(BankNow),
    /// What the relay keeps about the client's machine, and what it may do.
    Machine(MachineRecord),
    /// What the client does at once.
    Command(CommandNow),
    /// The room was locked or unlocked.
    Lock(LockChange),
    /// A change among all machines, for those who watch the room.
    Machines(MachinesChange),
    /// Who sounded a trigger, for those who watch the room.
    Receipt(Receipt),
    /// How others join, for those who watch the room.
    Joining(Joining),
    /// Where a file can be uploaded.
    UploadReady(UploadReady),
    /// A message was refused.
    Error(Refusal),
}

/// The first message of every client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its name on other machines.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// Its kind.
    pub kind: ClientKind,
    /// Program and version, for the relay's log.
    #[serde(deserialize_with = "name::read")]
    pub client: String,
    /// Its machine; absent if nothing of it is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
}

/// A probe of the relay's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was sent, by the client's clock and in a unit of its choice. The relay returns it unchanged.
    pub sent: i64,
}

/// The reply to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReply {
    /// The probe's `sent`.
    pub sent: i64,
    /// When the probe arrived at the relay.
    pub received: RelayTime,
    /// When this reply was sent.
    pub replied: RelayTime,
}

/// The reply to a hello.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The client's number.
    pub id: ClientId,
    /// The run of the relay to which times and numbers belong.
    pub epoch: Epoch,
    /// When this message was sent.
    pub now: RelayTime,
    /// The relay's name and version, for the client's log.
    #[serde(deserialize_with = "name::read")]
    pub relay: String,
    /// What the relay allows.
    pub limits: Limits,
    /// The bank.
    pub sounds: Vec<SoundInfo>,
    /// The sound of a trigger that names none.
    #[serde(deserialize_with = "name::read")]
    pub default_sound: String,
    /// The number of the bank: each new bank has a larger one.
    #[serde(default)]
    pub bank: u64,
    /// The last sounds that were removed, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedSound>,
    /// What is kept about the client's machine, and what it may do.
    #[serde(default)]
    pub machine: MachineRecord,
    /// Whether the room is locked: only conductors bang, stop and set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// What is sounding now; the client joins it.
    pub sounding: Vec<Sounding>,
    /// The number of the trigger from which on `sounding` is complete: earlier ones may be sounding that it does not
    /// list. It is complete as a whole if this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sounding_from: Option<u64>,
    /// The variables with their values.
    #[serde(default)]
    pub variables: Vec<VariableState>,
    /// Values that take effect later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<ValueChange>,
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// The listed clients; each [`RosterChange`] from now on changes this list.
    pub clients: Vec<RosterEntry>,
    /// The lead: from a trigger's arrival at the relay to its instant.
    pub lead_micros: u32,
}

impl Welcome {
    /// The roster at the time of the welcome.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let Self { total, lead_micros, .. } = *self;
        Roster { total, clients: self.clients.clone(), lead_micros }
    }
}

/// The new bank. Nothing else of the welcome changes: what sounds goes on, even if its sound is no longer in
/// the bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankNow {
    /// The bank.
    pub sounds: Vec<SoundInfo>,
    /// The sound of a trigger that names none.
    #[serde(deserialize_with = "name::read")]
    pub default_sound: String,
    /// The number of the bank.
    #[serde(default)]
    pub bank: u64,
    /// The last sounds that were removed, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedSound>,
}

/// What is sounding: its trigger, and its stop if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sounding {
    /// Its trigger.
    pub trigger: Trigger,
    /// When it is stopped before its own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<RelayTime>,
}

/// What the relay allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest message that it accepts, in bytes.
    pub message_bytes: u32,
    /// Minimum lead.
    pub min_lead_micros: u32,
    /// Maximum lead.
    pub max_lead_micros: u32,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or a field is missing or of the wrong type.
    Malformed,
    /// An unknown type.
    UnknownType,
    /// The first message was not a hello.
    HelloFirst,
    /// A value is out of range.
    InvalidValue,
    /// The bank has no sound of that name.
    UnknownSound,
    /// There is no variable of that name.
    UnknownVariable,
    /// A variable of that name exists with another declaration.
    Conflict,
    /// There are too many variables, or too much is kept.
    Full,
    /// No client is in the target.
    NoTarget,
    /// More messages than the rate limit allows.
    TooMany,
    /// The client is not authorized.
    NotAllowed,
    /// The room is locked.
    Locked,
    /// A code that this version does not know.
    #[serde(other)]
    Other,
}

/// A message was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, for people.
    #[serde(deserialize_with = "name::read")]
    pub message: String,
    /// The `ack` of the refused request, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

//! The messages, by direction. Both enums are closed: a new message is a new variant here, a row
//! and an example in `docs/PROTOCOL.md`, and a `match` arm at each end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    name,
    roster::{Roster, RosterChange, RosterEntry},
    time::{Epoch, RelayTime},
    values::SoundInfo,
};

/// The number by which a relay knows a client for as long as it stays connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u32);

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientToRelay {
    /// The first message of every client.
    Hello(Hello),
    /// One half of a measurement of the clocks; answered by [`RelayToClient::ProbeReply`].
    Probe(Probe),
    /// A bang.
    Trigger(TriggerRequest),
    /// A wish that something which sounds be silent.
    Stop(StopRequest),
    /// How the client is doing, every few seconds and whenever it changes much.
    Report(Report),
}

/// What the relay sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RelayToClient {
    /// The answer to a hello.
    Welcome(Welcome),
    /// The answer to a probe.
    ProbeReply(ProbeReply),
    /// Sound, at that instant.
    Trigger(Trigger),
    /// Be silent, at that instant.
    Stop(Stop),
    /// What has changed in who is here, and the lead of the room.
    Roster(RosterChange),
    /// The bank has changed.
    Bank(BankNow),
    /// A message was refused.
    Error(Refusal),
}

/// What a client is, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A desktop player with a window.
    Window,
    /// A desktop player without one.
    Headless,
    /// The page in a browser.
    Page,
    /// It bangs and makes no sound itself.
    Remote,
    /// It speaks the seed's wire; only the relay says this of a client.
    Plain,
    /// A kind that came after this version.
    #[serde(other)]
    Other,
}

impl ClientKind {
    /// Whether it sounds when it is triggered, as far as its kind tells.
    #[must_use]
    pub fn is_player(self) -> bool {
        !matches!(self, Self::Remote)
    }
}

/// The first message of every client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What to call it on other machines.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// Program and version, for the relay's log.
    #[serde(deserialize_with = "name::read")]
    pub client: String,
}

/// One half of a measurement of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was sent, by the client's own clock and in a unit of its choice: the relay hands it
    /// back unread.
    pub sent: i64,
}

/// The other half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReply {
    /// The probe's own `sent`.
    pub sent: i64,
    /// When the probe reached the relay.
    pub received: RelayTime,
    /// When this answer left it.
    pub replied: RelayTime,
}

/// What is asked of the relay when someone bangs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerRequest {
    /// Name of the sound; none is the relay's default sound.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Linear factor on the sound's level, 0 to 4.
    #[serde(default = "one")]
    pub gain: f32,
    /// Factor on its speed, and so on its pitch, 0.25 to 4.
    #[serde(default = "one")]
    pub rate: f32,
    /// Place between left (-1) and right (1).
    #[serde(default)]
    pub pan: f32,
    /// Names of the clients that are to sound; none is everyone.
    #[serde(
        default,
        deserialize_with = "name::read_list",
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<Vec<String>>,
    /// Anything, passed through to every client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Default for TriggerRequest {
    fn default() -> Self {
        Self { sound: None, gain: 1.0, rate: 1.0, pan: 0.0, target: None, data: None }
    }
}

fn one() -> f32 {
    1.0
}

/// Who banged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The client's number.
    pub id: ClientId,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
}

/// Sound, at that instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Counts triggers and stops within the epoch, from 1. What was seen is dropped.
    pub seq: u64,
    /// When the sound's first frame leaves the converter of every machine.
    pub play_at: RelayTime,
    /// Name of the sound.
    #[serde(deserialize_with = "name::read")]
    pub sound: String,
    /// Linear factor on the sound's level, 0 to 4.
    pub gain: f32,
    /// Factor on its speed, 0.25 to 4.
    pub rate: f32,
    /// Place between left (-1) and right (1).
    pub pan: f32,
    /// Names of the clients that are to sound; none is everyone.
    #[serde(
        default,
        deserialize_with = "name::read_list",
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<Vec<String>>,
    /// What the one who banged added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Who banged.
    pub by: By,
}

impl Trigger {
    /// Whether a client of this name is to sound.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        self.target.as_ref().is_none_or(|names| names.iter().any(|n| n == name))
    }
}

/// A wish that something be silent: one trigger, one sound, or (with neither) everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// The `seq` of the trigger to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to end, however often it sounds.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
}

/// Be silent, at that instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Counts triggers and stops within the epoch, from 1.
    pub seq: u64,
    /// When the silence begins at every machine.
    pub stop_at: RelayTime,
    /// The `seq` of the trigger to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to end.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Who stopped it.
    pub by: By,
}

impl Stop {
    /// Whether it ends what `trigger` started. It ends nothing that was to start after it.
    #[must_use]
    pub fn ends(&self, trigger: &Trigger) -> bool {
        trigger.seq < self.seq
            && self.trigger.is_none_or(|seq| seq == trigger.seq)
            && self.sound.as_ref().is_none_or(|sound| *sound == trigger.sound)
    }
}

/// How a client is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The lead it needs to start every sound on time; none if it does not play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_micros: Option<u32>,
    /// How far its sounds can be off relay time: its clock estimate and its device clock together;
    /// none before the first estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_error_micros: Option<u32>,
    /// From the mix to the converter; none while it has no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_micros: Option<u32>,
    /// Triggers it has sounded since its hello.
    pub triggers: u64,
    /// How many of them came too late to be sounded from the start.
    pub late: u64,
    /// How late the last trigger began to sound; 0 if on time, none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_micros: Option<u32>,
    /// Blocks that the device missed since it was opened.
    pub xruns: u64,
}

/// The answer to a hello.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The number by which the relay knows this client.
    pub id: ClientId,
    /// The relay's life that times and numbers belong to.
    pub epoch: Epoch,
    /// When this was written.
    pub now: RelayTime,
    /// The relay's name and version, for the client's log.
    #[serde(deserialize_with = "name::read")]
    pub relay: String,
    /// What the relay allows.
    pub limits: Limits,
    /// The bank.
    pub sounds: Vec<SoundInfo>,
    /// The sound of a bang that names none.
    #[serde(deserialize_with = "name::read")]
    pub default_sound: String,
    /// What is sounding now, to be joined in the middle.
    pub sounding: Vec<Sounding>,
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// The list of who is here that each [`RosterChange`] from now on changes.
    pub clients: Vec<RosterEntry>,
    /// From a bang's arrival at the relay to its sound.
    pub lead_micros: u32,
}

impl Welcome {
    /// Who is here.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let Self { total, lead_micros, .. } = *self;
        Roster { total, clients: self.clients.clone(), lead_micros }
    }
}

/// The bank has changed, and is now this. Nothing else of the welcome has: what sounds goes on, and is
/// ended by its own end or by a stop, in the bank or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankNow {
    /// The bank.
    pub sounds: Vec<SoundInfo>,
    /// The sound of a bang that names none.
    #[serde(deserialize_with = "name::read")]
    pub default_sound: String,
}

/// What is sounding: the trigger that started it, and the stop that will end it if one is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sounding {
    /// The trigger that started it.
    pub trigger: Trigger,
    /// When it will be silenced before its own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<RelayTime>,
}

/// What the relay allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest message it reads.
    pub message_bytes: u32,
    /// Least lead it gives.
    pub least_lead_micros: u32,
    /// Greatest lead it gives.
    pub most_lead_micros: u32,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It was not JSON, or a field was missing or of the wrong type.
    Malformed,
    /// A type that this relay does not know.
    UnknownType,
    /// Something other than a hello came first.
    HelloFirst,
    /// A value is out of its range.
    InvalidValue,
    /// The bank has no sound of that name.
    UnknownSound,
    /// More messages than the relay's rate limit lets through.
    TooMany,
    /// This client may not do that.
    NotAllowed,
    /// A reason that came after this version.
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
}

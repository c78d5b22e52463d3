//! The messages, by direction. A new message is a variant here, a table and an example in
//! `docs/PROTOCOL.md`, and a `match` arm at both ends.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    client::{ClientId, ClientKind, Report},
    name,
    roster::{Roster, RosterChange, RosterEntry},
    sound::SoundInfo,
    time::{Epoch, RelayTime},
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
    /// A change of the roster and the lead.
    Roster(RosterChange),
    /// The new bank.
    Bank(BankNow),
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

/// A request to play a sound everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerRequest {
    /// Name of the sound; the relay's default sound if absent.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Gain, linear, 0 to 4.
    #[serde(default = "one")]
    pub gain: f32,
    /// Playback rate, and so pitch, 0.25 to 4.
    #[serde(default = "one")]
    pub rate: f32,
    /// Pan, from left (-1) to right (1).
    #[serde(default)]
    pub pan: f32,
    /// Names of the clients that play it; all if absent.
    #[serde(
        default,
        deserialize_with = "name::read_list",
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<Vec<String>>,
    /// Any data, passed on to every client.
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

/// The author of a trigger or stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Its number.
    pub id: ClientId,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
}

/// Play a sound at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Counts triggers and stops within the epoch, from 1. Clients drop a number that they have seen.
    pub seq: u64,
    /// When the first frame leaves the converter of every machine.
    pub play_at: RelayTime,
    /// Name of the sound.
    #[serde(deserialize_with = "name::read")]
    pub sound: String,
    /// Gain, linear, 0 to 4.
    pub gain: f32,
    /// Playback rate, 0.25 to 4.
    pub rate: f32,
    /// Pan, from left (-1) to right (1).
    pub pan: f32,
    /// Names of the clients that play it; all if absent.
    #[serde(
        default,
        deserialize_with = "name::read_list",
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<Vec<String>>,
    /// The data of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Its author.
    pub by: By,
}

impl Trigger {
    /// Whether a client of this name plays it.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        self.target.as_ref().is_none_or(|names| names.iter().any(|n| n == name))
    }
}

/// A request to stop one trigger, one sound, or (without either) everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// The `seq` of the trigger to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to stop, in all its instances.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
}

/// Stop at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Counts triggers and stops within the epoch, from 1.
    pub seq: u64,
    /// When the silence begins on every machine.
    pub stop_at: RelayTime,
    /// The `seq` of the trigger to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to stop.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Its author.
    pub by: By,
}

impl Stop {
    /// Whether it stops `trigger`. It stops no later trigger.
    #[must_use]
    pub fn ends(&self, trigger: &Trigger) -> bool {
        trigger.seq < self.seq
            && self.trigger.is_none_or(|seq| seq == trigger.seq)
            && self.sound.as_ref().is_none_or(|sound| *sound == trigger.sound)
    }
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
    /// What is sounding now; the client joins it.
    pub sounding: Vec<Sounding>,
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
    /// More messages than the rate limit allows.
    TooMany,
    /// The client is not authorized.
    NotAllowed,
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
}

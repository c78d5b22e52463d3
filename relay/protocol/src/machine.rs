//! Machines: what the relay keeps about a client beyond its connection, and what those who run the room see of
//! all of them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    client::{By, ClientId, ClientKind, Report},
    name,
    rights::Rights,
};

/// Identifies a machine over connections and restarts. It is random and secret: the relay tells it to nobody.
///
/// On the wire it is thirty-two hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub u128);

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secret: who knows it is that machine.
        f.write_str("MachineId(..)")
    }
}

impl Serialize for MachineId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for MachineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(D::Error::custom("a machine is thirty-two hexadecimal digits"));
        }
        u128::from_str_radix(&text, 16).map(Self).map_err(D::Error::custom)
    }
}

/// The number of a machine of which something is kept, within an epoch. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineNumber(pub u32);

/// A place on the plan of the room: from the left and from the front, as parts of its width and depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// From the left, 0 to 1.
    pub x: f32,
    /// From the front, 0 to 1.
    pub y: f32,
}

/// A request to change what the relay keeps about machines. Absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssignRequest {
    /// Connected clients, for their machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientId>,
    /// Machines, connected or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<MachineNumber>,
    /// Their name.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// Their seat, 1 to 9999; 0 is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u16>,
    /// Their place on the plan of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Their tags.
    #[serde(
        default,
        deserialize_with = "name::read_list_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub tags: Option<Vec<String>>,
    /// Their volume, -60 to 0 dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_db: Option<f32>,
    /// Whether they are silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// The extra latency of the output that each of them uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_latency_micros: Option<i32>,
    /// What they may do, whatever token they present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Rights>,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// A request to forget machines. One that is connected begins anew, as if it had just come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetRequest {
    /// The machines.
    pub machines: Vec<MachineNumber>,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// What a machine does on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It flashes, and the relay lets it tick.
    Identify,
    /// It closes its output and opens it again.
    RestartOutput,
    /// A command that this version does not know.
    #[serde(other)]
    Other,
}

/// A request to let clients do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// The clients.
    pub clients: Vec<ClientId>,
    /// What they do.
    pub command: Command,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// What a client does at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandNow {
    /// What it does.
    pub command: Command,
    /// Who asked for it.
    pub by: By,
}

/// A request to lock the room, or to unlock it: in a locked room, only conductors bang, stop and set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRequest {
    /// Whether it is locked from now on.
    pub locked: bool,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// The room was locked or unlocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockChange {
    /// Whether it is locked now.
    pub locked: bool,
    /// Who did it.
    pub by: By,
}

/// A request to be told about all machines and about each trigger, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRequest {
    /// Whether to be told.
    pub room: bool,
    /// Returned in the acknowledgement or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// What the relay keeps about the machine of a client and what it may do, for that client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineRecord {
    /// What the client may do.
    pub rights: Rights,
    /// Its name, if it was changed.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// Its volume, if it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_db: Option<f32>,
    /// Whether it is silent, if it was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// The extra latency of each of its outputs, where it was set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_latency: Vec<OutputLatency>,
}

/// The extra latency of one output of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLatency {
    /// The name of the output, as the machine reports it.
    #[serde(deserialize_with = "name::read")]
    pub output: String,
    /// Its extra latency, which may be negative.
    pub micros: i32,
}

/// A connected client, for those who run the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineEntry {
    /// Its number.
    pub id: ClientId,
    /// Its machine, if something is kept of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineNumber>,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// Its kind.
    pub kind: ClientKind,
    /// Its program and version.
    #[serde(default, deserialize_with = "name::read", skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// What it may do.
    pub rights: Rights,
    /// Its seat, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u16>,
    /// Its place on the plan of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Its tags.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// It needs more lead than the room waits for, and starts each sound late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub straggler: bool,
}

/// A machine of which something is kept and that is not connected, for those who run the room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AwayEntry {
    /// Its number.
    pub machine: MachineNumber,
    /// Its last name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// Its seat, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u16>,
    /// Its place on the plan of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Its tags.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What has changed among the machines, for those who watch the room. The first changes begin with an empty
/// list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachinesChange {
    /// Clients that are new or have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<MachineEntry>,
    /// Clients that are no longer connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ClientId>,
    /// Machines that are away, new or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<AwayEntry>,
    /// Machines that are no longer away: connected again, or forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<MachineNumber>,
}

/// How others join: for those who watch the room.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// What a person types on the page where a token is needed: eight digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The links, those with fewer rights first, each for every numeric address of the relay.
    pub links: Vec<JoinLink>,
}

impl fmt::Debug for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code is a secret.
        f.debug_struct("Joining").field("links", &self.links).finish_non_exhaustive()
    }
}

/// A link that joins the room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinLink {
    /// What its holders may do.
    pub rights: Rights,
    /// The address of the page, with token and fingerprint in its fragment.
    pub url: String,
}

impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address contains a token.
        f.debug_struct("JoinLink").field("rights", &self.rights).finish_non_exhaustive()
    }
}

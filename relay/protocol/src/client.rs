//! A client, as the others know it: its number, its kind, its report.

use serde::{Deserialize, Serialize};

use crate::name;

/// The number of a client while it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub u32);

/// The kind of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A desktop client with a window.
    Window,
    /// A desktop client without a window.
    Headless,
    /// The page in a browser.
    Page,
    /// Sends triggers and makes no sound itself.
    Remote,
    /// A client of the tutorial wire; only the relay assigns this kind.
    Tutorial,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

impl ClientKind {
    /// Whether clients of this kind play triggers.
    #[must_use]
    pub fn is_player(self) -> bool {
        !matches!(self, Self::Remote)
    }
}

/// The author of a trigger, a stop or a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Its number.
    pub id: ClientId,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
}

/// The state of a client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The lead that it needs to start every sound on time; absent if it does not play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_micros: Option<u32>,
    /// How far its sounds can be off relay time: the error bounds of its clock estimate and its device
    /// clock together; absent before the first estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_error_micros: Option<u32>,
    /// From the mixer to the converter; absent without an output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_micros: Option<u32>,
    /// Triggers that it has played since its hello.
    pub triggers: u64,
    /// How many of them arrived too late to play from the start.
    pub late: u64,
    /// How late the last one began to play; 0 if on time, absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_micros: Option<u32>,
    /// Blocks that the device has missed since it was opened.
    pub xruns: u64,
    /// The number of the bank that it has; absent if it does not play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<u64>,
    /// How many sounds of that bank it can play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
    /// The first 16 of the others, by name.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The name of its output.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub output: Option<String>,
    /// The largest level since its last report, in dB below full scale; absent in silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_db: Option<i32>,
    /// Its volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_db: Option<f32>,
    /// Whether it is silent by hand or from afar.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// The extra latency of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_latency_micros: Option<i32>,
}

//! Receipts: who sounded a trigger, who was late, who was silent.

use serde::{Deserialize, Serialize};

use crate::{
    client::{By, ClientId},
    name,
};

/// Why a machine did not sound a trigger that was for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// It has no output.
    NoOutput,
    /// It has not yet loaded the sound, or cannot.
    NotReady,
    /// It does not know relay time yet.
    NoClock,
    /// The sound was over before it could join.
    TooLate,
    /// It sounds as many voices as it can.
    Voices,
    /// It is muted, by hand or from afar.
    Muted,
    /// It was stopped before it began.
    Stopped,
    /// It left before it answered. Only the relay says so.
    Left,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// What a machine did about one trigger that was for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerOutcome {
    /// The number of the trigger.
    pub seq: u64,
    /// How late it began; 0 if on time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lateness_micros: u32,
    /// Why it did not sound; absent if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
fn is_zero(micros: &u32) -> bool {
    *micros == 0
}

/// What a machine did about the last triggers that were for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// At most 64.
    pub outcomes: Vec<TriggerOutcome>,
}

/// A machine that was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateClient {
    /// The client.
    pub id: ClientId,
    /// How late it began.
    pub lateness_micros: u32,
}

/// A machine that did not sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedClient {
    /// The client.
    pub id: ClientId,
    /// Why.
    pub reason: Missed,
}

/// The receipt of a trigger, as far as machines have answered. A later one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number of the trigger.
    pub seq: u64,
    /// Its sound.
    #[serde(deserialize_with = "name::read")]
    pub sound: String,
    /// Who banged.
    pub by: By,
    /// How many players it was for.
    pub expected: u32,
    /// How many of them have sounded it, on time or late.
    pub sounded: u32,
    /// The first 64 that were late, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<LateClient>,
    /// The first 64 that did not sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<MissedClient>,
    /// The first 64 that have not answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<ClientId>,
}

//! How values become columns of the tables, and are read again.

use std::time::{SystemTime, UNIX_EPOCH};

use downbeat_protocol::MachineId;

/// What was stored as JSON. What cannot be read is reported and left out: an older relay may have written it.
pub(super) fn json<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Option<T> {
    let read = serde_json::from_str(text);
    read.inspect_err(|error| tracing::warn!(%error, what, "a stored row is ignored")).ok()
}

pub(super) fn text(value: &impl serde::Serialize) -> String {
    // Strings and finite numbers only: serde_json refuses none of it.
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn to_bytes(machine: MachineId) -> [u8; 16] {
    machine.0.to_be_bytes()
}

pub(super) fn from_bytes(bytes: [u8; 16]) -> MachineId {
    MachineId(u128::from_be_bytes(bytes))
}

/// Seconds since 1970, to know which machine was seen last.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

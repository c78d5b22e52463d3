//! Encodes and decodes messages. Decoding never panics, whatever the text.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::message::{ClientToRelay, ErrorCode, Refusal, RelayToClient};

/// Why a text cannot be decoded.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A type that this version does not know; to be tolerated.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("malformed message: {0}")]
    Malformed(#[source] serde_json::Error),
}

impl From<&DecodeError> for Refusal {
    fn from(error: &DecodeError) -> Self {
        let code = match error {
            DecodeError::UnknownType(_) => ErrorCode::UnknownType,
            DecodeError::Malformed(_) => ErrorCode::Malformed,
        };
        Self { code, message: error.to_string(), ack: None }
    }
}

/// Longest part of an unknown type that an error repeats.
const ECHOED_CHARS: usize = 40;

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: String,
}

const FROM_CLIENT: [&str; 16] = [
    "hello",
    "probe",
    "trigger",
    "stop",
    "declare",
    "remove",
    "set",
    "assign",
    "forget",
    "command",
    "lock",
    "watch",
    "upload",
    "edit_sounds",
    "outcomes",
    "report",
];
const FROM_RELAY: [&str; 17] = [
    "welcome",
    "probe_reply",
    "trigger",
    "stop",
    "value",
    "variables",
    "ack",
    "roster",
    "bank",
    "machine",
    "command",
    "lock",
    "machines",
    "receipt",
    "joining",
    "upload_ready",
    "error",
];

/// Decodes a message from a client.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_from_client(text: &str) -> Result<ClientToRelay, DecodeError> {
    decode(text, &FROM_CLIENT)
}

/// Decodes a message from the relay.
///
/// # Errors
/// See [`DecodeError`]. A client ignores an unknown type.
pub fn decode_from_relay(text: &str) -> Result<RelayToClient, DecodeError> {
    decode(text, &FROM_RELAY)
}

/// Encodes a message as the text of a frame.
#[must_use]
pub fn encode<M: Message>(message: &M) -> String {
    // Fields are strings, finite numbers, and lists and structs of them: serde_json refuses none. If that
    // ever changed, the other end would refuse the empty text, which is better than a panic.
    serde_json::to_string(message).unwrap_or_default()
}

/// A message of either direction.
pub trait Message: Serialize + sealed::Sealed {}
impl Message for ClientToRelay {}
impl Message for RelayToClient {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ClientToRelay {}
    impl Sealed for super::RelayToClient {}
}

fn decode<T: DeserializeOwned>(text: &str, known: &[&str]) -> Result<T, DecodeError> {
    // Parsed again only on errors, to tell an unknown type from a malformed message.
    serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Tag>(text) {
        Ok(tag) if !known.contains(&tag.kind.as_str()) => {
            DecodeError::UnknownType(tag.kind.chars().take(ECHOED_CHARS).collect())
        }
        _ => DecodeError::Malformed(error),
    })
}

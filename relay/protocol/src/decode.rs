//! Text to message and back. Decoding answers any text whatever with a message or an error, and
//! never panics.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::message::{ClientToRelay, ErrorCode, Refusal, RelayToClient};

/// Why a text is not a message.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Well-formed, but of a type that this version does not know: to be tolerated.
    #[error("there is no message of type {0:?}")]
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
        Self { code, message: error.to_string() }
    }
}

/// Longest unknown type that an error repeats, so that no one can make the relay echo a page.
const ECHOED_CHARS: usize = 40;

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: String,
}

const FROM_CLIENT: [&str; 5] = ["hello", "probe", "trigger", "stop", "report"];
const FROM_RELAY: [&str; 7] =
    ["welcome", "probe_reply", "trigger", "stop", "roster", "bank", "error"];

/// The message that a client's text frame holds.
///
/// # Errors
/// If it holds none; see [`DecodeError`].
pub fn decode_from_client(text: &str) -> Result<ClientToRelay, DecodeError> {
    decode(text, &FROM_CLIENT)
}

/// The message that a text frame from the relay holds.
///
/// # Errors
/// If it holds none; see [`DecodeError`]. A client ignores a type that it does not know.
pub fn decode_from_relay(text: &str) -> Result<RelayToClient, DecodeError> {
    decode(text, &FROM_RELAY)
}

/// A message's text frame.
#[must_use]
pub fn encode<M: Message>(message: &M) -> String {
    // Every field of a message is a string, a finite number, or a list or struct of such: nothing
    // of which serde_json refuses to write. Should that ever change, an empty frame is refused by
    // the other end rather than a panic here.
    serde_json::to_string(message).unwrap_or_default()
}

/// What travels as one text frame: the two directions, and nothing else.
pub trait Message: Serialize + sealed::Sealed {}
impl Message for ClientToRelay {}
impl Message for RelayToClient {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ClientToRelay {}
    impl Sealed for super::RelayToClient {}
}

fn decode<T: DeserializeOwned>(text: &str, known: &[&str]) -> Result<T, DecodeError> {
    // The second parse happens only for what is refused, and tells a newer version from rubbish.
    serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Tag>(text) {
        Ok(tag) if !known.contains(&tag.kind.as_str()) => {
            DecodeError::UnknownType(tag.kind.chars().take(ECHOED_CHARS).collect())
        }
        _ => DecodeError::Malformed(error),
    })
}

//! Fetches a sound's file from the relay, by HTTP.

use std::time::Duration;

use thiserror::Error;
use ureq::Agent;

use super::content_hash::ContentHash;
use crate::net::{
    address::RelayAddress,
    http::{self, reason},
};

/// Largest file that is fetched: twice the longest sound that is played, as 32-bit values.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// How long a relay may take to start its response. On a network that carries triggers it takes milliseconds.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a transfer may stall: a crowded wireless network recovers, or drops the connection.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one file may take: the largest at a megabyte a second.
const FILE_TIMEOUT: Duration = Duration::from_mins(10);

/// Why a file was not fetched, for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum FetchError {
    /// The relay did not respond.
    #[error("the relay does not send its sounds: {0}")]
    Unreachable(String),
    /// The transfer ended early.
    #[error("the transfer was interrupted: {0}")]
    Interrupted(String),
    /// The relay responded with another status than 200.
    #[error("the relay does not serve the sound (HTTP {0})")]
    Status(u16),
    /// The file is shorter than the bank says.
    #[error("the file has {received} bytes, but the relay announced {expected}")]
    Length {
        /// Bytes received.
        received: u64,
        /// Bytes by the bank.
        expected: u64,
    },
    /// The file is longer than the bank says.
    #[error("the file is longer than the {0} bytes that the relay announced")]
    Longer(u64),
    /// The content hash is wrong.
    #[error("the file was damaged in transfer")]
    Damaged,
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("the file of {0} bytes is too large; the limit is {MAX_FILE_BYTES} bytes")]
    TooLarge(u64),
}

impl FetchError {
    /// Whether a retry may succeed.
    pub(super) fn is_transient(&self) -> bool {
        !matches!(self, Self::TooLarge(_))
    }
}

/// Fetches files from a relay, over one connection.
#[derive(Debug)]
pub(super) struct Fetcher {
    agent: Agent,
    relay: RelayAddress,
}

impl Fetcher {
    /// A fetcher with the timeouts above.
    pub(super) fn new(relay: RelayAddress) -> Self {
        let config = http::config()
            .timeout_recv_response(Some(RESPONSE_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_global(Some(FILE_TIMEOUT));
        let agent = http::agent(config, &relay);
        Self { agent, relay }
    }

    /// Fetches the file of `expected` bytes with this content hash.
    ///
    /// # Errors
    /// If it is not received, or is another file.
    pub(super) fn fetch(&self, hash: &ContentHash, expected: u64) -> Result<Vec<u8>, FetchError> {
        if expected > MAX_FILE_BYTES {
            return Err(FetchError::TooLarge(expected));
        }
        let mut url = self.relay.http().clone();
        url.set_path(&format!("{}sounds/{hash}", url.path()));

        let mut request = self.agent.get(url.as_str());
        if let Some(token) = self.relay.token() {
            request = request.header("Authorization", token.authorization());
        }
        let mut response =
            request.call().map_err(|error| FetchError::Unreachable(reason(&error)))?;
        if response.status() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let file = response.body_mut().with_config().limit(expected).read_to_vec();
        let file = file.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => FetchError::Longer(expected),
            error => FetchError::Interrupted(reason(&error)),
        })?;
        let received = file.len() as u64;
        if received != expected {
            return Err(FetchError::Length { received, expected });
        }
        if ContentHash::of(&file) != *hash {
            return Err(FetchError::Damaged);
        }
        Ok(file)
    }
}

//! A sound's file, from the relay.

use std::time::Duration;

use thiserror::Error;
use ureq::{
    Agent,
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector as _, TcpConnector},
    },
};

use super::{ContentHash, secure::TlsConnector};
use crate::{address::RelayAddress, tls::Untrusted};

/// Largest file that is fetched, whatever the relay says of it: the longest sound that is played,
/// as 32-bit values, with as much again beside it.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// How long a relay may take to accept a connection, and to begin its answer. On a network that
/// carries triggers it takes milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing may arrive while a file is under way: a crowded wireless network stalls, but
/// comes back or drops the connection.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one file may take in all: the largest at a megabyte a second.
const FILE_TIMEOUT: Duration = Duration::from_mins(10);

/// Why a file did not come, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The relay did not answer.
    #[error("the relay cannot be reached for its sounds: {0}")]
    Unreachable(String),
    /// The file stopped coming before its end.
    #[error("the sound stopped coming on its way: {0}")]
    Interrupted(String),
    /// The relay answered with something else than the file.
    #[error("the relay does not serve the sound (it answered with status {0})")]
    Status(u16),
    /// The file is not as long as the relay's bank says.
    #[error("the sound came with {came} bytes, and its relay promised {promised}")]
    Length {
        /// Bytes that came.
        came: u64,
        /// Bytes that the bank names.
        promised: u64,
    },
    /// More came than the relay's bank says.
    #[error("the sound is longer than the {0} bytes that its relay promised")]
    Longer(u64),
    /// The file's content is not what it is named by.
    #[error("the sound was damaged on its way")]
    Damaged,
    /// The bank names a file beyond [`MAX_FILE_BYTES`].
    #[error("the sound's file of {0} bytes is too large: at most {MAX_FILE_BYTES} are fetched")]
    TooLarge(u64),
}

impl FetchError {
    /// Whether another try may go better.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::TooLarge(_))
    }
}

/// Fetches files from a relay. Its connection stays open for the next one.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
    relay: RelayAddress,
}

impl Fetcher {
    /// One with the time-outs above.
    #[must_use]
    pub fn new(relay: RelayAddress) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(ANSWER_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_global(Some(FILE_TIMEOUT))
            // A relay is in the room. What the web goes through would not find it, and nothing
            // that sends one elsewhere is a relay.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("downbeat/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = TcpConnector::default().chain(TlsConnector::new(&relay));
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Self { agent, relay }
    }

    /// The file of `promised` bytes that the relay names by `hash`.
    ///
    /// # Errors
    /// If it did not come, or is not that file.
    pub fn fetch(&self, hash: &ContentHash, promised: u64) -> Result<Vec<u8>, FetchError> {
        if promised > MAX_FILE_BYTES {
            return Err(FetchError::TooLarge(promised));
        }
        let mut url = self.relay.http().clone();
        url.set_path(&format!("{}sounds/{hash}", url.path()));

        let mut request = self.agent.get(url.as_str());
        if let Some(token) = self.relay.token() {
            request = request.header("Authorization", token.authorization());
        }
        let mut answer =
            request.call().map_err(|error| FetchError::Unreachable(in_plain_words(&error)))?;
        if answer.status() != 200 {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let file = answer.body_mut().with_config().limit(promised).read_to_vec();
        let file = file.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => FetchError::Longer(promised),
            error => FetchError::Interrupted(in_plain_words(&error)),
        })?;
        let came = file.len() as u64;
        if came != promised {
            return Err(FetchError::Length { came, promised });
        }
        if ContentHash::of(&file) != *hash {
            return Err(FetchError::Damaged);
        }
        Ok(file)
    }
}

fn in_plain_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "its name is not known on this network".into(),
        ureq::Error::ConnectionFailed => "it does not answer".into(),
        ureq::Error::Timeout(_) => "it takes too long".into(),
        ureq::Error::Io(error) => match Untrusted::behind(error) {
            Some(untrusted) => untrusted.to_string(),
            None => error.to_string(),
        },
        error => error.to_string(),
    }
}

//! A client that sends requests and makes no sound: what the commands besides the players share.

use std::time::Duration;

use anyhow::Context as _;
use downbeat_protocol::{
    ClientKind, ClientToRelay, ErrorCode, Refusal, TriggerRequest, Welcome, encode,
};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::{
    net::{
        address::RelayAddress,
        websocket::{ConnectionError, WebSocket},
    },
    session::protocol::{Incoming, Phase, ProtocolState},
    time::LocalClock,
};

/// The relay answers a request at once; after this time it counts as lost.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a request was not done.
#[derive(Debug, Error)]
pub(super) enum RemoteError {
    /// There is no connection to the relay.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The relay refused it.
    #[error("{}", refused(.0))]
    Refused(Refusal),
    /// The relay has not answered.
    #[error("the relay did not confirm it within {} seconds", ANSWER_TIMEOUT.as_secs())]
    NotConfirmed,
    /// A tutorial relay takes no parameters.
    #[error("this is a tutorial relay: it has one sound, without parameters")]
    TutorialSound,
    /// A tutorial relay knows bangs only.
    #[error("this is a tutorial relay: it has neither variables nor stops nor other sounds")]
    TutorialState,
    /// There is no such variable.
    #[error("there is no variable named {name:?}{known}")]
    UnknownVariable {
        /// The name.
        name: String,
        /// The variables that there are, for people.
        known: String,
    },
    /// The text is no value of the variable.
    #[error("{0}")]
    Value(String),
}

/// What a refusal means, and what to do, for people.
fn refused(refusal: &Refusal) -> String {
    let rights =
        "the rights come with the relay's address or --token, or are assigned in the room view";
    match refusal.code {
        ErrorCode::Locked => {
            "the room is locked: only conductors may do this until one of them unlocks it"
                .to_owned()
        }
        ErrorCode::NotAllowed => format!("not allowed: {}; {rights}", refusal.message),
        _ => format!("the relay refused: {}", refusal.message),
    }
}

/// Runs a request to its end on this thread, with the relay's address in the error.
pub(super) fn run<T>(
    what: &'static str,
    relay: &RelayAddress,
    request: impl Future<Output = Result<T, RemoteError>>,
) -> anyhow::Result<T> {
    let address = relay.to_string();
    super::start::event_loop()?
        .block_on(request)
        .with_context(|| format!("cannot {what} at {address}"))
}

/// A connected client.
pub(super) struct Remote {
    socket: WebSocket,
    clock: LocalClock,
    protocol: ProtocolState,
    /// As the relay has welcomed this client; none of a tutorial relay.
    welcome: Option<Box<Welcome>>,
}

impl Remote {
    /// Connects, and completes the handshake.
    pub(super) async fn connect(relay: RelayAddress, name: String) -> Result<Self, RemoteError> {
        let clock = LocalClock::start();
        let socket = WebSocket::connect(relay, clock).await?;
        let protocol = ProtocolState::new(name, ClientKind::Remote, None);
        let mut remote = Self { socket, clock, protocol, welcome: None };
        let hello = remote.protocol.connected(clock.now());
        remote.socket.send(encode(&hello))?;
        while let Some(deadline) = remote.protocol.welcome_deadline() {
            let deadline = clock.instant(deadline).into();
            match timeout_at(deadline, remote.receive()).await {
                Ok(Ok(Incoming::Welcomed { welcome, .. })) => remote.welcome = Some(welcome),
                Ok(incoming) => drop(incoming?),
                Err(_) => remote.protocol.check_deadline(remote.clock.now()),
            }
        }
        Ok(remote)
    }

    /// Whether the relay speaks the tutorial wire only.
    pub(super) fn is_tutorial(&self) -> bool {
        self.protocol.phase() == Phase::Tutorial
    }

    /// Whether a message is by this client.
    pub(super) fn is_own(&self, by: &downbeat_protocol::By) -> bool {
        self.protocol.own_id() == Some(by.id)
    }

    /// As the relay has welcomed this client.
    ///
    /// # Errors
    /// If it is a tutorial relay.
    pub(super) fn welcome(&self) -> Result<&Welcome, RemoteError> {
        self.welcome.as_deref().ok_or(RemoteError::TutorialState)
    }

    /// Sends a bang, in the relay's protocol.
    pub(super) fn bang(&mut self, request: &TriggerRequest) -> Result<(), RemoteError> {
        // The handshake has ended, so there is a text.
        let text = self.protocol.encode_bang(request).unwrap_or_default();
        Ok(self.socket.send(text)?)
    }

    /// Sends a message of `downbeat.v1`.
    pub(super) fn send(&mut self, message: &ClientToRelay) -> Result<(), RemoteError> {
        if self.is_tutorial() {
            return Err(RemoteError::TutorialState);
        }
        Ok(self.socket.send(encode(message))?)
    }

    /// The next message, unless it is a refusal. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Result<Incoming, RemoteError> {
        let (text, _) = self.socket.next_text().await?;
        match self.protocol.receive(&text) {
            Incoming::Refused(refusal) => Err(RemoteError::Refused(refusal)),
            incoming => Ok(incoming),
        }
    }

    /// Waits for the message that `is_answer` to what was sent.
    pub(super) async fn answer(
        &mut self,
        is_answer: impl Fn(&Self, &Incoming) -> bool,
    ) -> Result<(), RemoteError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let received = timeout_at(deadline, self.receive()).await;
            let incoming = received.map_err(|_| RemoteError::NotConfirmed)??;
            if is_answer(self, &incoming) {
                return Ok(());
            }
        }
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        self.socket.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do() {
        let refusal = |code| Refusal { code, message: "a listener may not bang".into(), ack: None };
        let text = |code| RemoteError::Refused(refusal(code)).to_string();
        assert!(text(ErrorCode::Locked).starts_with("the room is locked: only conductors"));
        let not_allowed = text(ErrorCode::NotAllowed);
        assert!(not_allowed.contains("a listener may not bang") && not_allowed.contains("--token"));
        let other = text(ErrorCode::UnknownSound);
        assert_eq!(other, "the relay refused: a listener may not bang");
    }
}

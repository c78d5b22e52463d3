//! Why there is no connection to a relay, in words for the person who has to change it.

use std::{io, time::Duration};

use thiserror::Error;
use tokio_tungstenite::tungstenite::{
    self,
    error::ProtocolError,
    http::{StatusCode, header},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::net::{
    address::RelayAddress,
    tls::{self, UntrustedCertificate},
};

/// Why there is no connection to the relay.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    /// The TCP connection failed: refused, unreachable, reset, or the name is unknown.
    #[error("{}", io_reason(.0))]
    Io(#[from] io::Error),
    /// No answer within this time.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// Nothing could be sent for a while.
    #[error("the network is stalled: nothing can be sent")]
    SendStalled,
    /// The relay requires a token, and none was given.
    #[error("this relay requires a token: add #token=TOKEN to its address, or use --token")]
    NoToken,
    /// The relay requires another token.
    #[error("this relay does not accept the token")]
    WrongToken,
    /// The relay's certificate is not trusted.
    #[error(transparent)]
    Untrusted(UntrustedCertificate),
    /// The relay accepts TLS only.
    #[error("this relay accepts TLS only: use https:// in its address")]
    TlsOnly,
    /// The server does not speak TLS.
    #[error("the server there does not speak TLS: use http:// in the address")]
    NoTls,
    /// The relay is full, or limits the connections of this address.
    #[error("the relay is full, or limits connections from this network")]
    Full,
    /// The relay does not accept the host name in its address.
    #[error(
        "the relay does not accept the name '{name}': use its numeric address, or start it with \
         --allow-origin {origin}"
    )]
    NameNotAllowed {
        /// The host name in the address.
        name: String,
        /// What to allow.
        origin: String,
    },
    /// A server answers there, but not as a relay does.
    #[error("the server there is not a relay ({0})")]
    NotARelay(String),
    /// The relay closed the connection.
    #[error("{}", close_reason(.0.as_ref()))]
    Closed(Option<CloseFrame>),
    /// The relay violated the WebSocket protocol.
    #[error("the connection broke ({0})")]
    Broken(String),
}

impl ConnectionError {
    /// The relay does not accept the host name in this address.
    pub(crate) fn name_not_allowed(address: &RelayAddress) -> Self {
        let (name, _) = address.host_and_port();
        Self::NameNotAllowed { name, origin: address.http().origin().ascii_serialization() }
    }

    /// Whether the relay is there and does not accept this player, which only a person can change.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoToken
                | Self::WrongToken
                | Self::Untrusted(_)
                | Self::TlsOnly
                | Self::NoTls
                | Self::NameNotAllowed { .. }
        )
    }
}

impl From<tungstenite::Error> for ConnectionError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Io(error) => match UntrustedCertificate::behind(&error) {
                Some(untrusted) => Self::Untrusted(untrusted),
                None if tls::is_no_tls(&error) => Self::NoTls,
                None => Self::Io(error),
            },
            tungstenite::Error::ConnectionClosed
            | tungstenite::Error::AlreadyClosed
            | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed(None)
            }
            tungstenite::Error::WriteBufferFull(_) => Self::SendStalled,
            tungstenite::Error::Http(response) if requires_tls(&response) => Self::TlsOnly,
            tungstenite::Error::Http(response)
                if matches!(
                    response.status(),
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                ) =>
            {
                Self::Full
            }
            tungstenite::Error::Http(response) => {
                Self::NotARelay(format!("HTTP {}", response.status().as_u16()))
            }
            other => Self::Broken(other.to_string()),
        }
    }
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "no relay is running there".to_owned(),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "the relay went away".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "that machine cannot be reached from here".to_owned()
        }
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("lookup") => "no machine has that name".to_owned(),
        _ => error.to_string(),
    }
}

fn close_reason(frame: Option<&CloseFrame>) -> String {
    match frame {
        Some(frame) if frame.code == CloseCode::Away => "the relay was stopped".to_owned(),
        Some(frame) if !frame.reason.is_empty() => {
            format!("the relay closed the connection: {}", frame.reason)
        }
        Some(frame) => format!("the relay closed the connection (code {})", frame.code),
        None => "the relay went away".to_owned(),
    }
}

/// Whether this is the answer of RFC 2817, section 4.2, to a client that has to use TLS.
fn requires_tls(response: &tungstenite::handshake::client::Response) -> bool {
    let upgrade = response.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    response.status() == StatusCode::UPGRADE_REQUIRED
        && upgrade.is_some_and(|upgrade| upgrade.starts_with("TLS/"))
}

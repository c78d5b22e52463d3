//! The connection to the relay: a [`WebSocket`] that is opened, watched, and opened again after a
//! back-off until another address is given.
//!
//! It does not look into the texts.

use std::{future, time::Duration};

use downbeat_protocol::{Message, encode};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    address::RelayAddress,
    backoff::Backoff,
    websocket::{Connecting, ConnectionError, WebSocket},
};
use crate::time::{LocalClock, LocalTime};

/// A relay that has sent nothing for this long is pinged. A relay of `downbeat.v1` answers probes
/// more often than that.
const PING_AFTER_NANOS: i64 = 2_000_000_000;

/// A relay that has sent nothing for this long is lost.
const LOST_AFTER_NANOS: i64 = 6_000_000_000;

/// The state of the connection.
enum Phase {
    /// No usable address: nothing to do until another one is given.
    Idle,
    /// Backing off until this instant.
    Waiting(Instant),
    Connecting(Connecting),
    Open(Box<WebSocket>),
}

/// What happens on the connection.
#[derive(Debug)]
pub(crate) enum ConnectionEvent {
    /// An attempt to connect begins.
    Connecting,
    /// The WebSocket is open.
    Open,
    /// A text was received, and when it arrived.
    Received(Utf8Bytes, LocalTime),
    /// The connection is lost; the next attempt follows after the wait.
    Lost { reason: String, retry_in: Duration },
}

/// The connection to the relay.
pub(crate) struct Connection {
    address: Option<RelayAddress>,
    phase: Phase,
    backoff: Backoff,
    clock: LocalClock,
}

impl Connection {
    /// A connection without an address.
    pub(crate) fn new(clock: LocalClock) -> Self {
        Self { address: None, phase: Phase::Idle, backoff: Backoff::new(), clock }
    }

    /// Drops what is open, and connects to this address at once.
    pub(crate) fn connect_to(&mut self, address: RelayAddress) {
        self.address = Some(address);
        self.backoff = Backoff::new();
        self.phase = Phase::Waiting(Instant::now());
    }

    /// Connects to this address the next time.
    pub(crate) fn set_address(&mut self, address: RelayAddress) {
        if self.address.is_some() {
            self.address = Some(address);
        }
    }

    /// Drops what is open, and stays idle.
    pub(crate) fn disconnect(&mut self) {
        self.address = None;
        self.phase = Phase::Idle;
    }

    /// Ends the back-off that is under way, if one is.
    pub(crate) fn retry_now(&mut self) {
        if let Phase::Waiting(until) = &mut self.phase {
            *until = Instant::now();
        }
    }

    /// The address that it connects to.
    pub(crate) fn address(&self) -> Option<&RelayAddress> {
        self.address.as_ref()
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> ConnectionEvent {
        match &mut self.phase {
            Phase::Idle => future::pending().await,
            Phase::Waiting(until) => {
                sleep_until(*until).await;
                let Some(address) = &self.address else { return future::pending().await };
                let connecting = WebSocket::connect(address.clone(), self.clock);
                self.phase = Phase::Connecting(Box::pin(connecting));
                ConnectionEvent::Connecting
            }
            Phase::Connecting(connecting) => match connecting.await {
                Ok(socket) => {
                    self.phase = Phase::Open(Box::new(socket));
                    ConnectionEvent::Open
                }
                Err(error) => self.lost(&error),
            },
            Phase::Open(socket) => match socket.next_text().await {
                Ok((text, arrived)) => ConnectionEvent::Received(text, arrived),
                Err(error) => self.lost(&error),
            },
        }
    }

    /// The relay has answered as it should: the next loss starts with short waits again.
    pub(crate) fn reset_backoff(&mut self) {
        self.backoff = Backoff::new();
    }

    /// Sends a message without waiting for the network: see [`WebSocket::send`]. Does nothing while
    /// the connection is not open.
    ///
    /// # Errors
    /// [`ConnectionEvent::Lost`], if the connection is lost by now.
    pub(crate) fn send<M: Message>(&mut self, message: &M) -> Result<(), ConnectionEvent> {
        self.send_text(encode(message))
    }

    /// Sends a text as it is.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_text(&mut self, text: String) -> Result<(), ConnectionEvent> {
        let Phase::Open(socket) = &mut self.phase else { return Ok(()) };
        let sent = socket.send(text);
        sent.map_err(|error| self.lost(&error))
    }

    /// Pings a relay that has been silent, and gives up one that has been silent for long. Call it
    /// every second or so.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn check(&mut self) -> Result<(), ConnectionEvent> {
        let Phase::Open(socket) = &mut self.phase else { return Ok(()) };
        let silent_nanos = self.clock.now().nanos_since(socket.last_received());
        let checked = if silent_nanos > LOST_AFTER_NANOS {
            let silence = Duration::from_nanos(LOST_AFTER_NANOS.unsigned_abs());
            Err(ConnectionError::TimedOut(silence))
        } else if silent_nanos > PING_AFTER_NANOS {
            socket.ping()
        } else {
            Ok(())
        };
        checked.map_err(|error| self.lost(&error))
    }

    /// Sends a close frame.
    pub(crate) async fn close(self) {
        if let Phase::Open(socket) = self.phase {
            socket.close().await;
        }
    }

    fn lost(&mut self, error: &ConnectionError) -> ConnectionEvent {
        if error.is_refusal() {
            self.backoff.saturate();
        }
        let retry_in = self.backoff.next_wait(fastrand::f64());
        self.phase = Phase::Waiting(Instant::now() + retry_in);
        ConnectionEvent::Lost { reason: error.to_string(), retry_in }
    }
}

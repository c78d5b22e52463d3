//! One WebSocket to the relay: it connects, reads texts with their arrival times, and writes texts
//! without waiting for the network. It does not look into the texts.

mod error;

use std::{future, io, pin::Pin, task::Poll, time::Duration};

use downbeat_protocol::SUBPROTOCOL;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        self, Message, Utf8Bytes,
        client::IntoClientRequest as _,
        error::{ProtocolError, SubProtocolError},
        http::{HeaderValue, StatusCode, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

pub(crate) use error::ConnectionError;

use super::{address::RelayAddress, timestamped_tcp::TimestampedTcp, tls};
use crate::time::{LocalClock, LocalTime};

/// A machine that is there answers within this on any network a room would use.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// Messages are small: if the kernel does not accept one for this long, the relay is not reading.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// Capacity of the write buffer: some hundred messages, more than a player sends within
/// [`SEND_TIMEOUT`]. When it is full, the connection is given up.
const OUTBOUND_BYTES: usize = 64 << 10;

/// Largest message that is read: a welcome with thousands of sounds.
const MESSAGE_BYTES: usize = 4 << 20;

/// Bytes per read; the usual message is a few hundred.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// How long a close frame may take to be sent and answered.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// One open WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: WebSocketStream<MaybeTlsStream<TimestampedTcp>>,
    clock: LocalClock,
    last_received: LocalTime,
    /// When buffered data must have been sent; none if nothing is buffered.
    send_deadline: Option<Instant>,
}

/// A WebSocket that is being opened.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = Result<WebSocket, ConnectionError>>>>;

impl WebSocket {
    /// Connects to the relay at `address`, offering `downbeat.v1`.
    ///
    /// # Errors
    /// [`ConnectionError`], within a few seconds.
    pub(crate) async fn connect(
        address: RelayAddress,
        clock: LocalClock,
    ) -> Result<Self, ConnectionError> {
        match Self::connect_offering(&address, Some(SUBPROTOCOL), clock).await {
            // The WebSocket library refuses a server that grants no subprotocol, as RFC 6455
            // demands. It may still be a tutorial relay.
            Err(ConnectFailure::NoSubprotocol) => {
                Self::connect_offering(&address, None, clock).await
            }
            other => other,
        }
        .map_err(|failure| match failure {
            ConnectFailure::NoSubprotocol => {
                ConnectionError::NotARelay("no subprotocol".to_owned())
            }
            ConnectFailure::Token if address.token().is_some() => ConnectionError::WrongToken,
            ConnectFailure::Token => ConnectionError::NoToken,
            ConnectFailure::Name => ConnectionError::name_not_allowed(&address),
            ConnectFailure::Other(error) => error,
        })
    }

    async fn connect_offering(
        address: &RelayAddress,
        subprotocol: Option<&'static str>,
        clock: LocalClock,
    ) -> Result<Self, ConnectFailure> {
        let mut request = address.websocket().as_str().into_client_request()?;
        if let Some(token) = address.token()
            && let Ok(mut value) = HeaderValue::from_str(&token.authorization())
        {
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let connector = if address.is_encrypted() {
            let config = tls::client_config(address.fingerprint());
            Connector::Rustls(config.map_err(io::Error::other).map_err(ConnectionError::Io)?)
        } else {
            Connector::Plain
        };
        if let Some(name) = subprotocol {
            let headers = request.headers_mut();
            headers.insert("Sec-WebSocket-Protocol", HeaderValue::from_static(name));
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(OUTBOUND_BYTES)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let connecting = async {
            let tcp = TimestampedTcp::connect(address.host_and_port()).await?;
            client_async_tls_with_config(request, tcp, Some(config), Some(connector)).await
        };
        let (stream, _) = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| ConnectFailure::Other(ConnectionError::TimedOut(CONNECT_TIMEOUT)))??;
        Ok(Self { stream, clock, last_received: clock.now(), send_deadline: None })
    }

    /// The next text, and when it arrived. Cancel-safe. Sends buffered data while it waits.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(crate) async fn next_text(&mut self) -> Result<(Utf8Bytes, LocalTime), ConnectionError> {
        loop {
            let overdue = sleep_until(self.send_deadline.unwrap_or_else(far_future));
            let message = tokio::select! {
                message = self.exchange() => message,
                () = overdue => match self.send_deadline {
                    Some(deadline) if deadline <= Instant::now() => {
                        return Err(ConnectionError::SendStalled);
                    }
                    // It has been sent meanwhile.
                    _ => continue,
                },
            };
            self.last_received = self.clock.now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    let arrived = self.tcp().map(|tcp| self.clock.at(tcp.arrived()));
                    return Ok((text, arrived.unwrap_or(self.last_received)));
                }
                Some(Ok(Message::Close(frame))) => return Err(ConnectionError::Closed(frame)),
                // The library answers pings while it reads.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(ConnectionError::Closed(None)),
            }
        }
    }

    fn tcp(&self) -> Option<&TimestampedTcp> {
        match self.stream.get_ref() {
            MaybeTlsStream::Plain(tcp) => Some(tcp),
            MaybeTlsStream::Rustls(tls) => Some(tls.get_ref().0),
            // The enum is non-exhaustive; no other variant is built here.
            _ => None,
        }
    }

    /// When anything was last received from the relay, pongs included.
    pub(crate) fn last_received(&self) -> LocalTime {
        self.last_received
    }

    /// Sends one text without waiting. What the system does not accept at once is buffered, and sent
    /// by [`WebSocket::next_text`].
    ///
    /// # Errors
    /// Why the connection is no longer usable.
    pub(crate) fn send(&mut self, text: String) -> Result<(), ConnectionError> {
        self.write(Message::text(text))
    }

    /// Pings the relay; a tutorial relay answers no probes.
    ///
    /// # Errors
    /// Why the connection is no longer usable.
    pub(crate) fn ping(&mut self) -> Result<(), ConnectionError> {
        self.write(Message::Ping(Vec::new().into()))
    }

    fn write(&mut self, message: Message) -> Result<(), ConnectionError> {
        // Buffers up to OUTBOUND_BYTES while the socket is full.
        self.stream.start_send_unpin(message)?;
        match self.stream.flush().now_or_never() {
            Some(flushed) => {
                flushed?;
                self.send_deadline = None;
            }
            None => {
                self.send_deadline.get_or_insert_with(|| Instant::now() + SEND_TIMEOUT);
            }
        }
        Ok(())
    }

    /// The next message; flushes buffered data while it waits.
    async fn exchange(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let Self { stream, send_deadline, .. } = self;
        future::poll_fn(|context| {
            if send_deadline.is_some() {
                match stream.poll_flush_unpin(context) {
                    Poll::Ready(Ok(())) => *send_deadline = None,
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => {}
                }
            }
            stream.poll_next_unpin(context)
        })
        .await
    }

    /// Sends a close frame, and waits for the answer within [`CLOSE_TIMEOUT`].
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "".into() };
        // The connection is dropped whether or not the close frame arrives.
        let _ = timeout(CLOSE_TIMEOUT, self.stream.close(Some(frame))).await;
    }
}

/// A deadline for a timer that is not needed.
fn far_future() -> Instant {
    Instant::now() + Duration::from_hours(24)
}

/// Why an attempt to connect failed, before the address says what it means.
enum ConnectFailure {
    NoSubprotocol,
    Token,
    Name,
    Other(ConnectionError),
}

impl From<ConnectionError> for ConnectFailure {
    fn from(error: ConnectionError) -> Self {
        Self::Other(error)
    }
}

impl From<tungstenite::Error> for ConnectFailure {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
                SubProtocolError::NoSubProtocol,
            )) => Self::NoSubprotocol,
            tungstenite::Error::Http(response) if response.status() == StatusCode::UNAUTHORIZED => {
                Self::Token
            }
            tungstenite::Error::Http(response)
                if response.status() == StatusCode::MISDIRECTED_REQUEST =>
            {
                Self::Name
            }
            tungstenite::Error::Protocol(other) => {
                Self::Other(ConnectionError::NotARelay(other.to_string()))
            }
            other => Self::Other(other.into()),
        }
    }
}

#[cfg(test)]
mod tests;

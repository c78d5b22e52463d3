//! One WebSocket to the relay: connecting, reading texts, writing texts, and saying in plain words
//! why it ended. It knows nothing of what the texts mean.

use std::{future, io, pin::Pin, task::Poll, time::Duration};

use downbeat_protocol::SUBPROTOCOL;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use thiserror::Error;
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

use super::cable::Cable;
use crate::{
    address::RelayAddress,
    time::{LocalClock, LocalTime},
    tls::{self, Untrusted},
};

/// A machine that is there answers within this on any network a room would use.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// A frame of ours is small: if the kernel cannot take it for so long, no one reads at the far end.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// What may wait to be sent: some hundred messages, more than a player says within [`SEND_TIMEOUT`].
/// Beyond it the connection is given up.
const OUTBOUND_BYTES: usize = 64 << 10;

/// Largest message that is read: a welcome with thousands of sounds.
const MESSAGE_BYTES: usize = 4 << 20;

/// Bytes read at once; the usual message is a few hundred.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum LinkError {
    /// Nothing listens there, the name is unknown, the network is down.
    #[error("{}", plain_words(.0))]
    Io(#[from] io::Error),
    /// Nobody answered.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The network takes nothing from this machine.
    #[error("the network is stuck: nothing that is sent gets through")]
    NotTaken,
    /// The relay asks for a token, and none was given.
    #[error(
        "this relay asks for its token: add #token=TOKEN to its address, or start with --token"
    )]
    NoToken,
    /// The relay asks for another token.
    #[error("this relay does not take the token that was given")]
    WrongToken,
    /// The relay's certificate is not believed.
    #[error(transparent)]
    Untrusted(Untrusted),
    /// The relay speaks TLS.
    #[error("this relay speaks TLS only: write https:// before its address")]
    TlsOnly,
    /// The relay does not speak TLS.
    #[error("what answers there does not speak TLS: write http:// before its address")]
    NoTls,
    /// It has no place, or none for one more from this address.
    #[error(
        "the relay has no place just now: it is full, or too much comes from this network at once"
    )]
    Full,
    /// It is asked under a name that it does not know for its own.
    #[error(
        "the relay there does not answer to the name '{0}': use its numeric address, or start it \
         with --allow-origin {1}"
    )]
    NotItsName(String, String),
    /// Something answers there, but not as a relay does.
    #[error("what answers there is not a relay ({0})")]
    NotARelay(String),
    /// The far end said goodbye.
    #[error("{}", goodbye(.0.as_ref()))]
    Closed(Option<CloseFrame>),
    /// The far end broke the rules of the WebSocket protocol.
    #[error("the connection broke ({0})")]
    Broken(String),
}

fn plain_words(error: &io::Error) -> String {
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

fn goodbye(frame: Option<&CloseFrame>) -> String {
    match frame {
        Some(frame) if frame.code == CloseCode::Away => "the relay was stopped".to_owned(),
        Some(frame) if !frame.reason.is_empty() => format!("the relay said: {}", frame.reason),
        Some(frame) => format!("the relay ended the connection (code {})", frame.code),
        None => "the relay went away".to_owned(),
    }
}

impl LinkError {
    /// Whether the far end is there, and does not let this player in: that can only be changed at
    /// one of the two ends, by a person.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoToken
                | Self::WrongToken
                | Self::Untrusted(_)
                | Self::TlsOnly
                | Self::NoTls
                | Self::NotItsName(..)
        )
    }
}

impl From<tungstenite::Error> for LinkError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Io(error) => match Untrusted::behind(&error) {
                Some(untrusted) => Self::Untrusted(untrusted),
                None if tls::is_no_tls(&error) => Self::NoTls,
                None => Self::Io(error),
            },
            tungstenite::Error::ConnectionClosed
            | tungstenite::Error::AlreadyClosed
            | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed(None)
            }
            tungstenite::Error::WriteBufferFull(_) => Self::NotTaken,
            tungstenite::Error::Http(response) if speaks_tls_only(&response) => Self::TlsOnly,
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

/// Whether it is the answer of RFC 2817 to one who should come over TLS.
fn speaks_tls_only(response: &tungstenite::handshake::client::Response) -> bool {
    let upgrade = response.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    response.status() == StatusCode::UPGRADE_REQUIRED
        && upgrade.is_some_and(|upgrade| upgrade.starts_with("TLS/"))
}

/// An instant that does not come.
fn far_future() -> Instant {
    Instant::now() + Duration::from_hours(24)
}

/// One open WebSocket.
#[derive(Debug)]
pub struct Link {
    socket: WebSocketStream<MaybeTlsStream<Cable>>,
    clock: LocalClock,
    last_heard: LocalTime,
    /// Until when what waits to be sent must be; none if nothing waits.
    send_by: Option<Instant>,
}

/// A connection that is being made.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Link, LinkError>>>>;

impl Link {
    /// Connects to the relay at `address`, offering `downbeat.v1`.
    ///
    /// # Errors
    /// [`LinkError`], within a few seconds.
    pub async fn connect(address: RelayAddress, clock: LocalClock) -> Result<Self, LinkError> {
        match Self::connect_offering(&address, Some(SUBPROTOCOL), clock).await {
            // A server that grants no subprotocol is refused by the WebSocket library, as the
            // standard asks; it may still speak the seed's wire.
            Err(Refused::NoSubprotocol) => Self::connect_offering(&address, None, clock).await,
            other => other,
        }
        .map_err(|refused| match refused {
            Refused::NoSubprotocol => LinkError::NotARelay("no subprotocol".to_owned()),
            Refused::Token if address.token().is_some() => LinkError::WrongToken,
            Refused::Token => LinkError::NoToken,
            Refused::Name => {
                let origin = address.http().origin().ascii_serialization();
                LinkError::NotItsName(address.place().0, origin)
            }
            Refused::Other(error) => error,
        })
    }

    async fn connect_offering(
        address: &RelayAddress,
        subprotocol: Option<&'static str>,
        clock: LocalClock,
    ) -> Result<Self, Refused> {
        let mut request = address.socket().as_str().into_client_request()?;
        if let Some(token) = address.token()
            && let Ok(mut value) = HeaderValue::from_str(&token.authorization())
        {
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let connector = if address.is_encrypted() {
            let config = tls::client_config(address.fingerprint());
            Connector::Rustls(config.map_err(io::Error::other).map_err(LinkError::Io)?)
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
            let cable = Cable::connect(address.place()).await?;
            client_async_tls_with_config(request, cable, Some(config), Some(connector)).await
        };
        let (socket, _) = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Refused::Other(LinkError::TimedOut(CONNECT_TIMEOUT)))??;
        Ok(Self { socket, clock, last_heard: clock.now(), send_by: None })
    }

    /// The next text, and when it arrived. Safe to cancel.
    ///
    /// # Errors
    /// Why the connection ended.
    pub async fn next_text(&mut self) -> Result<(Utf8Bytes, LocalTime), LinkError> {
        loop {
            let overdue = sleep_until(self.send_by.unwrap_or_else(far_future));
            let message = tokio::select! {
                message = self.exchange() => message,
                () = overdue => match self.send_by {
                    Some(send_by) if send_by <= Instant::now() => return Err(LinkError::NotTaken),
                    // It was sent meanwhile.
                    _ => continue,
                },
            };
            self.last_heard = self.clock.now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    let arrived = self.cable().map(|cable| self.clock.at(cable.arrived()));
                    return Ok((text, arrived.unwrap_or(self.last_heard)));
                }
                Some(Ok(Message::Close(frame))) => return Err(LinkError::Closed(frame)),
                // Pings are answered by the library while it reads.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(LinkError::Closed(None)),
            }
        }
    }

    fn cable(&self) -> Option<&Cable> {
        match self.socket.get_ref() {
            MaybeTlsStream::Plain(cable) => Some(cable),
            MaybeTlsStream::Rustls(tls) => Some(tls.get_ref().0),
            // The library may know other ways to encrypt; this program asks for none.
            _ => None,
        }
    }

    /// When the far end last sent anything, an answer to a ping included.
    #[must_use]
    pub fn last_heard(&self) -> LocalTime {
        self.last_heard
    }

    /// Sends one text. Never waits: what the system does not take at once is sent by
    /// [`Link::next_text`] while it waits.
    ///
    /// # Errors
    /// Why the connection is no longer of use.
    pub fn send(&mut self, text: String) -> Result<(), LinkError> {
        self.write(Message::text(text))
    }

    /// Asks a server that speaks no probes whether it is still there.
    ///
    /// # Errors
    /// Why the connection is no longer of use.
    pub fn ping(&mut self) -> Result<(), LinkError> {
        self.write(Message::Ping(Vec::new().into()))
    }

    fn write(&mut self, message: Message) -> Result<(), LinkError> {
        // It is taken even when the socket is full, up to OUTBOUND_BYTES.
        self.socket.start_send_unpin(message)?;
        match self.socket.flush().now_or_never() {
            Some(flushed) => {
                flushed?;
                self.send_by = None;
            }
            None => {
                self.send_by.get_or_insert_with(|| Instant::now() + SEND_TIMEOUT);
            }
        }
        Ok(())
    }

    /// The next message, while what waits to be sent is sent.
    async fn exchange(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let Self { socket, send_by, .. } = self;
        future::poll_fn(|context| {
            if send_by.is_some() {
                match socket.poll_flush_unpin(context) {
                    Poll::Ready(Ok(())) => *send_by = None,
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => {}
                }
            }
            socket.poll_next_unpin(context)
        })
        .await
    }

    /// Says goodbye, without waiting for the answer longer than a person would.
    pub async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Away, reason: "".into() };
        // Whether the goodbye arrives changes nothing: the connection is dropped either way.
        let _ = timeout(Duration::from_millis(300), self.socket.close(Some(frame))).await;
    }
}

impl From<LinkError> for Refused {
    fn from(error: LinkError) -> Self {
        Self::Other(error)
    }
}

enum Refused {
    NoSubprotocol,
    Token,
    Name,
    Other(LinkError),
}

impl From<tungstenite::Error> for Refused {
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
                Self::Other(LinkError::NotARelay(other.to_string()))
            }
            other => Self::Other(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };
    use tungstenite::handshake::server::{Request, Response};

    use super::*;

    #[tokio::test]
    async fn a_relay_that_turns_its_name_away_is_told_from_what_is_no_relay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let said = "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(said.as_bytes()).await.unwrap();
            socket
        };
        let address = format!("localhost:{port}").parse().unwrap();
        let (linked, _socket) = tokio::join!(Link::connect(address, LocalClock::start()), answer);
        let error = linked.unwrap_err();
        assert!(error.is_refusal());
        let said = error.to_string();
        assert!(said.contains("does not answer to the name 'localhost'"), "{said}");
        assert!(said.contains(&format!("--allow-origin http://localhost:{port}")), "{said}");
    }

    /// A link whose far end reads nothing, with so much sent that some of it waits.
    async fn full() -> (Link, WebSocketStream<TcpStream>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let accept = async {
            let (socket, _) = listener.accept().await.unwrap();
            #[expect(clippy::result_large_err, reason = "the library's own")]
            let grant = |_: &Request, mut response: Response| {
                let name = HeaderValue::from_static(SUBPROTOCOL);
                response.headers_mut().insert("Sec-WebSocket-Protocol", name);
                Ok(response)
            };
            tokio_tungstenite::accept_hdr_async(socket, grant).await.unwrap()
        };
        let address = address.parse().unwrap();
        let (link, far_end) = tokio::join!(Link::connect(address, LocalClock::start()), accept);
        let mut link = link.unwrap();
        let mut sent = 0;
        while !is_full(&mut link).await {
            timed_send(&mut link, "x".repeat(16 << 10));
            sent += 1;
        }
        (link, far_end, sent)
    }

    /// Whether what waits still does after a while of sending. The runtime lets a task write so often
    /// before it must give way, and what waits for that alone is soon gone.
    async fn is_full(link: &mut Link) -> bool {
        tokio::task::yield_now().await;
        if link.send_by.is_none() {
            return false;
        }
        let nothing_came = timeout(SEND_TIMEOUT / 10, link.next_text()).await.is_err();
        nothing_came && link.send_by.is_some()
    }

    /// Sends, and holds that it did not wait.
    fn timed_send(link: &mut Link, text: String) {
        let began = std::time::Instant::now();
        link.send(text).unwrap();
        let took = began.elapsed();
        assert!(took < SEND_TIMEOUT / 3, "one text took {took:?}");
    }

    #[tokio::test]
    async fn a_full_socket_delays_nobody_and_is_given_up_in_the_end() {
        let (mut link, _far_end, _) = full().await;
        timed_send(&mut link, "a stop".to_owned());
        assert!(matches!(link.next_text().await, Err(LinkError::NotTaken)));
    }

    #[tokio::test]
    async fn what_waits_is_sent_once_the_far_end_reads() {
        let (mut link, mut far_end, sent) = full().await;
        timed_send(&mut link, "a stop".to_owned());
        let read = async {
            for _ in 0..sent {
                assert_eq!(far_end.next().await.unwrap().unwrap().len(), 16 << 10);
            }
            assert_eq!(far_end.next().await.unwrap().unwrap(), Message::text("a stop"));
            far_end.send(Message::text("heard")).await.unwrap();
        };
        let (heard, ()) = tokio::join!(link.next_text(), read);
        assert_eq!(heard.unwrap().0.as_str(), "heard");
        assert!(link.send_by.is_none());
    }
}

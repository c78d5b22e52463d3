//! A WebSocket client of either wire, read and written with deadlines.

use std::{
    io::ErrorKind,
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use downbeat_protocol::{
    ClientKind, ClientToRelay, Hello, RelayToClient, Roster, SUBPROTOCOL, Welcome,
    decode_from_relay, encode,
};
use tungstenite::{
    ClientRequestBuilder, Error, Message, WebSocket, client::client, protocol::CloseFrame,
};

use crate::process::PATIENCE;

/// A WebSocket of any wire: what was sent and received is text, bytes or control frames.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
    /// The subprotocol that the server granted.
    granted: Option<String>,
}

impl Socket {
    /// Connects to `url`, a `ws://` one, offering `subprotocol`.
    ///
    /// # Errors
    /// If no WebSocket comes of it.
    pub fn connect(url: &str, subprotocol: Option<&str>) -> Result<Self> {
        let uri: tungstenite::http::Uri = url.parse().with_context(|| format!("the URL {url}"))?;
        let host = uri.host().with_context(|| format!("{url} names no host"))?;
        let mut addresses = (host, uri.port_u16().unwrap_or(80)).to_socket_addrs()?;
        let address = addresses.next().with_context(|| format!("{host} has no address"))?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("connecting to {url}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut request = ClientRequestBuilder::new(uri);
        if let Some(subprotocol) = subprotocol {
            request = request.with_sub_protocol(subprotocol);
        }
        let (socket, response) =
            client(request, stream).map_err(|e| anyhow!("the handshake with {url}: {e}"))?;
        let granted = response.headers().get("Sec-WebSocket-Protocol");
        let granted = granted.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { socket, granted })
    }

    /// The subprotocol that the server granted.
    #[must_use]
    pub fn granted(&self) -> Option<&str> {
        self.granted.as_deref()
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&mut self, message: Message) -> Result<()> {
        self.socket.send(message).context("sending")
    }

    /// Sends one text frame.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        self.send(Message::text(text))
    }

    /// The next frame, whatever it is; none if none comes before `deadline`.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Message>> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        self.socket.get_ref().set_read_timeout(Some(left))?;
        match self.socket.read() {
            Ok(message) => Ok(Some(message)),
            Err(Error::Io(e))
                if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).context("reading"),
        }
    }

    /// The next text or binary frame.
    ///
    /// # Errors
    /// If none comes within [`PATIENCE`], or the connection is gone.
    pub fn expect(&mut self) -> Result<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(deadline)? {
                Some(message @ (Message::Text(_) | Message::Binary(_))) => return Ok(message),
                Some(Message::Close(frame)) => bail!("the server closed: {frame:?}"),
                Some(_) => {}
                None => bail!("nothing came within {PATIENCE:?}"),
            }
        }
    }

    /// Everything that comes before the answer to a ping sent now: all that the server had written
    /// to this connection when it answered.
    ///
    /// # Errors
    /// If the answer does not come within [`PATIENCE`].
    pub fn drain(&mut self) -> Result<Vec<Message>> {
        self.send(Message::Ping(b"fence".as_slice().into()))?;
        let deadline = Instant::now() + PATIENCE;
        let mut messages = Vec::new();
        loop {
            match self.next(deadline)?.context("no pong came")? {
                Message::Pong(payload) if payload.as_ref() == b"fence" => return Ok(messages),
                message @ (Message::Text(_) | Message::Binary(_) | Message::Close(_)) => {
                    messages.push(message);
                }
                _ => {}
            }
        }
    }

    /// Reads on until the server closes, and returns how.
    ///
    /// # Errors
    /// If it does not close within `patience`, or goes away without a word.
    pub fn expect_close(&mut self, patience: Duration) -> Result<Option<CloseFrame>> {
        let deadline = Instant::now() + patience;
        loop {
            match self.next(deadline)? {
                Some(Message::Close(frame)) => return Ok(frame),
                Some(_) => {}
                None => bail!("the server did not close within {patience:?}"),
            }
        }
    }
}

/// Connects to `url` as a client of the tutorial wire, and waits until it is one of the room: a server
/// may accept a WebSocket a moment before it sends it what others bang.
///
/// # Errors
/// If it cannot connect, or is told something unasked.
pub fn connect_tutorial(url: &str) -> Result<Socket> {
    let mut socket = Socket::connect(url, None)?;
    ensure!(socket.granted().is_none(), "granted {:?}, not asked for", socket.granted());
    let told = socket.drain()?;
    ensure!(told.is_empty(), "a newcomer was told {told:?}");
    Ok(socket)
}

/// A client of `downbeat.v1`.
#[derive(Debug)]
pub struct V1Client {
    socket: Socket,
    /// What the relay greeted it with.
    pub welcome: Welcome,
    /// Who is here, as far as it has read.
    pub roster: Roster,
}

impl V1Client {
    /// Connects to `url` under `name`, and is welcomed.
    ///
    /// # Errors
    /// If it cannot connect, or the server does not speak the wire.
    pub fn connect(url: &str, name: &str, kind: ClientKind) -> Result<Self> {
        let mut socket = Socket::connect(url, Some(SUBPROTOCOL))?;
        ensure!(socket.granted() == Some(SUBPROTOCOL), "{url} granted {:?}", socket.granted());
        let client = "downbeat-tests".to_owned();
        send(&mut socket, &ClientToRelay::Hello(Hello { name: name.to_owned(), kind, client }))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let RelayToClient::Welcome(welcome) = receive(&mut socket, deadline)? {
                let roster = welcome.roster();
                return Ok(Self { socket, welcome, roster });
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&mut self, message: &ClientToRelay) -> Result<()> {
        send(&mut self.socket, message)
    }

    /// Reads on until something is true of who is here.
    ///
    /// # Errors
    /// As [`V1Client::wait_for`].
    pub fn wait_for_roster(&mut self, is_wanted: impl Fn(&Roster) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_wanted(&self.roster) {
            self.receive(deadline)?;
        }
        Ok(())
    }

    fn receive(&mut self, deadline: Instant) -> Result<RelayToClient> {
        let message = receive(&mut self.socket, deadline)?;
        if let RelayToClient::Roster(change) = &message {
            self.roster.update(change.clone());
        }
        Ok(message)
    }

    /// Reads on to the first message that `wanted` takes something from.
    ///
    /// # Errors
    /// If none comes within [`PATIENCE`], or the relay sends what is not of the wire.
    pub fn wait_for<T>(&mut self, wanted: impl Fn(RelayToClient) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(self.receive(deadline)?) {
                return Ok(found);
            }
        }
    }

    /// The WebSocket beneath.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }
}

fn send(socket: &mut Socket, message: &ClientToRelay) -> Result<()> {
    socket.send_text(&encode(message))
}

fn receive(socket: &mut Socket, deadline: Instant) -> Result<RelayToClient> {
    loop {
        match socket.next(deadline)?.context("the relay says nothing more")? {
            Message::Text(text) => return Ok(decode_from_relay(text.as_str())?),
            Message::Close(frame) => bail!("the relay closed: {frame:?}"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => bail!("the relay sent {other:?}"),
        }
    }
}

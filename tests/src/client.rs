//! A WebSocket client of either wire, with deadlines on reads and writes.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use downbeat_protocol::{
    ClientId, ClientKind, ClientToRelay, Hello, MachineEntry, Probe, RelayToClient, Roster,
    SUBPROTOCOL, WatchRequest, Welcome, decode_from_relay, encode,
};
use tungstenite::{
    ClientRequestBuilder, Error, Message, WebSocket, client::client, protocol::CloseFrame,
};

use crate::process::PATIENCE;

/// A WebSocket of either wire: sends and receives text, binary and control frames.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
    /// The subprotocol that the server selected.
    granted: Option<String>,
}

impl Socket {
    /// Connects to `url`, a `ws://` one, offering `subprotocol`.
    ///
    /// # Errors
    /// If the handshake fails.
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

    /// The subprotocol that the server selected.
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

    /// The next frame of any type; `None` if none arrives before `deadline`.
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
    /// If none arrives within [`PATIENCE`], or the connection is closed.
    pub fn expect(&mut self) -> Result<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(deadline)? {
                Some(message @ (Message::Text(_) | Message::Binary(_))) => return Ok(message),
                Some(Message::Close(frame)) => bail!("the server closed: {frame:?}"),
                Some(_) => {}
                None => bail!("no message arrived within {PATIENCE:?}"),
            }
        }
    }

    /// Sends a ping and returns everything that arrives before the pong: all that the server had
    /// sent on this connection by then.
    ///
    /// # Errors
    /// If the pong does not arrive within [`PATIENCE`].
    pub fn drain(&mut self) -> Result<Vec<Message>> {
        self.send(Message::Ping(b"fence".as_slice().into()))?;
        let deadline = Instant::now() + PATIENCE;
        let mut messages = Vec::new();
        loop {
            match self.next(deadline)?.context("no pong arrived")? {
                Message::Pong(payload) if payload.as_ref() == b"fence" => return Ok(messages),
                message @ (Message::Text(_) | Message::Binary(_) | Message::Close(_)) => {
                    messages.push(message);
                }
                _ => {}
            }
        }
    }

    /// Reads until the server closes, and returns its close frame.
    ///
    /// # Errors
    /// If it does not close within `patience`, or disconnects without a close frame.
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

/// Connects to `url` as a client of the tutorial wire, and waits until the server has registered
/// it: a server may complete the handshake before it adds the client to its broadcasts.
///
/// # Errors
/// If it cannot connect, or the server sends an unsolicited message.
pub fn connect_tutorial(url: &str) -> Result<Socket> {
    let mut socket = Socket::connect(url, None)?;
    ensure!(
        socket.granted().is_none(),
        "the server selected {:?}, which was not offered",
        socket.granted()
    );
    let unsolicited = socket.drain()?;
    ensure!(unsolicited.is_empty(), "a new client was sent {unsolicited:?}");
    Ok(socket)
}

/// A client of `downbeat.v1`.
#[derive(Debug)]
pub struct V1Client {
    socket: Socket,
    /// The relay's welcome.
    pub welcome: Welcome,
    /// The latest roster that was read.
    pub roster: Roster,
    /// All clients with their reports, as far as they were read; empty before [`watch`](Self::watch).
    pub machines: BTreeMap<ClientId, MachineEntry>,
}

impl V1Client {
    /// Connects to `url` under `name`, and waits for the welcome.
    ///
    /// # Errors
    /// If it cannot connect, or the server does not speak the wire.
    pub fn connect(url: &str, name: &str, kind: ClientKind) -> Result<Self> {
        Self::connect_with(SUBPROTOCOL, url, name, kind)
    }

    /// Connects to `url` under `name` with this token, and waits for the welcome.
    ///
    /// # Errors
    /// If it cannot connect, or the server does not speak the wire.
    pub fn connect_with_token(
        token: &str,
        url: &str,
        name: &str,
        kind: ClientKind,
    ) -> Result<Self> {
        Self::connect_with(&format!("{SUBPROTOCOL}, downbeat.token.{token}"), url, name, kind)
    }

    fn connect_with(offered: &str, url: &str, name: &str, kind: ClientKind) -> Result<Self> {
        let mut socket = Socket::connect(url, Some(offered))?;
        ensure!(
            socket.granted() == Some(SUBPROTOCOL),
            "{url} selected the subprotocol {:?}",
            socket.granted()
        );
        let client = "downbeat-tests".to_owned();
        send(
            &mut socket,
            &ClientToRelay::Hello(Hello { name: name.to_owned(), kind, client, machine: None }),
        )?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let RelayToClient::Welcome(welcome) = receive(&mut socket, deadline)? {
                let roster = welcome.roster();
                return Ok(Self { socket, welcome, roster, machines: BTreeMap::new() });
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

    /// Reads until a roster satisfies `is_wanted`.
    ///
    /// # Errors
    /// See [`V1Client::wait_for`].
    pub fn wait_for_roster(&mut self, is_wanted: impl Fn(&Roster) -> bool) -> Result<()> {
        self.wait_until(|client| is_wanted(&client.roster))
    }

    /// Asks to be told about all machines, and of receipts of triggers.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn watch(&mut self) -> Result<()> {
        self.send(&ClientToRelay::Watch(WatchRequest { room: true, ack: None }))
    }

    /// Reads until `is_wanted` holds.
    ///
    /// # Errors
    /// See [`V1Client::wait_for`].
    pub fn wait_until(&mut self, is_wanted: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_wanted(self) {
            self.receive(deadline)?;
        }
        Ok(())
    }

    fn receive(&mut self, deadline: Instant) -> Result<RelayToClient> {
        let message = receive(&mut self.socket, deadline)?;
        match &message {
            RelayToClient::Roster(change) => self.roster.update(change.clone()),
            RelayToClient::Machines(change) => {
                let entries = change.clients.iter().cloned();
                self.machines.extend(entries.map(|entry| (entry.id, entry)));
                self.machines.retain(|id, _| !change.left.contains(id));
            }
            _ => {}
        }
        Ok(message)
    }

    /// Reads until `wanted` returns a value for a message.
    ///
    /// # Errors
    /// If it returns none within [`PATIENCE`], or the relay sends an invalid message.
    pub fn wait_for<T>(&mut self, wanted: impl Fn(RelayToClient) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(self.receive(deadline)?) {
                return Ok(found);
            }
        }
    }

    /// Unix time minus relay time, in microseconds: by the probe with the shortest round trip.
    ///
    /// # Errors
    /// If a probe is not answered.
    pub fn measure_unix_offset(&mut self) -> Result<i64> {
        let mut best: Option<(i64, i64)> = None;
        for _ in 0..32 {
            self.send(&ClientToRelay::Probe(Probe { sent: unix_micros()? }))?;
            let reply = self.wait_for(|message| match message {
                RelayToClient::ProbeReply(reply) => Some(reply),
                _ => None,
            })?;
            let arrived = unix_micros()?;
            let at_relay = i64::midpoint(
                i64::try_from(reply.received.as_micros())?,
                i64::try_from(reply.replied.as_micros())?,
            );
            let exchange = (arrived - reply.sent, i64::midpoint(reply.sent, arrived) - at_relay);
            best = Some(best.map_or(exchange, |shortest| shortest.min(exchange)));
        }
        Ok(best.context("no probe was answered")?.1)
    }

    /// The underlying WebSocket.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }
}

fn send(socket: &mut Socket, message: &ClientToRelay) -> Result<()> {
    socket.send_text(&encode(message))
}

fn receive(socket: &mut Socket, deadline: Instant) -> Result<RelayToClient> {
    loop {
        match socket.next(deadline)?.context("no message arrived from the relay")? {
            Message::Text(text) => return Ok(decode_from_relay(text.as_str())?),
            Message::Close(frame) => bail!("the relay closed: {frame:?}"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => bail!("the relay sent {other:?}"),
        }
    }
}

fn unix_micros() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

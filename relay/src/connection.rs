//! One WebSocket client, from the end of its handshake to the end of its socket.
//!
//! The WebSocket library reads and checks what comes in. It never writes: its pongs and closes
//! go to the client's [`Outbox`](crate::outbox::Outbox) like everything else, so that one thing
//! alone writes to a socket. There are no timers here: the [fan-out](crate::fan_out) looks after
//! everyone at once, which keeps an idle connection small.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::Arc,
};

use bytes::Bytes;
use downbeat_protocol::{By, RelayTime};
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream, task::coop::consume_budget, time::timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

use crate::{
    access,
    clients::{Client, Wire},
    clock::RelayClock,
    config::{CLOSE_TIMEOUT, MESSAGE_BYTES, READ_BUFFER_BYTES, UNFINISHED_BYTES},
    conversation::{self, Conversation},
    doors::Visit,
    frame::CloseCode,
    outbox::Phase,
    rate::{Meter, Verdict},
    relay::Relay,
    seed,
};

/// Serves a client that was registered with the relay until it is gone. `early` is what was read
/// past its handshake.
pub async fn serve(
    relay: Arc<Relay>,
    client: Arc<Client>,
    socket: TcpStream,
    visit: Arc<Visit>,
    early: Vec<u8>,
) {
    relay.counts.connections.add();
    tracing::info!(client = client.id.0, wire = ?client.wire, "connected");
    let socket = Arc::new(socket);
    client.outbox.open(socket.clone());

    let mut reader = Reader::new(client.clone(), socket, relay.clock, early);
    let end = converse(&relay, &client, &visit, &mut reader).await;
    let member = relay.leave(&client).await;
    relay.counts.ended(client.outbox.phase());
    if matches!(end, End::Broken(..)) {
        relay.counts.broken.add();
    }
    tracing::info!(
        client = client.id.0, end = ?end, phase = ?client.outbox.phase(),
        admitted = member.is_some(), "gone"
    );
    // Boxed, because every idle connection would otherwise carry the room for it.
    Box::pin(part(&client, end, &mut reader)).await;
}

/// How a conversation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The socket is of no more use.
    Gone,
    /// The client said goodbye, and the answer is on its way.
    Closed,
    /// The relay said goodbye.
    Closing,
    /// The client broke the rules.
    Broken(CloseCode, &'static str),
}

const EXPELLED: End = End::Broken(CloseCode::Policy, "too many messages");

async fn converse(relay: &Relay, client: &Arc<Client>, visit: &Visit, reader: &mut Reader) -> End {
    let mut meter = Meter::new(relay.messages, client.since);
    let mut judge = |message: &Message, at| {
        if message.is_close() {
            return Verdict::Pass;
        }
        let verdict = meter.judge(at, visit.may_speak(at));
        if verdict != Verdict::Pass {
            relay.counts.unheard.add();
        }
        verdict
    };
    match client.wire {
        Wire::Seed => {
            let by = By { id: client.id, name: seed::name(client.id) };
            loop {
                let (message, at) = match reader.next().await {
                    Ok(heard) => heard,
                    Err(end) => break end,
                };
                match judge(&message, at) {
                    Verdict::Pass
                        if seed::is_bang(&message) && client.role == access::Role::Listen =>
                    {
                        relay.counts.refused.add();
                    }
                    Verdict::Pass if seed::is_bang(&message) => {
                        relay.bang_plain(by.clone()).await;
                    }
                    // Nothing can be said to it but goodbye.
                    Verdict::Pass | Verdict::Refuse | Verdict::Ignore => {}
                    Verdict::Expel => break EXPELLED,
                }
            }
        }
        Wire::Modern => {
            let mut conversation = Conversation::default();
            loop {
                let (message, at) = match reader.next().await {
                    Ok(heard) => heard,
                    Err(end) => break end,
                };
                match judge(&message, at) {
                    Verdict::Pass => conversation.hear(relay, client, message, at).await,
                    Verdict::Refuse => conversation::refuse_too_many(relay, client),
                    Verdict::Ignore => {}
                    Verdict::Expel => break EXPELLED,
                }
            }
        }
    }
}

/// Sees the last frames out, and the socket to its end.
async fn part(client: &Client, end: End, reader: &mut Reader) {
    if let End::Broken(code, reason) = end {
        client.outbox.close(code, reason);
    }
    let farewell = async {
        match end {
            End::Gone => {}
            End::Closed => while client.outbox.is_waiting() && reader.wait().await.is_ok() {},
            // A socket that is closed with something unread may take down with it what was sent
            // last, which is the close frame. So the client is heard to its end.
            End::Closing => reader.drain().await,
            End::Broken(..) => reader.drain_unread().await,
        }
    };
    // Whoever does not answer in time has had its chance.
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
}

/// The incoming half of a connection.
struct Reader {
    client: Arc<Client>,
    socket: Arc<TcpStream>,
    websocket: WebSocket<Socket>,
}

impl Reader {
    fn new(client: Arc<Client>, socket: Arc<TcpStream>, clock: RelayClock, early: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            // The library only ever writes control frames, one at a time, and the outbox takes
            // them at once.
            .max_write_buffer_size(1024)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let (read_at, unfinished) = (clock.now(), early.len());
        let incoming =
            Socket { client: client.clone(), stream: socket.clone(), clock, read_at, unfinished };
        let websocket = WebSocket::from_partially_read(incoming, early, Role::Server, Some(config));
        Self { client, socket, websocket }
    }

    /// The next message, and when its last bytes were read.
    async fn next(&mut self) -> Result<(Message, RelayTime), End> {
        loop {
            match self.client.outbox.phase() {
                Phase::Open => {}
                Phase::Closing => return Err(End::Closing),
                Phase::Cut(_) => return Err(End::Gone),
            }
            // However much one has to say, others on this thread get their turn.
            consume_budget().await;
            match self.websocket.read() {
                Ok(message) => {
                    let socket = self.websocket.get_mut();
                    socket.unfinished = 0;
                    return Ok((message, socket.read_at));
                }
                Err(Error::Io(_)) if self.websocket.get_ref().is_endless() => {
                    return Err(End::Broken(CloseCode::TooLarge, "a message without end"));
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait().await.map_err(|_| End::Gone)?;
                }
                Err(error) => return Err(end_of(&error)),
            }
        }
    }

    /// Waits until there may be something to read, and writes what waits meanwhile.
    async fn wait(&self) -> io::Result<()> {
        let outbox = &self.client.outbox;
        let mut interest = Interest::READABLE;
        if outbox.is_waiting() {
            interest |= Interest::WRITABLE;
        }
        tokio::select! {
            ready = self.socket.ready(interest) => {
                if ready?.is_writable() {
                    outbox.flush();
                }
            }
            () = outbox.changed() => {}
        }
        Ok(())
    }

    /// Hears a client to its own goodbye.
    async fn drain(&mut self) {
        loop {
            consume_budget().await;
            match self.websocket.read() {
                Ok(Message::Close(_)) => return,
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wait().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// The same for one that can no longer be understood: the end of our half tells it to end.
    async fn drain_unread(&mut self) {
        let mut scratch = vec![0; READ_BUFFER_BYTES];
        let mut ended = false;
        loop {
            consume_budget().await;
            if !ended && !self.client.outbox.is_waiting() {
                ended = true;
                // If it fails, the socket is gone already, and the next read says so.
                let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Write);
            }
            match self.socket.try_read(&mut scratch) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wait().await.is_err() {
                        return;
                    }
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}

fn end_of(error: &Error) -> End {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => End::Closed,
        Error::Capacity(_) => End::Broken(CloseCode::TooLarge, "message too large"),
        Error::Utf8(_) => End::Broken(CloseCode::NotUtf8, "text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(_) => End::Broken(CloseCode::Protocol, "protocol error"),
        _ => End::Gone,
    }
}

/// What the WebSocket library takes for a socket: reads are the socket's, writes the outbox's.
struct Socket {
    client: Arc<Client>,
    stream: Arc<TcpStream>,
    clock: RelayClock,
    /// When something was last read. Taken before the read: what it yields was there by then.
    read_at: RelayTime,
    /// Bytes read since the last whole message.
    unfinished: usize,
}

impl Socket {
    /// Whether fragments come and come: the library would read them for ever, as long as they add
    /// nothing to the message.
    fn is_endless(&self) -> bool {
        self.unfinished > UNFINISHED_BYTES
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_endless() {
            return Err(ErrorKind::InvalidData.into());
        }
        let now = self.clock.now();
        let count = self.stream.try_read(buffer)?;
        self.read_at = now;
        self.unfinished += count;
        self.client.was_heard(now);
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.client.outbox.send(&Bytes::copy_from_slice(frame));
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

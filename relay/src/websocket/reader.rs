//! The incoming half of a connection: bytes to messages, within bounds.
//!
//! The WebSocket library reads and checks what comes in. It never writes: its pongs and closes
//! go to the client's [`Outbox`](crate::outbox::Outbox) like everything else, so that one thing
//! alone writes to a socket.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::Arc,
};

use bytes::Bytes;
use downbeat_platform::packet_timestamps;
use downbeat_protocol::RelayTime;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream, task::coop::consume_budget, time::timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding},
};

use crate::{
    clients::Client,
    clock::RelayClock,
    config::{CLOSE_TIMEOUT, MESSAGE_BYTES, READ_BUFFER_BYTES, UNFINISHED_BYTES},
    frame::{self, CloseCode},
    outbox::Phase,
};

/// How a conversation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The socket is of no more use.
    Gone,
    /// The client said goodbye, and the answer is on its way.
    Closed,
    /// The relay said goodbye.
    Closing,
    /// The client broke the rules.
    Broken(CloseCode, &'static str),
}

fn end_of(error: &Error) -> End {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => End::Closed,
        Error::Capacity(_) => End::Broken(CloseCode::TooLarge, "message too large"),
        Error::Utf8(_) => End::Broken(CloseCode::NotUtf8, "text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Error::Protocol(_) => End::Broken(CloseCode::Protocol, "protocol error"),
        // No socket says so, but the seal does.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            End::Broken(CloseCode::Protocol, "TLS that does not open or holds nothing")
        }
        _ => End::Gone,
    }
}

/// Whether it is a goodbye with a code that none may send: in the place of that, the library tells of
/// one of its own, and would answer it.
fn is_forbidden_goodbye(message: &Message) -> bool {
    let Message::Close(Some(CloseFrame { code, reason })) = message else { return false };
    *code == coding::CloseCode::Protocol && reason.as_str() == "Protocol violation"
}

/// How much a connection may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In one message.
    pub message_bytes: usize,
    /// Without completing a message.
    pub unfinished_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: MESSAGE_BYTES, unfinished_bytes: UNFINISHED_BYTES }
    }
}

/// Reads messages from a stream that never waits, and answers pings and closes into it.
pub struct Decoder<S> {
    websocket: WebSocket<Bounded<S>>,
}

impl<S: Read + Write> Decoder<S> {
    /// A decoder of `stream`, of which `early` was read before.
    pub fn new(stream: S, early: Vec<u8>, limits: Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            // The library only ever writes control frames, one at a time, and they are taken at
            // once.
            .max_write_buffer_size(1024)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let read = early.len();
        let bounded = Bounded { stream, unfinished: read, read, most: limits.unfinished_bytes };
        let websocket = WebSocket::from_partially_read(bounded, early, Role::Server, Some(config));
        Self { websocket }
    }

    /// The next message, or none as long as no whole one has come.
    ///
    /// # Errors
    /// If none will ever come.
    pub fn decode(&mut self) -> Result<Option<Message>, End> {
        match self.websocket.read() {
            Ok(message) if is_forbidden_goodbye(&message) => {
                Err(End::Broken(CloseCode::Protocol, "protocol error"))
            }
            Ok(message) => {
                let unfinished = &mut self.websocket.get_mut().unfinished;
                // A control frame may stand between fragments, and completes nothing but itself.
                *unfinished = match &message {
                    Message::Ping(payload) | Message::Pong(payload) => {
                        unfinished.saturating_sub(CONTROL_HEAD_BYTES + payload.len())
                    }
                    _ => 0,
                };
                Ok(Some(message))
            }
            Err(Error::Io(_)) if self.websocket.get_ref().is_endless() => {
                Err(End::Broken(CloseCode::TooLarge, "a message without end"))
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(end_of(&error)),
        }
    }

    /// How many bytes were read since this was last asked.
    pub fn take_read(&mut self) -> usize {
        std::mem::take(&mut self.websocket.get_mut().read)
    }

    /// The stream.
    pub fn stream(&self) -> &S {
        &self.websocket.get_ref().stream
    }
}

/// A message pays for a quarter of what was read for it, if that is more than itself: enough that
/// fragments of nothing are soon too many, and little where one read brought a buffer full of messages.
const READ_PER_PAID: usize = 4;

/// What a client's control frame takes besides its payload: two bytes, and the mask.
const CONTROL_HEAD_BYTES: usize = 6;

/// A stream that is given up when bytes come and come and never make a message: the library would
/// read fragments for ever, as long as they add nothing to it.
struct Bounded<S> {
    stream: S,
    /// Bytes read since the last whole message.
    unfinished: usize,
    /// Bytes read since they were last asked for.
    read: usize,
    most: usize,
}

impl<S> Bounded<S> {
    fn is_endless(&self) -> bool {
        self.unfinished > self.most
    }
}

impl<S: Read> Read for Bounded<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_endless() {
            return Err(ErrorKind::InvalidData.into());
        }
        let count = self.stream.read(buffer)?;
        self.unfinished += count;
        self.read += count;
        Ok(count)
    }
}

impl<S: Write> Write for Bounded<S> {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.stream.write(frame)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A message that a client sent.
#[derive(Debug)]
pub struct Said {
    /// What it is.
    pub message: Message,
    /// When the last of it had arrived.
    pub at: RelayTime,
    /// What it has cost, in bytes: it alone, or a part of all that was read since the message before,
    /// if that is more. So fragments of nothing are not free, and of messages that came together each
    /// pays for itself.
    pub bytes: usize,
}

/// Reads one client's messages, and meanwhile writes what waits in its outbox.
pub struct Reader {
    client: Arc<Client>,
    socket: Arc<TcpStream>,
    decoder: Decoder<Incoming>,
}

impl Reader {
    /// A reader of `socket`, to which the client's outbox writes, sealed if it `is_sealed`; `early` is
    /// what was read past the handshake.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        socket: Arc<TcpStream>,
        is_sealed: bool,
        clock: RelayClock,
        early: Vec<u8>,
        limits: Limits,
    ) -> Self {
        let incoming = Incoming {
            client: client.clone(),
            stream: socket.clone(),
            is_sealed,
            clock,
            read_at: clock.now(),
        };
        Self { client, socket, decoder: Decoder::new(incoming, early, limits) }
    }

    /// The next message.
    ///
    /// # Errors
    /// If the conversation has come to its end.
    pub async fn next(&mut self) -> Result<Said, End> {
        loop {
            match self.client.outbox.phase() {
                Phase::Open => {}
                Phase::Closing => return Err(End::Closing),
                Phase::Cut(_) => return Err(End::Gone),
            }
            // However much one has to say, others on this thread get their turn.
            consume_budget().await;
            match self.decoder.decode()? {
                Some(message) => {
                    let (at, read) = (self.decoder.stream().read_at, self.decoder.take_read());
                    let bytes = message.len().max(read / READ_PER_PAID);
                    return Ok(Said { message, at, bytes });
                }
                None => self.wait().await.map_err(|_| End::Gone)?,
            }
        }
    }

    /// Sees the last frames out, and the socket to its end.
    pub async fn part(&mut self, end: End) {
        if let End::Broken(code, reason) = end {
            self.client.outbox.close(code, reason);
        }
        let farewell = async {
            match end {
                End::Gone => {}
                End::Closed => self.see_out().await,
                // A socket that is closed with something unread may take down with it what was
                // sent last, which is the close frame. So the client is heard to its end.
                End::Closing => {
                    self.drain().await;
                    self.see_out().await;
                }
                End::Broken(..) => self.drain_unread().await,
            }
        };
        // Whoever does not answer in time has had its chance.
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
        self.client.outbox.say_end();
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

    /// Writes what still waits, to one from whom nothing more is read.
    async fn see_out(&self) {
        let outbox = &self.client.outbox;
        while outbox.is_waiting() {
            consume_budget().await;
            // Not until there is something to read as well: as nobody reads, that is so for ever, and
            // this would never let go of the thread.
            if self.socket.writable().await.is_err() {
                return;
            }
            outbox.flush();
        }
    }

    /// Hears a client to its own goodbye.
    async fn drain(&mut self) {
        loop {
            consume_budget().await;
            match self.decoder.decode() {
                Ok(Some(Message::Close(_))) | Err(_) => return,
                Ok(Some(_)) => {}
                Ok(None) => {
                    if self.wait().await.is_err() {
                        return;
                    }
                }
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
                self.client.outbox.say_end();
                // If it fails, the socket is gone already, and the next read says so.
                let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Write);
            }
            // As it comes: what it means is of no interest any more.
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

/// What the decoder takes for a socket: reads are the socket's, writes the outbox's.
struct Incoming {
    client: Arc<Client>,
    stream: Arc<TcpStream>,
    is_sealed: bool,
    clock: RelayClock,
    /// When what was last read had arrived.
    read_at: RelayTime,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, arrived) = if self.is_sealed {
            self.client.outbox.read_sealed(buffer)?
        } else {
            packet_timestamps::try_read(&self.stream, buffer)?
        };
        self.read_at = self.clock.at(arrived);
        self.client.was_heard(self.read_at);
        Ok(count)
    }
}

impl Write for Incoming {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let outbox = &self.client.outbox;
        let answer = Bytes::copy_from_slice(frame);
        if frame::is_close(&answer) {
            outbox.end_with(&answer);
        } else {
            outbox.send(&answer);
        }
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

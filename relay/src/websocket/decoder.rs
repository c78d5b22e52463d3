//! Bytes to messages, within bounds.
//!
//! The WebSocket library parses and validates. It writes pongs and close frames into the same stream, one
//! at a time; everything else that is sent bypasses it.

use std::io::{self, ErrorKind, Read, Write};

use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding},
};

use super::frame::CloseCode;

/// Largest message that is accepted, in bytes. The largest valid one is a trigger with 4096 bytes of
/// data and 256 targets with names of usual length; this is twice that.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Most bytes that a client may send without completing a message. The largest message in fragments of
/// eight bytes fits; empty fragments without end do not.
pub(crate) const MAX_UNFINISHED_BYTES: usize = 2 * MAX_MESSAGE_BYTES;

/// Initial size of a connection's read buffer, in bytes: several messages of the usual 200 bytes. It
/// grows for a larger one. The library's default would cost 128 KiB for each idle client.
pub(super) const READ_BUFFER_BYTES: usize = 1024;

/// Size of the write buffer, in bytes: for one control frame, which is taken at once.
const WRITE_BUFFER_BYTES: usize = 1024;

/// What a client's control frame adds to its payload: two bytes of header and the mask.
const CONTROL_HEADER_BYTES: usize = 6;

/// How a WebSocket connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The socket failed or ended without a close frame.
    Lost,
    /// The client sent a close frame, and the answer is queued.
    ClosedByClient,
    /// The relay sent a close frame.
    ClosedByRelay,
    /// The client violated the protocol or a limit.
    Violation(CloseCode, &'static str),
}

fn end_of(error: &Error) -> End {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => End::ClosedByClient,
        Error::Capacity(_) => End::Violation(CloseCode::TooLarge, "message too large"),
        Error::Utf8(_) => End::Violation(CloseCode::NotUtf8, "text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Lost,
        Error::Protocol(_) => End::Violation(CloseCode::Protocol, "protocol error"),
        // A socket never reports this kind; the TLS session does.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            End::Violation(CloseCode::Protocol, "invalid or empty TLS records")
        }
        _ => End::Lost,
    }
}

/// Whether it is a close frame with a forbidden code: the library replaces that by a frame of its own, and
/// would answer it.
fn is_forbidden_close(message: &Message) -> bool {
    let Message::Close(Some(CloseFrame { code, reason })) = message else { return false };
    *code == coding::CloseCode::Protocol && reason.as_str() == "Protocol violation"
}

/// How much a connection may send.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimits {
    /// In one message.
    pub message_bytes: usize,
    /// Without completing a message.
    pub unfinished_bytes: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { message_bytes: MAX_MESSAGE_BYTES, unfinished_bytes: MAX_UNFINISHED_BYTES }
    }
}

/// Decodes messages from a nonblocking stream, and answers pings and close frames on it.
pub struct Decoder<S> {
    websocket: WebSocket<Bounded<S>>,
}

impl<S: Read + Write> Decoder<S> {
    /// A decoder of `stream`, of which `early` has been read already.
    pub fn new(stream: S, early: Vec<u8>, limits: MessageLimits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let read = early.len();
        let bounded = Bounded { stream, unfinished: read, read, limit: limits.unfinished_bytes };
        let websocket = WebSocket::from_partially_read(bounded, early, Role::Server, Some(config));
        Self { websocket }
    }

    /// The next message; `None` if no complete one has arrived.
    ///
    /// # Errors
    /// If there will be no more messages.
    pub fn decode(&mut self) -> Result<Option<Message>, End> {
        match self.websocket.read() {
            Ok(message) if is_forbidden_close(&message) => {
                Err(End::Violation(CloseCode::Protocol, "protocol error"))
            }
            Ok(message) => {
                let unfinished = &mut self.websocket.get_mut().unfinished;
                // A control frame may stand between fragments, and completes only itself.
                *unfinished = match &message {
                    Message::Ping(payload) | Message::Pong(payload) => {
                        unfinished.saturating_sub(CONTROL_HEADER_BYTES + payload.len())
                    }
                    _ => 0,
                };
                Ok(Some(message))
            }
            Err(Error::Io(_)) if self.websocket.get_ref().is_exceeded() => {
                Err(End::Violation(CloseCode::TooLarge, "a message without end"))
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(end_of(&error)),
        }
    }

    /// Bytes read since the last call.
    pub(super) fn take_read(&mut self) -> usize {
        std::mem::take(&mut self.websocket.get_mut().read)
    }

    /// The stream.
    pub fn stream(&self) -> &S {
        &self.websocket.get_ref().stream
    }
}

/// A stream that fails when bytes arrive without end and never complete a message: the library would read
/// empty fragments forever.
struct Bounded<S> {
    stream: S,
    /// Bytes read since the last complete message.
    unfinished: usize,
    /// Bytes read since [`Decoder::take_read`].
    read: usize,
    limit: usize,
}

impl<S> Bounded<S> {
    fn is_exceeded(&self) -> bool {
        self.unfinished > self.limit
    }
}

impl<S: Read> Read for Bounded<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_exceeded() {
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

//! One connection to a sound server that speaks PulseAudio's native protocol: the handshake, requests with
//! their replies, and messages from the server. It knows nothing of streams and sound.
//!
//! The `pulseaudio` crate encodes the protocol. Its client is not used: it zeroes a mebibyte before each
//! read, which costs more than everything else that an idle player does.

use std::ffi::CString;
use std::io::{self, Cursor, Write as _};
use std::time::Duration;

use pulseaudio::protocol::{
    self, AuthParams, AuthReply, Command, CommandReply, DESCRIPTOR_SIZE, MAX_VERSION, Prop, Props,
    ProtocolError, SetClientNameReply, TagStructReader,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::Socket;

use super::client_settings::ClientSettings;
use super::server_address::ServerAddress;

/// A healthy server replies within a millisecond.
const REPLY_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes per read. The messages of a stream have some tens of bytes.
const READ_BYTES: usize = 4096;

/// Largest message that is accepted: a list of some thousands of sinks.
const MESSAGE_BYTES: usize = 4 << 20;

/// The channel of messages; all other channels carry audio.
const MESSAGES: u32 = u32::MAX;

/// Why a request to the server failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PulseError {
    /// No server listens at the default addresses.
    #[error("neither PulseAudio nor PipeWire is running")]
    NoServer,
    /// None of the configured servers accepts this client.
    #[error("no sound server answers: {0}")]
    NoneAnswers(String),
    /// The socket is broken.
    #[error("the sound server went away ({0})")]
    Gone(#[from] io::Error),
    /// It refused.
    #[error("the sound server refused ({0})")]
    Refused(protocol::PulseError),
    /// It ended the stream, as it does when the device disappears.
    #[error("the sound server ended the stream")]
    Killed,
    /// It violated the protocol.
    #[error("unexpected answer of the sound server ({0})")]
    Unexpected(ProtocolError),
}

impl From<ProtocolError> for PulseError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Io(error) => Self::Gone(error),
            ProtocolError::ServerError(error) => Self::Refused(error),
            other => Self::Unexpected(other),
        }
    }
}

/// A message from the server.
pub(super) enum ServerMessage<'a> {
    /// The reply to the request of this number.
    Reply(u32, Payload<'a>),
    /// The refusal of the request of this number.
    Refusal(u32, protocol::PulseError),
    /// The server requests this many further bytes of the stream.
    Requested(usize),
    /// The stream had an underrun.
    Underrun,
    /// The stream was moved to the device of this name.
    Moved(String),
    /// A subscribed object has changed.
    Changed,
    /// The stream was ended.
    Killed,
    /// A message that this client does not need or know.
    Other,
}

/// The payload of a reply.
pub(super) struct Payload<'a> {
    bytes: &'a [u8],
    version: u16,
}

impl Payload<'_> {
    /// Decodes it as the reply to the request.
    pub(super) fn read<R: CommandReply>(self) -> Result<R, PulseError> {
        let mut bytes = self.bytes;
        Ok(R::read(&mut TagStructReader::new(&mut bytes, self.version), self.version)?)
    }
}

#[derive(Debug)]
pub(super) struct ServerConnection {
    socket: Socket,
    version: u16,
    next_number: u32,
    read_buffer: ReadBuffer,
}

impl ServerConnection {
    /// Connects to the first of the user's servers that accepts this client, and returns its address.
    pub(super) fn open_any() -> Result<(Self, ServerAddress), PulseError> {
        let settings = ClientSettings::read();
        let mut failures = Vec::new();
        for server in settings.servers {
            match Self::connect(&server, &settings.cookie) {
                Ok(connection) => return Ok((connection, server)),
                Err(error) => failures.push(format!("{server}: {error}")),
            }
        }
        if settings.are_named && !failures.is_empty() {
            Err(PulseError::NoneAnswers(failures.join("; ")))
        } else {
            Err(PulseError::NoServer)
        }
    }

    /// Opens another connection to a server.
    pub(super) fn open(server: &ServerAddress) -> Result<Self, PulseError> {
        Self::connect(server, &ClientSettings::read().cookie)
    }

    fn connect(server: &ServerAddress, cookie: &[u8]) -> Result<Self, PulseError> {
        let socket = server.connect()?;
        socket.set_read_timeout(Some(REPLY_TIMEOUT))?;
        socket.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let mut connection = Self {
            socket,
            version: MAX_VERSION,
            next_number: 0,
            read_buffer: ReadBuffer::default(),
        };
        connection.handshake(cookie)?;
        Ok(connection)
    }

    fn handshake(&mut self, cookie: &[u8]) -> Result<(), PulseError> {
        let auth = AuthParams {
            version: MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: cookie.to_vec(),
        };
        let reply: AuthReply = self.ask(&Command::Auth(auth))?;
        self.version = MAX_VERSION.min(reply.version);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"Downbeat");
        if let Ok(id) = CString::new(std::process::id().to_string()) {
            props.set(Prop::ApplicationProcessId, id);
        }
        let _: SetClientNameReply = self.ask(&Command::SetClientName(props))?;
        Ok(())
    }

    /// A clone of the socket, to shut it down from another thread.
    pub(super) fn socket(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// Removes the timeout of [`ServerConnection::receive`].
    pub(super) fn wait_forever(&self) -> io::Result<()> {
        self.socket.set_read_timeout(None)
    }

    /// Sends a request, and waits for its reply. Other messages are ignored meanwhile.
    pub(super) fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, PulseError> {
        self.request(command, |reply: Payload<'_>| reply.read::<R>())
    }

    /// Sends a request whose reply is empty, and waits for it.
    pub(super) fn order(&mut self, command: &Command) -> Result<(), PulseError> {
        self.request(command, |_| Ok(()))
    }

    fn request<T>(
        &mut self,
        command: &Command,
        read: impl FnOnce(Payload<'_>) -> Result<T, PulseError>,
    ) -> Result<T, PulseError> {
        let mut out = Vec::new();
        let requested = self.write_request(command, &mut out)?;
        self.send(&out)?;
        loop {
            match self.receive()? {
                ServerMessage::Reply(number, payload) if number == requested => {
                    return read(payload);
                }
                ServerMessage::Refusal(number, error) if number == requested => {
                    return Err(PulseError::Refused(error));
                }
                _ => {}
            }
        }
    }

    /// Appends a request to `out`, which must be sent completely. Returns its number.
    pub(super) fn write_request(
        &mut self,
        command: &Command,
        out: &mut Vec<u8>,
    ) -> Result<u32, PulseError> {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        protocol::write_command_message(out, number, command, self.version)?;
        Ok(number)
    }

    /// Sends requests and audio.
    pub(super) fn send(&mut self, out: &[u8]) -> Result<(), PulseError> {
        Ok(self.socket.write_all(out)?)
    }

    /// Waits for the next message, but no longer than `timeout`. Returns whether there is one.
    pub(super) fn wait(&self, timeout: Duration) -> io::Result<bool> {
        if self.read_buffer.has_unread() {
            return Ok(true);
        }
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        // Not the socket's own timeout: the kernel rounds that up to a tick of some milliseconds.
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        match poll(&mut sockets, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next message of the server.
    pub(super) fn receive(&mut self) -> Result<ServerMessage<'_>, PulseError> {
        let Self { socket, version, read_buffer, .. } = self;
        let Some(message) = read_buffer.next(socket)? else { return Ok(ServerMessage::Other) };
        let mut cursor = Cursor::new(message);
        match Command::read_tag_prefixed(&mut cursor, *version) {
            Ok((number, Command::Reply)) => {
                let bytes = message.get(cursor.position() as usize..).unwrap_or_default();
                Ok(ServerMessage::Reply(number, Payload { bytes, version: *version }))
            }
            Ok((number, Command::Error(error))) => Ok(ServerMessage::Refusal(number, error)),
            Ok((_, Command::Request(request))) => {
                Ok(ServerMessage::Requested(request.length as usize))
            }
            Ok((_, Command::Underflow(_))) => Ok(ServerMessage::Underrun),
            Ok((_, Command::PlaybackStreamMoved(moved))) => {
                Ok(ServerMessage::Moved(moved.device_name.to_string_lossy().into_owned()))
            }
            Ok((_, Command::SubscribeEvent(_))) => Ok(ServerMessage::Changed),
            Ok((_, Command::PlaybackStreamKilled(_))) => Ok(ServerMessage::Killed),
            // A newer server may send messages that are unknown here.
            Ok(_) | Err(_) => Ok(ServerMessage::Other),
        }
    }
}

/// The received bytes that have not been consumed yet.
#[derive(Debug, Default)]
struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many of them have been consumed.
    consumed: usize,
}

impl ReadBuffer {
    fn has_unread(&self) -> bool {
        self.bytes.len() > self.consumed
    }

    /// The next message without its header; none if it is audio.
    fn next(&mut self, socket: &mut impl io::Read) -> Result<Option<&[u8]>, PulseError> {
        self.fill(socket, DESCRIPTOR_SIZE)?;
        let header = protocol::read_descriptor(&mut &self.bytes[self.consumed..])?;
        let length = header.length as usize;
        if length > MESSAGE_BYTES {
            let error = format!("a message of {length} bytes");
            return Err(PulseError::Unexpected(ProtocolError::Invalid(error)));
        }
        self.fill(socket, DESCRIPTOR_SIZE + length)?;
        let begin = self.consumed + DESCRIPTOR_SIZE;
        self.consumed = begin + length;
        Ok((header.channel == MESSAGES).then(|| &self.bytes[begin..self.consumed]))
    }

    /// Reads until at least `min` bytes can be consumed.
    fn fill(&mut self, socket: &mut impl io::Read, min: usize) -> io::Result<()> {
        if self.bytes.len() - self.consumed >= min {
            return Ok(());
        }
        self.bytes.drain(..self.consumed);
        self.consumed = 0;
        while self.bytes.len() < min {
            let had = self.bytes.len();
            self.bytes.resize(had + READ_BYTES, 0);
            let read = socket.read(&mut self.bytes[had..]);
            self.bytes.truncate(had + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// A message, as a server sends it.
    fn message(channel: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        protocol::write_memblock(&mut bytes, channel, payload, 0).unwrap();
        bytes
    }

    #[test]
    fn messages_are_reassembled_from_any_pieces() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let mut bytes = message(MESSAGES, b"one");
        bytes.extend(message(3, &[7; 2 * READ_BYTES]));
        bytes.extend(message(MESSAGES, &[9; 3 * READ_BYTES]));
        bytes.extend(message(MESSAGES, b""));
        let sender = thread::spawn(move || {
            for piece in bytes.chunks(1234) {
                there.write_all(piece).unwrap();
            }
        });
        let mut buffer = ReadBuffer::default();
        assert_eq!(buffer.next(&mut here).unwrap(), Some(&b"one"[..]));
        assert_eq!(buffer.next(&mut here).unwrap(), None);
        assert_eq!(buffer.next(&mut here).unwrap(), Some(&[9; 3 * READ_BYTES][..]));
        assert_eq!(buffer.next(&mut here).unwrap(), Some(&b""[..]));
        sender.join().unwrap();
        assert!(matches!(buffer.next(&mut here), Err(PulseError::Gone(_))));
    }

    #[test]
    fn a_message_that_claims_a_gigabyte_is_rejected() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let header = protocol::Descriptor {
            length: 1 << 30,
            channel: MESSAGES,
            offset: 0,
            flags: protocol::DescriptorFlags::empty(),
        };
        protocol::write_descriptor(&mut there, &header).unwrap();
        assert!(matches!(ReadBuffer::default().next(&mut here), Err(PulseError::Unexpected(_))));
    }
}

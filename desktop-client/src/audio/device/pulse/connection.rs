//! One connection to a PulseAudio server, or to whatever speaks its protocol: shaking hands,
//! asking, and hearing what it says by itself. It knows nothing of streams and sound.
//!
//! The protocol itself is the `pulseaudio` crate's. Its client is not used, for it zeroes a
//! mebibyte before each read, which costs more than all else that a player does at rest.

use std::ffi::CString;
use std::io::{self, Cursor, Write as _};
use std::time::Duration;

use pulseaudio::protocol::{
    self, AuthParams, AuthReply, Command, CommandReply, DESCRIPTOR_SIZE, MAX_VERSION, Prop, Props,
    ProtocolError, SetClientNameReply, TagStructReader,
};
use socket2::Socket;

use super::client_settings::ClientSettings;
use super::server_address::ServerAddress;

/// A server that is well answers within a millisecond.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What is read at once. The messages of a stream are some tens of bytes.
const READ_BYTES: usize = 4096;

/// Largest message that is taken: a list of some thousands of sinks.
const MESSAGE_BYTES: usize = 4 << 20;

/// The channel of messages; every other one is sound.
const MESSAGES: u32 = u32::MAX;

/// Why the server does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum PulseError {
    /// There is no server where it usually is.
    #[error("neither PulseAudio nor PipeWire is running")]
    NoServer,
    /// None of the servers that somebody named takes this client.
    #[error("no sound server answers: {0}")]
    NoneOf(String),
    /// The socket to it is broken.
    #[error("the sound server went away ({0})")]
    Gone(#[from] io::Error),
    /// It said no.
    #[error("the sound server refused ({0})")]
    Refused(protocol::PulseError),
    /// It ended the stream, as it does when its device goes away.
    #[error("the sound server ended it")]
    Killed,
    /// It said something else than it should.
    #[error("the sound server said something unexpected ({0})")]
    Nonsense(ProtocolError),
}

impl From<ProtocolError> for PulseError {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Io(error) => Self::Gone(error),
            ProtocolError::ServerError(error) => Self::Refused(error),
            other => Self::Nonsense(other),
        }
    }
}

/// What the server says.
pub(super) enum Heard<'a> {
    /// The answer to the question of this number.
    Answer(u32, Payload<'a>),
    /// Its refusal.
    Refusal(u32, protocol::PulseError),
    /// The stream may be sent so many bytes more.
    Wants(usize),
    /// The stream has run dry.
    RanDry,
    /// The stream goes to the device of this name now.
    Moved(String),
    /// Something that was subscribed to has changed.
    Changed,
    /// The stream was ended.
    Killed,
    /// What this client has no use for, or does not know.
    Other,
}

/// An answer that has not been read yet.
pub(super) struct Payload<'a> {
    bytes: &'a [u8],
    version: u16,
}

impl Payload<'_> {
    /// Reads it as the answer to the question that was asked.
    pub(super) fn read<R: CommandReply>(self) -> Result<R, PulseError> {
        let mut bytes = self.bytes;
        Ok(R::read(&mut TagStructReader::new(&mut bytes, self.version), self.version)?)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    version: u16,
    next_number: u32,
    inbox: Inbox,
}

impl Connection {
    /// Connects to the first of the user's servers that takes this client, and says which it is.
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
            Err(PulseError::NoneOf(failures.join("; ")))
        } else {
            Err(PulseError::NoServer)
        }
    }

    /// Connects to a server once more.
    pub(super) fn open(server: &ServerAddress) -> Result<Self, PulseError> {
        Self::connect(server, &ClientSettings::read().cookie)
    }

    fn connect(server: &ServerAddress, cookie: &[u8]) -> Result<Self, PulseError> {
        let socket = server.connect()?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let mut connection =
            Self { socket, version: MAX_VERSION, next_number: 0, inbox: Inbox::default() };
        connection.shake_hands(cookie)?;
        Ok(connection)
    }

    fn shake_hands(&mut self, cookie: &[u8]) -> Result<(), PulseError> {
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

    /// The same socket, to shut it down from elsewhere.
    pub(super) fn socket(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// From now on [`Connection::hear`] waits as long as it takes.
    pub(super) fn wait_forever(&self) -> io::Result<()> {
        self.socket.set_read_timeout(None)
    }

    /// Asks, and waits for the answer. What the server says by itself meanwhile is passed over.
    pub(super) fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, PulseError> {
        self.settle(command, |answer: Payload<'_>| answer.read::<R>())
    }

    /// Orders what is answered with a bare yes, and waits for that.
    pub(super) fn order(&mut self, command: &Command) -> Result<(), PulseError> {
        self.settle(command, |_| Ok(()))
    }

    fn settle<T>(
        &mut self,
        command: &Command,
        read: impl FnOnce(Payload<'_>) -> Result<T, PulseError>,
    ) -> Result<T, PulseError> {
        let mut out = Vec::new();
        let asked = self.write_question(command, &mut out)?;
        self.send(&out)?;
        loop {
            match self.hear()? {
                Heard::Answer(number, payload) if number == asked => return read(payload),
                Heard::Refusal(number, error) if number == asked => {
                    return Err(PulseError::Refused(error));
                }
                _ => {}
            }
        }
    }

    /// Appends a question to `out`, which is to be sent whole. Returns its number.
    pub(super) fn write_question(
        &mut self,
        command: &Command,
        out: &mut Vec<u8>,
    ) -> Result<u32, PulseError> {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        protocol::write_command_message(out, number, command, self.version)?;
        Ok(number)
    }

    /// Sends what was written.
    pub(super) fn send(&mut self, out: &[u8]) -> Result<(), PulseError> {
        Ok(self.socket.write_all(out)?)
    }

    /// The next thing that the server says.
    pub(super) fn hear(&mut self) -> Result<Heard<'_>, PulseError> {
        let Self { socket, version, inbox, .. } = self;
        let Some(message) = inbox.next(socket)? else { return Ok(Heard::Other) };
        let mut cursor = Cursor::new(message);
        match Command::read_tag_prefixed(&mut cursor, *version) {
            Ok((number, Command::Reply)) => {
                let bytes = message.get(cursor.position() as usize..).unwrap_or_default();
                Ok(Heard::Answer(number, Payload { bytes, version: *version }))
            }
            Ok((number, Command::Error(error))) => Ok(Heard::Refusal(number, error)),
            Ok((_, Command::Request(request))) => Ok(Heard::Wants(request.length as usize)),
            Ok((_, Command::Underflow(_))) => Ok(Heard::RanDry),
            Ok((_, Command::PlaybackStreamMoved(moved))) => {
                Ok(Heard::Moved(moved.device_name.to_string_lossy().into_owned()))
            }
            Ok((_, Command::SubscribeEvent(_))) => Ok(Heard::Changed),
            Ok((_, Command::PlaybackStreamKilled(_))) => Ok(Heard::Killed),
            // A newer server may tell of things that are not known here.
            Ok(_) | Err(_) => Ok(Heard::Other),
        }
    }
}

/// What has been read and not been taken yet.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// How much of it has been taken.
    taken: usize,
}

impl Inbox {
    /// The next message without its header; nothing if it is one of sound.
    fn next(&mut self, socket: &mut impl io::Read) -> Result<Option<&[u8]>, PulseError> {
        self.fill(socket, DESCRIPTOR_SIZE)?;
        let header = protocol::read_descriptor(&mut &self.bytes[self.taken..])?;
        let length = header.length as usize;
        if length > MESSAGE_BYTES {
            let error = format!("a message of {length} bytes");
            return Err(PulseError::Nonsense(ProtocolError::Invalid(error)));
        }
        self.fill(socket, DESCRIPTOR_SIZE + length)?;
        let begin = self.taken + DESCRIPTOR_SIZE;
        self.taken = begin + length;
        Ok((header.channel == MESSAGES).then(|| &self.bytes[begin..self.taken]))
    }

    /// Reads until at least `least` bytes wait to be taken.
    fn fill(&mut self, socket: &mut impl io::Read, least: usize) -> io::Result<()> {
        if self.bytes.len() - self.taken >= least {
            return Ok(());
        }
        self.bytes.drain(..self.taken);
        self.taken = 0;
        while self.bytes.len() < least {
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

    /// A message as a server sends it.
    fn message(channel: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        protocol::write_memblock(&mut bytes, channel, payload, 0).unwrap();
        bytes
    }

    #[test]
    fn messages_are_taken_whole_however_they_arrive() {
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
        let mut inbox = Inbox::default();
        assert_eq!(inbox.next(&mut here).unwrap(), Some(&b"one"[..]));
        assert_eq!(inbox.next(&mut here).unwrap(), None);
        assert_eq!(inbox.next(&mut here).unwrap(), Some(&[9; 3 * READ_BYTES][..]));
        assert_eq!(inbox.next(&mut here).unwrap(), Some(&b""[..]));
        sender.join().unwrap();
        assert!(matches!(inbox.next(&mut here), Err(PulseError::Gone(_))));
    }

    #[test]
    fn a_message_of_a_claimed_gigabyte_is_refused() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let header = protocol::Descriptor {
            length: 1 << 30,
            channel: MESSAGES,
            offset: 0,
            flags: protocol::DescriptorFlags::empty(),
        };
        protocol::write_descriptor(&mut there, &header).unwrap();
        assert!(matches!(Inbox::default().next(&mut here), Err(PulseError::Nonsense(_))));
    }
}

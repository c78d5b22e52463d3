//! Many clients of one wire on one thread: they bang, count and time what they hear, and answer
//! pings.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use downbeat_platform::packet_timestamps;
use mio::{Events, Interest, Poll, Token};

use crate::process::PATIENCE;

/// What a crowd speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The tutorial's two texts.
    Tutorial,
    /// `downbeat.v1`.
    V1,
}

/// What a client of the crowd heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// That it is to sound.
    Trigger,
    /// Something else of the wire.
    Other,
    /// Goodbye, with this code; 0 for none.
    Close(u16),
    /// The end of its socket, goodbye or not.
    End,
}

/// One client: its socket, the part of a frame that it has read, and whether it still reads.
#[derive(Debug)]
struct Client {
    stream: mio::net::TcpStream,
    partial: Vec<u8>,
    open: bool,
}

/// The clients, in the order in which they came.
#[derive(Debug)]
pub struct Crowd {
    wire: Wire,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
}

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

impl Crowd {
    /// `count` clients that connect to `address` one after the other.
    ///
    /// # Errors
    /// If one is not let in.
    pub fn join(address: SocketAddr, wire: Wire, count: usize) -> Result<Self> {
        let mut crowd = Self {
            wire,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            clients: Vec::with_capacity(count),
        };
        for _ in 0..count {
            crowd.add(address)?;
        }
        Ok(crowd)
    }

    /// One more client; its number is how many there were.
    ///
    /// # Errors
    /// If it is not let in.
    pub fn add(&mut self, address: SocketAddr) -> Result<usize> {
        let number = self.clients.len();
        let stream = shake_hands(address, self.wire)
            .with_context(|| format!("client {number} at {address}"))?;
        stream.set_nonblocking(true)?;
        packet_timestamps::enable(&stream);
        let mut stream = mio::net::TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        self.clients.push(Client { stream, partial: Vec::new(), open: true });
        if self.wire == Wire::V1 {
            let hello = format!(
                r#"{{"type":"hello","name":"crowd {number}","kind":"headless","client":"load"}}"#
            );
            self.say(number, hello.as_bytes())?;
        }
        Ok(number)
    }

    /// How many there are, those that have ended included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether nobody ever joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// A client bangs `times`, in one write.
    ///
    /// # Errors
    /// If it cannot.
    pub fn bang(&mut self, client: usize, times: usize) -> Result<()> {
        let text: &[u8] = match self.wire {
            Wire::Tutorial => b"trigger-input",
            Wire::V1 => br#"{"type":"trigger"}"#,
        };
        let frames = masked(TEXT, text).repeat(times);
        self.write(client, &frames)
    }

    /// A client says a text of its own.
    ///
    /// # Errors
    /// If it cannot.
    pub fn say(&mut self, client: usize, text: &[u8]) -> Result<()> {
        self.write(client, &masked(TEXT, text))
    }

    /// A client says that it goes. Whether it reads what comes until then is its affair.
    ///
    /// # Errors
    /// If it cannot.
    pub fn say_goodbye(&mut self, client: usize) -> Result<()> {
        self.write(client, &masked(CLOSE, &1000_u16.to_be_bytes()))
    }

    /// A client leaves without a word.
    pub fn leave(&mut self, client: usize) {
        let client = &mut self.clients[client];
        if client.open {
            client.open = false;
            // It fails only if the other end was faster.
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
            let _ = self.poll.registry().deregister(&mut client.stream);
        }
    }

    /// Hears what comes until `each` breaks or `patience` is over; whether it broke.
    ///
    /// `each` is told who heard what, and when that arrived, however late it is read: the crowd is
    /// one thread, and stands for as many machines as it has clients.
    ///
    /// # Errors
    /// If something comes that is no frame of a server.
    pub fn hear(
        &mut self,
        patience: Duration,
        mut each: impl FnMut(usize, Heard, Instant) -> ControlFlow<()>,
    ) -> Result<bool> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if let Err(error) = self.poll.poll(&mut self.events, Some(left)) {
                ensure!(error.kind() == ErrorKind::Interrupted, "waiting for the crowd: {error}");
                continue;
            }
            let ready: Vec<(usize, bool)> =
                self.events.iter().map(|event| (event.token().0, event.is_read_closed())).collect();
            let mut broke = false;
            for (number, ends) in ready {
                broke |= self.read(number, ends, &mut each)?.is_break();
            }
            if broke {
                return Ok(true);
            }
        }
    }

    /// Reads what one client was sent; `ends` if its socket's end is known to be behind that.
    fn read(
        &mut self,
        number: usize,
        ends: bool,
        each: &mut impl FnMut(usize, Heard, Instant) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        let mut pongs = Vec::new();
        let client = &mut self.clients[number];
        while client.open {
            let (count, arrived) = match packet_timestamps::read(&client.stream, &mut self.buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => (0, Instant::now()),
            };
            let mut note = |heard| {
                if each(number, heard, arrived).is_break() {
                    flow = ControlFlow::Break(());
                }
            };
            if count == 0 {
                client.open = false;
                note(Heard::End);
                break;
            }
            // Almost always whole frames: only the rest of one is ever copied.
            let fresh = &self.buffer[..count];
            let joined;
            let mut bytes = if client.partial.is_empty() {
                fresh
            } else {
                client.partial.extend_from_slice(fresh);
                joined = std::mem::take(&mut client.partial);
                &joined
            };
            while let Some((first, payload, rest)) = split_frame(bytes)? {
                match first {
                    TEXT => note(heard(self.wire, payload)?),
                    PING => pongs.push(payload.to_vec()),
                    PONG => {}
                    CLOSE => note(Heard::Close(
                        payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)),
                    )),
                    other => bail!("a frame that begins with {other:#x}"),
                }
                bytes = rest;
            }
            client.partial.extend_from_slice(bytes);
            if count < self.buffer.len() && !ends {
                // A short read has emptied the socket, and epoll tells of what comes after. It has
                // told of an end that was there already.
                break;
            }
        }
        for payload in pongs {
            self.write(number, &masked(PONG, &payload))?;
        }
        Ok(flow)
    }

    fn write(&mut self, client: usize, mut bytes: &[u8]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let stream = &mut self.clients[client].stream;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ensure!(Instant::now() < deadline, "client {client} cannot write");
                    std::thread::sleep(Duration::from_millis(1));
                }
                // The next read says that it has ended.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Opens a WebSocket. What the server says beyond the handshake is left unread.
///
/// # Errors
/// If the server does not answer as one of `WebSockets`.
pub fn shake_hands(address: SocketAddr, wire: Wire) -> Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let protocol = match wire {
        Wire::Tutorial => "",
        Wire::V1 => "Sec-WebSocket-Protocol: downbeat.v1\r\n",
    };
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocol}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    // Nothing follows the head before the client has spoken, but a bang of somebody else may: so
    // the head is looked at first, and only it is taken.
    let mut head = [0; 1024];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let count = stream.peek(&mut head)?;
        if let Some(end) = head[..count].windows(4).position(|four| four == b"\r\n\r\n") {
            stream.read_exact(&mut head[..end + 4])?;
            let line = String::from_utf8_lossy(&head[..end]);
            ensure!(line.starts_with("HTTP/1.1 101 "), "{line}");
            return Ok(stream);
        }
        ensure!(count > 0, "it closed during the handshake");
        ensure!(Instant::now() < deadline, "no whole answer to the handshake");
    }
}

fn heard(wire: Wire, payload: &[u8]) -> Result<Heard> {
    Ok(match wire {
        Wire::Tutorial => {
            ensure!(
                payload == b"trigger-output",
                "a client of the tutorial wire must not hear this"
            );
            Heard::Trigger
        }
        Wire::V1 if payload.starts_with(br#"{"type":"trigger""#) => Heard::Trigger,
        Wire::V1 => Heard::Other,
    })
}

/// A frame's first byte, its payload, and what follows it.
type Frame<'a> = (u8, &'a [u8], &'a [u8]);

/// The first frame of `bytes`; none if it is not whole yet.
fn split_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [first, length, rest @ ..] = bytes else { return Ok(None) };
    let (length, rest) = match (*length, rest) {
        (0x80.., _) => bail!("a masked frame from a server"),
        (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
        (127, rest) => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        (126, _) => return Ok(None),
        (short, rest) => (u64::from(short), rest),
    };
    let length = usize::try_from(length)?;
    Ok((rest.len() >= length).then(|| (*first, &rest[..length], &rest[length..])))
}

/// A frame of a client: masked, with a mask of zeros.
#[must_use]
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if payload.len() < 126 {
        frame.push(0x80 | payload.len() as u8);
    } else {
        frame.push(0xfe);
        frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_split_where_they_end() {
        for length in [0_usize, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = vec![TEXT];
            match length {
                0..126 => bytes.push(length as u8),
                126..65_536 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            bytes.extend(&payload);
            for cut in [0, 1, 2, 5, bytes.len() - 1] {
                let cut = cut.min(bytes.len() - 1);
                assert!(split_frame(&bytes[..cut]).unwrap().is_none(), "{length} cut at {cut}");
            }
            bytes.extend(b"more");
            let (first, read, rest) = split_frame(&bytes).unwrap().unwrap();
            assert_eq!((first, read.len(), rest), (TEXT, length, &b"more"[..]));
        }
        assert!(split_frame(&masked(TEXT, b"x")).is_err());
    }
}

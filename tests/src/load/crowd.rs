//! Many clients of one wire on one thread. They bang, count and time received messages, and answer
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

/// The wire of a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The tutorial's two texts.
    Tutorial,
    /// `downbeat.v1`.
    V1,
}

/// What a client of the crowd received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A trigger.
    Trigger,
    /// A variable's value.
    Value,
    /// Any other message.
    Other,
    /// A close frame with this code; 0 if it has none.
    Close(u16),
    /// The end of the stream, with or without a close frame.
    End,
}

/// One client: its socket, a partially read frame, and whether the socket is open.
#[derive(Debug)]
struct Client {
    stream: mio::net::TcpStream,
    partial: Vec<u8>,
    open: bool,
}

/// The clients, in the order of their connection.
#[derive(Debug)]
pub struct Crowd {
    wire: Wire,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    received_bytes: u64,
}

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

impl Crowd {
    /// Connects `count` clients to `address`, one after the other.
    ///
    /// # Errors
    /// If a client cannot connect.
    pub fn join(address: SocketAddr, wire: Wire, count: usize) -> Result<Self> {
        let mut crowd = Self {
            wire,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            clients: Vec::with_capacity(count),
            received_bytes: 0,
        };
        for _ in 0..count {
            crowd.add(address)?;
        }
        Ok(crowd)
    }

    /// Connects one more client, and returns its number.
    ///
    /// # Errors
    /// If it cannot connect.
    pub fn add(&mut self, address: SocketAddr) -> Result<usize> {
        let number = self.clients.len();
        let stream = handshake(address, self.wire)
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
            self.send(number, hello.as_bytes())?;
        }
        Ok(number)
    }

    /// Number of clients, including those that have ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// What all clients together have received after their handshakes, in bytes.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Whether no client was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Sends `times` bangs from a client, in one write.
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

    /// Sends a text message from a client.
    ///
    /// # Errors
    /// If it cannot.
    pub fn send(&mut self, client: usize, text: &[u8]) -> Result<()> {
        self.write(client, &masked(TEXT, text))
    }

    /// Sends a close frame from a client. The client may still receive messages after it.
    ///
    /// # Errors
    /// If it cannot.
    pub fn send_close(&mut self, client: usize) -> Result<()> {
        self.write(client, &masked(CLOSE, &1000_u16.to_be_bytes()))
    }

    /// Closes a client's connection without a close frame.
    pub fn leave(&mut self, client: usize) {
        let client = &mut self.clients[client];
        if client.open {
            client.open = false;
            // This fails only if the server has already closed the connection.
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
            let _ = self.poll.registry().deregister(&mut client.stream);
        }
    }

    /// Receives until `handle` breaks or `patience` is over. Returns whether it broke.
    ///
    /// `handle` gets the client, what it received, and the kernel's receive timestamp. The crowd is
    /// one thread and reads late; the timestamps do not depend on that.
    ///
    /// # Errors
    /// If a server sends an invalid frame.
    pub fn receive(
        &mut self,
        patience: Duration,
        mut handle: impl FnMut(usize, Received, Instant) -> ControlFlow<()>,
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
                broke |= self.read(number, ends, &mut handle)?.is_break();
            }
            if broke {
                return Ok(true);
            }
        }
    }

    /// Reads what was sent to one client; `ends` if the end of its stream is known to follow.
    fn read(
        &mut self,
        number: usize,
        ends: bool,
        handle: &mut impl FnMut(usize, Received, Instant) -> ControlFlow<()>,
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
            self.received_bytes += count as u64;
            let mut report = |received| {
                if handle(number, received, arrived).is_break() {
                    flow = ControlFlow::Break(());
                }
            };
            if count == 0 {
                client.open = false;
                report(Received::End);
                break;
            }
            // Reads almost always end with a frame, so only partial frames are copied.
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
                    TEXT => report(classify(self.wire, payload)?),
                    PING => pongs.push(payload.to_vec()),
                    PONG => {}
                    CLOSE => report(Received::Close(
                        payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)),
                    )),
                    other => bail!("a frame that begins with {other:#x}"),
                }
                bytes = rest;
            }
            client.partial.extend_from_slice(bytes);
            if count < self.buffer.len() && !ends {
                // A short read has emptied the socket, and epoll reports what arrives later. An end
                // of the stream that has already arrived was reported in `ends`.
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
                // The next read reports the end of the stream.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// Opens a WebSocket. What follows the server's handshake is left unread.
///
/// # Errors
/// If the server does not complete the handshake.
pub fn handshake(address: SocketAddr, wire: Wire) -> Result<TcpStream> {
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
    // Another client's bang may follow the response head at once, so the head is peeked at and only
    // the head is consumed.
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
        ensure!(count > 0, "the server closed during the handshake");
        ensure!(Instant::now() < deadline, "the handshake response is incomplete");
    }
}

fn classify(wire: Wire, payload: &[u8]) -> Result<Received> {
    Ok(match wire {
        Wire::Tutorial => {
            ensure!(payload == b"trigger-output", "unexpected message on the tutorial wire");
            Received::Trigger
        }
        Wire::V1 if payload.starts_with(br#"{"type":"trigger""#) => Received::Trigger,
        Wire::V1 if payload.starts_with(br#"{"type":"value""#) => Received::Value,
        Wire::V1 => Received::Other,
    })
}

/// A frame's first byte, its payload, and what follows it.
type Frame<'a> = (u8, &'a [u8], &'a [u8]);

/// The first frame of `bytes`; `None` if it is incomplete.
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

/// A client's frame: masked, with a mask of zeros.
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

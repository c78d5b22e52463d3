//! Asks `RealtimeKit`, over the system D-Bus, for the real-time priority that the user's limits refuse.
//!
//! This module implements only the four calls that it needs: zbus would add 41 crates and an executor to
//! the relay.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    process::geteuid,
    thread::{Pid, gettid},
};
use thiserror::Error;

use super::overrun;

/// How long the caller waits. The first call to `RealtimeKit` may have to start the service.
const TIMEOUT: Duration = Duration::from_secs(1);

const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

/// Longest part of a message that is read. The expected ones are 100 to 200 bytes long.
const MAX_BYTES: usize = 1 << 16;

/// Message types of D-Bus.
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Why `RealtimeKit` granted nothing.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    #[error("no system bus at {SYSTEM_BUS} or DBUS_SYSTEM_BUS_ADDRESS: {0}")]
    NoBus(io::Error),
    #[error("rtkit does not answer within {TIMEOUT:?}")]
    Timeout,
    #[error("the system bus: {0}")]
    Bus(#[from] io::Error),
    #[error("rtkit: {0}")]
    Answer(String),
}

/// Gives the calling thread `SCHED_RR` at `level`, or at the highest level that `RealtimeKit` grants.
/// Returns the level.
pub(crate) fn raise(level: u32) -> Result<u32, Refused> {
    let thread = gettid();
    // On a thread of its own: not every step has a timeout, and the caller must not wait longer.
    let (answer, answered) = mpsc::sync_channel(1);
    thread::Builder::new().name("rtkit".to_owned()).spawn(move || {
        // An error means that the caller has stopped waiting.
        let _ = answer.send(ask(thread, level));
    })?;
    answered.recv_timeout(TIMEOUT).unwrap_or(Err(Refused::Timeout))
}

fn ask(thread: Pid, level: u32) -> Result<u32, Refused> {
    let mut bus = Bus::connect()?;
    let highest = bus.property("MaxRealtimePriority")?;
    let longest = bus.property("RTTimeUSecMax")?;
    // RealtimeKit refuses a process without this limit.
    overrun::limit(Duration::from_micros(longest))?;
    let level = level.min(u32::try_from(highest).unwrap_or(u32::MAX));
    let mut body = u64::from(thread.as_raw_nonzero().get().unsigned_abs()).to_ne_bytes().to_vec();
    body.extend(level.to_ne_bytes());
    bus.call(&MAKE_REALTIME, &body)?;
    Ok(level)
}

struct Method {
    destination: &'static str,
    path: &'static str,
    interface: &'static str,
    member: &'static str,
    /// The types of its arguments.
    signature: &'static str,
}

const HELLO: Method = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    signature: "",
};

const MAKE_REALTIME: Method = Method {
    destination: "org.freedesktop.RealtimeKit1",
    path: "/org/freedesktop/RealtimeKit1",
    interface: "org.freedesktop.RealtimeKit1",
    member: "MakeThreadRealtime",
    signature: "tu",
};

const GET_PROPERTY: Method = Method {
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    ..MAKE_REALTIME
};

/// A connection to the system bus.
struct Bus {
    socket: BufReader<UnixStream>,
    serial: u32,
}

impl Bus {
    fn connect() -> Result<Self, Refused> {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
        let path =
            address.strip_prefix("unix:path=").and_then(|path| path.split([',', ';']).next());
        let socket = UnixStream::connect(path.unwrap_or(SYSTEM_BUS)).map_err(Refused::NoBus)?;
        // So that the thread ends after the caller has stopped waiting.
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let mut bus = Self { socket: BufReader::new(socket), serial: 0 };
        // The bus compares the user that the kernel reports to the number given here: its decimal
        // digits as ASCII in hexadecimal, each a 3 and the digit.
        let user = geteuid().as_raw().to_string();
        let user: String = user.chars().flat_map(|digit| ['3', digit]).collect();
        bus.send(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let mut answer = Vec::new();
        bus.socket.by_ref().take(MAX_BYTES as u64).read_until(b'\n', &mut answer)?;
        if !answer.starts_with(b"OK ") {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        }
        bus.send(b"BEGIN\r\n")?;
        bus.call(&HELLO, &[])?;
        Ok(bus)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.get_mut().write_all(bytes)
    }

    /// A numeric property of `RealtimeKit`.
    fn property(&mut self, name: &str) -> Result<u64, Refused> {
        let mut body = Vec::new();
        put_string(&mut body, MAKE_REALTIME.interface);
        put_string(&mut body, name);
        let variant = self.call(&GET_PROPERTY, &body)?;
        // The type as a string, then the value, aligned to its size.
        let number = match variant.get(..3) {
            Some(b"\x01i\0") => array_at(&variant, 4).map(|n| i32::from_ne_bytes(n).into()),
            Some(b"\x01x\0") => array_at(&variant, 8).map(i64::from_ne_bytes),
            _ => None,
        };
        let number = number.and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| Refused::Answer(format!("no usable {name}")))
    }

    /// Calls a method and returns the body of its answer.
    fn call(&mut self, method: &Method, body: &[u8]) -> Result<Vec<u8>, Refused> {
        self.serial += 1;
        let message = message(method, self.serial, body);
        self.send(&message)?;
        loop {
            let mut head = [0; 16];
            self.socket.read_exact(&mut head)?;
            let length = |at| array_at(&head, at).map_or(0, u32::from_ne_bytes) as usize;
            let (body, fields) = (length(4), length(12).next_multiple_of(8));
            if body.max(fields) > MAX_BYTES {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
            let mut rest = vec![0; fields + body];
            self.socket.read_exact(&mut rest)?;
            let body = rest.split_off(fields);
            // One call is in flight at a time, so the next reply is its own. Other messages are signals.
            match head[1] {
                METHOD_RETURN => return Ok(body),
                ERROR => {
                    // A string: length, text, zero byte.
                    let text = body.get(4..body.len().saturating_sub(1)).unwrap_or_default();
                    return Err(Refused::Answer(String::from_utf8_lossy(text).into_owned()));
                }
                _ => {}
            }
        }
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Encodes a method call in native byte order.
fn message(method: &Method, serial: u32, body: &[u8]) -> Vec<u8> {
    // The header fields begin at a multiple of 8, so they can be aligned on their own.
    let mut fields = Vec::new();
    for (code, kind, value) in [
        (1, b'o', method.path),
        (2, b's', method.interface),
        (3, b's', method.member),
        (6, b's', method.destination),
    ] {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        put_string(&mut fields, value);
    }
    if !method.signature.is_empty() {
        pad(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, method.signature.len() as u8]);
        fields.extend(method.signature.bytes().chain([0]));
    }
    let order = if cfg!(target_endian = "little") { b'l' } else { b'B' };
    let mut message = vec![order, 1, 0, 1];
    for number in [body.len() as u32, serial, fields.len() as u32] {
        message.extend(number.to_ne_bytes());
    }
    message.append(&mut fields);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn put_string(out: &mut Vec<u8>, value: &str) {
    pad(out, 4);
    out.extend((value.len() as u32).to_ne_bytes());
    out.extend(value.bytes().chain([0]));
}

fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

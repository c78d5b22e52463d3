//! Network emulation: a TCP proxy that delays data like a given kind of network.
//!
//! Each direction of each connection has independent delays. Order is kept, as in TCP: a delayed
//! piece delays all that follow (head-of-line blocking).

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    str::FromStr,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::process::PATIENCE;

/// Capacity, in pieces, of one direction of a connection. When it is full the proxy stops reading,
/// and the sender's TCP window closes, as on a congested link.
const MAX_IN_FLIGHT: usize = 1024;

/// Largest number of bytes that are delayed together.
const MAX_PIECE_BYTES: usize = 1 << 14;

/// One-way delay of a network, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Delay {
    min: f64,
    /// Mean of the additional, exponentially distributed delay.
    mean: f64,
    /// The share of messages with a delay spike.
    spikes: f64,
    spike: (f64, f64),
}

const LAN: Delay = Delay { min: 0.1, mean: 0.05, spikes: 0.0, spike: (0.0, 0.0) };
const WIFI: Delay = Delay { min: 1.0, mean: 2.0, spikes: 0.10, spike: (20.0, 100.0) };
const BUSY: Delay = Delay { min: 2.0, mean: 8.0, spikes: 0.25, spike: (20.0, 150.0) };

impl Delay {
    fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        // `f64()` is below 1, so this is never the logarithm of zero.
        let mut millis = self.min - self.mean * (1.0 - random.f64()).ln();
        if random.f64() < self.spikes {
            let (shortest, longest) = self.spike;
            millis += shortest + (longest - shortest) * random.f64();
        }
        Duration::from_secs_f64(millis / 1e3)
    }
}

/// The directions that a network delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Both,
    /// Only client to server.
    Up,
    /// Only server to client.
    Down,
}

/// A kind of network: `loopback`, `lan`, `wifi`, or `busy`, a congested wireless network. The
/// suffix `-up` or `-down` restricts the delay to one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    name: &'static str,
    delay: Option<Delay>,
    side: Side,
}

const KINDS: [(&str, Option<Delay>); 4] =
    [("loopback", None), ("lan", Some(LAN)), ("wifi", Some(WIFI)), ("busy", Some(BUSY))];

impl Network {
    /// Whether it adds no delay.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.delay.is_none()
    }
}

impl FromStr for Network {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, side) = match text.split_once('-') {
            None => (text, Side::Both),
            Some((kind, "up")) => (kind, Side::Up),
            Some((kind, "down")) => (kind, Side::Down),
            Some(_) => bail!("unknown network {text:?}: the suffix is `-up` or `-down`"),
        };
        let Some((name, delay)) = KINDS.into_iter().find(|(name, _)| *name == kind) else {
            bail!("unknown network {text:?}: the networks are loopback, lan, wifi and busy");
        };
        Ok(Self { name, delay, side })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Both => "",
            Side::Up => ", only up",
            Side::Down => ", only down",
        };
        write!(f, "{}{side}", self.name)
    }
}

impl Network {
    fn up(&self) -> Option<Delay> {
        self.delay.filter(|_| self.side != Side::Down)
    }

    fn down(&self) -> Option<Delay> {
        self.delay.filter(|_| self.side != Side::Up)
    }

    /// Starts a proxy with this network in front of `server`, and returns its address. It runs
    /// until the process ends. A loopback returns the server's own address.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn before(self, server: SocketAddr) -> Result<SocketAddr> {
        if self.delay.is_none() {
            return Ok(server);
        }
        let listener = TcpListener::bind("127.0.0.1:0").context("binding a port for the proxy")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // If the server cannot be reached, the client's connection is closed.
                let _ = self.connect(client, server);
            }
        });
        Ok(address)
    }

    fn connect(self, client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let server = TcpStream::connect_timeout(&server, PATIENCE)?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
        }
        carry(client.try_clone()?, server.try_clone()?, self.up());
        carry(server, client, self.down());
        Ok(())
    }
}

/// Copies data from one stream to the other, on threads that end with the connection.
fn carry(mut from: TcpStream, to: TcpStream, delay: Option<Delay>) {
    let (sender, receiver) = sync_channel(MAX_IN_FLIGHT);
    thread::spawn(move || deliver(&receiver, to));
    thread::spawn(move || {
        let mut random = fastrand::Rng::new();
        let mut last = Instant::now();
        let mut piece = vec![0; MAX_PIECE_BYTES];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            let delay = delay.map_or(Duration::ZERO, |delay| delay.draw(&mut random));
            last = last.max(Instant::now() + delay);
            if sender.send((last, piece[..count].to_vec())).is_err() {
                break;
            }
        }
    });
}

fn deliver(pieces: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    // This fails if the peer has already closed the connection.
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connects to `listener` through `address`. Both ends have read timeouts.
    fn both_ends(listener: &TcpListener, address: SocketAddr) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        let deadline = Instant::now() + PATIENCE;
        listener.set_nonblocking(true).unwrap();
        let server = loop {
            match listener.accept() {
                Ok((server, _)) => break server,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            assert!(Instant::now() < deadline, "no connection arrives");
            thread::sleep(Duration::from_millis(1));
        };
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, server)
    }

    /// The delays in milliseconds of `count` bytes, each sent after the one before has arrived.
    fn delays(network: &str, count: usize) -> Vec<f64> {
        let network: Network = network.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = network.before(listener.local_addr().unwrap()).unwrap();
        let (mut client, mut server) = both_ends(&listener, address);
        let mut delays: Vec<_> = (0..count)
            .map(|_| {
                let sent = Instant::now();
                client.write_all(b"x").unwrap();
                server.read_exact(&mut [0]).unwrap();
                sent.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        delays.sort_by(f64::total_cmp);
        delays
    }

    #[test]
    fn wifi_delays_every_message_and_some_by_a_spike() {
        let delays = delays("wifi", 200);
        assert!(delays[0] >= 1.0, "{delays:?}");
        // At least 4 spikes where 20 are expected: nearly four standard deviations below the mean.
        assert!(delays[200 - 4] >= 20.0, "{delays:?}");
    }

    #[test]
    fn a_one_way_network_does_not_delay_the_other_direction() {
        assert!(delays("wifi-up", 20)[0] >= 1.0);
        // The fastest of twenty, because the machine may be busy.
        assert!(delays("wifi-down", 20)[0] < 1.0);
    }

    #[test]
    fn order_is_kept_and_the_end_of_the_stream_is_forwarded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let busy: Network = "busy".parse().unwrap();
        let address = busy.before(listener.local_addr().unwrap()).unwrap();
        let (mut client, mut server) = both_ends(&listener, address);
        let sent: Vec<u8> = (0..=255).collect();
        for byte in &sent {
            client.write_all(&[*byte]).unwrap();
        }
        drop(client);
        let mut came = Vec::new();
        server.read_to_end(&mut came).unwrap();
        assert_eq!(came, sent);
    }

    #[test]
    fn an_unknown_network_is_rejected() {
        for text in ["", "wlan", "wifi-", "wifi-sideways", "-up"] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}

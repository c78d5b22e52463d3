//! A bad network on a good machine: a TCP proxy that holds what passes through it back for as long
//! as a kind of network would.
//!
//! Each direction of each connection has delays of its own, and keeps the order, as TCP does: what
//! is held up holds up all that follows it.

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

/// Pieces on their way in one direction of one connection. One that has so many waiting stops
/// reading, and the sender feels it, as on a full link.
const UNDERWAY: usize = 1024;

/// Most bytes that are delayed as one.
const PIECE: usize = 1 << 14;

/// What a network adds to one way between two machines, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Delay {
    least: f64,
    /// Mean of what comes on top, distributed exponentially.
    mean: f64,
    /// The share of messages that are held up besides, and by how much.
    spikes: f64,
    spike: (f64, f64),
}

const LAN: Delay = Delay { least: 0.1, mean: 0.05, spikes: 0.0, spike: (0.0, 0.0) };
const WIFI: Delay = Delay { least: 1.0, mean: 2.0, spikes: 0.10, spike: (20.0, 100.0) };
const BUSY: Delay = Delay { least: 2.0, mean: 8.0, spikes: 0.25, spike: (20.0, 150.0) };

impl Delay {
    fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        // Never the logarithm of zero: 1 is not drawn.
        let mut millis = self.least - self.mean * (1.0 - random.f64()).ln();
        if random.f64() < self.spikes {
            let (least, most) = self.spike;
            millis += least + (most - least) * random.f64();
        }
        Duration::from_secs_f64(millis / 1e3)
    }
}

/// Which way a network delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Both,
    /// Only towards the server.
    Up,
    /// Only towards the clients.
    Down,
}

/// A kind of network: `loopback`, `lan`, `wifi`, or `busy`, which is a wireless network with too
/// many on it. With `-up` or `-down` behind it, it delays one way only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    name: &'static str,
    delay: Option<Delay>,
    side: Side,
}

const KINDS: [(&str, Option<Delay>); 4] =
    [("loopback", None), ("lan", Some(LAN)), ("wifi", Some(WIFI)), ("busy", Some(BUSY))];

impl Network {
    /// Whether it adds nothing.
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
            Some(_) => bail!("{text:?} is no network: behind the - there is `up` or `down`"),
        };
        let Some((name, delay)) = KINDS.into_iter().find(|(name, _)| *name == kind) else {
            bail!("{text:?} is no network: there are loopback, lan, wifi and busy");
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

    /// Puts this network before `server`: who connects to the address that is returned is connected
    /// to it. It stands until the process ends. A loopback is the server itself.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub fn before(self, server: SocketAddr) -> Result<SocketAddr> {
        if self.delay.is_none() {
            return Ok(server);
        }
        let listener = TcpListener::bind("127.0.0.1:0").context("a port for the proxy")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who cannot be connected is hung up on.
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

/// Carries what comes from one to the other, on threads that end with the connection.
fn carry(mut from: TcpStream, to: TcpStream, delay: Option<Delay>) {
    let (sender, receiver) = sync_channel(UNDERWAY);
    thread::spawn(move || deliver(&receiver, to));
    thread::spawn(move || {
        let mut random = fastrand::Rng::new();
        let mut last = Instant::now();
        let mut piece = vec![0; PIECE];
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
    // Whoever is on the other side may have been quicker.
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection by way of `address` to who listens. Neither end waits for ever.
    fn both_ends(listener: &TcpListener, address: SocketAddr) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        let deadline = Instant::now() + PATIENCE;
        listener.set_nonblocking(true).unwrap();
        let server = loop {
            match listener.accept() {
                Ok((server, _)) => break server,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            assert!(Instant::now() < deadline, "nobody comes");
            thread::sleep(Duration::from_millis(1));
        };
        server.set_nonblocking(false).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, server)
    }

    /// Delays of `count` bytes that are sent one by one, each after the last has come, in ms.
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
    fn wifi_delays_and_now_and_then_holds_up() {
        let delays = delays("wifi", 200);
        assert!(delays[0] >= 1.0, "{delays:?}");
        // At least one in twenty of what are ten in a hundred: six standard deviations off.
        assert!(delays[200 - 4] >= 20.0, "{delays:?}");
    }

    #[test]
    fn what_delays_one_way_lets_the_other_pass() {
        assert!(delays("wifi-up", 20)[0] >= 1.0);
        // Of twenty the fastest: the machine may be busy.
        assert!(delays("wifi-down", 20)[0] < 1.0);
    }

    #[test]
    fn order_is_kept_and_the_end_is_passed_on() {
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
    fn a_network_that_is_none_is_refused() {
        for text in ["", "wlan", "wifi-", "wifi-sideways", "-up"] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}

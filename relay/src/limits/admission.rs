//! The doors: how many may be inside, in all and from one address, and how much an address may say
//! and ask.
//!
//! A machine that speaks for many is normal (a classroom behind one router), so the bounds of an
//! address are wide; and loopback is no address in this sense: what comes from there is this
//! machine's own, or a proxy that speaks for the whole room.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use downbeat_protocol::RelayTime;

use crate::rate::Bucket;

/// How many and how much the doors let in.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections in all.
    pub connections: u32,
    /// Connections from one address.
    pub connections_per_address: u32,
    /// Messages a second from one address.
    pub messages_per_address: u32,
    /// HTTP requests a second from one address.
    pub requests_per_address: u32,
}

/// Why one is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There are too many in all.
    House,
    /// There are too many from its address.
    Address,
    /// Its address comes and asks too often.
    Often,
}

#[derive(Debug)]
struct Address {
    connections: u32,
    rates: Arc<Mutex<Rates>>,
}

/// What all that come from one address may still do.
#[derive(Debug)]
struct Rates {
    messages: Bucket,
    requests: Bucket,
}

#[derive(Debug, Default)]
struct Inside {
    connections: u32,
    addresses: HashMap<IpAddr, Address>,
}

/// Who is inside.
#[derive(Debug)]
pub struct Doors {
    bounds: Bounds,
    inside: Mutex<Inside>,
}

impl Doors {
    /// Doors with nobody inside.
    #[must_use]
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, inside: Mutex::default() })
    }

    /// Lets a connection in, for as much of its address's rate as `entrance` requests. It is out again
    /// when the visit is dropped.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        entrance: u32,
        now: RelayTime,
    ) -> Result<Visit, Full> {
        let mut inside = self.inside();
        if inside.connections >= self.bounds.connections {
            return Err(Full::House);
        }
        let mut rates = None;
        let address = network(peer);
        if let Some(address) = address {
            let there = inside.addresses.entry(address).or_insert_with(|| Address {
                connections: 0,
                rates: Arc::new(Mutex::new(Rates {
                    messages: Bucket::new(self.bounds.messages_per_address, now),
                    requests: Bucket::new(self.bounds.requests_per_address, now),
                })),
            });
            if there.connections >= self.bounds.connections_per_address {
                return Err(Full::Address);
            }
            if !lock(&there.rates).requests.take_many(now, entrance) {
                return Err(Full::Often);
            }
            there.connections += 1;
            rates = Some(there.rates.clone());
        }
        inside.connections += 1;
        drop(inside);
        Ok(Visit { doors: self.clone(), address, rates })
    }

    /// Forgets the addresses that have left and whose rates a newcomer would have as well.
    pub fn sweep(&self, now: RelayTime) {
        self.inside().addresses.retain(|_, address| {
            let mut rates = lock(&address.rates);
            address.connections > 0 || !(rates.messages.is_full(now) && rates.requests.is_full(now))
        });
    }

    /// How many are inside.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.inside().connections
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        lock(&self.inside)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding it; were it otherwise, counting on is better than not.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection inside the doors.
#[derive(Debug)]
pub struct Visit {
    doors: Arc<Doors>,
    address: Option<IpAddr>,
    rates: Option<Arc<Mutex<Rates>>>,
}

impl Visit {
    /// Whether the rate of its address lets a message through.
    #[must_use]
    pub fn may_speak(&self, now: RelayTime) -> bool {
        self.rates.as_ref().is_none_or(|rates| lock(rates).messages.take(now))
    }

    /// Whether the rate of its address lets an HTTP request through.
    #[must_use]
    pub fn may_ask(&self, now: RelayTime) -> bool {
        self.rates.as_ref().is_none_or(|rates| lock(rates).requests.take(now))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut inside = self.doors.inside();
        inside.connections -= 1;
        if let Some(ip) = self.address
            && let Some(address) = inside.addresses.get_mut(&ip)
        {
            address.connections -= 1;
        }
    }
}

/// What counts as one address: for IPv6 the network of 64 bits, of which one machine can have all
/// addresses there are. `None` for this machine.
fn network(peer: IpAddr) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    if peer.is_loopback() {
        return None;
    }
    Some(match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: RelayTime = RelayTime::from_micros(0);

    fn doors() -> Arc<Doors> {
        Doors::new(Bounds {
            connections: 4,
            connections_per_address: 2,
            messages_per_address: 1,
            requests_per_address: 2,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let doors = doors();
        let first = doors.enter(ip("10.0.0.1"), 1, NOW).unwrap();
        let _second = doors.enter(ip("::ffff:10.0.0.1"), 1, NOW).unwrap();
        assert_eq!(doors.enter(ip("10.0.0.1"), 1, NOW).unwrap_err(), Full::Address);
        let _other = doors.enter(ip("10.0.0.2"), 1, NOW).unwrap();
        drop(first);
        let _third = doors.enter(ip("10.0.0.1"), 1, NOW).unwrap();
        assert_eq!(doors.connections(), 3);
    }

    #[test]
    fn the_house_has_its_bound_and_soon_forgets_who_left() {
        let doors = doors();
        let visits: Vec<_> =
            (1..=4).map(|n| doors.enter(ip(&format!("10.0.0.{n}")), 1, NOW).unwrap()).collect();
        assert_eq!(doors.enter(ip("127.0.0.1"), 1, NOW).unwrap_err(), Full::House);
        drop(visits);
        assert_eq!(doors.connections(), 0);
        let known = || doors.inside().addresses.len();
        doors.sweep(NOW);
        assert_eq!(known(), 4, "whoever comes back has what it had left");
        doors.sweep(NOW.plus_micros(500_000));
        assert_eq!(known(), 0);
    }

    #[test]
    fn one_that_comes_and_goes_or_asks_and_asks_is_slowed_down_and_may_still_speak() {
        let doors = doors();
        let coming = |now| doors.enter(ip("10.0.0.1"), 1, now);
        let stays = coming(NOW).unwrap();
        assert!((0..6).all(|_| coming(NOW).is_ok()));
        assert!(stays.may_ask(NOW) && !stays.may_ask(NOW));
        assert_eq!(coming(NOW).unwrap_err(), Full::Often);
        assert!(stays.may_speak(NOW));
        drop(stays);
        doors.sweep(NOW);
        assert_eq!(coming(NOW).unwrap_err(), Full::Often, "to leave does not help");
        assert!(coming(NOW.plus_micros(500_000)).is_ok());
        assert!(doors.enter(ip("10.0.0.2"), 1, NOW).is_ok());
    }

    #[test]
    fn a_network_of_version_6_is_one_address_and_this_machine_is_none() {
        let doors = doors();
        let _first = doors.enter(ip("2001:db8::1"), 1, NOW).unwrap();
        let _second = doors.enter(ip("2001:db8::ffff:1"), 1, NOW).unwrap();
        assert_eq!(doors.enter(ip("2001:db8::2"), 1, NOW).unwrap_err(), Full::Address);
        assert!(doors.enter(ip("2001:db8:0:1::2"), 1, NOW).is_ok());
        let local: Vec<_> = (0..2).map(|_| doors.enter(ip("::1"), 1, NOW).unwrap()).collect();
        assert!((0..100).all(|_| local[0].may_speak(NOW)));
    }

    #[test]
    fn all_that_come_from_an_address_share_its_rate() {
        let doors = doors();
        let one = doors.enter(ip("10.0.0.1"), 1, NOW).unwrap();
        let two = doors.enter(ip("10.0.0.1"), 1, NOW).unwrap();
        let other = doors.enter(ip("10.0.0.2"), 1, NOW).unwrap();
        assert!((0..2).all(|_| one.may_speak(NOW) && two.may_speak(NOW)));
        assert!(!one.may_speak(NOW) && !two.may_speak(NOW));
        assert!(other.may_speak(NOW));
    }
}

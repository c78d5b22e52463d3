//! Admission: how many connections may be open, in all and from one address, and how many messages and
//! requests one address may send.
//!
//! One address may stand for many machines (a classroom behind one router), so the limits of an address
//! are wide. Loopback is exempt: connections from there are this machine's own, or a proxy's that serves
//! everyone.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use downbeat_protocol::RelayTime;

use super::rate_limit::TokenBucket;

/// How many QR codes are made a second for one address: a quarter of those for all, so that whoever floods the relay
/// leaves some to who runs the room.
const QR_CODES_PER_ADDRESS: u32 = 2;

/// The limits that admission enforces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionLimits {
    /// Connections in all.
    pub(crate) connections: u32,
    /// Connections from one address.
    pub(crate) connections_per_address: u32,
    /// Messages a second from one address.
    pub(crate) messages_per_address: u32,
    /// HTTP requests a second from one address.
    pub(crate) requests_per_address: u32,
}

/// Why a connection is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Too many connections in all.
    Capacity,
    /// Too many connections from its address.
    AddressCapacity,
    /// Too many requests and new connections from its address.
    AddressRate,
}

#[derive(Debug)]
struct Address {
    connections: u32,
    rates: Arc<Mutex<Rates>>,
}

/// What the connections of one address share.
#[derive(Debug)]
struct Rates {
    messages: TokenBucket,
    requests: TokenBucket,
    qr_codes: TokenBucket,
}

#[derive(Debug, Default)]
struct Admitted {
    connections: u32,
    addresses: HashMap<IpAddr, Address>,
}

/// Counts the open connections and admits new ones within the limits.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    admitted: Mutex<Admitted>,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self { limits, admitted: Mutex::default() })
    }

    /// Admits a connection from `peer`, which costs its address as much as `cost` requests. The
    /// connection counts until the permit is dropped.
    ///
    /// # Errors
    /// If it is beyond a limit.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        cost: u32,
        now: RelayTime,
    ) -> Result<Permit, Rejected> {
        let mut admitted = self.admitted();
        if admitted.connections >= self.limits.connections {
            return Err(Rejected::Capacity);
        }
        let mut rates = None;
        let key = address_key(peer);
        if let Some(key) = key {
            let address = admitted.addresses.entry(key).or_insert_with(|| Address {
                connections: 0,
                rates: Arc::new(Mutex::new(Rates {
                    messages: TokenBucket::new(self.limits.messages_per_address, now),
                    requests: TokenBucket::new(self.limits.requests_per_address, now),
                    qr_codes: TokenBucket::new(QR_CODES_PER_ADDRESS, now),
                })),
            });
            if address.connections >= self.limits.connections_per_address {
                return Err(Rejected::AddressCapacity);
            }
            if !lock(&address.rates).requests.take_many(now, cost) {
                return Err(Rejected::AddressRate);
            }
            address.connections += 1;
            rates = Some(address.rates.clone());
        }
        admitted.connections += 1;
        drop(admitted);
        Ok(Permit { admission: self.clone(), key, rates })
    }

    /// Forgets addresses without connections whose buckets are full again.
    pub(crate) fn sweep(&self, now: RelayTime) {
        self.admitted().addresses.retain(|_, address| {
            let mut rates = lock(&address.rates);
            let Rates { messages, requests, qr_codes } = &mut *rates;
            let buckets = [messages, requests, qr_codes];
            address.connections > 0 || !buckets.into_iter().all(|bucket| bucket.is_full(now))
        });
    }

    /// Open connections.
    pub(crate) fn connections(&self) -> u32 {
        self.admitted().connections
    }

    fn admitted(&self) -> MutexGuard<'_, Admitted> {
        lock(&self.admitted)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds the lock. If one did, the counts would still be usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An admitted connection.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    key: Option<IpAddr>,
    rates: Option<Arc<Mutex<Rates>>>,
}

impl Permit {
    /// What it counts for: an address, or a /64 network of them. `None` for this machine.
    pub(crate) fn origin(&self) -> Option<IpAddr> {
        self.key
    }

    /// Whether the rate of its address allows one more message.
    pub(crate) fn allow_message(&self, now: RelayTime) -> bool {
        self.rates.as_ref().is_none_or(|rates| lock(rates).messages.take(now))
    }

    /// Whether the rate of its address allows one more HTTP request.
    pub(crate) fn allow_request(&self, now: RelayTime) -> bool {
        self.rates.as_ref().is_none_or(|rates| lock(rates).requests.take(now))
    }

    /// Whether the rate of its address allows one more QR code.
    pub(crate) fn allow_qr_code(&self, now: RelayTime) -> bool {
        self.rates.as_ref().is_none_or(|rates| lock(rates).qr_codes.take(now))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut admitted = self.admission.admitted();
        admitted.connections -= 1;
        if let Some(key) = self.key
            && let Some(address) = admitted.addresses.get_mut(&key)
        {
            address.connections -= 1;
        }
    }
}

/// What counts as one address: for IPv6 the /64 network, all of whose addresses one machine can have.
/// `None` for loopback.
fn address_key(peer: IpAddr) -> Option<IpAddr> {
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

    fn admission() -> Arc<Admission> {
        Admission::new(AdmissionLimits {
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
    fn a_closed_connection_makes_place_for_another_of_its_address() {
        let admission = admission();
        let first = admission.admit(ip("10.0.0.1"), 1, NOW).unwrap();
        let _second = admission.admit(ip("::ffff:10.0.0.1"), 1, NOW).unwrap();
        assert_eq!(admission.admit(ip("10.0.0.1"), 1, NOW).unwrap_err(), Rejected::AddressCapacity);
        let _other = admission.admit(ip("10.0.0.2"), 1, NOW).unwrap();
        drop(first);
        let _third = admission.admit(ip("10.0.0.1"), 1, NOW).unwrap();
        assert_eq!(admission.connections(), 3);
    }

    #[test]
    fn capacity_is_limited_and_addresses_that_left_are_forgotten() {
        let admission = admission();
        let permits: Vec<_> =
            (1..=4).map(|n| admission.admit(ip(&format!("10.0.0.{n}")), 1, NOW).unwrap()).collect();
        assert_eq!(admission.admit(ip("127.0.0.1"), 1, NOW).unwrap_err(), Rejected::Capacity);
        drop(permits);
        assert_eq!(admission.connections(), 0);
        let known = || admission.admitted().addresses.len();
        admission.sweep(NOW);
        assert_eq!(known(), 4, "an address that returns keeps its used-up rate");
        admission.sweep(NOW.plus_micros(500_000));
        assert_eq!(known(), 0);
    }

    #[test]
    fn reconnects_and_requests_share_a_rate_and_messages_have_their_own() {
        let admission = admission();
        let connect = |now| admission.admit(ip("10.0.0.1"), 1, now);
        let permit = connect(NOW).unwrap();
        assert!((0..6).all(|_| connect(NOW).is_ok()));
        assert!(permit.allow_request(NOW) && !permit.allow_request(NOW));
        assert_eq!(connect(NOW).unwrap_err(), Rejected::AddressRate);
        assert!(permit.allow_message(NOW));
        drop(permit);
        admission.sweep(NOW);
        assert_eq!(
            connect(NOW).unwrap_err(),
            Rejected::AddressRate,
            "disconnecting does not reset the rate"
        );
        assert!(connect(NOW.plus_micros(500_000)).is_ok());
        assert!(admission.admit(ip("10.0.0.2"), 1, NOW).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_loopback_is_exempt() {
        let admission = admission();
        let _first = admission.admit(ip("2001:db8::1"), 1, NOW).unwrap();
        let _second = admission.admit(ip("2001:db8::ffff:1"), 1, NOW).unwrap();
        assert_eq!(
            admission.admit(ip("2001:db8::2"), 1, NOW).unwrap_err(),
            Rejected::AddressCapacity
        );
        assert!(admission.admit(ip("2001:db8:0:1::2"), 1, NOW).is_ok());
        let local: Vec<_> = (0..2).map(|_| admission.admit(ip("::1"), 1, NOW).unwrap()).collect();
        assert!((0..100).all(|_| local[0].allow_message(NOW)));
    }

    #[test]
    fn one_address_has_eight_qr_codes_at_once_and_the_relays_own_machine_has_more() {
        let admission = admission();
        let [one, two, other] = ["10.0.0.1", "10.0.0.1", "10.0.0.2"]
            .map(|peer| admission.admit(ip(peer), 1, NOW).unwrap());
        let count = |permit: &Permit| (0..100).filter(|_| permit.allow_qr_code(NOW)).count();
        assert_eq!([&one, &two, &other].map(count), [8, 0, 8]);
        let local = admission.admit(ip("::1"), 1, NOW).unwrap();
        assert_eq!(count(&local), 100);
        // Who comes back has no more.
        drop((one, two));
        admission.sweep(NOW);
        assert_eq!(count(&admission.admit(ip("10.0.0.1"), 1, NOW).unwrap()), 0);
    }

    #[test]
    fn connections_from_one_address_share_its_message_rate() {
        let admission = admission();
        let one = admission.admit(ip("10.0.0.1"), 1, NOW).unwrap();
        let two = admission.admit(ip("10.0.0.1"), 1, NOW).unwrap();
        let other = admission.admit(ip("10.0.0.2"), 1, NOW).unwrap();
        assert!((0..2).all(|_| one.allow_message(NOW) && two.allow_message(NOW)));
        assert!(!one.allow_message(NOW) && !two.allow_message(NOW));
        assert!(other.allow_message(NOW));
    }
}

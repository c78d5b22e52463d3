//! The numeric addresses of this machine that others can use.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use downbeat_protocol::RelayTime;

/// How long a list of addresses counts. To ask the system takes a tenth of a millisecond and more on the main thread,
/// and clients can ask as often as they send messages.
const LIFETIME: Duration = Duration::from_secs(5);

/// The last list, and when it was read.
#[derive(Debug, Default)]
pub(super) struct Addresses(Option<(RelayTime, Vec<IpAddr>)>);

impl Addresses {
    /// The list at `now`, which `read` reads if the last one is too old.
    pub(super) fn at(&mut self, now: RelayTime, read: impl FnOnce() -> Vec<IpAddr>) -> &[IpAddr] {
        let is_new = |(at, _): &(RelayTime, _)| now.micros_since(*at) < LIFETIME.as_micros() as i64;
        let known = self.0.take().filter(is_new);
        let (_, addresses) = self.0.insert(known.unwrap_or_else(|| (now, read())));
        addresses
    }
}

/// One address for each network, if the relay listens on all of them; otherwise none.
pub(super) fn for_others(listens_on: SocketAddr) -> Vec<IpAddr> {
    if !listens_on.ip().is_unspecified() {
        return Vec::new();
    }
    // Without a list of networks the relay still serves them.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    addresses.retain(|ip| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        // A link-local address needs a zone, which browsers do not accept.
        IpAddr::V6(v6) => listens_on.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    });
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_asked_every_five_seconds_at_most() {
        let mut addresses = Addresses::default();
        let mut asked = 0;
        let mut at = |millis: u64| {
            let now = RelayTime::from_micros(millis * 1000);
            let list = addresses.at(now, || {
                asked += 1;
                vec![IpAddr::from([10, 0, 0, asked])]
            });
            list.to_vec()
        };
        let [first, second] = [1, 2].map(|host| vec![IpAddr::from([10, 0, 0, host])]);
        for (millis, list) in
            [(0, &first), (1, &first), (4999, &first), (5000, &second), (9999, &second)]
        {
            assert_eq!(at(millis), *list, "at {millis} ms");
        }
    }
}

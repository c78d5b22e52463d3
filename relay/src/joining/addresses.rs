//! The numeric addresses of this machine that others can use.

use std::net::{IpAddr, SocketAddr};

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

//! What a relay announces about itself, and how far it is trusted. Pure.

use std::net::IpAddr;

use downbeat_protocol::{Epoch, MAX_NAME_CHARS, clean_name};

use crate::net::{address::RelayAddress, credentials::Fingerprint};

/// Addresses that are kept of one relay. The others would not be tried before a person is.
const MAX_ADDRESSES: usize = 8;

/// What a relay announces about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// Identifies the relay, whatever its addresses.
    pub(crate) epoch: Epoch,
    /// Its name.
    pub(crate) name: String,
    /// Whether it admits only clients that present a token.
    pub(crate) needs_token: bool,
    /// Those that are most likely to be reached come first.
    addresses: Vec<IpAddr>,
    port: u16,
    is_encrypted: bool,
    fingerprint: Option<Fingerprint>,
}

impl Announcement {
    /// Reads an announcement; none if it is not one of a relay.
    pub(super) fn read(
        instance: &str,
        port: u16,
        addresses: impl Iterator<Item = IpAddr>,
        property: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let is_digit = |digit: u8| digit.is_ascii_hexdigit();
        let is_epoch = |text: &String| text.len() == 16 && text.bytes().all(is_digit);
        let digits = property("epoch").filter(is_epoch)?;
        let epoch = Epoch(u64::from_str_radix(&digits, 16).ok()?);
        let name = clean_name(&instance.chars().take(MAX_NAME_CHARS).collect::<String>())?;
        let is_set = |key: &str| property(key).as_deref() == Some("1");
        // An address of one link needs the name of the interface, which no URL holds.
        let is_usable = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_unicast_link_local(),
        };
        let mut addresses: Vec<_> = addresses.filter(is_usable).collect();
        addresses.sort_by_key(|ip| (ip.is_loopback(), is_self_assigned(ip), ip.is_ipv6(), *ip));
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        let announcement = Self {
            epoch,
            name,
            needs_token: is_set("token"),
            addresses,
            port,
            is_encrypted: is_set("tls"),
            fingerprint: property("fp").and_then(|text| text.parse().ok()),
        };
        (port > 0 && !announcement.addresses.is_empty()).then_some(announcement)
    }

    /// Whether its certificate is its own, and proves nothing about who it is.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.is_encrypted && self.fingerprint.is_some()
    }

    /// A relay without TLS at this address.
    #[cfg(test)]
    pub(crate) fn for_test(epoch: Epoch, ip: &str, needs_token: bool) -> Self {
        Self {
            epoch,
            name: "Studio".to_owned(),
            needs_token,
            addresses: ip.parse().into_iter().collect(),
            port: 3000,
            is_encrypted: false,
            fingerprint: None,
        }
    }

    /// A relay at this address that needs a token, with TLS and a certificate of its own.
    #[cfg(test)]
    pub(crate) fn with_own_certificate_for_test(epoch: Epoch, ip: &str) -> Self {
        let fingerprint = "1a".repeat(32).parse().ok();
        Self { is_encrypted: true, fingerprint, ..Self::for_test(epoch, ip, true) }
    }

    /// Its first address, for people. Typed in, it leads to the relay.
    pub(crate) fn address(&self) -> String {
        self.plain().next().map_or_else(String::new, |address| address.to_string())
    }

    /// Its addresses, the one to try first in front.
    ///
    /// Credentials come from `known` alone, if that is the same relay. The announced fingerprint is used only where
    /// there is no secret to lose: for a relay that needs no token, and of which nothing is known. An impostor could
    /// announce a fingerprint of its own, and would be given the token.
    pub(crate) fn addresses(&self, known: &RelayAddress) -> Vec<RelayAddress> {
        let with_credentials = self.plain().map(|address| address.with_credentials_of(known));
        let fingerprint = self.fingerprint.filter(|_| !self.needs_token);
        with_credentials.map(|address| address.trusting_if_unknown(fingerprint)).collect()
    }

    fn plain(&self) -> impl Iterator<Item = RelayAddress> {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        let port = self.port;
        self.addresses.iter().filter_map(move |ip| {
            let host = match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            format!("{scheme}://{host}:{port}").parse().ok()
        })
    }
}

/// Whether a machine has chosen the address itself, because nobody gave it one.
fn is_self_assigned(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(addresses: &[&str], properties: &[(&str, &str)]) -> Option<Announcement> {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap());
        Announcement::read("Studio \u{202e}A", 3000, addresses, |key| {
            let found = properties.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const EPOCH: (&str, &str) = ("epoch", "9f3a62c1d07be845");

    fn addresses(announcement: &Announcement, known: &str) -> Vec<RelayAddress> {
        announcement.addresses(&known.parse().unwrap())
    }

    #[test]
    fn the_addresses_of_one_relay_are_ordered_by_how_likely_they_are_reached() {
        let all = ["::1", "fe80::1", "2001:db8::1", "127.0.0.1", "169.254.7.7", "192.168.1.5"];
        let relay = announced(&all, &[EPOCH]).unwrap();
        let shown: Vec<_> = addresses(&relay, "lab").iter().map(ToString::to_string).collect();
        let expected = [
            "192.168.1.5:3000",
            "[2001:db8::1]:3000",
            "169.254.7.7:3000",
            "127.0.0.1:3000",
            "[::1]:3000",
        ];
        assert_eq!(shown, expected);
        assert_eq!((relay.name.as_str(), relay.address().as_str()), ("Studio A", expected[0]));
        assert_eq!(relay.epoch, Epoch(0x9f3a_62c1_d07b_e845));
    }

    #[test]
    fn what_is_no_relay_is_ignored() {
        assert_eq!(announced(&["192.168.1.5"], &[]), None);
        assert_eq!(announced(&["192.168.1.5"], &[("epoch", "+f3a62c1d07be845")]), None);
        assert_eq!(announced(&["fe80::1", "0.0.0.0"], &[EPOCH]), None);
    }

    #[test]
    fn an_announced_fingerprint_is_trusted_only_where_there_is_no_secret_to_lose() {
        let print = "1a".repeat(32);
        let fp = ("fp", print.as_str());
        let open = announced(&["192.168.1.5"], &[EPOCH, ("tls", "1"), fp]).unwrap();
        let [address] = &addresses(&open, "lab")[..] else { panic!() };
        assert_eq!(address.to_string(), "https://192.168.1.5:3000");
        assert_eq!(address.fingerprint(), print.parse().ok());

        let closed =
            announced(&["192.168.1.5"], &[EPOCH, ("tls", "1"), ("token", "1"), fp]).unwrap();
        assert!(closed.needs_token);
        assert_eq!(addresses(&closed, "lab")[0].fingerprint(), None);

        // What the person was given for this relay is not replaced, whether or not it is announced to need it.
        let other = "2b".repeat(32);
        let known = format!("https://192.168.1.5:3000/#token=let-me&fingerprint={other}");
        for relay in [&open, &closed] {
            let [address] = &addresses(relay, &known)[..] else { panic!() };
            assert_eq!(address.fingerprint(), other.parse().ok());
            assert!(address.token().is_some());
        }
        // A token that is known for it is sent to nobody else who announces that address.
        let [address] = &addresses(&open, "https://192.168.1.5:3000/#token=let-me")[..] else {
            panic!()
        };
        assert_eq!((address.fingerprint(), address.token().is_some()), (None, true));
    }
}

//! Authorization: tokens, accepted host names, and origins.
//!
//! Pure: headers in, a decision out. Nothing here is logged or echoed. Only digests of the tokens are kept,
//! and they are compared in constant time.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    config::{Config, Secret},
    room::member::Role,
};

/// Prefix of the entry of `Sec-WebSocket-Protocol` that carries a token: a browser can set no other header
/// of a WebSocket.
const TOKEN_OFFER: &str = "downbeat.token.";

/// Most tokens of a request that are checked. Each costs a digest on the main thread, and a client sends
/// one.
const MAX_TOKENS: usize = 3;

/// Why the settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessError {
    /// A token that no header can carry. The message does not contain it.
    #[error("{0} must have 1 to 128 letters, digits, '-', '.', '_' or '~'")]
    Token(&'static str),
    /// The second token without the first.
    #[error("--listen-token needs a --token, for clients that may bang")]
    ListenOnly,
    /// Both tokens are equal.
    #[error("--token and --listen-token are equal; choose different ones")]
    Same,
    /// An origin that no browser would send.
    #[error(
        "--allow-origin {0:?} is not an origin; write http://HOST, http://HOST:PORT or file://"
    )]
    Origin(String),
}

/// What is allowed to whom.
#[derive(Debug)]
pub struct Access {
    bang: Option<[u8; 32]>,
    listen: Option<[u8; 32]>,
    /// Scheme and authority, in lower case and without a default port.
    origins: Vec<(Scheme, String)>,
    host_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// Sent by some small devices. A page of a website cannot send it.
    File,
}

/// Domains that home routers and company networks assign. Such a name is accepted on a private address: a
/// public one has other names.
const PRIVATE_SUFFIXES: [&str; 4] = [".lan", ".home.arpa", ".internal", ".fritz.box"];

impl Access {
    /// The configured rules, for a machine named `host_name`.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn new(config: &Config, host_name: &str) -> Result<Self, AccessError> {
        let digest = |secret: &Option<Secret>, flag| match secret {
            None => Ok(None),
            Some(Secret(token)) if is_token(token) => Ok(Some(digest_of(token))),
            Some(_) => Err(AccessError::Token(flag)),
        };
        let bang = digest(&config.token, "--token")?;
        let listen = digest(&config.listen_token, "--listen-token")?;
        match (&bang, &listen) {
            (None, Some(_)) => return Err(AccessError::ListenOnly),
            (Some(bang), Some(listen)) if bang == listen => return Err(AccessError::Same),
            _ => {}
        }
        let origin =
            |text: &String| parse_origin(text).ok_or_else(|| AccessError::Origin(text.clone()));
        let origins = config.allow_origin.iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { bang, listen, origins, host_name: host_name.to_ascii_lowercase() })
    }

    /// Whether no token is needed.
    pub(crate) fn is_open(&self) -> bool {
        self.bang.is_none()
    }

    /// What a client with these headers may do; `None` if the token is missing or wrong.
    pub(super) fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let Some(bang) = &self.bang else { return Some(Role::Bang) };
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let offered = offers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|offer| offer.trim().strip_prefix(TOKEN_OFFER));
        let mut role = None;
        for token in bearer.chain(offered).filter(|token| is_token(token)).take(MAX_TOKENS) {
            let digest = digest_of(token);
            if is_same(&digest, bang) {
                return Some(Role::Bang);
            }
            if self.listen.as_ref().is_some_and(|listen| is_same(&digest, listen)) {
                role = Some(Role::Listen);
            }
        }
        role
    }

    /// Whether the `Host` header names the relay. A page of another site can point its own name to the
    /// relay's address (DNS rebinding), and would then have the relay's origin.
    ///
    /// IP addresses, `localhost`, names without a dot and names in `.local` are accepted: the public DNS
    /// does not resolve them. So are names in private domains, if `local_ip`, the relay's address on this
    /// connection, is private.
    #[must_use]
    pub fn is_own_host(&self, headers: &HeaderMap, local_ip: IpAddr) -> bool {
        // Browsers always send a `Host`.
        let Some(host) = headers.get(HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let host = host.to_ascii_lowercase();
        let name = name_of(&host);
        name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || matches!(name.rsplit_once('.'), Some((_, "local" | "localhost")))
            || is_private(local_ip) && PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || name == self.host_name
            || self.origins.iter().any(|(_, allowed)| name_of(allowed) == name)
    }

    /// Whether a request comes from the relay's own page, from an allowed one, or from no page at all.
    #[must_use]
    pub fn is_own_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Some(origin) = origin.to_str().ok().and_then(parse_origin) else { return false };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let same = bare(origin.0, host) == origin.1 && origin.0 != Scheme::File;
        same || self.origins.contains(&origin)
    }
}

fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

fn digest_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares in constant time.
fn is_same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

fn parse_origin(text: &str) -> Option<(Scheme, String)> {
    let (scheme, authority) = text.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "file" => return matches!(authority, "" | "/").then(|| (Scheme::File, String::new())),
        _ => return None,
    };
    let is_authority = !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']);
    is_authority.then(|| (scheme, bare(scheme, authority)))
}

/// An authority in lower case and without the port that its scheme implies.
fn bare(scheme: Scheme, authority: &str) -> String {
    let port = match scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
        Scheme::File => "",
    };
    let authority = authority.to_ascii_lowercase();
    authority.strip_suffix(port).map(str::to_owned).unwrap_or(authority)
}

/// Whether an address is reachable only from this machine or its network.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The host of an authority, without its port.
fn name_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(HeaderName, &'static str)| {
            (name.clone(), HeaderValue::from_static(value))
        };
        all.iter().map(pair).collect()
    }

    fn secret(text: &str) -> Option<Secret> {
        text.parse().ok()
    }

    fn access(config: &Config) -> Access {
        Access::new(config, "stage.example.edu").unwrap()
    }

    #[test]
    fn a_token_in_either_header_gives_its_role() {
        let (token, listen_token) = (secret("bang-it"), secret("hear-it"));
        let access = access(&Config { token, listen_token, ..Config::default() });
        for (header, value, role) in [
            (AUTHORIZATION, "Bearer bang-it", Some(Role::Bang)),
            (AUTHORIZATION, "bearer hear-it", Some(Role::Listen)),
            (AUTHORIZATION, "Bearer bang-it2", None),
            (AUTHORIZATION, "Bearer ", None),
            (AUTHORIZATION, "Basic bang-it", None),
            (SEC_WEBSOCKET_PROTOCOL, "downbeat.v1, downbeat.token.bang-it", Some(Role::Bang)),
            (SEC_WEBSOCKET_PROTOCOL, "downbeat.token.hear-it,downbeat.v1", Some(Role::Listen)),
            (SEC_WEBSOCKET_PROTOCOL, "downbeat.token.", None),
            (SEC_WEBSOCKET_PROTOCOL, "downbeat.v1", None),
            (HOST, "bang-it", None),
        ] {
            assert_eq!(access.role(&headers(&[(header, value)])), role, "{value}");
        }
        assert_eq!(self::access(&Config::default()).role(&headers(&[])), Some(Role::Bang));
    }

    #[test]
    fn at_most_three_tokens_of_a_request_are_checked() {
        let access = access(&Config { token: secret("bang-it"), ..Config::default() });
        let role = |offers: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offers).unwrap());
            access.role(&headers)
        };
        let wrong = |count| "downbeat.token.x, ".repeat(count);
        assert_eq!(role(&format!("{}downbeat.token.bang-it", wrong(2))), Some(Role::Bang));
        assert_eq!(role(&format!("{}downbeat.token.bang-it", wrong(3))), None);
        assert_eq!(role(&format!("{}downbeat.token.bang-it", wrong(900))), None);
        // Entries that cannot be tokens cost no digest and do not count.
        let long = format!("downbeat.token.{}, ", "x".repeat(129)).repeat(9);
        assert_eq!(role(&format!("{long}downbeat.token.bang-it")), Some(Role::Bang));
        // Both headers share the limit.
        let mut headers = HeaderMap::new();
        for _ in 0..3 {
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        }
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer bang-it"));
        assert_eq!(access.role(&headers), None);
    }

    #[test]
    fn unusable_settings_are_reported_without_the_token() {
        let refused = |config: &Config| Access::new(config, "x").unwrap_err();
        let config = Config { token: secret("two words"), ..Config::default() };
        assert_eq!(refused(&config), AccessError::Token("--token"));
        assert!(!format!("{config:?} {}", refused(&config)).contains("two words"));
        let config = Config { listen_token: secret("a"), ..Config::default() };
        assert_eq!(refused(&config), AccessError::ListenOnly);
        let config = Config { token: secret("a"), listen_token: secret("a"), ..Config::default() };
        assert_eq!(refused(&config), AccessError::Same);
        let config = Config { allow_origin: vec!["stage".into()], ..Config::default() };
        assert!(matches!(refused(&config), AccessError::Origin(_)));
    }

    #[test]
    fn names_in_the_public_dns_are_not_accepted() {
        let allow_origin = vec!["https://bang.example.org".to_owned()];
        let access = access(&Config { allow_origin, ..Config::default() });
        for (host, own) in [
            ("192.168.1.20:3000", true),
            ("[fe80::1]:3000", true),
            ("[::1]", true),
            ("localhost:3000", true),
            ("relay:3000", true),
            ("Relay.local:3000", true),
            ("stage.example.edu:3000", true),
            ("bang.example.org", true),
            ("evil.example:3000", false),
            ("192.168.1.20.evil.example", false),
            ("local.evil.example", false),
            ("relay.local.evil.example.", false),
        ] {
            for local_ip in ["192.168.1.20", "203.0.113.7"] {
                let local_ip = local_ip.parse().unwrap();
                assert_eq!(access.is_own_host(&headers(&[(HOST, host)]), local_ip), own, "{host}");
            }
        }
        assert!(access.is_own_host(&headers(&[]), IpAddr::from([203, 0, 113, 7])));
    }

    #[test]
    fn private_domains_are_accepted_on_private_addresses_only() {
        let access = access(&Config::default());
        let own = |host, local_ip: &str| {
            access.is_own_host(&headers(&[(HOST, host)]), local_ip.parse().unwrap())
        };
        for host in ["stage.lan:3000", "Stage.Home.Arpa.", "a.b.internal", "stage.fritz.box:3000"] {
            for private in [
                "192.168.1.20",
                "10.0.0.1",
                "172.16.9.9",
                "127.0.0.1",
                "169.254.1.1",
                "::1",
                "fd00::1",
                "fe80::1",
                "::ffff:192.168.1.20",
            ] {
                assert!(own(host, private), "{host} at {private}");
            }
            for public in ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"] {
                assert!(!own(host, public), "{host} at {public}");
            }
        }
        for host in ["lan.evil.example", "evillan", "stage.lan.example", "notfritz.box"] {
            assert_eq!(own(host, "192.168.1.20"), !host.contains('.'), "{host}");
        }
    }

    #[test]
    fn the_file_origin_of_a_device_must_be_allowed() {
        let device = |headers_too: &[(HeaderName, &'static str)], allowed: &[&str]| {
            let allow_origin = allowed.iter().map(|&origin| origin.to_owned()).collect();
            let mut all = vec![(ORIGIN, "file://")];
            all.extend_from_slice(headers_too);
            access(&Config { allow_origin, ..Config::default() }).is_own_origin(&headers(&all))
        };
        for host in [&[(HOST, "192.168.1.20:3000")][..], &[(HOST, "")], &[]] {
            assert!(!device(host, &[]), "{host:?}");
            assert!(!device(host, &["http://stage"]), "{host:?}");
            for allowed in ["file://", "FILE:///"] {
                assert!(device(host, &[allowed]), "{host:?}");
            }
        }
        let refused = |origin: &str| {
            let config = Config { allow_origin: vec![origin.to_owned()], ..Config::default() };
            Access::new(&config, "x").is_err()
        };
        assert!(refused("file://host") && refused("null"));
    }

    #[test]
    fn only_pages_of_this_origin_or_an_allowed_one_may_connect() {
        let allow_origin = vec!["https://bang.example.org:443".to_owned()];
        let access = access(&Config { allow_origin, ..Config::default() });
        for (origin, host, own) in [
            ("http://relay.local:3000", "relay.local:3000", true),
            ("HTTP://Relay.local:3000", "relay.local:3000", true),
            ("http://relay.local", "relay.local:80", true),
            ("https://relay.local", "relay.local", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("https://bang.example.org", "relay.local:3000", true),
            ("http://bang.example.org", "relay.local:3000", false),
            ("http://relay.local:3001", "relay.local:3000", false),
            ("http://relay.local", "relay.local:3000", false),
            ("http://evil.example", "relay.local:3000", false),
            ("http://evil.example/relay.local:3000", "relay.local:3000", false),
            ("null", "relay.local:3000", false),
            ("file://", "relay.local:3000", false),
            ("http://", "", false),
        ] {
            let headers = headers(&[(ORIGIN, origin), (HOST, host)]);
            assert_eq!(access.is_own_origin(&headers), own, "{origin} at {host}");
        }
        assert!(access.is_own_origin(&headers(&[(HOST, "relay.local")])));
    }
}

//! Who may: tokens, and the names under which the relay may be asked.
//!
//! Pure: a request's headers in, a judgement out. Nothing here is ever logged or echoed: of a token
//! only a digest is kept, and digests are compared in constant time.

use std::{convert::Infallible, fmt, net::IpAddr, str::FromStr};

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::config::Config;

/// Begins the entry of `Sec-WebSocket-Protocol` that carries a token: a browser can set no other
/// header of a WebSocket.
pub const TOKEN_OFFER: &str = "downbeat.token.";

/// Most tokens of one request that are looked at. Each costs a digest on the thread that serves
/// everyone, and a client brings one.
const MAX_TOKENS: usize = 3;

/// A token as it was set: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl FromStr for Secret {
    type Err = Infallible;

    // What is wrong with it is found later: a parser's error would show it.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What one who was let in may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Hear the room.
    Listen,
    /// Also bang.
    Bang,
}

/// Why settings of access cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccessError {
    /// A token that no header can carry. It is not repeated.
    #[error("{0} must have 1 to 128 letters, digits, '-', '.', '_' or '~'")]
    Token(&'static str),
    /// The second token makes sense only beside the first.
    #[error("--listen-token needs a --token for those who may bang")]
    ListenOnly,
    /// Both tokens are the same.
    #[error("--token and --listen-token are the same; choose another for one of them")]
    Same,
    /// An origin that no browser would send.
    #[error("--allow-origin {0:?} is no origin; write http://HOST, http://HOST:PORT or file://")]
    Origin(String),
}

/// Who may do what.
#[derive(Debug)]
pub struct Access {
    bang: Option<[u8; 32]>,
    listen: Option<[u8; 32]>,
    /// Scheme and authority, in lower case and without a default port.
    origins: Vec<(Scheme, String)>,
    own_name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// What small devices say who have no origin. No page of a website can say so.
    File,
}

/// Endings of names that home routers and company networks give. Such a name is the relay's where it
/// was reached by a private address: a public one is looked up by other names.
const PRIVATE_SUFFIXES: [&str; 4] = [".lan", ".home.arpa", ".internal", ".fritz.box"];

impl Access {
    /// As it is configured, on a machine of this name.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn new(config: &Config, own_name: &str) -> Result<Self, AccessError> {
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
        Ok(Self { bang, listen, origins, own_name: own_name.to_ascii_lowercase() })
    }

    /// Whether anyone may come in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.bang.is_none()
    }

    /// What one who asks with these headers may do; `None` if a token is missing or wrong.
    #[must_use]
    pub fn role(&self, headers: &HeaderMap) -> Option<Role> {
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

    /// Whether the relay was asked under a name of its own. A page of elsewhere can have *its* name
    /// lead here (DNS rebinding), and would then be of the same origin as the relay.
    ///
    /// Numbers, `localhost`, names without a dot and those ending in `.local` are never a
    /// stranger's: they are not looked up in the public DNS. Nor are those of a private network, if
    /// `reached`, the relay's address on this connection, is private.
    #[must_use]
    pub fn is_own_host(&self, headers: &HeaderMap, reached: IpAddr) -> bool {
        // Browsers always send one.
        let Some(host) = headers.get(HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let host = host.to_ascii_lowercase();
        let name = name_of(&host);
        name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || matches!(name.rsplit_once('.'), Some((_, "local" | "localhost")))
            || is_private(reached) && PRIVATE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || name == self.own_name
            || self.origins.iter().any(|(_, allowed)| name_of(allowed) == name)
    }

    /// Whether a request comes from the relay's own page, an allowed one, or no page at all.
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

/// Looks at every byte, whatever the first ones are.
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

/// Whether only this machine or its own network reaches an address.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The name or number of an authority, without its port.
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
    fn a_token_is_taken_from_either_header_and_gives_its_role() {
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
    fn at_most_three_tokens_of_a_request_are_looked_at() {
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
        // Entries that no token could be cost no digest, and take no place.
        let long = format!("downbeat.token.{}, ", "x".repeat(129)).repeat(9);
        assert_eq!(role(&format!("{long}downbeat.token.bang-it")), Some(Role::Bang));
        // The other header shares the bound.
        let mut headers = HeaderMap::new();
        for _ in 0..3 {
            headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        }
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer bang-it"));
        assert_eq!(access.role(&headers), None);
    }

    #[test]
    fn settings_that_cannot_be_used_are_named_and_no_token_is_shown() {
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
    fn a_name_that_strangers_can_give_away_is_not_the_relays() {
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
            for reached in ["192.168.1.20", "203.0.113.7"] {
                let reached = reached.parse().unwrap();
                assert_eq!(access.is_own_host(&headers(&[(HOST, host)]), reached), own, "{host}");
            }
        }
        assert!(access.is_own_host(&headers(&[]), IpAddr::from([203, 0, 113, 7])));
    }

    #[test]
    fn a_private_network_s_name_is_the_relays_where_it_is_reached_privately() {
        let access = access(&Config::default());
        let own = |host, reached: &str| {
            access.is_own_host(&headers(&[(HOST, host)]), reached.parse().unwrap())
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
    fn an_origin_of_a_device_is_allowed_by_name_only() {
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

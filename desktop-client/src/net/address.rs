//! Where a relay is, and what opens its door: the address that a person types, as the URLs that
//! sockets need.
//!
//! A token may come in the address's fragment (`http://HOST:PORT/#token=...`, as for the page), so
//! what stands behind a `#` is never shown.

use std::{convert::Infallible, fmt, str::FromStr};

use downbeat_protocol::DEFAULT_PORT;
use thiserror::Error;
use url::{Url, form_urlencoded};

use crate::access::{Fingerprint, FingerprintError, Token};

/// An address as a person typed it. What stands behind a `#` is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedAddress(String);

impl TypedAddress {
    /// What was typed.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        Self(typed.trim().to_owned())
    }

    /// As much of it as may be shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    /// Reads it; see [`RelayAddress::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(
        &self,
        token: Option<Token>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<RelayAddress, AddressError> {
        RelayAddress::read(&self.0, token, fingerprint)
    }
}

impl FromStr for TypedAddress {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for TypedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

/// The address of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    http: Url,
    socket: Url,
    token: Option<Token>,
    fingerprint: Option<Fingerprint>,
}

/// Why a text is not the address of a relay.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It cannot be read as an address at all.
    #[error("'{0}' is not a relay's address: write it as HOST, HOST:PORT or http://HOST:PORT")]
    Unreadable(String),
    /// A URL of another kind.
    #[error(
        "'{0}' is not a relay's address: a relay is reached by http://, https://, ws:// or wss://, not {1}://"
    )]
    Scheme(String, String),
    /// A token that no relay could have. It is not repeated.
    #[error("the token for '{0}' must have 1 to 128 letters, digits, '-', '.', '_' or '~'")]
    Token(String),
    /// A fingerprint that is none.
    #[error("the address '{0}' is followed by no fingerprint: {1}")]
    Fingerprint(String, FingerprintError),
    /// A certificate where there is none.
    #[error("'{0}' does not speak TLS, but a fingerprint was given: write https:// or wss://")]
    Unencrypted(String),
}

impl RelayAddress {
    /// Reads `text`. `token` and `fingerprint` are for an address that brings none of its own.
    ///
    /// # Errors
    /// If it is no address, or what is to open the door cannot.
    pub fn read(
        text: &str,
        token: Option<Token>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, AddressError> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let text = text.trim();
        let unreadable = || AddressError::Unreadable(text.to_owned());
        let mut address = Self { token, fingerprint, ..Self::without_key(text)? };
        for (key, value) in form_urlencoded::parse(fragment.trim().as_bytes()) {
            match key.as_ref() {
                "token" => address.token = value.parse().ok(),
                "fingerprint" => {
                    let wrong = |error| AddressError::Fingerprint(text.to_owned(), error);
                    address.fingerprint = Some(value.parse().map_err(wrong)?);
                }
                // As the page does.
                _ => {}
            }
        }
        if address.token.as_ref().is_some_and(|token| !token.is_valid()) {
            return Err(AddressError::Token(text.to_owned()));
        }
        if address.fingerprint.is_some() && !address.is_encrypted() {
            // Who gives a fingerprint wants TLS, and must never be left without it.
            if text.contains("://") {
                return Err(AddressError::Unencrypted(text.to_owned()));
            }
            // A host stands there, so both have a scheme that can be changed for another of its
            // kind.
            address.http.set_scheme("https").map_err(|()| unreadable())?;
            address.socket.set_scheme("wss").map_err(|()| unreadable())?;
        }
        Ok(address)
    }

    fn without_key(text: &str) -> Result<Self, AddressError> {
        let unreadable = || AddressError::Unreadable(text.to_owned());
        // `lab:3000` would parse as a URL of the scheme "lab", and a bare `::1` needs its brackets.
        let full = if text.contains("://") {
            text.to_owned()
        } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("http://[{text}]")
        } else {
            format!("http://{text}")
        };
        let given = Url::parse(&full).map_err(|_| unreadable())?;
        let (http, socket, usual_port) = match given.scheme() {
            "http" | "ws" => ("http", "ws", 80),
            "https" | "wss" => ("https", "wss", 443),
            other => return Err(AddressError::Scheme(text.to_owned(), other.to_owned())),
        };
        let host = given.host_str().filter(|host| !host.is_empty()).ok_or_else(unreadable)?;
        let port = match written_port(&full) {
            Some(0) => return Err(unreadable()),
            Some(port) => port,
            // A URL with a scheme means that scheme's port; a bare host means the relay's own.
            None if text.contains("://") => usual_port,
            None => DEFAULT_PORT,
        };
        // A reverse proxy may give the relay a path. All that is asked of the relay lies below it,
        // whether or not it was written with its last slash.
        let folder = given.path().trim_end_matches('/');
        let url = |scheme| {
            Url::parse(&format!("{scheme}://{host}:{port}{folder}/")).map_err(|_| unreadable())
        };
        let (http, socket) = (url(http)?, url(socket)?);
        Ok(Self { http, socket, token: None, fingerprint: None })
    }

    /// The same, with what is known to open the door of `known` if that is the same one. Nothing
    /// that was used over TLS is used without it.
    #[must_use]
    pub fn knowing(mut self, known: &Self) -> Self {
        let is_same = self.place() == known.place() && self.http.path() == known.http.path();
        if is_same && (self.is_encrypted() || !known.is_encrypted()) {
            self.token = self.token.or_else(|| known.token.clone());
            if self.is_encrypted() {
                self.fingerprint = self.fingerprint.or(known.fingerprint);
            }
        }
        self
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.http.scheme() == "https"
    }

    /// The token that it is to be shown.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The fingerprint of its certificate, if only that is to be believed.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The machine it runs on, by name or number, and its port.
    #[must_use]
    pub fn place(&self) -> (String, u16) {
        // An address of the newer kind stands in brackets in a URL, and nowhere else.
        let host = self.http.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host.to_owned(), self.http.port_or_known_default().unwrap_or_default())
    }

    /// The folder in which its files are; ends with a slash.
    #[must_use]
    pub fn http(&self) -> &Url {
        &self.http
    }

    /// Where its WebSocket is.
    #[must_use]
    pub fn socket(&self) -> &Url {
        &self.socket
    }
}

/// The port that stands in a URL, its scheme's own included, of which a parsed URL says nothing.
fn written_port(url: &str) -> Option<u16> {
    let (_, rest) = url.split_once("://")?;
    let read_as = |scheme| Url::parse(&format!("{scheme}://{rest}")).ok()?.port();
    // The own port of one scheme is not that of the other.
    read_as("http").or_else(|| read_as("https"))
}

impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::read(text, None, None)
    }
}

/// As people read it: host and port, the path if there is one, and that it is reached over TLS. It leads
/// there when typed in.
impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both URLs were made with a host in this file.
        let host = self.http.host_str().unwrap_or_default();
        let scheme = if self.is_encrypted() { "https://" } else { "" };
        let port = self.http.port_or_known_default().unwrap_or(DEFAULT_PORT);
        let path = Some(self.http.path()).filter(|path| *path != "/").unwrap_or_default();
        write!(f, "{scheme}{host}:{port}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> String {
        text.parse::<RelayAddress>().unwrap().socket().to_string()
    }

    #[test]
    fn every_way_to_write_it_leads_to_the_socket() {
        for (text, expected) in [
            ("lab", "ws://lab:3000/"),
            (" lab:4000 ", "ws://lab:4000/"),
            ("192.168.1.7", "ws://192.168.1.7:3000/"),
            ("lab:80", "ws://lab/"),
            ("127.0.0.1:80/", "ws://127.0.0.1/"),
            ("lab:0080/any?x", "ws://lab/any/"),
            ("lab:80#token=x", "ws://lab/"),
            ("[::1]:80/", "ws://[::1]/"),
            ("lab:443/", "ws://lab:443/"),
            ("lab:/", "ws://lab:3000/"),
            ("https://lab:80/", "wss://lab:80/"),
            ("http://lab:443", "ws://lab:443/"),
            ("http://lab:3000", "ws://lab:3000/"),
            ("http://lab", "ws://lab/"),
            ("ws://lab:3000/any/path", "ws://lab:3000/any/path/"),
            ("::1", "ws://[::1]:3000/"),
            ("[::1]:3001", "ws://[::1]:3001/"),
            ("https://lab:3000", "wss://lab:3000/"),
            ("https://lab", "wss://lab/"),
            ("wss://lab:3000/any", "wss://lab:3000/any/"),
            ("http://lab:3000/#token=x&other=y", "ws://lab:3000/"),
        ] {
            assert_eq!(socket(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_where_all_of_the_relay_lies() {
        for text in ["https://host/downbeat", "https://host/downbeat/", "https://host/downbeat//"] {
            let address: RelayAddress = text.parse().unwrap();
            assert_eq!(address.http().as_str(), "https://host/downbeat/");
            assert_eq!(address.socket().as_str(), "wss://host/downbeat/");
        }
    }

    #[test]
    fn it_is_shown_as_host_and_port() {
        assert_eq!("ws://lab".parse::<RelayAddress>().unwrap().to_string(), "lab:80");
        assert_eq!("lab".parse::<RelayAddress>().unwrap().to_string(), "lab:3000");
        for text in ["https://lab:3000", "https://lab:443", "https://[::1]:3000", "lab:80/x/"] {
            let address: RelayAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_text() {
        for text in ["", "lab:0", "lab:70000", "http://", "a b", "ftp://lab"] {
            let error = text.parse::<RelayAddress>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    fn print(digits: &str) -> (String, Fingerprint) {
        let text = digits.repeat(32);
        let parsed = text.parse().unwrap();
        (text, parsed)
    }

    #[test]
    fn the_fragment_brings_the_key_and_wins_over_what_is_set() {
        let (text, one) = print("1a");
        let (_, other) = print("2b");
        let token = |text: &str| text.parse::<Token>().ok();
        let read = |text: &str| RelayAddress::read(text, token("set"), Some(other)).unwrap();
        let address = read(&format!("https://lab:3000/#token=let-me&fingerprint={text}"));
        assert_eq!(address.token(), token("let-me").as_ref());
        assert_eq!(address.fingerprint(), Some(one));
        let address = read("wss://lab#x=1");
        assert_eq!(address.token(), token("set").as_ref());
        assert_eq!(address.fingerprint(), Some(other));
        assert!(!format!("{address:?}").contains("set"));
        // A fingerprint asks for TLS where nothing speaks against it.
        assert_eq!(read("lab").socket().as_str(), "wss://lab:3000/");
        let refused = RelayAddress::read("http://lab", None, Some(one)).unwrap_err();
        assert!(refused.to_string().contains("https://"), "{refused}");
    }

    #[test]
    fn the_machine_is_told_as_the_system_looks_it_up() {
        for (text, host, port) in
            [("lab", "lab", 3000), ("https://lab", "lab", 443), ("[::1]:3001", "::1", 3001)]
        {
            let place = text.parse::<RelayAddress>().unwrap().place();
            assert_eq!(place, (host.to_owned(), port));
        }
    }

    #[test]
    fn what_was_typed_is_not_shown_whole() {
        let typed = TypedAddress::new(" https://lab#token=hidden ");
        assert_eq!(typed.shown(), "https://lab");
        assert_eq!(format!("{typed:?}"), "\"https://lab\"");
        assert_eq!(typed.read(None, None).unwrap().token(), "hidden".parse().ok().as_ref());
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_without_it() {
        for (text, named) in [
            ("lab#token=hid%20den", "token"),
            ("lab#token=", "token"),
            ("https://lab:4000/#fingerprint=hidden", "64 hexadecimal digits"),
            ("ftp://lab#token=hidden", "ftp://lab"),
            ("la b#token=hidden", "la b"),
        ] {
            let error = text.parse::<RelayAddress>().unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(named) && !said.contains("hid"), "{said}");
        }
    }

    #[test]
    fn a_key_is_for_the_door_it_was_given_for() {
        let (text, one) = print("1a");
        let token = "let-me".parse::<Token>().ok();
        let read = |text: &str| text.parse::<RelayAddress>().unwrap();
        let known = read(&format!("https://lab:3000/#token=let-me&fingerprint={text}"));
        let again = read("wss://lab:3000").knowing(&known);
        assert_eq!((again.token(), again.fingerprint()), (token.as_ref(), Some(one)));
        for other in [
            "https://lab:3001",
            "https://hall:3000",
            "http://lab:3000",
            "https://lab:3000/path",
            "lab",
        ] {
            let other = read(other).knowing(&known);
            assert_eq!((other.token(), other.fingerprint()), (None, None), "{other}");
        }
        let upgraded = read("https://lab:3000").knowing(&read("lab#token=let-me"));
        assert_eq!(upgraded.token(), token.as_ref());
        let newer = read("https://lab:3000/#token=newer").knowing(&known);
        assert_eq!(newer.token(), "newer".parse().ok().as_ref());
    }
}

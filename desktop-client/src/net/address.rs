//! The address of a relay: what a person types, as the URLs that sockets need, with the credentials.
//!
//! The fragment may hold a token (`http://HOST:PORT/#token=...`, as for the page), so it is never
//! displayed.

use std::{convert::Infallible, fmt, str::FromStr};

use downbeat_protocol::DEFAULT_PORT;
use thiserror::Error;
use url::{Url, form_urlencoded};

use super::credentials::{Fingerprint, FingerprintError, Token};

/// An address as a person typed it. Its fragment is never displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct TypedAddress(String);

impl TypedAddress {
    /// The typed text, without surrounding blanks.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        Self(typed.trim().to_owned())
    }

    /// The part that may be displayed: all but the fragment.
    #[must_use]
    pub fn displayed(&self) -> &str {
        self.0.split('#').next().unwrap_or_default()
    }

    /// Parses it; see [`RelayAddress::parse`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn parse(
        &self,
        token: Option<Token>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<RelayAddress, AddressError> {
        RelayAddress::parse(&self.0, token, fingerprint)
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
        write!(f, "{:?}", self.displayed())
    }
}

/// The address of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    http: Url,
    websocket: Url,
    token: Option<Token>,
    fingerprint: Option<Fingerprint>,
}

/// Why a text is not a relay's address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is neither a host nor a URL.
    #[error("'{0}' is not a relay's address: use HOST, HOST:PORT or http://HOST:PORT")]
    Malformed(String),
    /// A number, as a room code is. It is not repeated.
    #[error("a number is not a relay's address: paste the relay's link, or use HOST or HOST:PORT")]
    Number,
    /// A URL of another scheme.
    #[error("'{0}' is not a relay's address: use http://, https://, ws:// or wss://, not {1}://")]
    Scheme(String, String),
    /// An invalid token. It is not repeated.
    #[error("the token for '{0}' must have 1 to 128 letters, digits, '-', '.', '_' or '~'")]
    Token(String),
    /// An invalid fingerprint.
    #[error("the fingerprint after '{0}' is invalid: {1}")]
    Fingerprint(String, FingerprintError),
    /// A fingerprint for an address without TLS.
    #[error("a fingerprint needs TLS, and '{0}' is without: use https:// or wss://")]
    Unencrypted(String),
}

impl RelayAddress {
    /// Parses `text`. `token` and `fingerprint` apply where its fragment has none.
    ///
    /// # Errors
    /// If the address or its credentials are invalid.
    pub(crate) fn parse(
        text: &str,
        token: Option<Token>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Self, AddressError> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let text = text.trim();
        let malformed = || AddressError::Malformed(text.to_owned());
        let mut address = Self { token, fingerprint, ..Self::without_credentials(text)? };
        for (key, value) in form_urlencoded::parse(fragment.trim().as_bytes()) {
            match key.as_ref() {
                "token" => address.token = value.parse().ok(),
                "fingerprint" => {
                    let wrong = |error| AddressError::Fingerprint(text.to_owned(), error);
                    address.fingerprint = Some(value.parse().map_err(wrong)?);
                }
                // Ignored, as the page does.
                _ => {}
            }
        }
        if address.token.as_ref().is_some_and(|token| !token.is_valid()) {
            return Err(AddressError::Token(text.to_owned()));
        }
        if address.fingerprint.is_some() && !address.is_encrypted() {
            // A fingerprint demands TLS; it must never be dropped silently.
            if text.contains("://") {
                return Err(AddressError::Unencrypted(text.to_owned()));
            }
            // Both URLs have a host, so the scheme can be replaced by another special one.
            address.http.set_scheme("https").map_err(|()| malformed())?;
            address.websocket.set_scheme("wss").map_err(|()| malformed())?;
        }
        Ok(address)
    }

    fn without_credentials(text: &str) -> Result<Self, AddressError> {
        // A URL may have a number for a host, and a room code would be sent there.
        if is_number(text) {
            return Err(AddressError::Number);
        }
        let malformed = || AddressError::Malformed(text.to_owned());
        // `lab:3000` would parse as a URL of the scheme "lab", and a bare `::1` needs its brackets.
        let full = if text.contains("://") {
            text.to_owned()
        } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("http://[{text}]")
        } else {
            format!("http://{text}")
        };
        let given = Url::parse(&full).map_err(|_| malformed())?;
        let (http, websocket, default_port) = match given.scheme() {
            "http" | "ws" => ("http", "ws", 80),
            "https" | "wss" => ("https", "wss", 443),
            other => return Err(AddressError::Scheme(text.to_owned(), other.to_owned())),
        };
        let host = given.host_str().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        let port = match written_port(&full) {
            Some(0) => return Err(malformed()),
            Some(port) => port,
            // A URL has its scheme's port; a bare host has the relay's default.
            None if text.contains("://") => default_port,
            None => DEFAULT_PORT,
        };
        // A reverse proxy may serve the relay below a path, written with or without its last slash.
        let folder = given.path().trim_end_matches('/');
        let url = |scheme| {
            Url::parse(&format!("{scheme}://{host}:{port}{folder}/")).map_err(|_| malformed())
        };
        let (http, websocket) = (url(http)?, url(websocket)?);
        Ok(Self { http, websocket, token: None, fingerprint: None })
    }

    /// The same address with the credentials of `known`, if both are the same relay. Credentials that
    /// were used over TLS are not used without.
    #[must_use]
    pub(crate) fn with_credentials_of(mut self, known: &Self) -> Self {
        let is_same =
            self.host_and_port() == known.host_and_port() && self.http.path() == known.http.path();
        if is_same && (self.is_encrypted() || !known.is_encrypted()) {
            self.token = self.token.or_else(|| known.token.clone());
            if self.is_encrypted() {
                self.fingerprint = self.fingerprint.or(known.fingerprint);
            }
        }
        self
    }

    /// The same address with this token.
    #[must_use]
    pub(crate) fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same address, with the certificate of this fingerprint as the only one to trust, if nothing is known about
    /// the relay that was given otherwise.
    #[must_use]
    pub(crate) fn trusting_if_unknown(mut self, fingerprint: Option<Fingerprint>) -> Self {
        if self.is_encrypted() && self.token.is_none() {
            self.fingerprint = self.fingerprint.or(fingerprint);
        }
        self
    }

    /// The address with its credentials, as it can be typed. It is never displayed.
    pub(crate) fn link(&self) -> String {
        let mut fragment = form_urlencoded::Serializer::new(String::new());
        if let Some(token) = &self.token {
            fragment.append_pair("token", token.secret());
        }
        if let Some(fingerprint) = self.fingerprint {
            fragment.append_pair("fingerprint", &fingerprint.to_string());
        }
        let fragment = fragment.finish();
        if fragment.is_empty() { self.to_string() } else { format!("{self}#{fragment}") }
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.http.scheme() == "https"
    }

    /// The token to authenticate with.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The fingerprint of the only certificate to trust, if one was given.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Its host, by name or number, and its port, as the resolver takes them.
    pub(crate) fn host_and_port(&self) -> (String, u16) {
        // An IPv6 address has brackets in a URL, and only there.
        let host = self.http.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host.to_owned(), self.http.port_or_known_default().unwrap_or_default())
    }

    /// The base URL of its files; ends with a slash.
    pub(crate) fn http(&self) -> &Url {
        &self.http
    }

    /// The URL of its WebSocket.
    pub(crate) fn websocket(&self) -> &Url {
        &self.websocket
    }
}

/// Whether it is digits alone, which may be apart as those of a room code.
fn is_number(text: &str) -> bool {
    let mut digits = text.chars().filter(|c| !matches!(c, ' ' | '-')).peekable();
    digits.peek().is_some() && digits.all(|c| c.is_ascii_digit())
}

/// The port that is written in a URL; a parsed [`Url`] drops the default port of its scheme.
fn written_port(url: &str) -> Option<u16> {
    let (_, rest) = url.split_once("://")?;
    let read_as = |scheme| Url::parse(&format!("{scheme}://{rest}")).ok()?.port();
    // The default port of one scheme is not that of the other.
    read_as("http").or_else(|| read_as("https"))
}

impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, None, None)
    }
}

/// For people: host and port, the path if there is one, and the scheme if it is TLS. Typed in, it leads
/// to the same relay.
impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both URLs are built with a host, above.
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

    fn websocket(text: &str) -> String {
        text.parse::<RelayAddress>().unwrap().websocket().to_string()
    }

    #[test]
    fn every_notation_leads_to_the_websocket() {
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
            assert_eq!(websocket(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_the_base_of_both_urls() {
        for text in ["https://host/downbeat", "https://host/downbeat/", "https://host/downbeat//"] {
            let address: RelayAddress = text.parse().unwrap();
            assert_eq!(address.http().as_str(), "https://host/downbeat/");
            assert_eq!(address.websocket().as_str(), "wss://host/downbeat/");
        }
    }

    #[test]
    fn it_is_displayed_as_host_and_port() {
        assert_eq!("ws://lab".parse::<RelayAddress>().unwrap().to_string(), "lab:80");
        assert_eq!("lab".parse::<RelayAddress>().unwrap().to_string(), "lab:3000");
        for text in ["https://lab:3000", "https://lab:443", "https://[::1]:3000", "lab:80/x/"] {
            let address: RelayAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn an_invalid_address_is_rejected_with_its_text() {
        for text in ["", "lab:0", "lab:70000", "http://", "a b", "ftp://lab"] {
            let error = text.parse::<RelayAddress>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_number_is_not_an_address_and_is_not_repeated() {
        for text in ["48271963", " 4827 1963", "4827-1963", "3000", "48271963#token=x"] {
            assert_eq!(text.parse::<RelayAddress>(), Err(AddressError::Number), "{text}");
        }
        for text in ["10.0.0.5", "4827-1963.lab", "1a", "http://48271963"] {
            assert!(text.parse::<RelayAddress>().is_ok(), "{text}");
        }
    }

    fn print(digits: &str) -> (String, Fingerprint) {
        let text = digits.repeat(32);
        let parsed = text.parse().unwrap();
        (text, parsed)
    }

    #[test]
    fn credentials_in_the_fragment_take_precedence() {
        let (text, one) = print("1a");
        let (_, other) = print("2b");
        let token = |text: &str| text.parse::<Token>().ok();
        let read = |text: &str| RelayAddress::parse(text, token("set"), Some(other)).unwrap();
        let address = read(&format!("https://lab:3000/#token=let-me&fingerprint={text}"));
        assert_eq!(address.token(), token("let-me").as_ref());
        assert_eq!(address.fingerprint(), Some(one));
        let address = read("wss://lab#x=1");
        assert_eq!(address.token(), token("set").as_ref());
        assert_eq!(address.fingerprint(), Some(other));
        assert!(!format!("{address:?}").contains("set"));
        // A fingerprint selects TLS unless the scheme forbids it.
        assert_eq!(read("lab").websocket().as_str(), "wss://lab:3000/");
        let refused = RelayAddress::parse("http://lab", None, Some(one)).unwrap_err();
        assert!(refused.to_string().contains("https://"), "{refused}");
    }

    #[test]
    fn host_and_port_are_as_the_resolver_takes_them() {
        for (text, host, port) in
            [("lab", "lab", 3000), ("https://lab", "lab", 443), ("[::1]:3001", "::1", 3001)]
        {
            let parsed = text.parse::<RelayAddress>().unwrap().host_and_port();
            assert_eq!(parsed, (host.to_owned(), port));
        }
    }

    #[test]
    fn the_fragment_of_a_typed_address_is_not_displayed() {
        let typed = TypedAddress::new(" https://lab#token=hidden ");
        assert_eq!(typed.displayed(), "https://lab");
        assert_eq!(format!("{typed:?}"), "\"https://lab\"");
        assert_eq!(typed.parse(None, None).unwrap().token(), "hidden".parse().ok().as_ref());
    }

    #[test]
    fn a_link_leads_to_the_same_relay_with_the_same_credentials() {
        let (text, _) = print("1a");
        for typed in ["lab", "lab:80/x", "https://[::1]:3000/x#token=a.b~c-d_e", "lab#token=t"] {
            let address: RelayAddress = typed.parse().unwrap();
            assert_eq!(address.link().parse(), Ok(address), "{typed}");
        }
        let address: RelayAddress =
            format!("https://lab/#token=t&fingerprint={text}").parse().unwrap();
        assert_eq!(address.link().parse(), Ok(address));
    }

    #[test]
    fn an_error_about_credentials_does_not_repeat_them() {
        for (text, named) in [
            ("lab#token=hid%20den", "token"),
            ("lab#token=", "token"),
            ("https://lab:4000/#fingerprint=hidden", "64 hexadecimal digits"),
            ("ftp://lab#token=hidden", "ftp://lab"),
            ("la b#token=hidden", "la b"),
        ] {
            let error = text.parse::<RelayAddress>().unwrap_err();
            let message = format!("{error} {error:?}");
            assert!(message.contains(named) && !message.contains("hid"), "{message}");
        }
    }

    #[test]
    fn credentials_are_kept_for_their_relay_alone() {
        let (text, one) = print("1a");
        let token = "let-me".parse::<Token>().ok();
        let read = |text: &str| text.parse::<RelayAddress>().unwrap();
        let known = read(&format!("https://lab:3000/#token=let-me&fingerprint={text}"));
        let again = read("wss://lab:3000").with_credentials_of(&known);
        assert_eq!((again.token(), again.fingerprint()), (token.as_ref(), Some(one)));
        for other in [
            "https://lab:3001",
            "https://hall:3000",
            "http://lab:3000",
            "https://lab:3000/path",
            "lab",
        ] {
            let other = read(other).with_credentials_of(&known);
            assert_eq!((other.token(), other.fingerprint()), (None, None), "{other}");
        }
        let upgraded = read("https://lab:3000").with_credentials_of(&read("lab#token=let-me"));
        assert_eq!(upgraded.token(), token.as_ref());
        let newer = read("https://lab:3000/#token=newer").with_credentials_of(&known);
        assert_eq!(newer.token(), "newer".parse().ok().as_ref());
    }
}

//! Where a relay is: the address that a person types, as the URLs that sockets need.

use std::{fmt, str::FromStr};

use downbeat_protocol::DEFAULT_PORT;
use thiserror::Error;
use url::Url;

/// The address of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    http: Url,
    socket: Url,
}

/// Why a text is not the address of a relay.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It cannot be read as an address at all.
    #[error("'{0}' is not a relay's address: write it as HOST, HOST:PORT or http://HOST:PORT")]
    Unreadable(String),
    /// A URL of another kind.
    #[error("'{0}' is not a relay's address: a relay is reached by http:// or ws://, not {1}://")]
    Scheme(String, String),
    /// A URL that wants encryption.
    #[error("'{0}' asks for encryption, which this player does not speak: use http:// or ws://")]
    Encrypted(String),
}

impl RelayAddress {
    /// Where its files are.
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

impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
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
        match given.scheme() {
            "http" | "ws" => {}
            "https" | "wss" => return Err(AddressError::Encrypted(text.to_owned())),
            other => return Err(AddressError::Scheme(text.to_owned(), other.to_owned())),
        }
        let host = given.host_str().filter(|host| !host.is_empty()).ok_or_else(unreadable)?;
        let port = match given.port() {
            Some(0) => return Err(unreadable()),
            Some(port) => port,
            // A URL with a scheme means that scheme's port; a bare host means the relay's own.
            None if text.contains("://") => 80,
            None if full.ends_with(":80") => 80,
            None => DEFAULT_PORT,
        };
        let url = |scheme, path| {
            Url::parse(&format!("{scheme}://{host}:{port}{path}")).map_err(|_| unreadable())
        };
        Ok(Self { http: url("http", "/")?, socket: url("ws", given.path())? })
    }
}

/// As people read it: host and port.
impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both URLs were made with a host in this file.
        let host = self.http.host_str().unwrap_or_default();
        write!(f, "{host}:{}", self.http.port_or_known_default().unwrap_or(DEFAULT_PORT))
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
            ("http://lab:3000", "ws://lab:3000/"),
            ("http://lab", "ws://lab/"),
            ("ws://lab:3000/any/path", "ws://lab:3000/any/path"),
            ("::1", "ws://[::1]:3000/"),
            ("[::1]:3001", "ws://[::1]:3001/"),
        ] {
            assert_eq!(socket(text), expected, "{text}");
        }
    }

    #[test]
    fn it_is_shown_as_host_and_port() {
        assert_eq!("ws://lab/x".parse::<RelayAddress>().unwrap().to_string(), "lab:80");
        assert_eq!("lab".parse::<RelayAddress>().unwrap().to_string(), "lab:3000");
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_text() {
        for text in ["", "lab:0", "lab:70000", "http://", "a b", "ftp://lab", "wss://lab"] {
            let error = text.parse::<RelayAddress>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

//! The WebSocket's opening handshake (RFC 6455, section 4.2): who may open one, and what it
//! will speak. Pure: a request's headers in, an answer out.

use downbeat_protocol::SUBPROTOCOL;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::clients::Wire;

/// An upgrade that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// What the connection will speak.
    pub wire: Wire,
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
}

/// Why an upgrade is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A page of another origin asks: what the user sees there must not bang here.
    ForeignOrigin,
    /// Another version of the protocol than 13.
    Version,
    /// Not a complete handshake.
    Incomplete,
}

impl Refused {
    /// The answer's status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Incomplete => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer, for people.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::ForeignOrigin => "a page of another origin may not connect\n",
            Self::Version => "WebSocket version 13, please\n",
            Self::Incomplete => "not a complete WebSocket handshake\n",
        }
    }
}

/// Whether a request asks for a WebSocket.
#[must_use]
pub fn is_asked_for(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// What becomes of a request that asks for a WebSocket.
///
/// # Errors
/// If it may not have one.
pub fn judge(method: &Method, headers: &HeaderMap) -> Result<Granted, Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = headers.get(ORIGIN) {
        let host = text(HOST).ok_or(Refused::ForeignOrigin)?;
        let origin = origin.to_str().map_err(|_| Refused::ForeignOrigin)?;
        if !is_same_origin(origin, host) {
            return Err(Refused::ForeignOrigin);
        }
    }
    if method != Method::GET || !has_token(headers, CONNECTION, "upgrade") {
        return Err(Refused::Incomplete);
    }
    if text(SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refused::Version);
    }
    // Sixteen bytes in base64, of which nothing is ever decoded.
    let key = text(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24 && key.ends_with("=="));
    let key = key.ok_or(Refused::Incomplete)?;
    // A client that offers only what the relay does not know gets the seed's wire and is granted
    // nothing. The seed's server would have granted its first offer, unread; but to grant is to
    // promise to speak it. So a browser, which takes no answer for a failure, fails at once where
    // it would else play at messages it cannot read; others can do with the seed's wire.
    let modern = has_token(headers, SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let wire = if modern { Wire::Modern } else { Wire::Seed };
    Ok(Granted { wire, accept: derive_accept_key(key.as_bytes()) })
}

/// Whether a comma-separated header holds `token`, whatever its case.
fn has_token(headers: &HeaderMap, name: hyper::header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// Whether `origin` is where `host` was asked: the same name and port.
fn is_same_origin(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
    };
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(extra: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (HOST, "relay.local:3000"),
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(extra)
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_standards_own_example_is_accepted() {
        let granted = judge(&Method::GET, &headers(&[])).unwrap();
        assert_eq!(granted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(granted.wire, Wire::Seed);
    }

    #[test]
    fn the_subprotocol_chooses_the_wire() {
        for (offer, wire) in [
            ("downbeat.v1", Wire::Modern),
            ("downbeat.v2, downbeat.v1", Wire::Modern),
            ("chat", Wire::Seed),
            ("downbeat.v10", Wire::Seed),
        ] {
            let headers = headers(&[(SEC_WEBSOCKET_PROTOCOL, offer)]);
            assert_eq!(judge(&Method::GET, &headers).unwrap().wire, wire, "{offer}");
        }
    }

    #[test]
    fn only_pages_of_this_origin_may_connect() {
        for (origin, host, same) in [
            ("http://relay.local:3000", "relay.local:3000", true),
            ("HTTP://Relay.local:3000", "relay.local:3000", true),
            ("http://relay.local", "relay.local:80", true),
            ("https://relay.local", "relay.local", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://relay.local:3001", "relay.local:3000", false),
            ("http://relay.local", "relay.local:3000", false),
            ("http://evil.example", "relay.local:3000", false),
            ("http://evil.example/relay.local:3000", "relay.local:3000", false),
            ("null", "relay.local:3000", false),
            ("file://", "relay.local:3000", false),
            ("http://", "", false),
        ] {
            assert_eq!(is_same_origin(origin, host), same, "{origin} at {host}");
        }
        let foreign = headers(&[(ORIGIN, "http://evil.example")]);
        assert_eq!(judge(&Method::GET, &foreign), Err(Refused::ForeignOrigin));
    }

    #[test]
    fn an_incomplete_handshake_is_refused() {
        let judged = |extra: &[_]| judge(&Method::GET, &headers(extra));
        assert_eq!(judged(&[(SEC_WEBSOCKET_VERSION, "8")]), Err(Refused::Version));
        assert_eq!(judged(&[(SEC_WEBSOCKET_KEY, "short")]), Err(Refused::Incomplete));
        assert_eq!(judged(&[(CONNECTION, "close")]), Err(Refused::Incomplete));
        assert_eq!(judge(&Method::POST, &headers(&[])), Err(Refused::Incomplete));
    }
}

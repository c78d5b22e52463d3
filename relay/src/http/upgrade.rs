//! The WebSocket's opening handshake (RFC 6455, section 4.2): who may open one, and what it
//! will speak. Pure: a request's headers in, an answer out.

use downbeat_protocol::SUBPROTOCOL;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    access::{Access, Role},
    clients::Wire,
};

/// An upgrade that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// What the connection will speak.
    pub wire: Wire,
    /// What the one who asked may do.
    pub role: Role,
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
}

/// Why an upgrade is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A page of another origin asks: what the user sees there must not bang here.
    ForeignOrigin,
    /// The relay has a token, and this is not it.
    NoToken,
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
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Incomplete => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer, for people.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::ForeignOrigin => {
                "this relay does not take connections with that Origin; to allow it, start the \
                 relay with --allow-origin ORIGIN, as the request names it (http://HOST:PORT, \
                 or file:// for a device that says so)\n"
            }
            Self::NoToken => "this relay needs its token\n",
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

/// What one who asks with these headers may do.
///
/// # Errors
/// If it may not come in.
pub fn admit(access: &Access, headers: &HeaderMap) -> Result<Role, Refused> {
    if !access.is_own_origin(headers) {
        return Err(Refused::ForeignOrigin);
    }
    access.role(headers).ok_or(Refused::NoToken)
}

/// What becomes of a request that asks for a WebSocket.
///
/// # Errors
/// If it may not have one.
pub fn judge(access: &Access, method: &Method, headers: &HeaderMap) -> Result<Granted, Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let role = admit(access, headers)?;
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
    Ok(Granted { wire, role, accept: derive_accept_key(key.as_bytes()) })
}

/// Whether a comma-separated header holds `token`, whatever its case.
fn has_token(headers: &HeaderMap, name: hyper::header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN};

    use super::*;
    use crate::config::Config;

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

    fn judged(method: &Method, headers: &HeaderMap) -> Result<Granted, Refused> {
        judge(&Access::new(&Config::default(), "x").unwrap(), method, headers)
    }

    #[test]
    fn the_standards_own_example_is_accepted() {
        let granted = judged(&Method::GET, &headers(&[])).unwrap();
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
            assert_eq!(judged(&Method::GET, &headers).unwrap().wire, wire, "{offer}");
        }
    }

    #[test]
    fn a_foreign_page_and_a_wrong_token_are_refused() {
        let foreign = headers(&[(ORIGIN, "http://evil.example")]);
        assert_eq!(judged(&Method::GET, &foreign), Err(Refused::ForeignOrigin));
        let token = "right".parse().ok();
        let access = Access::new(&Config { token, ..Config::default() }, "x").unwrap();
        let judged = |offer| {
            let headers = headers(&[(SEC_WEBSOCKET_PROTOCOL, offer)]);
            judge(&access, &Method::GET, &headers).map(|granted| granted.wire)
        };
        assert_eq!(judged("downbeat.v1, downbeat.token.right"), Ok(Wire::Modern));
        assert_eq!(judged("downbeat.token.right"), Ok(Wire::Seed));
        assert_eq!(judged("downbeat.v1, downbeat.token.wrong"), Err(Refused::NoToken));
        assert_eq!(judged("downbeat.v1"), Err(Refused::NoToken));
    }

    #[test]
    fn an_incomplete_handshake_is_refused() {
        let refused = |extra: &[_]| judged(&Method::GET, &headers(extra));
        assert_eq!(refused(&[(SEC_WEBSOCKET_VERSION, "8")]), Err(Refused::Version));
        assert_eq!(refused(&[(SEC_WEBSOCKET_KEY, "short")]), Err(Refused::Incomplete));
        assert_eq!(refused(&[(CONNECTION, "close")]), Err(Refused::Incomplete));
        assert_eq!(judged(&Method::POST, &headers(&[])), Err(Refused::Incomplete));
    }
}

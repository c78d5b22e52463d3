//! The opening handshake of a WebSocket (RFC 6455, section 4.2): who may open one, and which wire it speaks.
//! Pure: headers in, a decision out.

use downbeat_protocol::{Rights, SUBPROTOCOL};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    auth::Access,
    response::{Answer, put, put_text},
};
use crate::{
    rights::{HttpRequest, Required},
    websocket::client::Wire,
};

/// An accepted handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The wire of the connection.
    pub wire: Wire,
    /// What the client may do, by its token.
    pub rights: Rights,
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
}

/// Why a handshake is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It comes from a page of another origin.
    ForeignOrigin,
    /// The token is missing or wrong.
    NoToken,
    /// The version of the WebSocket protocol is not 13.
    Version,
    /// A header is missing or invalid.
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

    /// The body of the answer.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::ForeignOrigin => {
                "this relay does not accept connections with this Origin; to allow it, start the relay \
                 with --allow-origin ORIGIN, as the request has it (http://HOST:PORT, or file:// for \
                 some devices)\n"
            }
            Self::NoToken => "this relay needs its token\n",
            Self::Version => "only WebSocket version 13 is supported\n",
            Self::Incomplete => "incomplete WebSocket handshake\n",
        }
    }
}

/// Whether a request is a WebSocket handshake.
#[must_use]
pub fn is_requested(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// What a client with these headers may do.
///
/// # Errors
/// If it may not connect.
pub(super) fn authorize(access: &Access, headers: &HeaderMap) -> Result<Rights, Refused> {
    if !access.is_own_origin(headers) {
        return Err(Refused::ForeignOrigin);
    }
    let rights = access.rights(headers);
    // The lock locks nobody out.
    let checked = Required::by_http(HttpRequest::WebSocket).check(rights, false);
    checked.ok().and(rights).ok_or(Refused::NoToken)
}

/// Checks a handshake.
///
/// # Errors
/// If it is refused.
pub fn check(access: &Access, method: &Method, headers: &HeaderMap) -> Result<Granted, Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let rights = authorize(access, headers)?;
    if method != Method::GET || !has_token(headers, CONNECTION, "upgrade") {
        return Err(Refused::Incomplete);
    }
    if text(SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refused::Version);
    }
    // Sixteen bytes in base64. They need not be decoded.
    let key = text(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24 && key.ends_with("=="));
    let key = key.ok_or(Refused::Incomplete)?;
    // A client that offers only unknown subprotocols gets the tutorial wire, and none is granted. The
    // tutorial's server grants the first offer unread, but to grant a subprotocol is to promise to speak
    // it. Without one, a browser fails the connection at once, as it should; other clients can use the
    // tutorial wire.
    let is_v1 = has_token(headers, SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let wire = if is_v1 { Wire::V1 } else { Wire::Tutorial };
    Ok(Granted { wire, rights, accept: derive_accept_key(key.as_bytes()) })
}

/// The answer to an accepted handshake.
#[must_use]
pub fn switching_protocols(granted: &Granted) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    put(&mut answer, CONNECTION, "Upgrade");
    put(&mut answer, UPGRADE, "websocket");
    put_text(&mut answer, SEC_WEBSOCKET_ACCEPT, &granted.accept);
    if granted.wire == Wire::V1 {
        put(&mut answer, SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    }
    answer
}

/// Whether a comma-separated header contains `token`, in any case.
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

    fn checked(method: &Method, headers: &HeaderMap) -> Result<Granted, Refused> {
        check(&Access::new(&Config::default(), "x").unwrap(), method, headers)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let granted = checked(&Method::GET, &headers(&[])).unwrap();
        assert_eq!(granted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(granted.wire, Wire::Tutorial);
    }

    #[test]
    fn the_subprotocol_chooses_the_wire() {
        for (offer, wire) in [
            ("downbeat.v1", Wire::V1),
            ("downbeat.v2, downbeat.v1", Wire::V1),
            ("chat", Wire::Tutorial),
            ("downbeat.v10", Wire::Tutorial),
        ] {
            let headers = headers(&[(SEC_WEBSOCKET_PROTOCOL, offer)]);
            assert_eq!(checked(&Method::GET, &headers).unwrap().wire, wire, "{offer}");
        }
    }

    #[test]
    fn a_foreign_page_and_a_wrong_token_are_refused() {
        let foreign = headers(&[(ORIGIN, "http://evil.example")]);
        assert_eq!(checked(&Method::GET, &foreign), Err(Refused::ForeignOrigin));
        let token = "right".parse().ok();
        let access = Access::new(&Config { token, ..Config::default() }, "x").unwrap();
        let checked = |offer| {
            let headers = headers(&[(SEC_WEBSOCKET_PROTOCOL, offer)]);
            check(&access, &Method::GET, &headers).map(|granted| granted.wire)
        };
        assert_eq!(checked("downbeat.v1, downbeat.token.right"), Ok(Wire::V1));
        assert_eq!(checked("downbeat.token.right"), Ok(Wire::Tutorial));
        assert_eq!(checked("downbeat.v1, downbeat.token.wrong"), Err(Refused::NoToken));
        assert_eq!(checked("downbeat.v1"), Err(Refused::NoToken));
    }

    #[test]
    fn an_incomplete_handshake_is_refused() {
        let refused = |extra: &[_]| checked(&Method::GET, &headers(extra));
        assert_eq!(refused(&[(SEC_WEBSOCKET_VERSION, "8")]), Err(Refused::Version));
        assert_eq!(refused(&[(SEC_WEBSOCKET_KEY, "short")]), Err(Refused::Incomplete));
        assert_eq!(refused(&[(CONNECTION, "close")]), Err(Refused::Incomplete));
        assert_eq!(checked(&Method::POST, &headers(&[])), Err(Refused::Incomplete));
    }
}

//! Authorization: the tokens of a request, accepted host names, and origins.
//!
//! Pure: headers in, a decision out. Nothing here is logged or echoed.

use std::{net::IpAddr, sync::Arc};

use downbeat_protocol::Rights;

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
};
use thiserror::Error;

use crate::{
    config::Config,
    joining::tokens::{TokenError, Tokens, is_token},
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
    /// The tokens contradict each other, or no header can carry one.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An origin that no browser would send.
    #[error(
        "--allow-origin {0:?} is not an origin; write http://HOST, http://HOST:PORT or file://"
    )]
    Origin(String),
}

/// What is allowed to whom.
#[derive(Debug)]
pub struct Access {
    tokens: Arc<Tokens>,
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
        let tokens = Arc::new(Tokens::new(config)?);
        let origin =
            |text: &String| parse_origin(text).ok_or_else(|| AccessError::Origin(text.clone()));
        let origins = config.allow_origin.iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self { tokens, origins, host_name: host_name.to_ascii_lowercase() })
    }

    /// The tokens.
    pub(crate) fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// The rights of a client with these headers; `None` if the token is missing or wrong.
    pub(super) fn rights(&self, headers: &HeaderMap) -> Option<Rights> {
        let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let offered = offers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|offer| offer.trim().strip_prefix(TOKEN_OFFER));
        let presented = bearer.chain(offered).filter(|token| is_token(token));
        self.tokens.rights(presented.take(MAX_TOKENS))
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
mod tests;

//! How others join: the tokens, the room code, links with numeric addresses and their QR codes, and the
//! announcement on the network.
//!
//! Tokens leave this module in links and as the answer to a room code only. Nothing here is logged.

mod addresses;
pub(crate) mod announcement;
pub(crate) mod qr;
mod room_code;
pub(crate) mod tokens;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use downbeat_protocol::{JoinLink, Joining, RelayTime, Rights};

pub(crate) use self::room_code::Mistake;
use self::{addresses::Addresses, room_code::RoomCode, tokens::Tokens};
use crate::config::Secret;

/// How others reach the relay, and with which tokens and code.
#[derive(Debug)]
pub(crate) struct Invitation {
    tokens: Arc<Tokens>,
    /// If a token is needed to be a player.
    code: Option<Mutex<RoomCode>>,
    /// What the relay listens on.
    listens_on: SocketAddr,
    is_tls: bool,
    /// That of a self-signed certificate, by which alone clients can verify it.
    fingerprint: Option<String>,
    /// Those for other machines, as they were lately.
    addresses: Mutex<Addresses>,
}

impl Invitation {
    /// An invitation with a new room code, if a token is needed to be a player.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(crate) fn new(
        tokens: Arc<Tokens>,
        listens_on: SocketAddr,
        is_tls: bool,
        fingerprint: Option<String>,
    ) -> io::Result<Self> {
        let code = match tokens.for_players() {
            Some(_) => Some(Mutex::new(RoomCode::random()?)),
            None => None,
        };
        let addresses = Mutex::default();
        Ok(Self { tokens, code, listens_on, is_tls, fingerprint, addresses })
    }

    /// What those who run the room are told. Who was assigned to do that presents a token with fewer rights, and is
    /// told nothing that gives more than that: what was assigned could not be taken away again.
    pub(crate) fn message(&self, token_rights: Rights, now: RelayTime) -> Joining {
        let is_told = self.tokens.rights_of_players().is_some_and(|rights| rights <= token_rights);
        let mut links = {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            self.links(addresses.at(now, || addresses::for_others(self.listens_on)))
        };
        links.retain(|link| link.rights <= token_rights);
        Joining { code: self.code().filter(|_| is_told), links }
    }

    /// Whether the relay speaks TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The room code, if there is one.
    pub(crate) fn code(&self) -> Option<String> {
        let code = self.code.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(code.digits().to_owned())
    }

    /// The token of a player, for the room code from this address, which is `None` for the relay's machine;
    /// `None` if no code is needed.
    pub(crate) fn token_for(
        &self,
        code: &str,
        from: Option<IpAddr>,
        now: RelayTime,
    ) -> Option<Result<&Secret, Mistake>> {
        let token = self.tokens.for_players()?;
        let mut own = self.code.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(own.check(code, from, now).map(|()| token))
    }

    /// The addresses for other machines: one for each network, if the relay listens on all.
    pub(crate) fn urls_for_others(&self) -> Vec<String> {
        addresses::for_others(self.listens_on).into_iter().map(|ip| self.url(ip)).collect()
    }

    /// The address at an IP address of this machine.
    pub(crate) fn url(&self, ip: IpAddr) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.listens_on.port()))
    }

    /// The link by which others become players, where other machines can reach the relay.
    pub(crate) fn link_for_players(&self) -> Option<String> {
        if self.listens_on.ip().to_canonical().is_loopback() {
            return None;
        }
        let links = self.links(&addresses::for_others(self.listens_on));
        let players = links.into_iter().find(|link| link.rights >= Rights::Player);
        players.map(|link| link.url)
    }

    /// A link for each kind of rights and each of these addresses for others, those with fewer rights first.
    fn links(&self, for_others: &[IpAddr]) -> Vec<JoinLink> {
        let mut addresses = for_others.to_vec();
        if addresses.is_empty() && !self.listens_on.ip().is_unspecified() {
            addresses.push(self.listens_on.ip());
        }
        let link = |rights, token: Option<&Secret>, ip| {
            let token = token.map(|Secret(token)| format!("token={token}"));
            let fingerprint = self.fingerprint.as_ref().map(|hash| format!("fingerprint={hash}"));
            let fragment: Vec<_> = token.into_iter().chain(fingerprint).collect();
            let mark = if fragment.is_empty() { "" } else { "#" };
            JoinLink { rights, url: format!("{}/{mark}{}", self.url(ip), fragment.join("&")) }
        };
        let for_each = |(rights, token)| {
            addresses.iter().map(move |ip| link(rights, token, *ip)).collect::<Vec<_>>()
        };
        self.tokens.for_links().into_iter().flat_map(for_each).collect()
    }
}

#[cfg(test)]
mod tests;

//! Which relay the session joins, and its search for relays while it has none.

use std::thread;

use downbeat_platform::scheduling;
use downbeat_protocol::Epoch;
use tokio::time::Instant;

use super::session::{HelperEvent, Session};
use crate::{
    event::{FoundRelay, SessionEvent},
    net::{
        address::{RelayAddress, TypedAddress},
        discovery::{Announcement, Discovery},
        room_code::{self, ExchangeError, RoomCode},
    },
    settings::RelayLink,
};

impl Session {
    /// The person has typed an address.
    pub(super) fn set_relay(&mut self, relay: &TypedAddress) {
        self.leave(relay.displayed().to_owned());
        match relay.parse(None, None) {
            Ok(address) => {
                let address = address.with_credentials_of(self.joining.address());
                self.choose(vec![address]);
            }
            Err(error) => self.refuse_address(error.to_string()),
        }
    }

    /// The person has chosen a relay that was found.
    pub(super) fn join_found(&mut self, epoch: Epoch) {
        let Some((relay, addresses)) = self.found_relay(epoch) else { return };
        // The window asks for the room code or the link of such a relay instead. It may have been told so too late.
        if needs_code(&relay, &addresses) {
            return;
        }
        self.leave(relay.address());
        self.choose(addresses);
        self.joining.set_name(relay.name);
    }

    /// The person has entered a room code. It is exchanged for a token on a thread of its own, which may wait for
    /// a relay that does not answer.
    ///
    /// Who announces a relay could take the code, and so can everyone who sees it in the room: it gives no more than
    /// the rights of a player. Over TLS, a certificate must be trusted as for a token.
    pub(super) fn enter_code(&mut self, relay: Option<Epoch>, code: RoomCode) {
        let found = relay.or_else(|| self.only_closed()).and_then(|epoch| self.found_relay(epoch));
        let (relay, displayed, addresses) = match found {
            Some((relay, addresses)) => {
                (Some((relay.epoch, relay.name.clone())), relay.address(), addresses)
            }
            None => {
                let address = self.joining.address();
                (None, address.to_string(), vec![address.clone()])
            }
        };
        self.leave(displayed);
        self.connection.disconnect();
        self.search();
        let number = self.joining.exchange(relay);
        let to_session = self.helper_sender.clone();
        let started = thread::Builder::new().name("downbeat-join".to_owned()).spawn(move || {
            // It inherits the priority of the session, and a person can wait.
            let _ = scheduling::reset_priority();
            let outcome = room_code::exchange(&code, &addresses);
            // Fails only when the session has ended.
            let _ = to_session.blocking_send(HelperEvent::Exchanged(number, outcome));
        });
        if let Err(error) = started {
            let failed = ExchangeError::Failed(error.to_string());
            self.code_exchanged(number, Err(failed));
        }
    }

    /// The only relay that was found, if it needs a token and nobody has said which one it is to be.
    fn only_closed(&self) -> Option<Epoch> {
        let relays = self.discovery.as_ref()?.relays();
        match relays.as_slice() {
            [only] if only.needs_token && self.joining.is_guess() => Some(only.epoch),
            _ => None,
        }
    }

    /// The room code was accepted, or not.
    pub(super) fn code_exchanged(
        &mut self,
        number: u64,
        outcome: Result<RelayAddress, ExchangeError>,
    ) {
        let Some(exchange) = self.joining.exchanged(number) else { return };
        match outcome {
            Ok(address) => {
                self.choose(vec![address]);
                if let Some((_, name)) = exchange.relay {
                    self.joining.set_name(name);
                }
            }
            Err(error) => {
                let relay = exchange.relay.map(|(epoch, _)| epoch);
                self.emit(SessionEvent::CodeRefused { relay, reason: error.to_string() });
            }
        }
    }

    fn found_relay(&self, epoch: Epoch) -> Option<(Announcement, Vec<RelayAddress>)> {
        let relays = self.discovery.as_ref()?.relays();
        let relay = relays.into_iter().find(|relay| relay.epoch == epoch)?;
        Some((relay.clone(), relay.addresses(self.joining.address())))
    }

    fn leave(&mut self, relay: String) {
        self.disconnected();
        self.protocol.forget_relay();
        for update in self.uploads.abandon("another relay was chosen: add it again") {
            self.emit(SessionEvent::Upload(update));
        }
        self.emit(SessionEvent::RelayChanged { relay });
    }

    fn refuse_address(&mut self, reason: String) {
        self.joining.hold();
        self.connection.disconnect();
        self.emit(SessionEvent::InvalidAddress { reason });
        self.search();
    }

    fn choose(&mut self, addresses: Vec<RelayAddress>) {
        self.is_relay_given = false;
        self.joining.choose(addresses);
        self.connection.connect_to(self.joining.address().clone());
    }

    /// There is no relay: the next attempt may be at another address, and the network is searched.
    pub(super) fn without_relay(&mut self) {
        let address = self.joining.lost().clone();
        self.connection.set_address(address);
        self.search();
    }

    /// Searches the network, unless nobody would see or use what is found.
    fn search(&mut self) {
        if self.discovery.is_some() || self.is_relay_given && !self.has_window {
            return;
        }
        match Discovery::start() {
            Ok(discovery) => self.discovery = Some(discovery),
            // A machine without a network has no relay either.
            Err(error) => tracing::info!(error),
        }
    }

    /// The search has found something, or something is gone.
    pub(super) fn relays_changed(&mut self) {
        let Some(discovery) = &self.discovery else { return };
        let relays = discovery.relays();
        self.joining.found(&relays, self.clock.now());
        let moved = self.joining.moved(&relays);
        let found = relays.into_iter().map(|relay| FoundRelay {
            epoch: relay.epoch,
            name: relay.name.clone(),
            address: relay.address(),
            needs_token: needs_code(relay, &relay.addresses(self.joining.address())),
        });
        let found = found.collect();
        self.emit(SessionEvent::RelaysFound(found));
        if let Some(epoch) = moved {
            self.follow(epoch);
        }
    }

    /// Goes on with the relay where it is now.
    fn follow(&mut self, epoch: Epoch) {
        let Some((relay, addresses)) = self.found_relay(epoch) else { return };
        tracing::info!(name = relay.name, address = relay.address(), "the relay has moved");
        self.joining.try_addresses(addresses);
        self.connection.connect_to(self.joining.address().clone());
    }

    /// Joins the only relay that is found, if it is time to.
    pub(super) fn join_alone(&mut self) {
        let Some(epoch) = self.joining.take(self.clock.now()) else { return };
        let Some((relay, addresses)) = self.found_relay(epoch) else { return };
        tracing::info!(name = relay.name, address = relay.address(), "the only relay is joined");
        self.leave(relay.address());
        self.is_relay_given = false;
        self.joining.set_name(relay.name);
        self.joining.try_addresses(addresses);
        self.connection.connect_to(self.joining.address().clone());
    }

    /// A relay has answered: nothing is searched any more, and it is remembered, unless a flag named it.
    pub(super) fn joined(&mut self) {
        self.joining.joined();
        if self.discovery.take().is_some() {
            self.emit(SessionEvent::RelaysFound(Vec::new()));
        }
        if self.has_window && !self.is_relay_given {
            let link = RelayLink(self.joining.address().link());
            self.settings.set_relay(link, Instant::now());
        }
    }
}

/// Whether a relay is joined by its room code or link alone: it needs a token, and none is known for any of its `addresses`.
fn needs_code(relay: &Announcement, addresses: &[RelayAddress]) -> bool {
    relay.needs_token && addresses.iter().all(|address| address.token().is_none())
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::Epoch;

    use super::*;

    #[test]
    fn a_relay_that_needs_a_token_is_joined_without_a_code_only_where_it_was_joined_before() {
        let needs = |needs_token, known: &str| {
            let relay = Announcement::for_test(Epoch(1), "192.168.1.5", needs_token);
            needs_code(&relay, &relay.addresses(&known.parse().unwrap()))
        };
        assert!(!needs(false, "stage"));
        assert!(needs(true, "stage"));
        assert!(needs(true, "192.168.1.6:3000/#token=s3cret"), "that is another one");
        assert!(!needs(true, "192.168.1.5:3000/#token=s3cret"));
    }
}

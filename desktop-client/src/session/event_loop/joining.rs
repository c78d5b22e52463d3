//! Which relay the session joins, and its search for relays while it has none.

use downbeat_platform::{scheduling, supervise};
use downbeat_protocol::Epoch;
use tokio::time::Instant;

use super::{
    super::joining::Exchange,
    session::{HelperEvent, Session},
};
use crate::{
    event::{Access, FoundRelay, SessionEvent},
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
            Err(error) => self.refuse(SessionEvent::InvalidAddress { reason: error.to_string() }),
        }
    }

    /// The person has chosen a relay that was found.
    pub(super) fn join_found(&mut self, epoch: Epoch) {
        let Some((relay, addresses)) = self.found_relay(epoch) else { return };
        // The window asks for the room code or the link of such a relay instead. It may have been told so too late.
        if access(&relay, &addresses) != Access::Open {
            return;
        }
        self.leave(relay.address());
        self.choose(addresses);
        self.joining.set_name(relay.name);
    }

    /// The person has entered a room code. It is exchanged for a token on a thread of its own, which may wait for
    /// a relay that does not answer.
    pub(super) fn enter_code(&mut self, relay: Option<Epoch>, code: RoomCode) {
        if relay.is_none() && self.protocol.own_id().is_some() {
            let reason = "this machine is in the room already: it needs no room code".to_owned();
            self.emit(SessionEvent::Refused { reason });
            return;
        }
        let (displayed, addresses) = match relay.map(|epoch| self.found_relay(epoch)) {
            Some(Some((relay, addresses))) => (relay.address(), addresses),
            Some(None) => {
                let reason = "the relay is gone from this network: choose it again".to_owned();
                self.disconnected();
                self.refuse(SessionEvent::CodeRefused { relay, reason });
                return;
            }
            None => {
                let address = self.joining.address();
                (address.to_string(), vec![address.clone()])
            }
        };
        self.leave(displayed);
        self.connection.disconnect();
        self.search();
        // From here on it is the relay at hand, whatever the code.
        self.is_relay_given = false;
        self.joining.choose(addresses.clone());
        let number = self.joining.exchange(relay);
        let to_session = self.helper_sender.clone();
        let started = supervise::spawn("downbeat-join", move || {
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

    /// The room code was accepted, or not.
    pub(super) fn code_exchanged(
        &mut self,
        number: u64,
        outcome: Result<RelayAddress, ExchangeError>,
    ) {
        let Some(Exchange { relay, .. }) = self.joining.exchanged(number) else { return };
        match outcome {
            Ok(address) => self.choose(vec![address]),
            Err(error) => {
                let reason = error.to_string();
                self.refuse(SessionEvent::CodeRefused { relay, reason });
            }
        }
    }

    /// What the person has entered leads to no relay, for the reason in `refusal`.
    fn refuse(&mut self, refusal: SessionEvent) {
        self.joining.hold();
        self.connection.disconnect();
        self.emit(refusal);
        self.search();
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
            access: access(relay, &relay.addresses(self.joining.address())),
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

/// What it takes to join a relay with these `addresses`.
fn access(relay: &Announcement, addresses: &[RelayAddress]) -> Access {
    let is_known = addresses.iter().any(|address| address.token().is_some());
    let is_trusted = addresses.iter().any(|address| address.fingerprint().is_some());
    match (relay.needs_token && !is_known, relay.is_self_signed() && !is_trusted) {
        (false, _) => Access::Open,
        (true, false) => Access::Code,
        (true, true) => Access::Link,
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::Epoch;

    use super::*;

    #[test]
    fn a_relay_that_needs_a_token_is_joined_without_a_code_only_where_it_was_joined_before() {
        let access = |needs_token, known: &str| {
            let relay = Announcement::for_test(Epoch(1), "192.168.1.5", needs_token);
            access(&relay, &relay.addresses(&known.parse().unwrap()))
        };
        assert_eq!(access(false, "stage"), Access::Open);
        assert_eq!(access(true, "stage"), Access::Code);
        let another = "192.168.1.6:3000/#token=s3cret";
        assert_eq!(access(true, another), Access::Code);
        assert_eq!(access(true, "192.168.1.5:3000/#token=s3cret"), Access::Open);
    }

    #[test]
    fn a_certificate_that_nobody_vouches_for_is_shown_no_code() {
        let access = |known: &str| {
            let relay = Announcement::with_own_certificate_for_test(Epoch(1), "192.168.1.5");
            access(&relay, &relay.addresses(&known.parse().unwrap()))
        };
        assert_eq!(access("stage"), Access::Link);
        let print = "2b".repeat(32);
        let trusted = format!("https://192.168.1.5:3000/#fingerprint={print}");
        assert_eq!(access(&trusted), Access::Code);
        assert_eq!(access(&format!("{trusted}&token=s3cret")), Access::Open);
    }
}

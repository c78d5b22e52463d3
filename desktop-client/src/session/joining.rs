//! Which relay to join: the one that was given or chosen, or the only one that is found.
//!
//! Pure: it takes the time as an argument, and searches for nothing itself.

use downbeat_protocol::Epoch;

use crate::{
    net::{address::RelayAddress, discovery::Announcement},
    time::LocalTime,
};

/// How long a relay must have been the only one before it is joined: others answer within this time.
const ALONE_NANOS: i64 = 1_000_000_000;

/// Which relay to join.
#[derive(Debug)]
pub(super) struct Joining {
    /// Whether nobody said which relay it is to be: the address is only a guess.
    is_guess: bool,
    /// Whether a relay has been joined. Then it is that one, also when it is away for a while.
    has_joined: bool,
    /// The addresses to try in turn. The first one comes from a person or a guess.
    addresses: Vec<RelayAddress>,
    /// The place of the one that is tried.
    tried: usize,
    /// The only relay that is found, and since when.
    alone: Option<(Epoch, LocalTime)>,
    /// The relay that was joined without being asked for.
    taken: Option<Epoch>,
    /// The name of the relay that is tried, if it was found.
    name: Option<String>,
    /// The room code that is being exchanged for a token.
    exchange: Option<Exchange>,
    /// The number of the last exchange.
    exchanges: u64,
}

/// A room code that is being exchanged for a token.
#[derive(Debug)]
pub(super) struct Exchange {
    number: u64,
    /// The relay that is to let this machine in, if it was found.
    pub(super) relay: Option<Epoch>,
}

impl Joining {
    /// To join the relay at this address; or, if that is only a guess, the only one that is found instead.
    pub(super) fn new(address: RelayAddress, is_guess: bool) -> Self {
        Self {
            is_guess,
            has_joined: false,
            addresses: vec![address],
            tried: 0,
            alone: None,
            taken: None,
            name: None,
            exchange: None,
            exchanges: 0,
        }
    }

    /// A person has chosen the relay with these addresses, one or more. That always wins.
    pub(super) fn choose(&mut self, addresses: Vec<RelayAddress>) {
        let exchanges = self.exchanges;
        *self = Self { addresses, exchanges, ..Self::new(self.address().clone(), false) };
    }

    /// A person has entered the room code of this relay, which may have been found. Returns the number of the
    /// exchange.
    pub(super) fn exchange(&mut self, relay: Option<Epoch>) -> u64 {
        self.hold();
        self.exchanges += 1;
        self.exchange = Some(Exchange { number: self.exchanges, relay });
        self.exchanges
    }

    /// The exchange of this number has ended. None if the person has chosen otherwise since.
    pub(super) fn exchanged(&mut self, number: u64) -> Option<Exchange> {
        self.exchange.take_if(|exchange| exchange.number == number)
    }

    /// A person has said something that is no address: nothing else is joined instead.
    pub(super) fn hold(&mut self) {
        self.is_guess = false;
        self.exchange = None;
    }

    /// The address that is tried.
    pub(super) fn address(&self) -> &RelayAddress {
        // There is at least one, and `tried` stays below their number.
        &self.addresses[self.tried]
    }

    /// These relays are found.
    pub(super) fn found(&mut self, relays: &[&Announcement], now: LocalTime) {
        self.alone = match relays {
            // One that needs a token is joined by its link.
            [only] if !only.needs_token => {
                let known = self.alone.filter(|(epoch, _)| *epoch == only.epoch);
                Some(known.unwrap_or((only.epoch, now)))
            }
            _ => None,
        };
    }

    /// When [`Joining::take`] is due, if it is.
    pub(super) fn due(&self) -> Option<LocalTime> {
        let (epoch, since) = self.alone?;
        let may = self.is_guess && !self.has_joined && self.taken != Some(epoch);
        may.then(|| since.plus_nanos(ALONE_NANOS))
    }

    /// The relay to join by itself by now, if there is one; once. [`Joining::try_addresses`] follows.
    pub(super) fn take(&mut self, now: LocalTime) -> Option<Epoch> {
        self.due().filter(|due| *due <= now)?;
        let (epoch, _) = self.alone?;
        self.taken = Some(epoch);
        Some(epoch)
    }

    /// Where the relay of this name, which was found, is now, if it has moved: an address that was lent to it may
    /// be another one after a year. [`Joining::try_addresses`] follows.
    ///
    /// Without a token, then and now: who announces a name proves nothing. An impostor would be sent the token, or
    /// take the place of a relay that needs one.
    pub(super) fn moved(&self, relays: &[&Announcement]) -> Option<Epoch> {
        let may = self.has_joined && self.address().token().is_none();
        let name = self.name.as_ref().filter(|_| may)?;
        let has_moved = |relay: &&&Announcement| {
            relay.name == *name
                && !relay.needs_token
                && !relay.addresses(self.address()).contains(self.address())
        };
        relays.iter().find(has_moved).map(|relay| relay.epoch)
    }

    /// The relay that is tried was found, and has this name.
    pub(super) fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    /// Tries these addresses before the one that was tried last.
    pub(super) fn try_addresses(&mut self, addresses: Vec<RelayAddress>) {
        self.has_joined = false;
        let guess = self.addresses.pop();
        self.addresses = addresses;
        self.addresses.extend(guess);
        self.tried = 0;
    }

    /// The attempt has failed, or the connection is lost: the address of the next attempt.
    pub(super) fn lost(&mut self) -> &RelayAddress {
        if !self.has_joined {
            self.tried = (self.tried + 1) % self.addresses.len();
        }
        self.address()
    }

    /// A relay has answered.
    pub(super) fn joined(&mut self) {
        self.has_joined = true;
        self.is_guess = false;
        self.alone = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> LocalTime {
        LocalTime::from_nanos(millis * 1_000_000)
    }

    fn address(text: &str) -> RelayAddress {
        text.parse().unwrap()
    }

    fn relay(epoch: u64, needs_token: bool) -> Announcement {
        Announcement::for_test(Epoch(epoch), "192.168.1.5", needs_token)
    }

    fn guess() -> Joining {
        Joining::new(address("127.0.0.1"), true)
    }

    #[test]
    fn the_only_relay_is_joined_once_it_has_been_alone_for_a_second() {
        let mut joining = guess();
        assert_eq!(joining.take(at(0)), None);
        let first = relay(1, false);
        joining.found(&[&first], at(100));
        joining.found(&[&first], at(900));
        assert_eq!(joining.due(), Some(at(1100)));
        assert_eq!(joining.take(at(1099)), None);
        assert_eq!(joining.take(at(1100)), Some(Epoch(1)));
        joining.try_addresses(vec![address("192.168.1.5"), address("10.0.0.5")]);
        assert_eq!(joining.address(), &address("192.168.1.5"));
        // Its addresses and the guess take turns until one answers.
        assert_eq!(joining.lost(), &address("10.0.0.5"));
        assert_eq!(joining.lost(), &address("127.0.0.1"));
        assert_eq!(joining.lost(), &address("192.168.1.5"));
        assert_eq!(joining.take(at(9000)), None, "it was taken already");
        joining.joined();
        assert_eq!(joining.lost(), &address("192.168.1.5"));
        joining.found(&[&relay(2, false)], at(10_000));
        assert_eq!(joining.due(), None, "another one is not joined instead");
    }

    #[test]
    fn of_several_none_is_joined_and_neither_is_one_that_needs_a_token() {
        let mut joining = guess();
        let (first, second, closed) = (relay(1, false), relay(2, false), relay(3, true));
        joining.found(&[&first], at(0));
        joining.found(&[&first, &second], at(500));
        assert_eq!(joining.due(), None);
        joining.found(&[&closed], at(600));
        assert_eq!(joining.due(), None);
        joining.found(&[&second], at(700));
        assert_eq!(joining.due(), Some(at(1700)));
    }

    #[test]
    fn a_relay_that_has_restarted_is_joined_again_if_it_was_not_reached() {
        let mut joining = guess();
        joining.found(&[&relay(1, false)], at(0));
        assert_eq!(joining.take(at(1000)), Some(Epoch(1)));
        joining.try_addresses(vec![address("192.168.1.5")]);
        joining.found(&[&relay(2, false)], at(2000));
        assert_eq!(joining.take(at(3000)), Some(Epoch(2)));
        joining.try_addresses(vec![address("192.168.1.6")]);
        assert_eq!(joining.address(), &address("192.168.1.6"));
        assert_eq!(joining.lost(), &address("127.0.0.1"), "the guess is kept");
    }

    #[test]
    fn a_relay_that_has_moved_is_found_by_its_name() {
        let mut joining = guess();
        let (home, elsewhere) =
            (relay(1, false), Announcement::for_test(Epoch(2), "10.0.0.9", false));
        joining.set_name("Studio".to_owned());
        joining.try_addresses(vec![address("http://192.168.1.5:3000")]);
        assert_eq!(joining.moved(&[&elsewhere]), None, "it has never answered here");
        joining.joined();
        assert_eq!(joining.moved(&[&home]), None, "it is where it was");
        assert_eq!(joining.moved(&[&elsewhere]), Some(Epoch(2)));
        let closed = Announcement::for_test(Epoch(2), "10.0.0.9", true);
        assert_eq!(joining.moved(&[&closed]), None, "a stranger would be sent the token");
        joining.try_addresses(vec![address("10.0.0.9")]);
        assert_eq!(joining.address(), &address("10.0.0.9"));
        let mut secret = guess();
        secret.choose(vec![address("192.168.1.5#token=s3cret")]);
        secret.set_name("Studio".to_owned());
        secret.joined();
        assert_eq!(secret.moved(&[&elsewhere]), None, "an impostor would take its place");
        // An address that a person has typed is kept.
        joining.choose(vec![address("192.168.1.5")]);
        joining.joined();
        assert_eq!(joining.moved(&[&elsewhere]), None);
    }

    #[test]
    fn only_the_last_room_code_counts_and_none_once_the_person_has_chosen_otherwise() {
        let mut joining = guess();
        let first = joining.exchange(None);
        let second = joining.exchange(Some(Epoch(1)));
        assert!(joining.exchanged(first).is_none());
        assert_eq!(joining.exchanged(second).map(|ended| ended.relay), Some(Some(Epoch(1))));
        assert!(joining.exchanged(second).is_none(), "it has ended once");
        // Nothing is joined by itself while a person enters codes.
        joining.found(&[&relay(2, false)], at(0));
        assert_eq!(joining.due(), None);
        let third = joining.exchange(None);
        joining.choose(vec![address("lab")]);
        assert!(joining.exchanged(third).is_none());
        let fourth = joining.exchange(None);
        assert_ne!(third, fourth);
        joining.hold();
        assert!(joining.exchanged(fourth).is_none());
    }

    #[test]
    fn what_a_person_says_always_wins() {
        let mut given = Joining::new(address("lab"), false);
        given.found(&[&relay(1, false)], at(0));
        assert_eq!(given.due(), None);
        let mut joining = guess();
        joining.choose(vec![address("lab")]);
        joining.found(&[&relay(1, false)], at(0));
        assert_eq!((joining.due(), joining.address()), (None, &address("lab")));
        assert_eq!(joining.lost(), &address("lab"));
        let mut mistyped = guess();
        mistyped.hold();
        mistyped.found(&[&relay(1, false)], at(0));
        assert_eq!(mistyped.due(), None);
    }
}

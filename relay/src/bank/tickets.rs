//! Tickets for uploads: who may send which file, and how much is on its way.
//!
//! A ticket is given before a file is sent, for its size, so that what would not fit is refused before. It ends a
//! minute after the last byte, with its file in the bank, or with the connection of its client. Pure: the caller
//! passes the time.

use std::{collections::BTreeMap, fmt, time::Duration};

use downbeat_protocol::{ClientId, ErrorCode, Refusal, RelayTime};

use super::space::{MAX_BANK_BYTES, MAX_SOUNDS, Space};

/// Most tickets of one client, and of all. A client that sends many files asks for the next ticket when a file has
/// arrived.
const MAX_TICKETS_OF_CLIENT: usize = 8;
const MAX_TICKETS: usize = 64;

/// How long a ticket waits for the next byte.
const LIFETIME: Duration = Duration::from_mins(1);

/// Identifies a ticket. Who knows it can use it, so it is random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TicketId(pub(crate) u128);

impl TicketId {
    /// The ticket that a path ends with.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_number =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_number.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a secret.
        f.write_str("TicketId")
    }
}

/// Why a file is not taken for a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// There is no such ticket, or not any more.
    Unknown,
    /// The file is larger than announced.
    TooLarge {
        /// The size that was announced.
        announced: u64,
    },
    /// The file is smaller than announced.
    TooSmall {
        /// The size that was announced.
        announced: u64,
    },
    /// The file has arrived and is being checked, or another request sends it now.
    Busy,
}

#[derive(Debug)]
struct Ticket {
    client: ClientId,
    name: String,
    bytes: u64,
    last_byte: RelayTime,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// Which attempt sends the file.
    Receiving(u64),
    /// All of it is here.
    Checking,
}

/// The tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    tickets: BTreeMap<TicketId, Ticket>,
    attempts: u64,
}

impl Tickets {
    /// Gives a ticket for a file of so many `bytes`, if there is `space` for it beside those of other tickets.
    ///
    /// # Errors
    /// If there is not, or there are too many tickets.
    pub(crate) fn give(
        &mut self,
        id: TicketId,
        client: ClientId,
        (name, bytes): (String, u64),
        space: Space,
        now: RelayTime,
    ) -> Result<(), Refusal> {
        self.expire(now);
        let full = |message: String| Err(Refusal { code: ErrorCode::Full, message, ack: None });
        if self.tickets.values().filter(|ticket| ticket.client == client).count()
            >= MAX_TICKETS_OF_CLIENT
        {
            return full(format!(
                "you have {MAX_TICKETS_OF_CLIENT} uploads already: send their files first, or wait a minute"
            ));
        }
        if self.tickets.len() >= MAX_TICKETS {
            return full(format!("there are {MAX_TICKETS} uploads already: try again in a minute"));
        }
        if self.tickets.len() >= space.sounds {
            return full(format!("the bank has {MAX_SOUNDS} sounds: remove some first"));
        }
        let on_their_way: u64 = self.tickets.values().map(|ticket| ticket.bytes).sum();
        let left = space.bytes.saturating_sub(on_their_way);
        if bytes > left {
            return full(format!(
                "the bank has space for {left} of its {MAX_BANK_BYTES} bytes: remove sounds first, or send a \
                 smaller file"
            ));
        }
        let ticket = Ticket { client, name, bytes, last_byte: now, stage: Stage::Waiting };
        self.tickets.insert(id, ticket);
        Ok(())
    }

    /// Begins to receive a file of so many `bytes`; returns the number of the attempt. It replaces an earlier one,
    /// whose connection may be lost without a sign of it.
    ///
    /// # Errors
    /// If it is not taken.
    pub(crate) fn begin(
        &mut self,
        id: TicketId,
        bytes: u64,
        now: RelayTime,
    ) -> Result<u64, NotTaken> {
        self.expire(now);
        let ticket = self.tickets.get_mut(&id).ok_or(NotTaken::Unknown)?;
        let announced = ticket.bytes;
        match bytes.cmp(&announced) {
            std::cmp::Ordering::Greater => return Err(NotTaken::TooLarge { announced }),
            std::cmp::Ordering::Less => return Err(NotTaken::TooSmall { announced }),
            std::cmp::Ordering::Equal => {}
        }
        if ticket.stage == Stage::Checking {
            return Err(NotTaken::Busy);
        }
        self.attempts += 1;
        ticket.stage = Stage::Receiving(self.attempts);
        ticket.last_byte = now;
        Ok(self.attempts)
    }

    /// Bytes have arrived.
    ///
    /// # Errors
    /// If the attempt was replaced, or its ticket has ended.
    pub(crate) fn receive(
        &mut self,
        id: TicketId,
        attempt: u64,
        now: RelayTime,
    ) -> Result<(), NotTaken> {
        let ticket = self.of_attempt(id, attempt)?;
        ticket.last_byte = now;
        Ok(())
    }

    /// All of a file has arrived; returns the name of the sound. The ticket stays until [`end`](Self::end).
    ///
    /// # Errors
    /// If the attempt was replaced, or its ticket has ended.
    pub(crate) fn complete(&mut self, id: TicketId, attempt: u64) -> Result<String, NotTaken> {
        let ticket = self.of_attempt(id, attempt)?;
        ticket.stage = Stage::Checking;
        Ok(ticket.name.clone())
    }

    /// An attempt has ended before its file had arrived. It can be sent again.
    pub(crate) fn interrupt(&mut self, id: TicketId, attempt: u64) {
        if let Ok(ticket) = self.of_attempt(id, attempt) {
            ticket.stage = Stage::Waiting;
        }
    }

    fn of_attempt(&mut self, id: TicketId, attempt: u64) -> Result<&mut Ticket, NotTaken> {
        let ticket = self.tickets.get_mut(&id).ok_or(NotTaken::Unknown)?;
        if ticket.stage == Stage::Receiving(attempt) { Ok(ticket) } else { Err(NotTaken::Busy) }
    }

    /// Ends a ticket.
    pub(crate) fn end(&mut self, id: TicketId) {
        self.tickets.remove(&id);
    }

    /// Ends the tickets of a client that has left, or may not upload any more. A file that has arrived still becomes a
    /// sound. Returns whether there was one.
    pub(crate) fn end_of(&mut self, client: ClientId) -> bool {
        let before = self.tickets.len();
        self.tickets.retain(|_, ticket| ticket.client != client || ticket.stage == Stage::Checking);
        self.tickets.len() < before
    }

    fn expire(&mut self, now: RelayTime) {
        self.tickets.retain(|_, ticket| {
            ticket.stage == Stage::Checking
                || now.micros_since(ticket.last_byte) < LIFETIME.as_micros() as i64
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Space = Space { sounds: 1000, bytes: 1000 };

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    fn give(
        tickets: &mut Tickets,
        id: u128,
        client: u32,
        bytes: u64,
        seconds: u64,
    ) -> Result<(), String> {
        let what = (format!("s{id}"), bytes);
        let given = tickets.give(TicketId(id), ClientId(client), what, PLENTY, at(seconds));
        given.map_err(|refusal| {
            assert_eq!(refusal.code, ErrorCode::Full);
            refusal.message
        })
    }

    #[test]
    fn a_file_is_sent_once() {
        let mut tickets = Tickets::default();
        let id = TicketId(7);
        assert_eq!(tickets.begin(id, 10, at(0)), Err(NotTaken::Unknown));
        give(&mut tickets, 7, 1, 10, 0).unwrap();
        assert_eq!(tickets.begin(id, 11, at(0)), Err(NotTaken::TooLarge { announced: 10 }));
        assert_eq!(tickets.begin(id, 9, at(0)), Err(NotTaken::TooSmall { announced: 10 }));
        let attempt = tickets.begin(id, 10, at(1)).unwrap();
        tickets.receive(id, attempt, at(2)).unwrap();
        assert_eq!(tickets.complete(id, attempt), Ok("s7".into()));
        assert_eq!(tickets.begin(id, 10, at(3)), Err(NotTaken::Busy), "it is being checked");
        tickets.end(id);
        assert_eq!(tickets.begin(id, 10, at(3)), Err(NotTaken::Unknown), "it is used up");
    }

    #[test]
    fn a_file_can_be_sent_again_and_the_last_attempt_counts() {
        let mut tickets = Tickets::default();
        let id = TicketId(7);
        give(&mut tickets, 7, 1, 10, 0).unwrap();
        let first = tickets.begin(id, 10, at(1)).unwrap();
        tickets.interrupt(id, first);
        let second = tickets.begin(id, 10, at(2)).unwrap();
        let third = tickets.begin(id, 10, at(3)).unwrap();
        assert_eq!(tickets.receive(id, second, at(4)), Err(NotTaken::Busy));
        // The end of the one that was replaced changes nothing.
        tickets.interrupt(id, second);
        tickets.receive(id, third, at(4)).unwrap();
        assert_eq!(tickets.complete(id, second), Err(NotTaken::Busy));
        assert!(tickets.complete(id, third).is_ok());
    }

    #[test]
    fn a_ticket_ends_a_minute_after_the_last_byte_or_with_its_client() {
        let mut tickets = Tickets::default();
        let id = TicketId(7);
        give(&mut tickets, 7, 1, 10, 0).unwrap();
        let attempt = tickets.begin(id, 10, at(59)).unwrap();
        tickets.receive(id, attempt, at(100)).unwrap();
        tickets.interrupt(id, attempt);
        assert_eq!(tickets.begin(id, 10, at(160)), Err(NotTaken::Unknown));

        give(&mut tickets, 8, 1, 10, 200).unwrap();
        give(&mut tickets, 9, 1, 10, 200).unwrap();
        give(&mut tickets, 10, 2, 10, 200).unwrap();
        let attempt = tickets.begin(TicketId(8), 10, at(200)).unwrap();
        let arrived = tickets.begin(TicketId(9), 10, at(200)).unwrap();
        tickets.complete(TicketId(9), arrived).unwrap();
        assert!(tickets.end_of(ClientId(1)));
        assert!(!tickets.end_of(ClientId(1)));
        assert_eq!(tickets.receive(TicketId(8), attempt, at(201)), Err(NotTaken::Unknown));
        assert_eq!(
            tickets.begin(TicketId(9), 10, at(900)),
            Err(NotTaken::Busy),
            "it still arrives"
        );
        assert_eq!(tickets.begin(TicketId(10), 10, at(900)), Err(NotTaken::Unknown), "too late");
    }

    #[test]
    fn tickets_are_bounded_and_time_makes_space() {
        let mut tickets = Tickets::default();
        for id in 0..8 {
            give(&mut tickets, id, 1, 1, 0).unwrap();
        }
        assert!(give(&mut tickets, 8, 1, 1, 0).unwrap_err().contains("you have 8 uploads"));
        for id in 8..64 {
            give(&mut tickets, id, id as u32, 1, 0).unwrap();
        }
        assert!(give(&mut tickets, 64, 999, 1, 0).unwrap_err().contains("there are 64 uploads"));
        // Begun and never ended, again and again.
        for round in 1..200 {
            for id in 0..64 {
                give(&mut tickets, round * 64 + id, id as u32, 1, round as u64 * 60).unwrap();
            }
        }
        assert_eq!(tickets.tickets.len(), 64);
    }

    #[test]
    fn what_would_not_fit_is_refused_before_it_is_sent() {
        let mut tickets = Tickets::default();
        give(&mut tickets, 1, 1, 600, 0).unwrap();
        let message = give(&mut tickets, 2, 1, 401, 0).unwrap_err();
        assert!(message.contains("space for 400 of its"), "{message}");
        give(&mut tickets, 2, 1, 400, 0).unwrap();
        tickets.end(TicketId(1));
        give(&mut tickets, 3, 1, 600, 0).unwrap();
        let none = Space { sounds: 2, bytes: 1000 };
        let refused = tickets.give(TicketId(4), ClientId(2), ("x".into(), 0), none, at(0));
        assert!(refused.unwrap_err().message.contains("remove some first"));
    }

    #[test]
    fn only_what_the_relay_writes_is_the_number_of_a_ticket() {
        let id = TicketId(0x6f1e_d002_ab55_9585_9014_ebf0_9515_22d9);
        assert_eq!(id.to_string(), "6f1ed002ab5595859014ebf0951522d9");
        assert_eq!(TicketId::parse(&id.to_string()), Some(id));
        assert_eq!(TicketId::parse(&TicketId(1).to_string()), Some(TicketId(1)));
        for text in [
            "",
            "1",
            "+f1ed002ab5595859014ebf0951522d9",
            "6F1ED002AB5595859014EBF0951522D9",
            "..",
            "../x",
        ] {
            assert_eq!(TicketId::parse(text), None, "{text}");
        }
        assert!(!format!("{id:?}").contains("6f1"));
    }
}

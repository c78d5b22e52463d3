//! What is wrong with the clients, as far as this machine knows them.

use std::time::Duration;

use downbeat_protocol::{MachineEntry, RosterEntry};

use super::{
    State,
    trouble::{Bank, Known, Trouble, troubles},
};
use crate::time::LocalTime;

impl State {
    /// The troubles of a client of the watched room, the worst first.
    #[must_use]
    pub fn troubles(&self, client: &MachineEntry, now: LocalTime) -> Vec<Trouble> {
        troubles(self.known_of(client), self.expected_bank(), now)
    }

    /// The troubles of a listed client, as far as this machine knows, the worst first.
    #[must_use]
    pub fn troubles_of_listed(&self, client: &RosterEntry, now: LocalTime) -> Vec<Trouble> {
        let is_own = self.own_id() == Some(client.id);
        let known = match self.room.as_ref().and_then(|room| room.client(client.id)) {
            Some(watched) => self.known_of(watched),
            None => Known {
                kind: client.kind,
                client: None,
                straggler: client.straggler,
                report: self.report.as_ref().filter(|_| is_own),
                incidents: Some(&self.own_incidents).filter(|_| is_own),
            },
        };
        // The list may come before the change of the machine.
        let known = Known { straggler: known.straggler || client.straggler, ..known };
        troubles(known, self.expected_bank(), now)
    }

    fn known_of<'a>(&'a self, client: &'a MachineEntry) -> Known<'a> {
        Known {
            kind: client.kind,
            client: Some(&client.client),
            straggler: client.straggler,
            report: client.report.as_ref(),
            incidents: self.room.as_ref().and_then(|room| room.incidents(client.id)),
        }
    }

    /// How long it is until a trouble is over because nothing new has happened.
    #[must_use]
    pub fn trouble_fades_in(&self, now: LocalTime) -> Option<Duration> {
        let room = self.room.as_ref().and_then(|room| room.fades_in(now));
        let nanos = room.into_iter().chain(self.own_incidents.fades_in(now)).min()?;
        Some(Duration::from_nanos(nanos.unsigned_abs()))
    }

    fn expected_bank(&self) -> Bank {
        let sounds = u32::try_from(self.bank.len()).unwrap_or(u32::MAX);
        Bank { number: self.bank_number, sounds }
    }
}

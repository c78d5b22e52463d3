//! Who is here: the list that each client keeps, and the changes by which the relay keeps it true.

use serde::{Deserialize, Serialize};

use crate::{
    message::{ClientId, ClientKind, Report},
    name,
};

/// Who is here, and the lead of the room, as a client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// The first of them, in the order in which they came (see [`crate::ROSTER_ENTRIES`]); at a
    /// client, also itself.
    pub clients: Vec<RosterEntry>,
    /// From a bang's arrival at the relay to its sound.
    pub lead_micros: u32,
}

/// One client of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// Its number.
    pub id: ClientId,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// Its last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// Its need is beyond what the room can wait for: it joins each sound in the middle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub straggler: bool,
}

/// What has changed in a [`Roster`], of which the one in the welcome is the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterChange {
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// Those that are listed anew or have changed, each whole.
    pub clients: Vec<RosterEntry>,
    /// Those that are listed no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ClientId>,
    /// From a bang's arrival at the relay to its sound.
    pub lead_micros: u32,
}

impl Roster {
    /// The client of this number, if it is listed.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<&RosterEntry> {
        self.place(id).ok().map(|place| &self.clients[place])
    }

    /// Takes in what has changed.
    pub fn update(&mut self, change: RosterChange) {
        self.total = change.total;
        self.lead_micros = change.lead_micros;
        self.clients.retain(|client| !change.left.contains(&client.id));
        for client in change.clients {
            match self.place(client.id) {
                Ok(place) => self.clients[place] = client,
                Err(place) => self.clients.insert(place, client),
            }
        }
    }

    /// What has changed since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> RosterChange {
        let is_new = |client: &&RosterEntry| before.get(client.id) != Some(client);
        let listed_before = before.clients.iter().map(|client| client.id);
        RosterChange {
            total: self.total,
            clients: self.clients.iter().filter(is_new).cloned().collect(),
            left: listed_before.filter(|id| self.get(*id).is_none()).collect(),
            lead_micros: self.lead_micros,
        }
    }

    /// Where a client stands, or would: numbers are given in the order in which clients come.
    fn place(&self, id: ClientId) -> Result<usize, usize> {
        self.clients.binary_search_by_key(&id, |client| client.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(clients: &[(u32, bool)]) -> Roster {
        let clients = clients.iter().map(|&(id, straggler)| RosterEntry {
            id: ClientId(id),
            name: format!("m{id}"),
            kind: ClientKind::Window,
            report: None,
            straggler,
        });
        Roster { total: 9, clients: clients.collect(), lead_micros: 14_200 }
    }

    #[test]
    fn a_change_makes_of_the_roster_before_the_one_after() {
        let rosters = [
            roster(&[]),
            roster(&[(1, false), (3, false), (7, false)]),
            roster(&[(1, false), (3, true), (4, false)]),
            roster(&[(4, false), (9, true)]),
        ];
        for before in &rosters {
            for after in &rosters {
                let mut known = before.clone();
                known.update(after.since(before));
                assert_eq!(&known, after);
            }
        }
        let change = rosters[2].since(&rosters[1]);
        assert_eq!(
            change.clients,
            rosters[2].clients[1..],
            "what stays as it is is not told again"
        );
        assert_eq!(change.left, [ClientId(7)]);
    }
}

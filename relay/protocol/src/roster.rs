//! The roster: the list of clients that each client keeps, and the changes by which the relay updates it.

use serde::{Deserialize, Serialize};

use crate::{
    client::{ClientId, ClientKind},
    name,
};

/// Most clients that a roster lists. Beyond them it only counts, and each client is sent its own entry: a room of
/// thousands would otherwise send every client the names of all others.
pub const MAX_ROSTER_ENTRIES: usize = 64;

/// The clients and the lead, as a client knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// The first of them, at most [`MAX_ROSTER_ENTRIES`], in the order in which they connected; on a client,
    /// also itself.
    pub clients: Vec<RosterEntry>,
    /// The lead: from a trigger's arrival at the relay to its instant.
    pub lead_micros: u32,
}

/// A client in a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// Its number.
    pub id: ClientId,
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// Its kind.
    pub kind: ClientKind,
    /// It plays: it has an output and knows relay time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plays: bool,
    /// Its seat, from 1: the order of a stagger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<u16>,
    /// Its tags: the groups that a target can name.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// It needs more lead than the room waits for, and starts each sound late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub straggler: bool,
}

/// A change of a [`Roster`]. The first one changes the roster of the welcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterChange {
    /// How many clients are connected, on either wire.
    pub total: u32,
    /// Entries that are new or have changed.
    pub clients: Vec<RosterEntry>,
    /// Clients that are no longer listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<ClientId>,
    /// The lead: from a trigger's arrival at the relay to its instant.
    pub lead_micros: u32,
}

impl Roster {
    /// The client of this number, if it is listed.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<&RosterEntry> {
        self.index(id).ok().map(|index| &self.clients[index])
    }

    /// Applies a change.
    pub fn update(&mut self, change: RosterChange) {
        self.total = change.total;
        self.lead_micros = change.lead_micros;
        self.clients.retain(|client| !change.left.contains(&client.id));
        for client in change.clients {
            match self.index(client.id) {
                Ok(index) => self.clients[index] = client,
                Err(index) => self.clients.insert(index, client),
            }
        }
    }

    /// The change from `before` to this roster.
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

    /// The index of a client, or where it would be inserted: numbers increase in the order of the list.
    fn index(&self, id: ClientId) -> Result<usize, usize> {
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
            plays: false,
            seat: None,
            tags: Vec::new(),
            straggler,
        });
        Roster { total: 9, clients: clients.collect(), lead_micros: 14_200 }
    }

    #[test]
    fn a_change_turns_one_roster_into_the_other() {
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
        assert_eq!(change.clients, rosters[2].clients[1..], "unchanged entries are not repeated");
        assert_eq!(change.left, [ClientId(7)]);
    }
}

//! The machines of which something is kept: what was assigned to them, and that they have values of variables.
//! They are known again when they reconnect, and after a restart.
//!
//! Pure: it knows no sockets and no disk. Nothing is found by a name: two machines may have the same.

mod assigned;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use downbeat_protocol::{AwayEntry, ClientId, MachineId, MachineNumber};

use crate::store::{Assigned, StoredMachine, Write};

/// Most machines of which something is kept: beyond that, others are forgotten.
const MAX_MACHINES: usize = 4096;

/// Most clients of one machine: a window, and some tabs of a browser. A request about the machine is told to each
/// of them, and so would cost as many messages as somebody opens connections.
const MAX_CLIENTS: usize = 8;

#[derive(Debug)]
struct Machine {
    number: MachineNumber,
    /// The last that its clients said.
    name: String,
    assigned: Arc<Assigned>,
    /// A conductor has assigned some of it. Such a machine is not forgotten for one of which all is its own.
    by_conductor: bool,
    /// When it was last seen: larger is later.
    seen: u64,
}

impl Machine {
    fn name(&self) -> &str {
        self.assigned.name.as_ref().unwrap_or(&self.name)
    }
}

/// A machine that may be forgotten for another one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Forgettable {
    /// The smallest is forgotten first: whether a conductor has assigned some of it, whether it is here, and when it
    /// was last seen.
    order: Reverse<(bool, bool, u64)>,
    pub(super) id: MachineId,
    pub(super) is_away: bool,
}

/// The machines, by the secret number that they send.
#[derive(Debug, Default)]
pub(super) struct Machines {
    by_id: HashMap<MachineId, Machine>,
    /// The same, by the number that others know.
    numbers: BTreeMap<MachineNumber, MachineId>,
    /// The clients of each machine that are connected, whether something is kept of it or not.
    clients: HashMap<MachineId, Vec<ClientId>>,
    last_number: u32,
    last_seen: u64,
    /// Grows with each change of what [`Self::away`] returns.
    revision: u64,
}

impl Machines {
    /// The machines of an earlier run, the one that was seen last at the end. Returns those beyond the limit.
    pub(super) fn restore(&mut self, stored: Vec<StoredMachine>) -> Vec<MachineId> {
        let too_many = stored.len().saturating_sub(MAX_MACHINES);
        let mut stored = stored.into_iter();
        let forgotten = stored.by_ref().take(too_many).map(|stored| stored.machine).collect();
        for StoredMachine { machine, name, assigned, by_conductor } in stored {
            self.insert(machine, &name, assigned);
            if let Some(machine) = self.by_id.get_mut(&machine) {
                machine.by_conductor = by_conductor;
            }
        }
        forgotten
    }

    fn insert(&mut self, id: MachineId, name: &str, assigned: Arc<Assigned>) {
        self.last_number += 1;
        self.last_seen += 1;
        self.revision += 1;
        let (number, seen) = (MachineNumber(self.last_number), self.last_seen);
        let (name, by_conductor) = (name.to_owned(), false);
        let machine = Machine { number, name, assigned, by_conductor, seen };
        self.by_id.insert(id, machine);
        self.numbers.insert(number, id);
    }

    /// Whether another client may be one of a machine.
    pub(super) fn takes_client(&self, id: MachineId) -> bool {
        self.clients(id).len() < MAX_CLIENTS
    }

    /// Records that a client of a machine has come; returns what was assigned to it, if anything is kept of it.
    pub(super) fn enter(
        &mut self,
        id: MachineId,
        client: ClientId,
        name: &str,
    ) -> Option<Arc<Assigned>> {
        self.clients.entry(id).or_default().push(client);
        let machine = self.by_id.get_mut(&id)?;
        name.clone_into(&mut machine.name);
        self.last_seen += 1;
        machine.seen = self.last_seen;
        self.revision += 1;
        Some(machine.assigned.clone())
    }

    /// Records that a client of a machine has gone.
    pub(super) fn leave(&mut self, id: MachineId, client: ClientId) {
        if let Some(clients) = self.clients.get_mut(&id) {
            clients.retain(|other| *other != client);
            if clients.is_empty() {
                self.clients.remove(&id);
            }
        }
        if let Some(machine) = self.by_id.get_mut(&id) {
            self.last_seen += 1;
            machine.seen = self.last_seen;
            self.revision += 1;
        }
    }

    /// Whether something is kept of a machine.
    pub(super) fn keeps(&self, id: MachineId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The number of a machine, if something is kept of it.
    pub(super) fn number(&self, id: MachineId) -> Option<MachineNumber> {
        Some(self.by_id.get(&id)?.number)
    }

    /// The machine of a number.
    pub(super) fn of_number(&self, number: MachineNumber) -> Option<MachineId> {
        self.numbers.get(&number).copied()
    }

    /// What was assigned to a machine, if anything is kept of it.
    pub(super) fn assigned(&self, id: MachineId) -> Option<&Arc<Assigned>> {
        Some(&self.by_id.get(&id)?.assigned)
    }

    /// The clients of a machine that are connected.
    pub(super) fn clients(&self, id: MachineId) -> &[ClientId] {
        self.clients.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Begins to keep something of a machine.
    pub(super) fn keep(&mut self, id: MachineId, name: &str) {
        if !self.keeps(id) {
            self.insert(id, name, Arc::default());
        }
    }

    /// Assigns to a machine of which something is kept; `by_conductor` if a conductor does it.
    pub(super) fn assign(&mut self, id: MachineId, assigned: Arc<Assigned>, by_conductor: bool) {
        if let Some(machine) = self.by_id.get_mut(&id) {
            machine.assigned = assigned;
            machine.by_conductor |= by_conductor;
            self.revision += 1;
        }
    }

    /// How many are to be forgotten before something is kept of `more` machines.
    pub(super) fn lacking(&self, more: usize) -> usize {
        (self.by_id.len() + more).saturating_sub(MAX_MACHINES)
    }

    /// The machines that may be forgotten for others, with the one to forget first at the top, and whether each is
    /// away. Of which all is their own and which are away come first. Others may be forgotten for a conductor only:
    /// who may not assign could otherwise replace all by machines of its invention. And those may be forgotten for a
    /// conductor while they are here: otherwise inventions that stay would leave it no space.
    pub(super) fn forgettable(&self, for_conductor: bool) -> BinaryHeap<Forgettable> {
        let candidates = self.by_id.iter().filter_map(|(id, machine)| {
            let is_away = self.clients(*id).is_empty();
            let may_be_forgotten = if for_conductor {
                is_away || !machine.by_conductor
            } else {
                is_away && !machine.by_conductor
            };
            may_be_forgotten.then_some(Forgettable {
                order: Reverse((machine.by_conductor, !is_away, machine.seen)),
                id: *id,
                is_away,
            })
        });
        candidates.collect()
    }

    /// Lets the clients of a machine be of none.
    pub(super) fn disconnect(&mut self, id: MachineId) -> Vec<ClientId> {
        self.clients.remove(&id).unwrap_or_default()
    }

    /// Forgets a machine; false if nothing is kept of it.
    pub(super) fn forget(&mut self, id: MachineId) -> bool {
        let Some(machine) = self.by_id.remove(&id) else { return false };
        self.numbers.remove(&machine.number);
        self.revision += 1;
        true
    }

    /// Changes whenever what [`Self::away`] returns may have changed.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The machines without a connected client, by their numbers.
    pub(super) fn away(&self) -> impl Iterator<Item = AwayEntry> {
        let away = self.numbers.values().filter(|id| self.clients(**id).is_empty());
        away.filter_map(|id| self.by_id.get(id)).map(|machine| AwayEntry {
            machine: machine.number,
            name: machine.name().to_owned(),
            seat: machine.assigned.seat,
            place: machine.assigned.place,
            tags: machine.assigned.tags.clone(),
        })
    }

    /// What is stored of a machine, if anything is kept of it.
    pub(super) fn stored(&self, id: MachineId) -> Option<Write> {
        let Machine { name, assigned, by_conductor, .. } = self.by_id.get(&id)?;
        Some(Write::Keep(StoredMachine {
            machine: id,
            name: name.clone(),
            assigned: assigned.clone(),
            by_conductor: *by_conductor,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: u128) -> StoredMachine {
        let (name, assigned) = (format!("m{id}"), Arc::default());
        StoredMachine { machine: MachineId(id), name, assigned, by_conductor: true }
    }

    fn seat(seat: u16) -> Arc<Assigned> {
        Arc::new(Assigned { seat: Some(seat), ..Assigned::default() })
    }

    /// Those that may be forgotten, in order.
    fn forgettable(machines: &Machines, for_conductor: bool) -> Vec<u128> {
        let mut heap = machines.forgettable(for_conductor);
        std::iter::from_fn(|| heap.pop()).map(|machine| machine.id.0).collect()
    }

    #[test]
    fn the_machine_that_was_away_for_longest_is_forgotten_first() {
        let mut machines = Machines::default();
        assert_eq!(machines.restore((1..=4).map(stored).collect()), []);
        machines.enter(MachineId(1), ClientId(1), "here");
        machines.enter(MachineId(2), ClientId(2), "was here");
        machines.leave(MachineId(2), ClientId(2));
        assert_eq!(forgettable(&machines, true), [3, 4, 2]);
        machines.leave(MachineId(1), ClientId(1));
        assert_eq!(forgettable(&machines, true), [3, 4, 2, 1]);
    }

    #[test]
    fn what_a_conductor_assigned_is_forgotten_last_and_for_conductors_only() {
        let mut machines = Machines::default();
        machines.restore(vec![stored(1), StoredMachine { by_conductor: false, ..stored(2) }]);
        machines.enter(MachineId(4), ClientId(4), "four");
        machines.keep(MachineId(4), "four");
        machines.keep(MachineId(3), "three");
        assert_eq!(forgettable(&machines, false), [2, 3]);
        assert_eq!(
            forgettable(&machines, true),
            [2, 3, 4, 1],
            "one that is here keeps nothing but its own"
        );
        machines.assign(MachineId(4), seat(1), true);
        assert_eq!(forgettable(&machines, true), [2, 3, 1]);
    }

    #[test]
    fn a_machine_has_eight_clients_at_most() {
        let mut machines = Machines::default();
        for client in 1..=8 {
            assert!(machines.takes_client(MachineId(1)));
            machines.enter(MachineId(1), ClientId(client), "one");
        }
        assert!(!machines.takes_client(MachineId(1)) && machines.takes_client(MachineId(2)));
        machines.leave(MachineId(1), ClientId(3));
        assert!(machines.takes_client(MachineId(1)));
    }

    #[test]
    fn of_too_many_stored_machines_the_newest_are_kept() {
        let mut machines = Machines::default();
        let count = MAX_MACHINES as u128;
        assert_eq!(machines.lacking(MAX_MACHINES), 0);
        let forgotten = machines.restore((1..=count + 2).map(stored).collect());
        assert_eq!(forgotten, [1, 2].map(MachineId));
        assert_eq!(machines.lacking(1), 1);
        assert!(machines.keeps(MachineId(count + 2)));
    }

    #[test]
    fn what_was_assigned_is_known_again_under_the_last_name() {
        let mut machines = Machines::default();
        assert_eq!(machines.enter(MachineId(7), ClientId(1), "new"), None);
        machines.keep(MachineId(7), "new");
        machines.assign(MachineId(7), seat(3), true);
        machines.leave(MachineId(7), ClientId(1));
        assert_eq!(machines.enter(MachineId(7), ClientId(2), "renamed"), Some(seat(3)));
        let stored = StoredMachine { name: "renamed".into(), assigned: seat(3), ..stored(7) };
        assert_eq!(machines.stored(MachineId(7)), Some(Write::Keep(stored)));
        assert_eq!(machines.stored(MachineId(8)), None);
    }

    #[test]
    fn machines_of_one_name_have_numbers_that_are_never_given_again() {
        let mut machines = Machines::default();
        for id in [1, 2] {
            machines.keep(MachineId(id), "twin");
        }
        let numbers: Vec<_> = machines.away().map(|entry| (entry.machine.0, entry.name)).collect();
        assert_eq!(numbers, [(1, "twin".to_owned()), (2, "twin".to_owned())]);
        let before = machines.revision();
        assert!(machines.forget(MachineId(1)) && !machines.forget(MachineId(1)));
        assert_ne!(machines.revision(), before);
        machines.keep(MachineId(1), "twin");
        assert_eq!(machines.number(MachineId(1)), Some(MachineNumber(3)));
        assert_eq!(machines.of_number(MachineNumber(1)), None);
        assert_eq!(machines.of_number(MachineNumber(2)), Some(MachineId(2)));
    }

    #[test]
    fn a_machine_is_away_while_none_of_its_clients_is_connected() {
        let mut machines = Machines::default();
        machines.enter(MachineId(1), ClientId(1), "one");
        machines.enter(MachineId(1), ClientId(2), "one");
        machines.keep(MachineId(1), "one");
        let away = |machines: &Machines| machines.away().count();
        machines.leave(MachineId(1), ClientId(1));
        machines.leave(MachineId(1), ClientId(1));
        assert_eq!((away(&machines), machines.clients(MachineId(1))), (0, &[ClientId(2)][..]));
        machines.leave(MachineId(1), ClientId(2));
        assert_eq!(away(&machines), 1);
        let assigned = Assigned { name: Some("harp".into()), ..Assigned::default() };
        machines.assign(MachineId(1), Arc::new(assigned), true);
        assert_eq!(machines.away().next().unwrap().name, "harp");
        machines.enter(MachineId(1), ClientId(3), "one");
        assert_eq!(away(&machines), 0);
    }
}

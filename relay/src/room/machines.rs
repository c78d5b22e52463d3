//! The machines of which something is kept: a seat, tags, values of variables. They are known again when they
//! reconnect, and after a restart.
//!
//! Pure: it knows no sockets and no disk.

use std::collections::HashMap;

use downbeat_protocol::MachineId;

use crate::store::{StoredMachine, Write};

/// Most machines of which something is kept: beyond that, the one that was away for longest is forgotten.
const MAX_MACHINES: usize = 4096;

#[derive(Debug)]
struct Machine {
    name: String,
    seat: Option<u16>,
    tags: Vec<String>,
    /// How many of its clients are connected.
    clients: usize,
    /// When it was last seen: larger is later.
    seen: u64,
}

/// The machines, by the number that they send.
#[derive(Debug, Default)]
pub(super) struct Machines {
    machines: HashMap<MachineId, Machine>,
    last_seen: u64,
}

impl Machines {
    /// The machines of an earlier run, the one that was seen last at the end. Returns those beyond the limit.
    pub(super) fn restore(&mut self, stored: Vec<StoredMachine>) -> Vec<MachineId> {
        let too_many = stored.len().saturating_sub(MAX_MACHINES);
        let mut stored = stored.into_iter();
        let forgotten = stored.by_ref().take(too_many).map(|stored| stored.machine).collect();
        for StoredMachine { machine, name, seat, tags } in stored {
            self.last_seen += 1;
            let seen = self.last_seen;
            self.machines.insert(machine, Machine { name, seat, tags, clients: 0, seen });
        }
        forgotten
    }

    /// Records that a client of a machine has come; returns seat and tags, if anything is kept of it.
    pub(super) fn enter(
        &mut self,
        id: MachineId,
        name: &str,
    ) -> Option<(Option<u16>, Vec<String>)> {
        let machine = self.machines.get_mut(&id)?;
        machine.clients += 1;
        name.clone_into(&mut machine.name);
        self.last_seen += 1;
        machine.seen = self.last_seen;
        Some((machine.seat, machine.tags.clone()))
    }

    /// Records that a client of a machine has gone.
    pub(super) fn leave(&mut self, id: MachineId) {
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.clients = machine.clients.saturating_sub(1);
            self.last_seen += 1;
            machine.seen = self.last_seen;
        }
    }

    /// Whether something is kept of a machine.
    pub(super) fn keeps(&self, id: MachineId) -> bool {
        self.machines.contains_key(&id)
    }

    /// Begins to keep something of a machine with so many connected clients.
    pub(super) fn keep(&mut self, id: MachineId, name: &str, clients: usize) {
        self.last_seen += 1;
        let (name, seen) = (name.to_owned(), self.last_seen);
        let machine = Machine { name, seat: None, tags: Vec::new(), clients, seen };
        self.machines.entry(id).or_insert(machine);
    }

    /// Changes the seat and the tags of a machine, where they are given; seat 0 is none.
    pub(super) fn assign(&mut self, id: MachineId, seat: Option<u16>, tags: Option<&[String]>) {
        let Some(machine) = self.machines.get_mut(&id) else { return };
        if let Some(seat) = seat {
            machine.seat = (seat > 0).then_some(seat);
        }
        if let Some(tags) = tags {
            machine.tags = tags.to_vec();
        }
    }

    /// Whether there is space for another machine.
    pub(super) fn has_space(&self) -> bool {
        self.machines.len() < MAX_MACHINES
    }

    /// Forgets the machine that was away for longest; `None` if all are here.
    pub(super) fn forget_oldest(&mut self) -> Option<MachineId> {
        let away = self.machines.iter().filter(|(_, machine)| machine.clients == 0);
        let id = away.min_by_key(|(_, machine)| machine.seen).map(|(id, _)| *id)?;
        self.machines.remove(&id);
        Some(id)
    }

    /// What is stored of a machine, if anything is kept of it.
    pub(super) fn stored(&self, id: MachineId) -> Option<Write> {
        let Machine { name, seat, tags, .. } = self.machines.get(&id)?;
        let (name, tags) = (name.clone(), tags.clone());
        Some(Write::Keep(StoredMachine { machine: id, name, seat: *seat, tags }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(id: u128) -> StoredMachine {
        StoredMachine { machine: MachineId(id), name: format!("m{id}"), seat: None, tags: vec![] }
    }

    #[test]
    fn the_machine_that_was_away_for_longest_is_forgotten() {
        let mut machines = Machines::default();
        assert_eq!(machines.restore((1..=4).map(stored).collect()), []);
        machines.enter(MachineId(1), "here");
        machines.enter(MachineId(2), "was here");
        machines.leave(MachineId(2));
        let forgotten: Vec<_> = std::iter::from_fn(|| machines.forget_oldest()).collect();
        assert_eq!(forgotten, [3, 4, 2].map(MachineId));
        assert!(machines.keeps(MachineId(1)));
        machines.leave(MachineId(1));
        assert_eq!(machines.forget_oldest(), Some(MachineId(1)));
    }

    #[test]
    fn of_too_many_stored_machines_the_newest_are_kept() {
        let mut machines = Machines::default();
        let count = MAX_MACHINES as u128;
        assert!(machines.has_space());
        let forgotten = machines.restore((1..=count + 2).map(stored).collect());
        assert_eq!(forgotten, [1, 2].map(MachineId));
        assert!(!machines.has_space() && machines.keeps(MachineId(count + 2)));
    }

    #[test]
    fn what_was_assigned_is_known_again_under_the_last_name() {
        let mut machines = Machines::default();
        assert_eq!(machines.enter(MachineId(7), "new"), None);
        machines.keep(MachineId(7), "new", 1);
        machines.assign(MachineId(7), Some(3), Some(&["left".to_owned()]));
        machines.assign(MachineId(7), None, None);
        machines.leave(MachineId(7));
        let known = Some((Some(3), vec!["left".to_owned()]));
        assert_eq!(machines.enter(MachineId(7), "renamed"), known);
        machines.assign(MachineId(7), Some(0), Some(&[]));
        let stored = StoredMachine { name: "renamed".into(), ..stored(7) };
        assert_eq!(machines.stored(MachineId(7)), Some(Write::Keep(stored)));
        assert_eq!(machines.stored(MachineId(8)), None);
    }
}

//! What of the variables is stored, and how it is restored.

use downbeat_protocol::{ValueChange, Variable};
use serde_json::Value;

use super::{
    Pending, Variables,
    entry::{Entry, Kept},
};
use crate::{
    room::{effects::Effects, member::Owner},
    store::{StoredValue, Write},
};

impl Variables {
    /// Restores values of an earlier run. Returns those that their variables do not take any more.
    pub(in crate::room) fn restore(&mut self, values: Vec<StoredValue>) -> Vec<Write> {
        let mut refused = Vec::new();
        for StoredValue { name, machine, value } in values {
            let owner = machine.map(Owner::Machine);
            let entry = self.entries.get(name.as_str());
            let fits = entry.is_some_and(|entry| {
                let Variable { event, .. } = entry.variable;
                let is_whole = entry.variable.check(&value).is_ok_and(|checked| checked == value);
                !event && is_whole && (machine.is_none() || entry.variable.is_per_machine())
            });
            if !fits || !self.restore_value(&name, owner, value) {
                refused.push(Write::Unset { name, machine });
            }
        }
        refused
    }

    /// Keeps a value of an earlier run, if there is space for it.
    fn restore_value(&mut self, name: &str, owner: Option<Owner>, value: Value) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        let kept = Kept { value, seq: 0 };
        let Some(owner) = owner else {
            if !self.budget.has_shared(kept.bytes().saturating_sub(entry.all.bytes())) {
                return false;
            }
            self.budget.replace_shared(entry.all.bytes(), kept.bytes());
            entry.all = kept;
            return true;
        };
        let has_space = self.budget.has_own(owner, kept.bytes());
        if has_space {
            self.budget.replace_own(owner, 0, kept.bytes());
            entry.own.insert(owner, kept);
        }
        has_space
    }

    /// Stores a value that was just numbered: it is the one that stays, whenever it applies.
    pub(super) fn write(&self, pending: &Pending, effects: &mut Effects) {
        let Pending { change: ValueChange { name, value, .. }, owners } = pending;
        let Some(entry) = self.entries.get(name.as_str()) else { return };
        if entry.variable.event {
            return;
        }
        let set = |machine| Write::Set { name: name.clone(), machine, value: value.clone() };
        match owners {
            None => {
                self.unset_machines(entry, effects);
                effects.writes.push(set(None));
            }
            Some(owners) => {
                let machines = owners.iter().filter_map(Owner::machine);
                effects.writes.extend(machines.map(|machine| set(Some(machine))));
            }
        }
    }

    /// Removes what is stored of the values of machines.
    pub(super) fn unset_machines(&self, entry: &Entry, effects: &mut Effects) {
        if !entry.variable.is_per_machine() {
            return;
        }
        let name = &entry.variable.name;
        let waiting = self.pending.iter().filter(|pending| pending.change.name == *name);
        let waiting = waiting.filter_map(|pending| pending.owners.as_deref()).flatten();
        let machines = entry.own.keys().chain(waiting).filter_map(Owner::machine);
        let unset = |machine| Write::Unset { name: name.clone(), machine: Some(machine) };
        effects.writes.extend(machines.map(unset));
    }
}

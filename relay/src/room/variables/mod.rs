//! The variables: what is declared, the values, and the values that wait for their instants.
//!
//! Pure: the caller passes the time, and numbers what is broadcast.
//!
//! The value with the largest number wins, for each machine, whenever it arrives: a value that waits applies
//! at its instant only where no newer one has been set meanwhile. So the last value that was set is the one
//! that stays, and the one to keep on disk.

mod budget;
mod entry;
mod history;
mod stored;
mod streams;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use downbeat_protocol::{
    By, ErrorCode, Refusal, RelayTime, Target, ValueChange, Variable, VariableState,
    VariablesChange, When,
};
use serde_json::Value;

use self::{
    budget::{Budget, MAX_BYTES, MAX_VARIABLES},
    entry::{Entry, Kept, bytes},
    history::History,
    streams::{Held, Streams},
};
use super::{effects::Effects, listed, member::Owner, refuse::refusal, sequence::Stamp};
use crate::store::{AckTo, Write};

/// The length of a value's message beside the value and the names.
const CHANGE_BYTES: usize = 160;

/// A value that was checked and is still to be numbered.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) over_micros: u64,
    pub(super) when: When,
    /// Whose value it is; everyone's if absent.
    pub(super) target: Option<(Target, Vec<Owner>)>,
    pub(super) by: By,
}

/// A value that waits for its instant.
#[derive(Debug)]
struct Pending {
    change: ValueChange,
    /// The machines in its target.
    owners: Option<Vec<Owner>>,
}

impl Pending {
    fn bytes(&self) -> usize {
        let ValueChange { name, value, target, by, .. } = &self.change;
        bytes_waiting(name, value, target.as_ref(), by)
    }
}

/// What a value takes while it waits. A target may be larger than its value.
fn bytes_waiting(name: &str, value: &Value, target: Option<&Target>, by: &By) -> usize {
    CHANGE_BYTES + name.len() + by.name.len() + bytes(value) + target.map_or(0, listed::bytes)
}

/// Numbers a value.
pub(super) type Stamper<'a> = &'a mut dyn FnMut(When) -> Stamp;

/// The variables.
#[derive(Debug, Default)]
pub(super) struct Variables {
    entries: BTreeMap<Arc<str>, Entry>,
    next_order: u64,
    /// In the order of their instants, and then of their numbers.
    pending: VecDeque<Pending>,
    history: History,
    streams: Streams,
    budget: Budget,
}

impl Variables {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The declaration of a variable.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn declaration(&self, name: &str) -> Result<&Variable, Refusal> {
        let unknown = || format!("there is no variable named {name:?}");
        let entry = self.entries.get(name);
        entry
            .map(|entry| &entry.variable)
            .ok_or_else(|| refusal(ErrorCode::UnknownVariable, unknown()))
    }

    /// Declares valid variables: all of them, or none.
    ///
    /// # Errors
    /// If one of them exists with another declaration, or there are too many.
    pub(super) fn declare(
        &mut self,
        variables: Vec<Variable>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let mut new: Vec<Entry> = Vec::new();
        for variable in variables {
            let known = self.entries.get(variable.name.as_str());
            let known = known.or_else(|| new.iter().find(|n| n.variable.name == variable.name));
            match known {
                Some(known) if known.variable == variable => {}
                Some(_) => {
                    let message = format!(
                        "{:?} exists with another declaration; remove it first",
                        variable.name
                    );
                    return Err(refusal(ErrorCode::Conflict, message));
                }
                None => new.push(Entry::new(variable, self.next_order + new.len() as u64)),
            }
        }
        if self.len() + new.len() > MAX_VARIABLES {
            let message = format!("there are at most {MAX_VARIABLES} variables");
            return Err(refusal(ErrorCode::Full, message));
        }
        let more = new.iter().map(|entry| entry.bytes + entry.all.bytes()).sum();
        if !self.budget.has_shared(more) {
            return Err(full());
        }
        self.budget.replace_shared(0, more);
        self.next_order += new.len() as u64;
        let declared: Vec<_> = new.iter().map(|entry| entry.state(None)).collect();
        if !declared.is_empty() {
            effects.variables = Some(VariablesChange { declared, removed: Vec::new() });
        }
        for entry in new {
            let variable = Box::new(entry.variable.clone());
            effects.writes.push(Write::Declare { variable, order: entry.order });
            self.entries.insert(entry.variable.name.as_str().into(), entry);
        }
        Ok(())
    }

    /// Removes variables with their values. What waits for its turn is sent before.
    pub(super) fn remove(
        &mut self,
        names: &[String],
        now: RelayTime,
        stamp: Stamper<'_>,
        effects: &mut Effects,
    ) {
        let mut removed = Vec::new();
        for name in names {
            for held in self.streams.take_all_of(name) {
                self.send(held, now, stamp, effects);
            }
            let Some(entry) = self.entries.remove(name.as_str()) else { continue };
            self.budget.replace_shared(entry.bytes + entry.all.bytes(), 0);
            for (owner, kept) in &entry.own {
                self.budget.replace_own(*owner, kept.bytes(), 0);
            }
            self.unset_machines(&entry, effects);
            effects.writes.push(Write::Unset { name: name.clone(), machine: None });
            effects.writes.push(Write::Undeclare { name: name.clone() });
            self.history.remove(name);
            let budget = &mut self.budget;
            self.pending.retain(|pending| {
                let stays = pending.change.name != *name;
                if !stays {
                    release(budget, pending);
                }
                stays
            });
            removed.push(name.clone());
        }
        if !removed.is_empty() {
            effects.variables = Some(VariablesChange { declared: Vec::new(), removed });
        }
    }

    /// Sets a variable that is declared, to a value that was checked; or lets the value wait for its turn, if
    /// the client sets the variable too often. What follows is added to `effects`.
    ///
    /// # Errors
    /// If there is no space for the value.
    pub(super) fn set(
        &mut self,
        set: Set,
        ack: Option<AckTo>,
        now: RelayTime,
        stamp: Stamper<'_>,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.lacking(&set, now)? > 0 {
            return Err(full());
        }
        let key = (set.by.id, Arc::from(set.name.as_str()));
        // What is scheduled ahead is no stream: each of its values is wanted. What the client has set before
        // must come before it.
        if matches!(set.when, When::AfterMicros(_)) {
            if let Some(held) = self.streams.take(&key) {
                self.send(held, now, stamp, effects);
            }
        } else if self.streams.must_wait(&key, now)
            && (self.streams.holds(&key) || !self.changes_nothing(&set))
        {
            if let Some(held) = self.streams.hold(&key, set, ack) {
                self.send(held, now, stamp, effects);
            }
            return Ok(());
        }
        let held = Held { set, acks: ack.into_iter().collect() };
        if self.send(held, now, stamp, effects) {
            self.streams.sent(key, now);
        }
        Ok(())
    }

    /// Sends what has waited for its turn.
    pub(super) fn send_due(&mut self, now: RelayTime, stamp: Stamper<'_>, effects: &mut Effects) {
        self.apply_due(now);
        while let Some(held) = self.streams.take_due(now) {
            let key = (held.set.by.id, Arc::from(held.set.name.as_str()));
            if self.send(held, now, stamp, effects) {
                self.streams.sent(key, now);
            }
        }
    }

    /// When the next value is due that waits for its turn.
    pub(super) fn next_due(&self) -> Option<RelayTime> {
        self.streams.next_at()
    }

    /// What a client whose values `owner` has is told when it is admitted, with the past of what has begun at
    /// `since` or later.
    pub(super) fn states(
        &mut self,
        owner: Owner,
        since: RelayTime,
        now: RelayTime,
    ) -> Vec<VariableState> {
        self.apply_due(now);
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.order);
        let state = |entry: &Entry| VariableState {
            past: self.history.since(&entry.variable.name, owner, since),
            ..entry.state(Some(owner))
        };
        entries.into_iter().map(state).collect()
    }

    /// The values that wait and that concern a client which is admitted. `includes` tells whether it is in a
    /// target: its machine is from now on, also on disk. Returns whether that is so for one of them.
    pub(super) fn pending(
        &mut self,
        owner: Owner,
        includes: impl Fn(&Target) -> bool,
        effects: &mut Effects,
    ) -> (Vec<ValueChange>, bool) {
        let mut concerned = Vec::new();
        let mut has_joined = false;
        for Pending { change, owners } in &mut self.pending {
            if let (Some(owners), Some(target)) = (owners, &change.target)
                && !owners.contains(&owner)
            {
                if !includes(target) || !self.budget.has_machines(size_of::<Owner>()) {
                    continue;
                }
                owners.push(owner);
                self.budget.replace_machines(0, size_of::<Owner>());
                has_joined = true;
                let (name, value) = (change.name.clone(), change.value.clone());
                let set = |machine| Write::Set { name, machine: Some(machine), value };
                effects.writes.extend(owner.machine().map(set));
            }
            // Its target may be long, and concerns nobody any more.
            concerned.push(ValueChange {
                seq: change.seq,
                apply_at: change.apply_at,
                name: change.name.clone(),
                value: change.value.clone(),
                over_micros: change.over_micros,
                target: None,
                by: change.by.clone(),
            });
        }
        (concerned, has_joined)
    }

    /// Forgets the values of a machine, also those that wait for it.
    pub(super) fn forget(&mut self, owner: Owner, effects: &mut Effects) {
        let unset = |name: &str| {
            let unset = |machine| Write::Unset { name: name.to_owned(), machine: Some(machine) };
            owner.machine().map(unset)
        };
        self.streams.forget(owner);
        for Pending { change, owners } in &mut self.pending {
            let Some(owners) = owners else { continue };
            let before = owners.len();
            owners.retain(|other| *other != owner);
            if owners.len() < before {
                self.budget.replace_machines(size_of::<Owner>(), 0);
                effects.writes.extend(unset(&change.name));
            }
        }
        if !self.budget.has_values_of(owner) {
            return;
        }
        for entry in self.entries.values_mut() {
            if let Some(kept) = entry.own.remove(&owner) {
                self.budget.replace_own(owner, kept.bytes(), 0);
                effects.writes.extend(unset(&entry.variable.name));
            }
        }
    }

    /// How many bytes the values of other machines are to release for a value.
    ///
    /// # Errors
    /// If there is no space for it even so.
    pub(super) fn lacking(&mut self, set: &Set, now: RelayTime) -> Result<usize, Refusal> {
        self.apply_due(now);
        let Some(entry) = self.entries.get(set.name.as_str()) else { return Ok(0) };
        let owners = set.target.as_ref().map_or(&[][..], |(_, owners)| owners.as_slice());
        let size = bytes(&set.value);
        let more = |owner: &Owner| size.saturating_sub(entry.own.get(owner).map_or(0, Kept::bytes));
        let (has_space, of_machines) = if matches!(set.when, When::AfterMicros(_)) {
            let target = set.target.as_ref().map(|(target, _)| target);
            let waiting = bytes_waiting(&set.name, &set.value, target, &set.by);
            (self.budget.has_shared(waiting), size_of_val(owners))
        } else if entry.variable.event {
            (true, 0)
        } else if set.target.is_some() {
            let has_space = owners.iter().all(|owner| self.budget.has_of_one(*owner, more(owner)));
            (has_space, owners.iter().map(more).sum())
        } else {
            (self.budget.has_shared(size.saturating_sub(entry.all.bytes())), 0)
        };
        if has_space { Ok(self.budget.lacking(of_machines)) } else { Err(full()) }
    }

    /// What the values of a machine take, in bytes.
    pub(super) fn bytes_of(&self, owner: Owner) -> usize {
        self.budget.bytes_of(owner)
    }

    fn changes_nothing(&self, set: &Set) -> bool {
        let owners = set.target.as_ref().map(|(_, owners)| owners.as_slice());
        self.entries.get(set.name.as_str()).is_some_and(|entry| {
            let Variable { event, send_unchanged, .. } = entry.variable;
            !event && !send_unchanged && entry.has(&set.value, owners)
        })
    }

    /// Numbers a value and applies it, unless it changes nothing; returns whether it does.
    fn send(
        &mut self,
        held: Held,
        now: RelayTime,
        stamp: Stamper<'_>,
        effects: &mut Effects,
    ) -> bool {
        self.apply_due(now);
        let Held { set, acks } = held;
        effects.acks.extend(acks);
        if self.changes_nothing(&set) {
            return false;
        }
        let Stamp { seq, at: apply_at } = stamp(set.when);
        let Set { name, value, over_micros, when, target, by } = set;
        let (target, owners) = target.unzip();
        let change = ValueChange { seq, apply_at, name, value, over_micros, target, by };
        effects.values.push(change.clone());
        let pending = Pending { change, owners };
        self.write(&pending, effects);
        if matches!(when, When::AfterMicros(_)) {
            self.wait(pending);
        } else {
            self.apply(pending);
        }
        true
    }

    fn wait(&mut self, pending: Pending) {
        let owners = pending.owners.as_ref().map_or(0, Vec::len);
        self.budget.replace_shared(0, pending.bytes());
        self.budget.replace_machines(0, owners * size_of::<Owner>());
        if let Some(entry) = self.entries.get_mut(pending.change.name.as_str()) {
            entry.pending += 1;
        }
        let place = |p: &Pending| (p.change.apply_at, p.change.seq);
        let index = self.pending.partition_point(|other| place(other) <= place(&pending));
        self.pending.insert(index, pending);
    }

    fn apply_due(&mut self, now: RelayTime) {
        while self.pending.front().is_some_and(|pending| pending.change.apply_at <= now) {
            let Some(pending) = self.pending.pop_front() else { return };
            release(&mut self.budget, &pending);
            if let Some(entry) = self.entries.get_mut(pending.change.name.as_str()) {
                entry.pending -= 1;
            }
            self.apply(pending);
        }
    }

    /// Keeps a value, where no newer one has been set. It counts from now on, although its instant may be a
    /// lead ahead: a newcomer then shows it a moment early.
    fn apply(&mut self, pending: Pending) {
        let Pending { change, owners } = pending;
        let Some(entry) = self.entries.get_mut(change.name.as_str()) else { return };
        if entry.variable.event {
            return;
        }
        self.history.add(entry, &change, owners.as_deref());
        let ValueChange { seq, value, .. } = change;
        let kept = Kept { value, seq };
        let Some(owners) = owners else {
            if seq > entry.all.seq {
                self.budget.replace_shared(entry.all.bytes(), kept.bytes());
                entry.all = kept;
                let budget = &mut self.budget;
                entry.own.retain(|owner, own| {
                    let is_newer = own.seq > seq;
                    if !is_newer {
                        budget.replace_own(*owner, own.bytes(), 0);
                    }
                    is_newer
                });
            }
            return;
        };
        for owner in owners {
            let before = entry.own.get(&owner).map_or(0, Kept::bytes);
            let more = kept.bytes().saturating_sub(before);
            // A value that has waited may find no space any more.
            if seq > entry.of(owner).seq && self.budget.has_own(owner, more) {
                self.budget.replace_own(owner, before, kept.bytes());
                entry.own.insert(owner, kept.clone());
            }
        }
    }
}

/// Releases what a value took that no longer waits.
fn release(budget: &mut Budget, pending: &Pending) {
    let owners = pending.owners.as_ref().map_or(0, Vec::len);
    budget.replace_shared(pending.bytes(), 0);
    budget.replace_machines(owners * size_of::<Owner>(), 0);
}

fn full() -> Refusal {
    let message = format!("the variables would take more than {} KiB", MAX_BYTES / 1024);
    refusal(ErrorCode::Full, message)
}

#[cfg(test)]
mod tests;

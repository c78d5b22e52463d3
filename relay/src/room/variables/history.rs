//! The last values of variables that drive something, with the values before them: a newcomer follows a glide from
//! where it is, and joins a sound at the position to which glides have brought it.
//!
//! Pure: the caller passes the time.

use std::collections::VecDeque;

use downbeat_protocol::{PastValue, PastValues, RelayTime, ValueChange};
use serde_json::Value;

use super::entry::Entry;
use crate::room::member::Owner;

/// Most values that are kept: five seconds of a fader that is moved. Of older ones a newcomer learns where they
/// have led.
const MAX_CHANGES: usize = 256;

/// Most machines whose former values are kept.
const MAX_OWNERS: usize = 16_384;

/// A value, and what it has replaced.
#[derive(Debug)]
struct Past {
    change: ValueChange,
    /// The machines in its target.
    owners: Option<Vec<Owner>>,
    /// The value of all before, and of the machines that had their own.
    before: Value,
    before_of: Vec<(Owner, Value)>,
}

impl Past {
    fn concerns(&self, owner: Owner) -> bool {
        self.owners.as_ref().is_none_or(|owners| owners.contains(&owner))
    }

    fn end(&self) -> RelayTime {
        self.change.apply_at.plus_micros(self.change.over_micros)
    }

    fn value_before(&self, owner: Owner) -> &Value {
        let own = self.before_of.iter().find(|(other, _)| *other == owner);
        own.map_or(&self.before, |(_, value)| value)
    }

    fn machines(&self) -> usize {
        self.before_of.len() + self.owners.as_ref().map_or(0, Vec::len)
    }
}

/// The last values, in the order in which they were applied.
#[derive(Debug, Default)]
pub(super) struct History {
    changes: VecDeque<Past>,
    machines: usize,
}

impl History {
    /// Adds a value that a variable is about to take.
    pub(super) fn add(&mut self, entry: &Entry, change: &ValueChange, owners: Option<&[Owner]>) {
        if entry.variable.bind.is_empty() {
            return;
        }
        let before_of = match owners {
            Some(owners) => owners.iter().map(|o| (*o, entry.of(*o).value.clone())).collect(),
            None => entry.own.iter().map(|(o, kept)| (*o, kept.value.clone())).collect(),
        };
        let before = entry.all.value.clone();
        let owners = owners.map(<[Owner]>::to_vec);
        let past = Past { change: change.clone(), owners, before, before_of };
        self.machines += past.machines();
        self.changes.push_back(past);
        while self.changes.len() > MAX_CHANGES || self.machines > MAX_OWNERS {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.machines -= oldest.machines();
        }
    }

    /// Forgets a variable.
    pub(super) fn remove(&mut self, name: &str) {
        self.changes.retain(|past| past.change.name != name);
        self.machines = self.changes.iter().map(Past::machines).sum();
    }

    /// The values of a variable for a machine by which what has begun at `since` or later has come.
    pub(super) fn since(&self, name: &str, owner: Owner, since: RelayTime) -> Option<PastValues> {
        let of = |past: &&Past| past.change.name == name && past.concerns(owner);
        let first = self.changes.iter().position(|past| of(&past) && past.end() > since)?;
        let values = self.changes.iter().skip(first).filter(of).map(|past| {
            let ValueChange { apply_at, value, over_micros, .. } = &past.change;
            PastValue { apply_at: *apply_at, value: value.clone(), over_micros: *over_micros }
        });
        Some(PastValues {
            from: self.changes[first].value_before(owner).clone(),
            values: values.collect(),
        })
    }
}

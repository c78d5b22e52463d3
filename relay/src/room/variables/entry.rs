//! A declared variable and its values.

use std::collections::BTreeMap;

use downbeat_protocol::{Variable, VariableState};
use serde_json::Value;

use crate::room::member::Owner;

/// A value that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) value: Value,
    /// The number under which it was set; 0 if it was not set in this epoch.
    pub(super) seq: u64,
}

impl Kept {
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.value)
    }
}

/// The length of a value in JSON.
pub(super) fn bytes(value: &Value) -> usize {
    value.to_string().len()
}

/// A declared variable and its values.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) variable: Variable,
    /// The place in the order of declaration.
    pub(super) order: u64,
    /// The length of the declaration in JSON.
    pub(super) bytes: usize,
    /// The value of all that have none of their own.
    pub(super) all: Kept,
    /// The values of single machines; only with the scope `machine`.
    pub(super) own: BTreeMap<Owner, Kept>,
    /// How many values wait for their instants.
    pub(super) pending: usize,
}

impl Entry {
    pub(super) fn new(variable: Variable, order: u64) -> Self {
        let all = Kept { value: variable.default_value(), seq: 0 };
        // Strings and finite numbers only: serde_json refuses none of it.
        let bytes = serde_json::to_string(&variable).map_or(0, |text| text.len());
        Self { variable, order, bytes, all, own: BTreeMap::new(), pending: 0 }
    }

    /// The value of a machine.
    pub(super) fn of(&self, owner: Owner) -> &Kept {
        self.own.get(&owner).unwrap_or(&self.all)
    }

    /// Whether all of `owners`, or everyone, has this value, and will keep it.
    pub(super) fn has(&self, value: &Value, owners: Option<&[Owner]>) -> bool {
        self.pending == 0
            && match owners {
                None => {
                    self.all.value == *value && self.own.values().all(|own| own.value == *value)
                }
                Some(owners) => owners.iter().all(|owner| self.of(*owner).value == *value),
            }
    }

    /// What a machine is told; without one, what all are told.
    pub(super) fn state(&self, owner: Option<Owner>) -> VariableState {
        let kept = owner.map_or(&self.all, |owner| self.of(owner));
        VariableState { variable: self.variable.clone(), value: kept.value.clone(), past: None }
    }
}

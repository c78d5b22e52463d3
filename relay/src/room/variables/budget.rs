//! The bounds of what variables take, in bytes of JSON.

use std::collections::HashMap;

use crate::room::member::Owner;

/// Most variables.
pub(super) const MAX_VARIABLES: usize = 512;

/// Largest sum of the declarations, the values for all, and the values that wait. All of it is in a welcome,
/// which must leave space in the outbox, but for the targets, which are searched for each newcomer.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// Largest sum of the values of one machine: they are in its welcome too.
pub(super) const MAX_BYTES_OF_ONE: usize = 64 * 1024;

/// Largest sum of the values of single machines: some kilobytes for each of a thousand.
pub(super) const MAX_BYTES_OF_MACHINES: usize = 4 * 1024 * 1024;

/// What the variables take.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// Declarations, values for all, values that wait.
    shared: usize,
    /// The values of single machines, and in all.
    own: HashMap<Owner, usize>,
    machines: usize,
}

impl Budget {
    /// Whether `more` fits beside what is shared.
    pub(super) fn has_shared(&self, more: usize) -> bool {
        self.shared + more <= MAX_BYTES
    }

    /// Whether `more` fits beside what a machine has, and beside what all machines have.
    pub(super) fn has_own(&self, owner: Owner, more: usize) -> bool {
        self.has_of_one(owner, more) && self.has_machines(more)
    }

    /// Whether `more` fits beside what a machine has.
    pub(super) fn has_of_one(&self, owner: Owner, more: usize) -> bool {
        self.bytes_of(owner) + more <= MAX_BYTES_OF_ONE
    }

    pub(super) fn has_machines(&self, more: usize) -> bool {
        self.lacking(more) == 0
    }

    /// How much the machines are to release before they may take `more`.
    pub(super) fn lacking(&self, more: usize) -> usize {
        (self.machines + more).saturating_sub(MAX_BYTES_OF_MACHINES)
    }

    /// What the values of a machine take.
    pub(super) fn bytes_of(&self, owner: Owner) -> usize {
        self.own.get(&owner).copied().unwrap_or(0)
    }

    /// Replaces `before` bytes of what is shared by `after`.
    pub(super) fn replace_shared(&mut self, before: usize, after: usize) {
        self.shared = self.shared + after - before;
    }

    /// Replaces `before` bytes of a machine by `after`.
    pub(super) fn replace_own(&mut self, owner: Owner, before: usize, after: usize) {
        self.replace_machines(before, after);
        let own = self.own.entry(owner).or_default();
        *own = *own + after - before;
        if *own == 0 {
            self.own.remove(&owner);
        }
    }

    /// The same for what is of no single machine.
    pub(super) fn replace_machines(&mut self, before: usize, after: usize) {
        self.machines = self.machines + after - before;
    }

    /// Whether a machine has values of its own.
    pub(super) fn has_values_of(&self, owner: Owner) -> bool {
        self.own.contains_key(&owner)
    }
}

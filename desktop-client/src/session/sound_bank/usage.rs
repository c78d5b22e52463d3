//! How often and how recently each sound was triggered, which decides what is decoded first and what is
//! dropped.
//!
//! Pure: it counts triggers, and reads no clock.

use std::collections::HashMap;

/// The triggers since this player started.
#[derive(Debug, Default)]
pub(super) struct Usage {
    triggers: u64,
    by_name: HashMap<String, Used>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Used {
    times: u64,
    /// The number of the last trigger.
    last: u64,
}

impl Usage {
    /// Counts a trigger of this sound.
    pub(super) fn add(&mut self, name: &str) {
        self.triggers += 1;
        let used = self.by_name.entry(name.to_owned()).or_default();
        used.times += 1;
        used.last = self.triggers;
    }

    /// How often the sound was triggered.
    pub(super) fn times(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |used| used.times)
    }

    /// The number of the sound's last trigger, counted from 1; 0 if it never was.
    pub(super) fn last(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |used| used.last)
    }

    /// Drops the counts of sounds that are not `in_bank`.
    pub(super) fn keep_only(&mut self, in_bank: impl Fn(&str) -> bool) {
        self.by_name.retain(|name, _| in_bank(name));
    }
}

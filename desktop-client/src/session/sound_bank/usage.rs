//! How often and how lately each sound was triggered: what is decoded first, and what makes room.
//!
//! Pure: it counts triggers, and reads no clock.

use std::collections::HashMap;

/// What was triggered here since this player began.
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
    /// Notes a trigger of this sound.
    pub(super) fn note(&mut self, name: &str) {
        self.triggers += 1;
        let used = self.by_name.entry(name.to_owned()).or_default();
        used.times += 1;
        used.last = self.triggers;
    }

    /// How often the sound was triggered.
    pub(super) fn times(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |used| used.times)
    }

    /// The number of the sound's last trigger, counted from 1; 0 if it never was triggered.
    pub(super) fn last(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |used| used.last)
    }

    /// Forgets what is no longer in the bank.
    pub(super) fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        self.by_name.retain(|name, _| is_there(name));
    }
}

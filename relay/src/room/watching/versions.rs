//! Which keys have changed since when.
//!
//! Pure. Each change has a number. A key has that of its last change only, so the list grows with what exists
//! and not with what happens, and who is behind is told the latest.

use std::collections::BTreeMap;

/// Keys in the order of their last changes.
#[derive(Debug)]
pub(super) struct Versions<K> {
    /// The last number that was given. The first is 1.
    last: u64,
    of: BTreeMap<K, u64>,
    keys: BTreeMap<u64, K>,
}

impl<K> Default for Versions<K> {
    fn default() -> Self {
        Self { last: 0, of: BTreeMap::new(), keys: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Versions<K> {
    /// Records that a key has changed; returns the number of the change.
    pub(super) fn touch(&mut self, key: K) -> u64 {
        self.last += 1;
        if let Some(before) = self.of.insert(key, self.last) {
            self.keys.remove(&before);
        }
        self.keys.insert(self.last, key);
        self.last
    }

    /// Removes a key.
    pub(super) fn remove(&mut self, key: K) {
        if let Some(version) = self.of.remove(&key) {
            self.keys.remove(&version);
        }
    }

    /// What has changed after a number, in the order of the changes.
    pub(super) fn since(&self, version: u64) -> impl Iterator<Item = (u64, K)> {
        self.keys.range(version + 1..).map(|(version, key)| (*version, *key))
    }

    /// What has changed up to a number.
    pub(super) fn until(&self, version: u64) -> impl Iterator<Item = K> {
        self.keys.range(..=version).map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_last_change_only() {
        let mut versions = Versions::default();
        for key in ['a', 'b', 'c', 'a'] {
            versions.touch(key);
        }
        let since =
            |versions: &Versions<char>, version| versions.since(version).collect::<Vec<_>>();
        assert_eq!(since(&versions, 0), [(2, 'b'), (3, 'c'), (4, 'a')]);
        assert_eq!(since(&versions, 3), [(4, 'a')]);
        assert_eq!(since(&versions, 4), []);
        assert_eq!(versions.until(3).collect::<Vec<_>>(), ['b', 'c']);
        versions.remove('c');
        versions.remove('c');
        assert_eq!(since(&versions, 0), [(2, 'b'), (4, 'a')]);
        assert_eq!(versions.touch('c'), 5);
    }
}

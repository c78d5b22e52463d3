//! The decoded sounds, by the hash of their file, and how much memory they take.
//!
//! A sound that is renamed, or that the bank has under two names, is decoded once.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use downbeat_audio::SoundBuffer;

/// The decoded sounds.
#[derive(Debug, Default)]
pub(super) struct DecodedSounds {
    by_hash: HashMap<String, Arc<SoundBuffer>>,
    /// Dropped or replaced sounds. Each takes memory until the last voice that plays it has ended.
    released: Vec<Weak<SoundBuffer>>,
}

impl DecodedSounds {
    pub(super) fn get(&self, hash: &str) -> Option<&Arc<SoundBuffer>> {
        self.by_hash.get(hash)
    }

    /// Adds a sound, or replaces the one of that hash.
    pub(super) fn insert(&mut self, hash: String, sound: Arc<SoundBuffer>) {
        let former = self.by_hash.insert(hash, sound);
        self.release(former);
    }

    /// Drops a sound.
    pub(super) fn remove(&mut self, hash: &str) {
        let former = self.by_hash.remove(hash);
        self.release(former);
    }

    /// Drops all sounds but those to `keep`.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let dropped: Vec<_> = self.by_hash.keys().filter(|hash| !keep(hash)).cloned().collect();
        for hash in dropped {
            self.remove(&hash);
        }
    }

    /// The memory that they take, including dropped sounds that voices still play.
    pub(super) fn bytes(&self) -> u64 {
        let held = self.by_hash.values().map(|sound| sound.bytes());
        let released = self.released.iter().filter_map(Weak::upgrade).map(|sound| sound.bytes());
        held.chain(released).sum()
    }

    /// The sounds that no voice plays, with their sizes in bytes.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&str, u64)> {
        let idle = self.by_hash.iter().filter(|(_, sound)| Arc::strong_count(sound) == 1);
        idle.map(|(hash, sound)| (hash.as_str(), sound.bytes()))
    }

    /// Counts a dropped sound until it is freed.
    fn release(&mut self, sound: Option<Arc<SoundBuffer>>) {
        self.released.retain(|sound| sound.strong_count() > 0);
        let is_held = |sound: &Arc<_>| self.by_hash.values().any(|held| Arc::ptr_eq(held, sound));
        if let Some(sound) = sound
            && !is_held(&sound)
        {
            self.released.push(Arc::downgrade(&sound));
        }
    }
}

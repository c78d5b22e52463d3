//! The decoded sounds that the stage holds, by name, and how much memory they take.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use crate::audio::SoundBuffer;

/// The decoded sounds.
#[derive(Debug, Default)]
pub(super) struct DecodedSounds {
    by_name: HashMap<String, Arc<SoundBuffer>>,
    /// What was let go of or replaced. It takes memory until the last voice that plays it is over.
    leaving: Vec<Weak<SoundBuffer>>,
}

impl DecodedSounds {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<SoundBuffer>> {
        self.by_name.get(name)
    }

    /// Takes a sound, in the place of the one of that name.
    pub(super) fn insert(&mut self, name: String, sound: Arc<SoundBuffer>) {
        let former = self.by_name.insert(name, sound);
        self.leave(former);
    }

    /// Lets go of a sound.
    pub(super) fn remove(&mut self, name: &str) {
        let former = self.by_name.remove(name);
        self.leave(former);
    }

    /// Lets go of all but what `stays`.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&str) -> bool) {
        let leaving: Vec<_> = self.by_name.keys().filter(|name| !stays(name)).cloned().collect();
        for name in leaving {
            self.remove(&name);
        }
    }

    /// What all of it takes, with what voices still play of what was let go of.
    pub(super) fn bytes(&self) -> u64 {
        let held = self.by_name.values().map(|sound| sound.bytes());
        let leaving = self.leaving.iter().filter_map(Weak::upgrade).map(|sound| sound.bytes());
        held.chain(leaving).sum()
    }

    /// The sounds that no voice plays, and the bytes that each takes.
    pub(super) fn idle(&self) -> impl Iterator<Item = (&str, u64)> {
        let idle = self.by_name.iter().filter(|(_, sound)| Arc::strong_count(sound) == 1);
        idle.map(|(name, sound)| (name.as_str(), sound.bytes()))
    }

    /// Counts a sound that is no longer held, until it is freed.
    fn leave(&mut self, sound: Option<Arc<SoundBuffer>>) {
        self.leaving.retain(|sound| sound.strong_count() > 0);
        let is_held = |sound: &Arc<_>| self.by_name.values().any(|held| Arc::ptr_eq(held, sound));
        if let Some(sound) = sound
            && !is_held(&sound)
        {
            self.leaving.push(Arc::downgrade(&sound));
        }
    }
}

//! All sounds that the relay has, and the bank that it serves of them.
//!
//! The owner of the sounds: those of the folder, those that were uploaded, and what was changed about them. Pure:
//! the caller passes the time, writes what is to be stored, and broadcasts the bank.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use downbeat_protocol::{EditSoundsRequest, Refusal, RelayTime};

use super::{
    arrangement::{Arranged, Arrangement, MAX_REMOVED, free_name},
    served::Bank,
    sound::Sound,
    space::{MAX_BANK_BYTES, MAX_SOUNDS, Space},
};
use crate::store::{SoundEdits, StoredSound, Write};

/// Banks with uploaded sounds are at least this far apart: of many files that arrive at once each is in the next
/// one, and a client that pauses is not sent more than it can hold.
const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_millis(250);

/// Large banks are further apart: at most as many bytes a second are sent to each client.
const ANNOUNCED_BYTES_PER_SECOND: u64 = 256 * 1024;

/// What follows from a change.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Whether the bank is another one, which everyone is told.
    pub(crate) is_new: bool,
    pub(crate) writes: Vec<Write>,
    /// Uploaded sounds that are gone or were not needed, by hash: once that is stored, their files can be deleted.
    pub(crate) deleted: Vec<String>,
}

/// The sounds, and the bank of them.
#[derive(Debug)]
pub(crate) struct Library {
    /// Those of the folder, or the built-in ones.
    found: Vec<Sound>,
    /// In the order of their uploads.
    uploaded: Vec<Sound>,
    /// The next number in that order.
    next_position: u64,
    /// Uploaded ones that wait to be announced.
    arrived: Vec<Sound>,
    next_announcement: RelayTime,
    arrangement: Arrangement,
    /// Sounds that only the folder before its last change had, by hash: clients may be fetching them.
    previous: HashMap<String, Bytes>,
    bank: Arc<Bank>,
    /// What the bank takes, without removed sounds that can be deleted and without those that have arrived. It is asked
    /// for at each request for an upload.
    kept: Space,
}

impl Library {
    /// The sounds that were found and uploaded, edited as stored.
    pub(super) fn new(
        found: Vec<Sound>,
        uploaded: Vec<Sound>,
        next_position: u64,
        edits: Vec<(String, SoundEdits)>,
    ) -> Self {
        let mut library = Self {
            found,
            uploaded,
            next_position,
            arrived: Vec::new(),
            next_announcement: RelayTime::from_micros(0),
            arrangement: Arrangement::new(edits),
            previous: HashMap::new(),
            bank: Arc::default(),
            kept: Space::default(),
        };
        library.renew();
        library
    }

    /// The bank as it is now.
    pub(crate) fn bank(&self) -> &Arc<Bank> {
        &self.bank
    }

    /// The sounds in their own order. A file that was uploaded too is one sound, and that of the upload.
    fn sounds(&self) -> Vec<Sound> {
        let uploaded: HashSet<_> = self.uploaded.iter().map(|sound| &sound.info.hash).collect();
        let found = self.found.iter().filter(|sound| !uploaded.contains(&sound.info.hash));
        found.chain(&self.uploaded).cloned().collect()
    }

    /// Makes the bank anew; returns whether it is another one.
    fn renew(&mut self) -> bool {
        let sounds = self.sounds();
        let Arranged { sounds: edited, default_name, removed } = self.arrangement.arrange(&sounds);
        self.kept = self.space_of_kept(&sounds);
        let mut files = self.previous.clone();
        files.extend(sounds.into_iter().map(|sound| (sound.info.hash, sound.file)));
        let bank = Bank {
            number: self.bank.number + 1,
            sounds: edited,
            default_name,
            removed,
            files,
            uploaded: space_of(&self.uploaded),
        };
        let is_new = !bank.is_same(&self.bank);
        let number = if is_new { bank.number } else { self.bank.number };
        self.bank = Arc::new(Bank { number, ..bank });
        is_new
    }

    /// Replaces the sounds of the folder.
    pub(crate) fn replace_found(&mut self, found: Vec<Sound>) -> Change {
        let before = std::mem::replace(&mut self.found, found);
        let kept: HashSet<_> = self.found.iter().map(|sound| &sound.info.hash).collect();
        let gone = before.into_iter().filter(|sound| !kept.contains(&sound.info.hash));
        self.previous = gone.map(|sound| (sound.info.hash, sound.file)).collect();
        Change { is_new: self.renew(), ..Change::default() }
    }

    /// Changes sounds.
    ///
    /// # Errors
    /// See [`Arrangement::edit`].
    pub(crate) fn edit(&mut self, request: &EditSoundsRequest) -> Result<Change, Refusal> {
        let after = self.arrangement.edit(request, &self.sounds())?;
        let mut change = Change::default();
        if after != self.arrangement {
            self.arrange(after, &mut change);
        }
        Ok(change)
    }

    /// Makes the bank of another arrangement. Uploaded sounds that can no longer be put back are deleted.
    fn arrange(&mut self, after: Arrangement, change: &mut Change) {
        let mut writes = after.since(&self.arrangement);
        self.arrangement = after;
        let sounds = self.sounds();
        let removed = self.arrangement.removed(&sounds).into_iter().skip(MAX_REMOVED);
        let removed = removed.filter(|sound| sound.is_uploaded);
        let removed: Vec<_> = removed.map(|sound| sound.info.hash.clone()).collect();
        for hash in removed {
            self.delete(hash, change);
        }
        writes.append(&mut change.writes);
        change.writes = writes;
        change.is_new |= self.renew();
    }

    fn delete(&mut self, hash: String, change: &mut Change) {
        self.uploaded.retain(|sound| sound.info.hash != hash);
        self.arrangement.forget(&hash);
        change.writes.push(Write::DeleteSound { hash: hash.clone() });
        change.writes.push(Write::UneditSound { hash: hash.clone() });
        change.deleted.push(hash);
    }

    /// What uploads may still take: removed ones are deleted for new ones.
    pub(crate) fn space(&self) -> Space {
        self.arrived.iter().fold(self.kept, Space::with).left()
    }

    /// What uploads may not take of these sounds: all but removed ones that can be deleted.
    fn space_of_kept(&self, sounds: &[Sound]) -> Space {
        let removed = self.arrangement.removed(sounds).into_iter();
        let removed = removed.filter(|sound| sound.is_uploaded);
        let removed = removed.fold(Space::default(), Space::with);
        let held = self.found.iter().chain(&self.uploaded).fold(Space::default(), Space::with);
        Space { sounds: held.sounds - removed.sounds, bytes: held.bytes - removed.bytes }
    }

    fn held(&self) -> Space {
        let sounds = self.found.iter().chain(&self.uploaded).chain(&self.arrived);
        sounds.fold(Space::default(), Space::with)
    }

    /// Whether it has a sound of this content, in the bank or removed.
    pub(crate) fn has(&self, hash: &str) -> bool {
        self.has_uploaded(hash) || self.found.iter().any(|sound| sound.info.hash == hash)
    }

    /// Whether it has an uploaded sound of this content.
    pub(crate) fn has_uploaded(&self, hash: &str) -> bool {
        self.uploaded.iter().chain(&self.arrived).any(|sound| sound.info.hash == hash)
    }

    /// Takes an uploaded sound, whose file is stored. It is in the bank after the next [`announce`](Self::announce).
    pub(crate) fn arrive(&mut self, sound: Sound) {
        self.arrived.push(sound);
    }

    /// When the sounds that have arrived may be announced.
    pub(crate) fn next_announcement(&self) -> RelayTime {
        self.next_announcement
    }

    /// Puts the sounds that have arrived into the bank: each under its name, or, if there is a sound of that name,
    /// with a number. One whose content the bank has is that sound, and is put back if it was removed; of one that the
    /// folder has, no other file is needed.
    pub(crate) fn announce(&mut self, now: RelayTime) -> Change {
        let mut change = Change::default();
        if self.arrived.is_empty() {
            return change;
        }
        let mut after = self.arrangement.clone();
        let mut names: HashSet<_> = self.bank.infos().map(|info| info.name.clone()).collect();
        names.insert(downbeat_protocol::TONE.to_owned());
        for mut sound in std::mem::take(&mut self.arrived) {
            let hash = sound.info.hash.clone();
            after.put_back(&hash);
            let is_here = |sounds: &[Sound]| sounds.iter().any(|sound| sound.info.hash == hash);
            if is_here(&self.uploaded) {
                continue;
            }
            if is_here(&self.found) {
                if !change.deleted.contains(&hash) {
                    change.deleted.push(hash);
                }
                continue;
            }
            sound.info.name = free_name(&sound.info.name, |name| names.contains(name));
            names.insert(sound.info.name.clone());
            let (position, name) = (self.next_position, sound.info.name.clone());
            change.writes.push(Write::AddSound(StoredSound { hash, name, position }));
            self.next_position += 1;
            self.uploaded.push(sound);
        }
        self.arrange(after, &mut change);
        self.make_space(&mut change);
        if change.is_new {
            self.defer_announcement(now);
        }
        change
    }

    /// Deletes removed sounds, the oldest first, until the others fit.
    fn make_space(&mut self, change: &mut Change) {
        loop {
            let held = self.held();
            if held.sounds <= MAX_SOUNDS && held.bytes <= MAX_BANK_BYTES {
                return;
            }
            let sounds = self.sounds();
            let removed = self.arrangement.removed(&sounds);
            let Some(oldest) = removed.into_iter().rfind(|sound| sound.is_uploaded) else { return };
            let hash = oldest.info.hash.clone();
            self.delete(hash, change);
            self.renew();
        }
    }

    /// Lets the next announcement wait for as long as this one takes to be sent.
    fn defer_announcement(&mut self, now: RelayTime) {
        let bytes = self.bank.listed_bytes() as u64;
        let interval = Duration::from_millis(bytes * 1000 / ANNOUNCED_BYTES_PER_SECOND);
        let interval = interval.max(ANNOUNCEMENT_INTERVAL);
        self.next_announcement = now.plus_micros(interval.as_micros() as u64);
    }

    /// The name of a sound of this content, whether it was removed or not.
    pub(crate) fn name_of(&self, hash: &str) -> Option<String> {
        let named = self.bank.infos().find(|info| info.hash == hash).map(|info| &info.name);
        let removed = || self.bank.removed().iter().find(|sound| sound.hash == hash);
        named.or_else(|| removed().map(|sound| &sound.name)).cloned()
    }
}

fn space_of(sounds: &[Sound]) -> Space {
    sounds.iter().fold(Space::default(), Space::with)
}

#[cfg(test)]
mod tests;

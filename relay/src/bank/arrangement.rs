//! What people have changed about sounds, by the content of their files, and the bank that follows from it.
//!
//! Pure: no I/O. Sounds come and go, with a folder and with uploads; what was changed about one is kept, and is
//! its again when it comes back. Sounds of one content are changed together, except that a name and a position
//! are those of the first of them.

use std::collections::{HashMap, HashSet};

use downbeat_protocol::{
    DEFAULT_SOUND, EditSoundsRequest, ErrorCode, MAX_NAME_CHARS, Refusal, RemovedSound, TONE,
    clean_name,
};

use super::{
    sound::{Sound, whole},
    space::MAX_SOUNDS,
};
use crate::store::{SoundEdits, Write};

/// How many of the sounds that were removed clients are told about. Of uploaded ones no others are kept.
pub(super) const MAX_REMOVED: usize = 16;

/// Of how many sounds edits are kept. Beyond it those of sounds that are not there are forgotten.
const MAX_EDITED: usize = 2 * MAX_SOUNDS;

/// What people have changed about sounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arrangement {
    edits: HashMap<String, SoundEdits>,
}

/// The bank that follows: names, gains, loops and order as edited.
#[derive(Debug)]
pub(super) struct Arranged {
    pub(super) sounds: Vec<Sound>,
    pub(super) default_name: String,
    /// The last ones that were removed, the newest first.
    pub(super) removed: Vec<RemovedSound>,
}

impl Arrangement {
    /// What an earlier run has stored.
    pub(super) fn new(stored: Vec<(String, SoundEdits)>) -> Self {
        Self { edits: stored.into_iter().collect() }
    }

    fn of(&self, sound: &Sound) -> Option<&SoundEdits> {
        self.edits.get(&sound.info.hash)
    }

    fn is_removed(&self, hash: &str) -> bool {
        self.edits.get(hash).is_some_and(|edits| edits.removed.is_some())
    }

    /// The bank of these sounds.
    pub(super) fn arrange(&self, sounds: &[Sound]) -> Arranged {
        let mut ordered = self.ordered(sounds);
        ordered.retain(|(sound, _)| !self.is_removed(&sound.info.hash));
        let names = self.names(&ordered);
        let is_default = |(sound, is_first): &(&Sound, bool)| {
            *is_first && self.of(sound).is_some_and(|e| e.is_default)
        };
        let default = ordered.iter().position(is_default);
        // Another name does not make it another sound.
        let found = || ordered.iter().position(|(sound, _)| sound.info.name == DEFAULT_SOUND);
        let given = || names.iter().position(|name| name == DEFAULT_SOUND);
        let default = default.or_else(found).or_else(given);
        // Its name is that of the usual one in an empty bank too.
        let default_name =
            names.get(default.unwrap_or(0)).map_or(DEFAULT_SOUND, String::as_str).to_owned();
        let edited = ordered.into_iter().zip(names).map(|((sound, _), name)| {
            let mut sound = sound.clone();
            if let Some(edits) = self.of(&sound) {
                sound.info.gain_db = edits.gain_db.unwrap_or_default();
                sound.info.looped = match edits.looped {
                    Some(true) => sound.info.looped.or_else(|| whole(sound.info.frames)),
                    Some(false) => None,
                    None => sound.info.looped,
                };
            }
            sound.info.name = name;
            sound
        });
        let removed = self.removed(sounds).into_iter().take(MAX_REMOVED).map(|sound| {
            RemovedSound { name: self.wanted_name(sound).to_owned(), hash: sound.info.hash.clone() }
        });
        Arranged { sounds: edited.collect(), default_name, removed: removed.collect() }
    }

    /// All sounds that were removed and are still there, one of each content, the newest first.
    pub(super) fn removed<'a>(&self, sounds: &'a [Sound]) -> Vec<&'a Sound> {
        let when = |sound: &Sound| self.of(sound).and_then(|edits| edits.removed);
        let mut removed: Vec<_> = firsts(sounds)
            .filter_map(|(sound, is_first)| Some((when(sound).filter(|_| is_first)?, sound)))
            .collect();
        removed.sort_by_key(|(when, _)| std::cmp::Reverse(*when));
        removed.into_iter().map(|(_, sound)| sound).collect()
    }

    /// All sounds in order, also removed ones, and whether each is the first of its content.
    fn ordered<'a>(&self, sounds: &'a [Sound]) -> Vec<(&'a Sound, bool)> {
        let mut ordered: Vec<_> = firsts(sounds).collect();
        ordered.sort_by_cached_key(|(sound, is_first)| {
            let position = self.of(sound).filter(|_| *is_first).and_then(|edits| edits.position);
            position.unwrap_or(u32::MAX)
        });
        ordered
    }

    /// The name that a sound has if no other has it.
    fn wanted_name<'a>(&'a self, sound: &'a Sound) -> &'a str {
        let edited = self.of(sound).and_then(|edits| edits.name.as_deref());
        edited.unwrap_or(&sound.info.name)
    }

    /// A name for each of these sounds, all of them different. One that a person has given goes before one of a
    /// file in a folder, and then the first before the others, which get a number.
    fn names(&self, ordered: &[(&Sound, bool)]) -> Vec<String> {
        let wanted = ordered.iter().map(|(sound, is_first)| {
            let name = if *is_first { self.wanted_name(sound) } else { &sound.info.name };
            let is_given = *is_first && (sound.is_uploaded || name != sound.info.name);
            (name, is_given)
        });
        let wanted: Vec<_> = wanted.collect();
        let mut taken = HashSet::from([TONE.to_owned()]);
        let mut names = vec![None; wanted.len()];
        for turn in [true, false] {
            for ((name, is_given), place) in wanted.iter().zip(&mut names) {
                if *is_given == turn && taken.insert((*name).to_owned()) {
                    *place = Some((*name).to_owned());
                }
            }
        }
        let names = names.into_iter().zip(wanted).map(|(name, (wanted, _))| {
            name.unwrap_or_else(|| {
                let name = free_name(wanted, |name| taken.contains(name));
                taken.insert(name.clone());
                name
            })
        });
        names.collect()
    }

    /// What follows from a request about these sounds: all of it, or, after an error, nothing.
    ///
    /// # Errors
    /// If it names a sound that is not there, a name that another sound has, or a loop that is too short. Its
    /// values were validated.
    pub(super) fn edit(
        &self,
        request: &EditSoundsRequest,
        sounds: &[Sound],
    ) -> Result<Self, Refusal> {
        let known: HashMap<_, _> = firsts(sounds)
            .filter_map(|(sound, is_first)| is_first.then_some((sound.info.hash.as_str(), sound)))
            .collect();
        let mut after = self.clone();
        let mut last = self.edits.values().filter_map(|edits| edits.removed).max().unwrap_or(0);
        for edit in &request.sounds {
            let hash = edit.hash.as_str();
            let sound = known.get(hash).ok_or_else(|| unknown(hash))?;
            if edit.looped == Some(true) && sound.info.looped.or(whole(sound.info.frames)).is_none()
            {
                let message = format!("{:?} is too short to repeat", sound.info.name);
                return Err(refusal(ErrorCode::InvalidValue, message));
            }
            let edits = after.edits.entry(hash.to_owned()).or_default();
            if let Some(name) = edit.name.as_deref().and_then(clean_name) {
                edits.name = Some(name);
            }
            // To a hundredth: what is sent to all in each list of sounds is kept short.
            let gain = edit.gain_db.map(|gain| (gain * 100.0).round() / 100.0);
            edits.gain_db = gain.or(edits.gain_db);
            edits.looped = edit.looped.or(edits.looped);
            edits.removed = match edit.removed {
                Some(true) if edits.removed.is_none() => {
                    last += 1;
                    Some(last)
                }
                Some(false) => None,
                Some(true) | None => edits.removed,
            };
        }
        after.check_names(request, &self.arrange(sounds))?;
        if let Some(hash) = &request.default_sound {
            if !known.contains_key(hash.as_str()) || after.is_removed(hash) {
                return Err(unknown(hash));
            }
            after.edits.values_mut().for_each(|edits| edits.is_default = false);
            after.edits.entry(hash.clone()).or_default().is_default = true;
        }
        after.place(request, sounds);
        after.edits.retain(|_, edits| *edits != SoundEdits::default());
        if after.edits.len() > MAX_EDITED {
            after.edits.retain(|hash, _| known.contains_key(hash.as_str()));
        }
        Ok(after)
    }

    /// Checks that no sound gets the name of another, as they are after the request. One that is put back gets a
    /// number instead.
    fn check_names(&self, request: &EditSoundsRequest, before: &Arranged) -> Result<(), Refusal> {
        let mut renamed = HashMap::new();
        for edit in &request.sounds {
            if let Some(name) = edit.name.as_deref().and_then(clean_name) {
                renamed.insert(edit.hash.as_str(), name);
            }
        }
        let given: Vec<_> = renamed
            .iter()
            .filter(|(hash, _)| !self.is_removed(hash))
            .map(|(_, name)| name.clone())
            .collect();
        let mut taken = HashSet::from([TONE.to_owned()]);
        for (sound, is_first) in firsts(&before.sounds) {
            let hash = sound.info.hash.as_str();
            let is_renamed = is_first && renamed.contains_key(hash);
            if !(is_renamed || self.is_removed(hash)) {
                taken.insert(sound.info.name.clone());
            }
        }
        for name in given {
            if taken.contains(&name) {
                let message =
                    format!("another sound has the name {name:?}: choose a different one");
                return Err(refusal(ErrorCode::Conflict, message));
            }
            taken.insert(name);
        }
        Ok(())
    }

    /// Moves sounds to their positions, one after the other. Removed ones do not count, and keep their places among
    /// the others.
    fn place(&mut self, request: &EditSoundsRequest, sounds: &[Sound]) {
        let moves = request.sounds.iter();
        let moves = moves.filter_map(|edit| Some((edit.hash.as_str(), edit.position? as usize)));
        let moves: Vec<_> = moves.filter(|(hash, _)| !self.is_removed(hash)).collect();
        if moves.is_empty() {
            return;
        }
        // Whether each is removed is looked up once, and not for each move.
        let ordered = self.ordered(sounds).into_iter();
        let mut ordered: Vec<_> = ordered
            .map(|(sound, is_first)| (sound, is_first, !self.is_removed(&sound.info.hash)))
            .collect();
        for (hash, position) in moves {
            let is_it =
                |(sound, is_first, _): &(&Sound, bool, bool)| *is_first && sound.info.hash == hash;
            let Some(index) = ordered.iter().position(is_it) else { continue };
            let sound = ordered.remove(index);
            let next = ordered.iter().enumerate().filter(|(_, (_, _, is_here))| *is_here);
            let index = next.map(|(index, _)| index).nth(position).unwrap_or(ordered.len());
            ordered.insert(index, sound);
        }
        for (position, (sound, is_first, _)) in (0..).zip(ordered) {
            if is_first {
                let edits = self.edits.entry(sound.info.hash.clone()).or_default();
                edits.position = Some(position);
            }
        }
    }

    /// Puts a sound back that was removed.
    pub(super) fn put_back(&mut self, hash: &str) {
        if let Some(edits) = self.edits.get_mut(hash) {
            edits.removed = None;
        }
    }

    /// Forgets what was changed about a sound.
    pub(super) fn forget(&mut self, hash: &str) {
        self.edits.remove(hash);
    }

    /// What is to be stored, where `before` is.
    pub(super) fn since(&self, before: &Self) -> Vec<Write> {
        let changed =
            self.edits.iter().filter(|(hash, edits)| before.edits.get(*hash) != Some(edits));
        let changed = changed
            .map(|(hash, edits)| Write::EditSound { hash: hash.clone(), edits: edits.clone() });
        let gone = before.edits.keys().filter(|hash| !self.edits.contains_key(*hash));
        changed.chain(gone.map(|hash| Write::UneditSound { hash: hash.clone() })).collect()
    }
}

/// The sounds, and whether each is the first of its content.
fn firsts(sounds: &[Sound]) -> impl Iterator<Item = (&Sound, bool)> {
    let mut seen = HashSet::new();
    sounds.iter().map(move |sound| (sound, seen.insert(sound.info.hash.as_str())))
}

/// `name`, or the first with a number behind it that is free.
pub(super) fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = |number: u32| {
        let number = format!(" {number}");
        let stem: String = name.chars().take(MAX_NAME_CHARS - number.len()).collect();
        stem.trim_end().to_owned() + &number
    };
    // There are fewer names than numbers.
    (2..u32::MAX).map(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

fn refusal(code: ErrorCode, message: String) -> Refusal {
    Refusal { code, message, ack: None }
}

fn unknown(hash: &str) -> Refusal {
    let start: String = hash.chars().take(16).collect();
    let message = format!("no sound has the hash {start:?}…: it may have just been removed");
    refusal(ErrorCode::UnknownSound, message)
}

#[cfg(test)]
pub(super) mod tests;

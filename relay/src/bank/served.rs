//! The bank that is served: plain data, made anew at each change.

use std::collections::HashMap;

use bytes::Bytes;
use downbeat_protocol::{RemovedSound, SoundInfo};

use super::{sound::Sound, space::Space};

/// The sounds that the relay serves.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    /// Larger than that of each bank before it.
    pub(crate) number: u64,
    pub(super) sounds: Vec<Sound>,
    pub(super) default_name: String,
    pub(super) removed: Vec<RemovedSound>,
    /// All files that can be fetched, by hash: also those of sounds that have left the bank.
    pub(super) files: HashMap<String, Bytes>,
    /// What the uploaded sounds take.
    pub(super) uploaded: Space,
}

impl Bank {
    /// What clients are sent about the sounds.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &SoundInfo> {
        self.sounds.iter().map(|sound| &sound.info)
    }

    /// The sound of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Sound> {
        self.sounds.iter().find(|sound| sound.info.name == name)
    }

    /// The file with this hash.
    pub(crate) fn file(&self, hash: &str) -> Option<(&String, &Bytes)> {
        self.files.get_key_value(hash)
    }

    /// The sound of a trigger that names none: the chosen one, or `click` if the bank has it, or the first. The
    /// name is `click` in an empty bank too.
    pub(crate) fn default_name(&self) -> &str {
        &self.default_name
    }

    /// The last sounds that were removed and can be put back, the newest first.
    pub(crate) fn removed(&self) -> &[RemovedSound] {
        &self.removed
    }

    /// How many bytes the list of its sounds takes, about: some 170 of each, and its name.
    pub(crate) fn listed_bytes(&self) -> usize {
        self.infos().map(|info| 170 + info.name.len()).sum()
    }

    /// What the sounds of a folder may take beside the uploaded ones.
    pub(super) fn space_for_folder(&self) -> Space {
        self.uploaded.left()
    }

    /// Whether clients would be told the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.infos().eq(other.infos())
            && self.default_name == other.default_name
            && self.removed == other.removed
    }
}

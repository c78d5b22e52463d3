//! The bank: the sounds that the relay serves, in memory, by name and by content.
//!
//! Sounds are found in a folder, or built in, or uploaded. The `library` owns them all, and what people have
//! changed about them, and makes the [`Bank`] of it, which is served. Requests are answered from memory and never
//! from disk, so that none can reach outside a folder. The `watcher` reads the folder again when it changes.

mod arrangement;
pub mod decode;
mod files;
mod folder;
pub(crate) mod library;
mod sound;
pub(crate) mod tickets;
pub(crate) mod watcher;

use std::{collections::HashMap, path::Path, time::SystemTime};

use bytes::Bytes;
use downbeat_protocol::{MAX_UPLOAD_BYTES, RemovedSound, SoundInfo};

pub use self::folder::FolderError;
pub(crate) use self::{files::UploadedFiles, sound::Sound};
use self::{library::Library, watcher::Folder};
use crate::store::{SoundEdits, StoredSound};

/// Largest sound, in bytes: five minutes of stereo with 24 bits at 48 kHz are 86 MB. The relay holds the
/// bank in memory, and each player holds it decoded, which is larger still.
const MAX_SOUND_BYTES: u64 = MAX_UPLOAD_BYTES;

/// Most sounds of a bank. Each takes 170 bytes of a welcome, at most 470, and a welcome must leave space in
/// the outbox for what is sent before the client has read it.
pub const MAX_SOUNDS: usize = 2048;

/// Largest bank, in bytes: it must fit the memory of a small computer.
pub(crate) const MAX_BANK_BYTES: u64 = 512 * 1024 * 1024;

/// How many sounds, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) sounds: usize,
    pub(crate) bytes: u64,
}

impl Space {
    /// With a sound more.
    fn with(self, sound: &Sound) -> Self {
        Self { sounds: self.sounds + 1, bytes: self.bytes + sound.info.bytes }
    }
}

/// The sounds that the relay serves.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    /// Larger than that of each bank before it.
    pub(crate) number: u64,
    sounds: Vec<Sound>,
    default_name: String,
    removed: Vec<RemovedSound>,
    /// All files that can be fetched, by hash: also those of sounds that have left the bank.
    files: HashMap<String, Bytes>,
    /// What the uploaded sounds take.
    uploaded: Space,
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

    /// What the sounds of a folder may take beside the uploaded ones.
    fn space_for_folder(&self) -> Space {
        Space {
            sounds: MAX_SOUNDS.saturating_sub(self.uploaded.sounds),
            bytes: MAX_BANK_BYTES.saturating_sub(self.uploaded.bytes),
        }
    }

    /// Whether clients would be told the same.
    fn is_same(&self, other: &Self) -> bool {
        self.infos().eq(other.infos())
            && self.default_name == other.default_name
            && self.removed == other.removed
    }
}

/// Reads all sounds when the relay starts: those that were uploaded, as stored, and those of a folder, or the
/// built-in ones, of which those that `looped` names repeat.
///
/// # Errors
/// If the folder cannot be listed.
pub(crate) fn open(
    folder: Option<&Path>,
    looped: &[String],
    files: &UploadedFiles,
    stored: Vec<StoredSound>,
    edits: Vec<(String, SoundEdits)>,
) -> Result<(Library, Option<Folder>), FolderError> {
    let looped = folder::clean_names(looped);
    let next_position = stored.last().map_or(0, |sound| sound.position + 1);
    let uploaded = files.read(stored, SystemTime::now());
    let library = Library::new(Vec::new(), uploaded, next_position, edits);
    let (folder, found) = match folder {
        None => (None, folder::embedded(&looped)),
        Some(path) => {
            let (folder, found) = Folder::open(path, looped, library.bank())?;
            (Some(folder), found)
        }
    };
    let mut library = library;
    library.replace_found(found);
    watcher::log_loaded(library.bank());
    Ok((library, folder))
}

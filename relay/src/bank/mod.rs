//! The bank: the sounds that the relay serves, in memory, by name and by content.
//!
//! Sounds are found in a folder, or built in, or uploaded. The `library` owns them all, and what people have
//! changed about them, and makes the `Bank` of it, which is served. Requests are answered from memory and never
//! from disk, so that none can reach outside a folder. The `watcher` reads the folder again when it changes.

mod arrangement;
pub mod decode;
mod files;
mod folder;
pub(crate) mod library;
mod served;
mod sound;
mod space;
pub(crate) mod tickets;
pub(crate) mod watcher;

use std::{path::Path, time::SystemTime};

pub(crate) use self::{files::UploadedFiles, served::Bank, sound::Sound};
pub use self::{folder::FolderError, space::MAX_SOUNDS};
use self::{library::Library, watcher::Folder};
use crate::store::{SoundEdits, StoredSound};

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

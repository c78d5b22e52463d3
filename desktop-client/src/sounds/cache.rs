//! Fetched files on disk, named by their content hash.
//!
//! A cache may lose anything at any time, and so has no errors: what cannot be read or written is fetched
//! again. Several players of one machine may share a folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing::{debug, warn};

use super::content_hash::ContentHash;

/// The size of the cache: several banks of long pieces, and affordable where the disk is a memory card.
/// Beyond it, the least recently used files are removed.
const CACHE_BYTES: u64 = 1 << 30;

/// The extension of a file that is being written.
const TEMPORARY: &str = "part";

/// A folder of files named by their content.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    limit: u64,
    /// Whether an error of writing has been logged.
    is_error_logged: bool,
}

impl Cache {
    /// The cache of this user.
    pub(crate) fn of_user() -> Self {
        let Some(folders) = directories::ProjectDirs::from("", "", "downbeat") else {
            warn!("no cache folder, sounds are fetched at every start");
            return Self::none();
        };
        Self::at(folders.cache_dir().join("sounds"), CACHE_BYTES)
    }

    /// A cache of at most `limit` bytes in `folder`, which is created when it is first needed.
    #[must_use]
    pub fn at(folder: PathBuf, limit: u64) -> Self {
        Self { folder: Some(folder), limit, is_error_logged: false }
    }

    /// A cache that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { folder: None, limit: 0, is_error_logged: true }
    }

    /// The file with this content, if it is present and intact. A damaged one is removed.
    #[must_use]
    pub fn get(&self, hash: &ContentHash) -> Option<Vec<u8>> {
        let path = self.folder.as_deref().map(|folder| path_of(folder, hash))?;
        let file = fs::read(&path).ok()?;
        if ContentHash::of(&file) != *hash {
            debug!(path = %path.display(), "cached sound damaged");
            // If it cannot be removed, the next call finds it damaged again.
            let _ = fs::remove_file(&path);
            return None;
        }
        // The modification time says when it was last used. In a read-only folder it stays.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Stores `file`, whose content hash is `hash`, and makes room for it.
    pub fn put(&mut self, hash: &ContentHash, file: &[u8]) {
        let Some(folder) = &self.folder else { return };
        if file.len() as u64 > self.limit {
            return;
        }
        let stored = fs::create_dir_all(folder)
            .and_then(|()| write_atomically(folder, hash, file))
            .and_then(|()| make_room(folder, self.limit));
        if let Err(error) = stored
            && !self.is_error_logged
        {
            warn!(
                folder = %folder.display(), %error,
                "cache not writable, sounds are fetched again at the next start"
            );
            self.is_error_logged = true;
        }
    }
}

fn path_of(folder: &Path, hash: &ContentHash) -> PathBuf {
    folder.join(format!("{hash}.wav"))
}

/// Writes a temporary file, and renames it: a reader never sees half a file.
fn write_atomically(folder: &Path, hash: &ContentHash, file: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{hash}.{:016x}.{TEMPORARY}", fastrand::u64(..)));
    let written = File::create_new(&temporary)
        .and_then(|mut written| written.write_all(file))
        .and_then(|()| fs::rename(&temporary, path_of(folder, hash)));
    if written.is_err() {
        // If this fails too, `make_room` removes it in its turn.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes the least recently used files until no more than `limit` bytes are left.
fn make_room(folder: &Path, limit: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let path = entry.path();
            // Only files that a cache has named: the folder is the user's.
            let hash = path.file_name()?.to_str()?.split('.').next()?;
            let ours = ContentHash::parse(hash).is_some()
                && path.extension().is_some_and(|ending| ending == "wav" || ending == TEMPORARY);
            let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            ours.then_some((data.modified().ok()?, data.len(), path))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total <= limit {
            break;
        }
        match fs::remove_file(path) {
            // Another player may have removed it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => total -= bytes,
        }
    }
    Ok(())
}

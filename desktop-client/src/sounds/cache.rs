//! Files that were fetched, kept on disk by what they hold.
//!
//! A cache may lose anything at any time, and so has no errors: what cannot be read is fetched
//! again, and what cannot be written is fetched again the next time. Several players of one machine
//! may share a folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing::{debug, warn};

use super::ContentHash;

/// Most that the cache holds: some banks of long pieces, and no burden on a computer whose disk is
/// a memory card. Beyond it, what was used longest ago is removed.
pub const CACHE_BYTES: u64 = 1 << 30;

/// Ending of a file that is being written.
const UNFINISHED: &str = "part";

/// A folder of files named by their content.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    limit: u64,
    /// Whether it has been said that nothing can be written.
    told: bool,
}

impl Cache {
    /// The cache of this user.
    #[must_use]
    pub fn of_user() -> Self {
        let Some(folders) = directories::ProjectDirs::from("", "", "downbeat") else {
            warn!("this user has no folder for caches: sounds will be fetched at every start");
            return Self::none();
        };
        Self::at(folders.cache_dir().join("sounds"), CACHE_BYTES)
    }

    /// A cache in `folder`, which is made when it is first needed, of at most `limit` bytes.
    #[must_use]
    pub fn at(folder: PathBuf, limit: u64) -> Self {
        Self { folder: Some(folder), limit, told: false }
    }

    /// A cache that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { folder: None, limit: 0, told: true }
    }

    /// The file of that content, if it is here and whole. One that was damaged is removed.
    #[must_use]
    pub fn get(&self, hash: &ContentHash) -> Option<Vec<u8>> {
        let path = self.folder.as_deref().map(|folder| path_of(folder, hash))?;
        let file = fs::read(&path).ok()?;
        if ContentHash::of(&file) != *hash {
            debug!(path = %path.display(), "a cached sound was damaged");
            // If it cannot be removed, it is checked and left aside again the next time.
            let _ = fs::remove_file(&path);
            return None;
        }
        // Its time says when it was last of use. In a folder that cannot be written it stays.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Keeps `file`, whose content hash is `hash`, and makes room for it.
    pub fn put(&mut self, hash: &ContentHash, file: &[u8]) {
        let Some(folder) = &self.folder else { return };
        if file.len() as u64 > self.limit {
            return;
        }
        let kept = fs::create_dir_all(folder)
            .and_then(|()| write_whole(folder, hash, file))
            .and_then(|()| make_room(folder, self.limit));
        if let Err(error) = kept
            && !self.told
        {
            warn!(
                folder = %folder.display(), %error,
                "sounds cannot be kept on disk: they will be fetched again at the next start"
            );
            self.told = true;
        }
    }
}

fn path_of(folder: &Path, hash: &ContentHash) -> PathBuf {
    folder.join(format!("{hash}.wav"))
}

/// A reader never sees a half-written file: it has its name only once it is whole.
fn write_whole(folder: &Path, hash: &ContentHash, file: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{hash}.{:016x}.{UNFINISHED}", fastrand::u64(..)));
    let written = File::create_new(&unfinished)
        .and_then(|mut written| written.write_all(file))
        .and_then(|()| fs::rename(&unfinished, path_of(folder, hash)));
    if written.is_err() {
        // Nothing can be done if this fails too; it counts as old and goes in its turn.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Removes what was used longest ago until no more than `limit` bytes are left.
fn make_room(folder: &Path, limit: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let path = entry.path();
            // Only what this cache named: the folder is the user's.
            let hash = path.file_name()?.to_str()?.split('.').next()?;
            let ours = ContentHash::parse(hash).is_some()
                && path.extension().is_some_and(|ending| ending == "wav" || ending == UNFINISHED);
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

//! The files of uploaded sounds in the data folder, each named by its hash.
//!
//! A file is there whole or not at all: it is written under another name and renamed once it is on disk. The
//! store has a row for each; what is here without one is the rest of an upload that was interrupted, or belongs
//! to a database that was moved away.

use std::{
    collections::HashSet,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use downbeat_protocol::clean_name;
use downbeat_samples::wav::WavError;
use thiserror::Error;

use super::{
    sound::{Sound, hash_of},
    space::{MAX_BANK_BYTES, MAX_SOUND_BYTES, MAX_SOUNDS},
};
use crate::store::{
    StoredSound,
    folder::{create_folder, create_private, sync_folder},
};

/// The endings of files: a sound; one that is being written; one that no row of the store names.
const SOUND: &str = "wav";
const PARTIAL: &str = "part";
const UNLISTED: &str = "unlisted";

/// How long a file is kept that no row names. Whoever has moved the database away can still put it back.
const UNLISTED_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// Why a stored sound is not in the bank.
#[derive(Debug, Error)]
enum SkipReason {
    #[error("its row is damaged")]
    Row,
    #[error("its file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("its file is damaged")]
    Damaged,
    #[error("its file cannot be played: {0}")]
    Broken(#[from] WavError),
    #[error("the bank is full")]
    Full,
}

/// The folder of the files, if the relay has a data folder.
#[derive(Debug)]
pub(crate) struct UploadedFiles {
    folder: Option<PathBuf>,
}

impl UploadedFiles {
    /// The files in a data folder.
    pub(crate) fn new(data: Option<&Path>) -> Self {
        Self { folder: data.map(|data| data.join("sounds")) }
    }

    /// Reads the stored sounds, and clears away what none of them needs. One whose file is missing or damaged is
    /// left out, and its row stays: the file may come back.
    pub(super) fn read(&self, stored: Vec<StoredSound>, now: SystemTime) -> Vec<Sound> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let listed = stored.iter().map(|sound| sound.hash.as_str()).collect();
        if let Err(error) = tidy(folder, &listed, now)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(?folder, %error, "cannot clear the folder of uploaded sounds");
        }
        let (mut sounds, mut bytes) = (Vec::new(), 0);
        for StoredSound { hash, name, .. } in stored {
            let left = MAX_BANK_BYTES - bytes;
            let read = match sounds.len() {
                MAX_SOUNDS => Err(SkipReason::Full),
                _ => read_sound(folder, &hash, &name, left),
            };
            match read {
                Ok(sound) => {
                    bytes += sound.info.bytes;
                    sounds.push(sound);
                }
                Err(reason) => tracing::warn!(
                    name, hash, %reason,
                    "an uploaded sound is left out; put its file back, or upload it again"
                ),
            }
        }
        sounds
    }

    /// Writes the file of a sound. When it returns, the file is on disk. Without a data folder it does nothing.
    ///
    /// # Errors
    /// If it cannot be written. Nothing is left of it then.
    pub(crate) fn write(&self, sound: &Sound) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        create_folder(folder)?;
        let partial = path_of(folder, &sound.info.hash, PARTIAL);
        let written = write_whole(&partial, &sound.file)
            .and_then(|()| fs::rename(&partial, path_of(folder, &sound.info.hash, SOUND)));
        if written.is_err() {
            // What cannot be removed is removed at the next start.
            let _ = fs::remove_file(&partial);
        }
        written.and_then(|()| sync_folder(folder))
    }

    /// Deletes the file of a sound.
    pub(crate) fn delete(&self, hash: &str) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = fs::remove_file(path_of(folder, hash, SOUND)) {
            tracing::warn!(hash, %error, "cannot delete the file of a removed sound");
        }
    }
}

fn path_of(folder: &Path, hash: &str, ending: &str) -> PathBuf {
    folder.join(format!("{hash}.{ending}"))
}

fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_private(path)?;
    // The rest of an earlier attempt may be there.
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()
}

fn read_sound(folder: &Path, hash: &str, name: &str, left: u64) -> Result<Sound, SkipReason> {
    // It becomes part of a path.
    let name = clean_name(name).filter(|_| is_hash(hash)).ok_or(SkipReason::Row)?;
    let path = path_of(folder, hash, SOUND);
    let length = fs::metadata(&path)?.len();
    if length > MAX_SOUND_BYTES {
        return Err(SkipReason::Damaged);
    }
    if length > left {
        return Err(SkipReason::Full);
    }
    let file: Bytes = fs::read(&path)?.into();
    if hash_of(&file) != hash {
        return Err(SkipReason::Damaged);
    }
    Ok(Sound { is_uploaded: true, ..Sound::of_wav(name, file)? })
}

/// Whether a text is a SHA-256 as this relay writes it.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Removes half a file, puts aside what is not listed, and puts back what is listed again. Files with other names
/// are not the relay's and stay.
fn tidy(folder: &Path, listed: &HashSet<&str>, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !is_hash(stem) {
            continue;
        }
        match (ending, listed.contains(stem)) {
            (PARTIAL, _) => fs::remove_file(&path)?,
            (SOUND, false) => {
                let unlisted = path.with_extension(UNLISTED);
                tracing::warn!(?path, "no entry names this sound; it is deleted in a week");
                // Its week begins now.
                fs::File::options().write(true).open(&path)?.set_modified(now)?;
                fs::rename(&path, unlisted)?;
            }
            (UNLISTED, true) if !path.with_extension(SOUND).exists() => {
                fs::rename(&path, path.with_extension(SOUND))?;
            }
            (UNLISTED, _) => {
                let age = now.duration_since(fs::metadata(&path)?.modified()?);
                if age.is_ok_and(|age| age > UNLISTED_LIFETIME) {
                    fs::remove_file(&path)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(index: usize) -> Sound {
        let wav = &downbeat_samples::EMBEDDED[index];
        Sound::of_wav(wav.name.into(), Bytes::from_static(wav.wav)).unwrap()
    }

    fn row(sound: &Sound) -> StoredSound {
        StoredSound { hash: sound.info.hash.clone(), name: sound.info.name.clone(), position: 0 }
    }

    fn names(sounds: &[Sound]) -> Vec<&str> {
        sounds.iter().map(|sound| sound.info.name.as_str()).collect()
    }

    fn listing(data: &Path) -> Vec<String> {
        let entries = fs::read_dir(data.join("sounds")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_written_is_read_and_what_is_damaged_is_left_out_alone() {
        let data = tempfile::tempdir().unwrap();
        let files = UploadedFiles::new(Some(data.path()));
        let now = SystemTime::now();
        assert!(files.read(Vec::new(), now).is_empty(), "without a folder");
        let sounds: Vec<_> = (0..4).map(sound).collect();
        for sound in &sounds {
            files.write(sound).unwrap();
        }
        let rows: Vec<_> = sounds.iter().map(row).collect();
        let read = files.read(rows.clone(), now);
        assert_eq!(names(&read), ["click", "kick", "clap", "bell"]);
        assert!(read.iter().all(|sound| sound.is_uploaded));

        let path =
            |index: usize| path_of(&data.path().join("sounds"), &sounds[index].info.hash, SOUND);
        fs::remove_file(path(1)).unwrap();
        let whole = fs::read(path(2)).unwrap();
        fs::write(path(2), &whole[..whole.len() / 2]).unwrap();
        let wrong = StoredSound { hash: "../../etc/passwd".into(), ..row(&sounds[0]) };
        let rows = [&rows[..], &[wrong]].concat();
        assert_eq!(names(&files.read(rows.clone(), now)), ["click", "bell"]);
        // An upload of the same content heals it.
        files.write(&sounds[2]).unwrap();
        files.write(&sounds[1]).unwrap();
        assert_eq!(names(&files.read(rows, now)), ["click", "kick", "clap", "bell"]);
        files.delete(&sounds[0].info.hash);
        assert_eq!(listing(data.path()).len(), 3);
    }

    #[test]
    fn what_no_row_names_is_kept_for_a_week() {
        let data = tempfile::tempdir().unwrap();
        let files = UploadedFiles::new(Some(data.path()));
        let (one, other) = (sound(0), sound(1));
        files.write(&one).unwrap();
        files.write(&other).unwrap();
        let folder = data.path().join("sounds");
        fs::write(path_of(&folder, &other.info.hash, PARTIAL), "half").unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        fs::write(folder.join("kick.wav"), "mine too").unwrap();
        let now = SystemTime::now();
        assert_eq!(names(&files.read(vec![row(&one)], now)), ["click"]);
        let unlisted = format!("{}.{UNLISTED}", other.info.hash);
        let kept = format!("{}.{SOUND}", one.info.hash);
        let mut expected = vec![kept, unlisted, "kick.wav".into(), "notes.txt".into()];
        expected.sort();
        assert_eq!(listing(data.path()), expected);
        // The database is back.
        assert_eq!(names(&files.read(vec![row(&one), row(&other)], now)), ["click", "kick"]);
        files.read(vec![row(&one)], now);
        files.read(vec![row(&one)], now + UNLISTED_LIFETIME / 2);
        assert_eq!(listing(data.path()), expected);
        files.read(vec![row(&one)], now + UNLISTED_LIFETIME + Duration::from_secs(1));
        assert_eq!(listing(data.path()).len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_them_and_a_full_disk_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let files = UploadedFiles::new(Some(data.path()));
        files.write(&sound(0)).unwrap();
        let folder = data.path().join("sounds");
        for (path, mode) in
            [(folder.clone(), 0o700), (path_of(&folder, &sound(0).info.hash, SOUND), 0o600)]
        {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{path:?}");
        }
        // A folder is in its place: it cannot be renamed.
        fs::create_dir(path_of(&folder, &sound(1).info.hash, SOUND)).unwrap();
        assert!(files.write(&sound(1)).is_err());
        assert_eq!(listing(data.path()).len(), 2);
    }

    #[test]
    fn without_a_data_folder_nothing_is_written() {
        let files = UploadedFiles::new(None);
        files.write(&sound(0)).unwrap();
        files.delete("x");
        assert!(files.read(vec![row(&sound(0))], SystemTime::now()).is_empty());
    }
}

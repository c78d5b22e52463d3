//! The folder of sounds, followed: when what is in it changes, or when it is asked for, the bank is
//! loaded anew and everyone is told.
//!
//! It looks every few seconds rather than being told by the system, because a folder that another
//! machine shares tells nobody. It looks on a thread of its own: a disk may sleep and a network stall,
//! and neither may keep a bang.

use std::{
    fs, io, panic,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use crate::{
    config::{FOLDER_EVERY, MAX_SOUNDS},
    relay::Relay,
    sounds::{Bank, FolderError, Reason, list_wavs},
};

/// A folder, and what was in it when its bank was loaded.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    loaded: Listing,
    /// What the last look found, if that was something else.
    changed: Option<Listing>,
    /// Whether it could not be read, which is said once.
    lost: bool,
}

/// The WAVs of a folder: path, bytes, and when each was last written. What cannot be asked of a file
/// is left out; it then differs from before, or is no less broken than it was.
type Listing = Vec<(PathBuf, Option<u64>, Option<SystemTime>)>;

fn list(folder: &Path) -> io::Result<Listing> {
    let (_, paths) = list_wavs(folder)?;
    let files = paths.into_iter().map(|path| {
        let metadata = fs::metadata(&path).ok();
        let written = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        (path, metadata.map(|metadata| metadata.len()), written)
    });
    Ok(files.collect())
}

impl Folder {
    /// Reads the folder for the first time.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn open(path: &Path) -> Result<(Self, Bank), FolderError> {
        // Listed first, so that what changes meanwhile is found by the next look.
        let loaded = list(path).map_err(|source| FolderError::new(path, source))?;
        let bank = load(path, &Bank::default())?;
        let path = path.to_owned();
        Ok((Self { path, loaded, changed: None, lost: false }, bank))
    }

    /// Looks whether the folder has changed; its bank, if it has, or if that `was_asked` for.
    ///
    /// A change is believed when two looks have seen the same: a file that is being copied is left
    /// to grow. What cannot be read is no change: a room plays on without its network drive.
    fn look(&mut self, was_asked: bool, former: &Bank) -> Option<Bank> {
        let now = match list(&self.path) {
            Ok(now) => now,
            Err(error) => {
                self.lose(&error);
                return None;
            }
        };
        self.lost = false;
        if !was_asked {
            if now == self.loaded {
                self.changed = None;
                return None;
            }
            if self.changed.as_ref() != Some(&now) {
                self.changed = Some(now);
                return None;
            }
        }
        match load(&self.path, former) {
            Ok(bank) => {
                self.loaded = now;
                self.changed = None;
                Some(bank)
            }
            Err(error) => {
                self.lose(&error);
                None
            }
        }
    }

    fn lose(&mut self, error: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.lost, true) {
            tracing::warn!("{error}; serving what was read before: {:?}", self.path);
        }
    }
}

fn load(path: &Path, former: &Bank) -> Result<Bank, FolderError> {
    let (bank, left_out) = Bank::from_folder(path, former)?;
    // They may be thousands, and each says the same.
    let (too_many, left_out): (Vec<_>, Vec<_>) =
        left_out.into_iter().partition(|file| matches!(file.reason, Reason::TooMany));
    if let Some(first) = too_many.first() {
        tracing::warn!(
            "{} files are left out, from {:?} on by name: a bank may have {MAX_SOUNDS} sounds; \
             serve fewer with --samples",
            too_many.len(),
            first.path
        );
    }
    for file in left_out {
        tracing::warn!("{:?} is left out: it {}", file.path, file.reason);
    }
    tell_size(&bank);
    Ok(bank)
}

/// Says in the log what a bank holds.
pub fn tell_size(bank: &Bank) {
    let sounds = bank.infos().count();
    if sounds == 0 {
        tracing::warn!("there is no sound to serve; put WAV files into the folder of --samples");
    } else {
        tracing::info!(sounds, default = bank.default_name(), "the bank is read");
    }
}

/// Follows `folder` for as long as it is polled; `asked` is notified by whoever wants the bank loaded
/// anew at once. A bank without a folder never changes.
pub async fn follow(relay: Arc<Relay>, folder: Option<Folder>, asked: Arc<Notify>) {
    let Some(mut folder) = folder else {
        loop {
            asked.notified().await;
            tracing::info!("the built-in bank is not loaded anew: there is no --samples");
        }
    };
    let mut next = Instant::now() + FOLDER_EVERY;
    loop {
        let was_asked = tokio::select! {
            () = sleep_until(next) => false,
            () = asked.notified() => true,
        };
        let former = relay.bank();
        #[cfg(test)]
        let alarm = relay.alarm.clone();
        let looked = spawn_blocking(move || {
            #[cfg(test)]
            alarm.panic_if_injected("folder look");
            let bank = folder.look(was_asked, &former);
            (folder, bank)
        });
        let (still, bank) = match looked.await {
            Ok(looked) => looked,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The relay is ending.
                Err(_) => return,
            },
        };
        folder = still;
        if let Some(bank) = bank {
            relay.serve_bank(bank).await;
        }
        // Counted from the end of a look: one that took long is not followed by another at once.
        next = Instant::now() + FOLDER_EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bank: &Bank) -> Vec<&str> {
        bank.infos().map(|info| info.name.as_str()).collect()
    }

    #[test]
    fn a_change_is_believed_when_it_has_been_seen_twice() {
        let wav = |index: usize| downbeat_samples::EMBEDDED[index].wav;
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
        write("a.wav", wav(0));
        let (mut folder, bank) = Folder::open(home.path()).unwrap();
        assert_eq!(names(&bank), ["a"]);
        assert!(folder.look(false, &bank).is_none());

        // A file that is being copied is looked at again until it has stopped growing.
        write("b.wav", &wav(1)[..100]);
        assert!(folder.look(false, &bank).is_none());
        write("b.wav", wav(1));
        assert!(folder.look(false, &bank).is_none());
        let bank = folder.look(false, &bank).unwrap();
        assert_eq!(names(&bank), ["a", "b"]);
        assert!(folder.look(false, &bank).is_none());
        assert!(folder.look(false, &bank).is_none());

        // What is no WAV is no change; and whoever asks need not wait.
        write("notes.txt", b"");
        assert!(folder.look(false, &bank).is_none());
        assert!(folder.look(false, &bank).is_none());
        fs::remove_file(home.path().join("a.wav")).unwrap();
        let bank = folder.look(true, &bank).unwrap();
        assert_eq!(names(&bank), ["b"]);
        assert!(folder.look(false, &bank).is_none());
    }

    #[test]
    fn hidden_files_are_no_sounds_and_no_warnings() {
        let home = tempfile::tempdir().unwrap();
        for name in ["kick.wav", "._kick.wav", ".hidden.wav"] {
            fs::write(home.path().join(name), downbeat_samples::EMBEDDED[0].wav).unwrap();
        }
        let (bank, left_out) = Bank::from_folder(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["kick"]);
        assert!(left_out.is_empty(), "{left_out:?}");
    }

    #[test]
    fn names_that_look_alike_are_one_sound_and_the_other_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        for (index, name) in ["cafe\u{301}", "caf\u{e9}", "ki\u{200b}ck"].iter().enumerate() {
            let wav = downbeat_samples::EMBEDDED[index].wav;
            fs::write(home.path().join(format!("{name}.wav")), wav).unwrap();
        }
        let (bank, left_out) = Bank::from_folder(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["caf\u{e9}", "kick"]);
        // The file keeps its path, and the first by path is served.
        assert_eq!(bank.get("caf\u{e9}").unwrap().file, downbeat_samples::EMBEDDED[0].wav);
        let [other] = &left_out[..] else { panic!("{left_out:?}") };
        assert!(other.path.ends_with("caf\u{e9}.wav"), "{other:?}");
        assert!(matches!(&other.reason, Reason::SameName(name) if name == "caf\u{e9}"));
    }

    #[test]
    fn a_folder_that_is_gone_changes_nothing_until_it_is_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sounds");
        let fill = |index: usize| {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("a.wav"), downbeat_samples::EMBEDDED[index].wav).unwrap();
        };
        fill(0);
        let (mut folder, bank) = Folder::open(&path).unwrap();
        fs::remove_dir_all(&path).unwrap();
        for was_asked in [false, false, true] {
            assert!(folder.look(was_asked, &bank).is_none());
        }
        fill(1);
        assert!(folder.look(false, &bank).is_none());
        let other = folder.look(false, &bank).unwrap();
        assert_ne!(other.get("a").unwrap().info.hash, bank.get("a").unwrap().info.hash);
    }
}

//! Reads the folder again when it changes, or on request.
//!
//! It polls every few seconds instead of using the system's notifications, because a network file system
//! sends none. It reads on a blocking thread: a disk may spin up and a network may stall, and neither may
//! delay a trigger.

use std::{
    fs, io, panic,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use super::{
    folder::{self, FolderError, SkipReason, list_wavs},
    served::Bank,
    sound::Sound,
    space::MAX_SOUNDS,
};
use crate::supervise::Supervisor;

/// How often the folder is polled. A change is served within two polls; a listing of some hundred files in
/// that time costs nothing.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A folder, and its content when it was read.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The names of sounds that repeat as a whole.
    looped: Vec<String>,
    loaded: Listing,
    /// The content at the last poll, if it differs.
    changed: Option<Listing>,
    /// Whether it could not be read, which is logged once.
    unreadable: bool,
}

/// The WAV files of a folder: path, size, and time of the last write. What the system does not tell is
/// `None`.
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
    /// Reads the folder for the first time, of which the sounds that `looped` names repeat, and as many as fit
    /// into the `current` bank.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub(super) fn open(
        path: &Path,
        looped: Vec<String>,
        current: &Bank,
    ) -> Result<(Self, Vec<Sound>), FolderError> {
        // Listed first, so that a change meanwhile is found by the next poll.
        let loaded = list(path).map_err(|source| FolderError::new(path, source))?;
        let sounds = load(path, &looped, current)?;
        let path = path.to_owned();
        Ok((Self { path, looped, loaded, changed: None, unreadable: false }, sounds))
    }

    /// Returns its sounds if the folder has changed, or if a reload `is_requested`.
    ///
    /// A change counts when two polls have found the same: a file may still be being copied. A folder
    /// that cannot be read is no change, so that a room plays on without its network drive.
    fn poll(&mut self, is_requested: bool, current: &Bank) -> Option<Vec<Sound>> {
        let now = match list(&self.path) {
            Ok(now) => now,
            Err(error) => {
                self.warn_unreadable(&error);
                return None;
            }
        };
        self.unreadable = false;
        if !is_requested {
            if now == self.loaded {
                self.changed = None;
                return None;
            }
            if self.changed.as_ref() != Some(&now) {
                self.changed = Some(now);
                return None;
            }
        }
        match load(&self.path, &self.looped, current) {
            Ok(sounds) => {
                self.loaded = now;
                self.changed = None;
                Some(sounds)
            }
            Err(error) => {
                self.warn_unreadable(&error);
                None
            }
        }
    }

    fn warn_unreadable(&mut self, error: &dyn std::error::Error) {
        if !std::mem::replace(&mut self.unreadable, true) {
            tracing::warn!(
                folder = ?self.path, %error,
                "cannot read the samples folder; the sounds loaded before are still served"
            );
        }
    }
}

fn load(path: &Path, looped: &[String], current: &Bank) -> Result<Vec<Sound>, FolderError> {
    let (sounds, skipped) = folder::read(path, looped, current)?;
    // These may be thousands, all for the same reason.
    let (too_many, skipped): (Vec<_>, Vec<_>) =
        skipped.into_iter().partition(|file| matches!(file.reason, SkipReason::TooMany));
    if let Some(first) = too_many.first() {
        tracing::warn!(
            files = too_many.len(), first = ?first.path,
            "files skipped: the limit is {MAX_SOUNDS} sounds; serve fewer with --samples"
        );
    }
    for file in skipped {
        tracing::warn!(path = ?file.path, reason = %file.reason, "file skipped");
    }
    Ok(sounds)
}

/// Logs what a bank holds.
pub(crate) fn log_loaded(bank: &Bank) {
    let sounds = bank.infos().count();
    if sounds == 0 {
        tracing::warn!(
            "no sounds to serve; put WAV files into the folder of --samples, or upload some"
        );
    } else {
        tracing::info!(sounds, default = bank.default_name(), "bank_loaded");
    }
}

/// Watches a folder for other sounds.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// `None` for the built-in bank, which never changes.
    folder: Option<Folder>,
    /// Notified when a reload is requested.
    reload: Arc<Notify>,
    next_poll: Instant,
    #[cfg(test)]
    supervisor: Arc<Supervisor>,
}

impl Watcher {
    pub(crate) fn new(
        folder: Option<Folder>,
        reload: Arc<Notify>,
        supervisor: &Arc<Supervisor>,
    ) -> Self {
        // Only tests inject faults.
        let _ = supervisor;
        Self {
            folder,
            reload,
            next_poll: Instant::now() + POLL_INTERVAL,
            #[cfg(test)]
            supervisor: supervisor.clone(),
        }
    }

    /// Waits until the folder has other sounds. `current` is the bank at the time of a poll, whose memory they share.
    /// `None` if the runtime is shutting down.
    pub(crate) async fn next(&mut self, current: impl Fn() -> Arc<Bank>) -> Option<Vec<Sound>> {
        loop {
            let Some(mut folder) = self.folder.take() else {
                self.reload.notified().await;
                tracing::info!("the built-in bank is not reloaded: there is no --samples");
                continue;
            };
            let is_requested = tokio::select! {
                () = sleep_until(self.next_poll) => false,
                () = self.reload.notified() => true,
            };
            let current = current();
            #[cfg(test)]
            let supervisor = self.supervisor.clone();
            let polled = spawn_blocking(move || {
                #[cfg(test)]
                supervisor.panic_if_injected("folder poll");
                let sounds = folder.poll(is_requested, &current);
                (folder, sounds)
            });
            let sounds = match polled.await {
                Ok((folder, sounds)) => {
                    self.folder = Some(folder);
                    sounds
                }
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => panic::resume_unwind(panic),
                    Err(_) => return None,
                },
            };
            // From the end of a poll: one that took long is not followed by another at once.
            self.next_poll = Instant::now() + POLL_INTERVAL;
            if sounds.is_some() {
                return sounds;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sounds: &[Sound]) -> Vec<&str> {
        sounds.iter().map(|sound| sound.info.name.as_str()).collect()
    }

    fn open(path: &Path) -> (Folder, Vec<Sound>) {
        Folder::open(path, Vec::new(), &Bank::default()).unwrap()
    }

    #[test]
    fn a_change_counts_when_two_polls_have_found_it() {
        let wav = |index: usize| downbeat_samples::EMBEDDED[index].wav;
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
        write("a.wav", wav(0));
        let (mut folder, sounds) = open(home.path());
        let mut poll = |is_requested| folder.poll(is_requested, &Bank::default());
        assert_eq!(names(&sounds), ["a"]);
        assert!(poll(false).is_none());

        // A file that is being copied is polled until it has stopped growing.
        write("b.wav", &wav(1)[..100]);
        assert!(poll(false).is_none());
        write("b.wav", wav(1));
        assert!(poll(false).is_none());
        assert_eq!(names(&poll(false).unwrap()), ["a", "b"]);
        assert!(poll(false).is_none());
        assert!(poll(false).is_none());

        // Other files are no change, and a requested reload does not wait.
        write("notes.txt", b"");
        assert!(poll(false).is_none());
        assert!(poll(false).is_none());
        fs::remove_file(home.path().join("a.wav")).unwrap();
        assert_eq!(names(&poll(true).unwrap()), ["b"]);
        assert!(poll(false).is_none());
    }

    #[test]
    fn a_sound_repeats_if_the_settings_say_so_also_after_a_reload() {
        let home = tempfile::tempdir().unwrap();
        let wav = downbeat_samples::EMBEDDED[0].wav;
        let names = folder::clean_names(&["cafe\u{301}".to_owned(), "gone".to_owned()]);
        fs::write(home.path().join("caf\u{e9}.wav"), wav).unwrap();
        let (mut folder, sounds) = Folder::open(home.path(), names, &Bank::default()).unwrap();
        let looped =
            |sounds: &[Sound]| -> Vec<_> { sounds.iter().map(|s| s.info.looped).collect() };
        let whole = Some(downbeat_protocol::LoopFrames { start: 0, end: sounds[0].info.frames });
        assert_eq!(looped(&sounds), [whole]);
        fs::write(home.path().join("other.wav"), wav).unwrap();
        assert_eq!(looped(&folder.poll(true, &Bank::default()).unwrap()), [whole, None]);
    }

    #[test]
    fn a_missing_folder_changes_nothing_until_it_returns() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sounds");
        let fill = |index: usize| {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("a.wav"), downbeat_samples::EMBEDDED[index].wav).unwrap();
        };
        fill(0);
        let (mut folder, sounds) = open(&path);
        fs::remove_dir_all(&path).unwrap();
        for is_requested in [false, false, true] {
            assert!(folder.poll(is_requested, &Bank::default()).is_none());
        }
        fill(1);
        assert!(folder.poll(false, &Bank::default()).is_none());
        let other = folder.poll(false, &Bank::default()).unwrap();
        assert_ne!(other[0].info.hash, sounds[0].info.hash);
    }
}

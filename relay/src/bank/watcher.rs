//! Reloads the bank when its folder changes, or on request.
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

use super::{Bank, FolderError, MAX_SOUNDS, SkipReason, list_wavs};
use crate::supervise::Supervisor;

/// How often the folder is polled. A change is served within two polls; a listing of some hundred files in
/// that time costs nothing.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A folder, and its content when the bank was loaded.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
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
    /// Reads the folder for the first time. `empty` tells which sounds repeat.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub(crate) fn open(path: &Path, empty: &Bank) -> Result<(Self, Bank), FolderError> {
        // Listed first, so that a change meanwhile is found by the next poll.
        let loaded = list(path).map_err(|source| FolderError::new(path, source))?;
        let bank = load(path, empty)?;
        let path = path.to_owned();
        Ok((Self { path, loaded, changed: None, unreadable: false }, bank))
    }

    /// Returns the new bank if the folder has changed, or if a reload `is_requested`.
    ///
    /// A change counts when two polls have found the same: a file may still be being copied. A folder
    /// that cannot be read is no change, so that a room plays on without its network drive.
    fn poll(&mut self, is_requested: bool, current: &Bank) -> Option<Bank> {
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
        match load(&self.path, current) {
            Ok(bank) => {
                self.loaded = now;
                self.changed = None;
                Some(bank)
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

fn load(path: &Path, current: &Bank) -> Result<Bank, FolderError> {
    let (bank, skipped) = Bank::from_folder(path, current)?;
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
    log_loaded(&bank);
    Ok(bank)
}

/// Logs what a bank holds.
pub(crate) fn log_loaded(bank: &Bank) {
    for name in bank.missing_loops() {
        tracing::warn!(name, "no sound of this name can repeat (--loop)");
    }
    let sounds = bank.infos().count();
    if sounds == 0 {
        tracing::warn!("no sounds to serve; put WAV files into the folder of --samples");
    } else {
        tracing::info!(sounds, default = bank.default_name(), "bank_loaded");
    }
}

/// Watches a folder for a new bank.
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

    /// Waits until there is a bank to replace `current`. `None` if the runtime is shutting down.
    pub(crate) async fn next(&mut self, current: &Arc<Bank>) -> Option<Bank> {
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
            let current = current.clone();
            #[cfg(test)]
            let supervisor = self.supervisor.clone();
            let polled = spawn_blocking(move || {
                #[cfg(test)]
                supervisor.panic_if_injected("folder poll");
                let bank = folder.poll(is_requested, &current);
                (folder, bank)
            });
            let bank = match polled.await {
                Ok((folder, bank)) => {
                    self.folder = Some(folder);
                    bank
                }
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => panic::resume_unwind(panic),
                    Err(_) => return None,
                },
            };
            // From the end of a poll: one that took long is not followed by another at once.
            self.next_poll = Instant::now() + POLL_INTERVAL;
            if bank.is_some() {
                return bank;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bank: &Bank) -> Vec<&str> {
        bank.infos().map(|info| info.name.as_str()).collect()
    }

    #[test]
    fn a_change_counts_when_two_polls_have_found_it() {
        let wav = |index: usize| downbeat_samples::EMBEDDED[index].wav;
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
        write("a.wav", wav(0));
        let (mut folder, bank) = Folder::open(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["a"]);
        assert!(folder.poll(false, &bank).is_none());

        // A file that is being copied is polled until it has stopped growing.
        write("b.wav", &wav(1)[..100]);
        assert!(folder.poll(false, &bank).is_none());
        write("b.wav", wav(1));
        assert!(folder.poll(false, &bank).is_none());
        let bank = folder.poll(false, &bank).unwrap();
        assert_eq!(names(&bank), ["a", "b"]);
        assert!(folder.poll(false, &bank).is_none());
        assert!(folder.poll(false, &bank).is_none());

        // Other files are no change, and a requested reload does not wait.
        write("notes.txt", b"");
        assert!(folder.poll(false, &bank).is_none());
        assert!(folder.poll(false, &bank).is_none());
        fs::remove_file(home.path().join("a.wav")).unwrap();
        let bank = folder.poll(true, &bank).unwrap();
        assert_eq!(names(&bank), ["b"]);
        assert!(folder.poll(false, &bank).is_none());
    }

    #[test]
    fn hidden_files_are_ignored_without_a_warning() {
        let home = tempfile::tempdir().unwrap();
        for name in ["kick.wav", "._kick.wav", ".hidden.wav"] {
            fs::write(home.path().join(name), downbeat_samples::EMBEDDED[0].wav).unwrap();
        }
        let (bank, skipped) = Bank::from_folder(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["kick"]);
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn of_two_names_that_look_alike_the_second_is_skipped() {
        let home = tempfile::tempdir().unwrap();
        for (index, name) in ["cafe\u{301}", "caf\u{e9}", "ki\u{200b}ck"].iter().enumerate() {
            let wav = downbeat_samples::EMBEDDED[index].wav;
            fs::write(home.path().join(format!("{name}.wav")), wav).unwrap();
        }
        let (bank, skipped) = Bank::from_folder(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["caf\u{e9}", "kick"]);
        // The first by path is served.
        assert_eq!(bank.get("caf\u{e9}").unwrap().file, downbeat_samples::EMBEDDED[0].wav);
        let [other] = &skipped[..] else { panic!("{skipped:?}") };
        assert!(other.path.ends_with("caf\u{e9}.wav"), "{other:?}");
        assert!(matches!(&other.reason, SkipReason::SameName(name) if name == "caf\u{e9}"));
    }

    #[test]
    fn the_name_of_the_tone_is_reserved() {
        let home = tempfile::tempdir().unwrap();
        for name in ["to\u{200b}ne", "Tone", "tone 2"] {
            let wav = downbeat_samples::EMBEDDED[0].wav;
            fs::write(home.path().join(format!("{name}.wav")), wav).unwrap();
        }
        let (bank, skipped) = Bank::from_folder(home.path(), &Bank::default()).unwrap();
        assert_eq!(names(&bank), ["Tone", "tone 2"]);
        let [reserved] = &skipped[..] else { panic!("{skipped:?}") };
        assert!(reserved.reason.to_string().contains("rename"), "{reserved:?}");
    }

    #[test]
    fn a_sound_repeats_if_the_settings_say_so_also_after_a_reload() {
        let home = tempfile::tempdir().unwrap();
        let wav = downbeat_samples::EMBEDDED[0].wav;
        let names = ["cafe\u{301}".to_owned(), "gone".to_owned()];
        fs::write(home.path().join("caf\u{e9}.wav"), wav).unwrap();
        let (mut folder, bank) = Folder::open(home.path(), &Bank::with_loops(&names)).unwrap();
        let looped = |bank: &Bank| -> Vec<_> { bank.infos().map(|i| i.looped).collect() };
        let frames = bank.infos().next().unwrap().frames;
        let whole = Some(downbeat_protocol::LoopFrames { start: 0, end: frames });
        assert_eq!(looped(&bank), [whole]);
        assert_eq!(bank.missing_loops().collect::<Vec<_>>(), ["gone"]);
        fs::write(home.path().join("other.wav"), wav).unwrap();
        let bank = folder.poll(true, &bank).unwrap();
        assert_eq!(looped(&bank), [whole, None]);
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
        let (mut folder, bank) = Folder::open(&path, &Bank::default()).unwrap();
        fs::remove_dir_all(&path).unwrap();
        for is_requested in [false, false, true] {
            assert!(folder.poll(is_requested, &bank).is_none());
        }
        fill(1);
        assert!(folder.poll(false, &bank).is_none());
        let other = folder.poll(false, &bank).unwrap();
        assert_ne!(other.get("a").unwrap().info.hash, bank.get("a").unwrap().info.hash);
    }
}

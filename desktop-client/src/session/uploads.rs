//! Files on their way to the relay's bank: which is next, and what the relay is asked for it.
//!
//! One file is sent at a time, so that a room's network keeps time for triggers. Checking and sending happen on a
//! thread of `sounds`; this module does no I/O and reads no clock.

use std::{collections::VecDeque, path::PathBuf};

use downbeat_protocol::UploadRequest;

use crate::{
    event::{UploadProgress, UploadUpdate},
    sounds::{AddedSound, UploadEvent},
    time::LocalTime,
};

/// When the relay is asked again that has not answered, as after too many requests: it may drop one without a word.
const ASK_AGAIN_NANOS: i64 = 5_000_000_000;

/// Requests whose answer is still taken. A relay that answers none is asked for as long as it is connected.
const MAX_ASKED: usize = 8;

/// Files that wait. Beyond it, a file is refused.
const MAX_WAITING: usize = 256;

/// The uploads of a session. `T` is the handle of a thread that uploads; dropping it cancels.
#[derive(Debug)]
pub(super) struct Uploads<T> {
    /// The number of the next file.
    next: u64,
    waiting: VecDeque<File>,
    active: Option<Active<T>>,
}

#[derive(Debug)]
struct File {
    id: u64,
    /// Its name, without the folder.
    name: String,
    path: PathBuf,
}

#[derive(Debug)]
struct Active<T> {
    id: u64,
    file: String,
    thread: T,
    /// The name of its sound and its size, while the relay is to be asked for a path.
    wanted: Option<(String, u64)>,
    /// The same, for when the path expires.
    checked: Option<(String, u64)>,
    /// The `ack`s of the last requests that the relay has not answered. Any answer will do.
    asked: Vec<u64>,
    /// When it was asked last.
    asked_at: LocalTime,
}

/// A file whose upload begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) id: u64,
    pub(super) path: PathBuf,
    file: String,
}

impl<T> Uploads<T> {
    pub(super) fn new() -> Self {
        Self { next: 1, waiting: VecDeque::new(), active: None }
    }

    /// Adds a file. Returns what to tell the observer.
    pub(super) fn add(&mut self, path: PathBuf) -> UploadUpdate {
        let id = self.next;
        self.next += 1;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let update = |progress| UploadUpdate { id, file: name.clone(), progress };
        if self.waiting.len() == MAX_WAITING {
            let reason = format!("more than {MAX_WAITING} files are waiting already");
            return update(UploadProgress::Failed { reason });
        }
        let waiting = update(UploadProgress::Waiting);
        self.waiting.push_back(File { id, name, path });
        waiting
    }

    /// The next file to begin with, if none is under way. [`Uploads::begin`] follows.
    pub(super) fn take_next(&mut self) -> Option<Next> {
        if self.active.is_some() {
            return None;
        }
        let File { id, name, path } = self.waiting.pop_front()?;
        Some(Next { id, path, file: name })
    }

    /// The thread of that file has started, or there is none.
    pub(super) fn begin(&mut self, next: Next, thread: Result<T, String>) -> UploadUpdate {
        let Next { id, file, .. } = next;
        let progress = match thread {
            Ok(thread) => {
                let file = file.clone();
                self.active = Some(Active {
                    id,
                    file,
                    thread,
                    wanted: None,
                    checked: None,
                    asked: Vec::new(),
                    asked_at: LocalTime::default(),
                });
                UploadProgress::Checking
            }
            Err(reason) => UploadProgress::Failed { reason },
        };
        UploadUpdate { id, file, progress }
    }

    /// What happened to the file of this number, which may have been cancelled.
    pub(super) fn take(&mut self, id: u64, event: UploadEvent) -> Option<UploadUpdate> {
        let active = self.active.as_mut().filter(|active| active.id == id)?;
        let progress = match event {
            UploadEvent::Checked { name, bytes } => {
                active.checked = Some((name, bytes));
                active.wanted.clone_from(&active.checked);
                return None;
            }
            UploadEvent::Expired => {
                active.wanted.clone_from(&active.checked);
                return None;
            }
            UploadEvent::Sending { sent, bytes } => UploadProgress::Sending { sent, bytes },
            UploadEvent::Decoding => UploadProgress::Decoding,
            UploadEvent::Ended(Ok(AddedSound { name, hash })) => {
                UploadProgress::Added { sound: name, hash }
            }
            UploadEvent::Ended(Err(reason)) => UploadProgress::Failed { reason },
        };
        let file = active.file.clone();
        if matches!(progress, UploadProgress::Added { .. } | UploadProgress::Failed { .. }) {
            self.active = None;
        }
        Some(UploadUpdate { id, file, progress })
    }

    /// When [`Uploads::take_request`] asks again, if it will.
    pub(super) fn due(&self) -> Option<LocalTime> {
        let active = self.active.as_ref().filter(|active| !active.asked.is_empty())?;
        Some(active.asked_at.plus_nanos(ASK_AGAIN_NANOS))
    }

    /// What to ask the relay by now, if anything, with this `ack`.
    pub(super) fn take_request(&mut self, ack: u64, now: LocalTime) -> Option<UploadRequest> {
        if self.due().is_some_and(|due| now < due) {
            return None;
        }
        let active = self.active.as_mut()?;
        let (name, bytes) = active.wanted.clone()?;
        if active.asked.len() == MAX_ASKED {
            active.asked.remove(0);
        }
        active.asked.push(ack);
        active.asked_at = now;
        Some(UploadRequest { name, bytes, ack })
    }

    /// The relay has a path for the request: returns the thread that waits for it.
    pub(super) fn ready(&mut self, ack: u64) -> Option<&T> {
        let active = self.active.as_mut().filter(|active| active.asked.contains(&ack))?;
        active.asked.clear();
        active.wanted = None;
        Some(&active.thread)
    }

    /// The relay, or the wire, refuses the request; that with this `ack`, if one is given.
    pub(super) fn refused(&mut self, ack: Option<u64>, reason: &str) -> Option<UploadUpdate> {
        let is_meant = |active: &mut Active<T>| ack.is_none_or(|ack| active.asked.contains(&ack));
        let Active { id, file, .. } = self.active.take_if(is_meant)?;
        let progress = UploadProgress::Failed { reason: reason.to_owned() };
        Some(UploadUpdate { id, file, progress })
    }

    /// The connection is lost. What was asked is asked again on the next; what is being sent goes on.
    pub(super) fn disconnected(&mut self) {
        if let Some(active) = &mut self.active {
            active.asked.clear();
        }
    }

    /// Gives up all files, for this reason: their relay is left.
    pub(super) fn abandon(&mut self, reason: &str) -> Vec<UploadUpdate> {
        let active = self.active.take().map(|active| (active.id, active.file));
        let waiting = self.waiting.drain(..).map(|file| (file.id, file.name));
        let failed = |(id, file)| UploadUpdate {
            id,
            file,
            progress: UploadProgress::Failed { reason: reason.to_owned() },
        };
        active.into_iter().chain(waiting).map(failed).collect()
    }

    /// Cancels the file of this number.
    pub(super) fn cancel(&mut self, id: u64) {
        self.waiting.retain(|file| file.id != id);
        self.active.take_if(|active| active.id == id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(uploads: &mut Uploads<&'static str>) -> UploadProgress {
        let next = uploads.take_next().unwrap();
        uploads.begin(next, Ok("thread")).progress
    }

    fn checked(uploads: &mut Uploads<&'static str>, id: u64) {
        let event = UploadEvent::Checked { name: "kick".to_owned(), bytes: 48 };
        assert_eq!(uploads.take(id, event), None);
    }

    /// The `ack` of the request at this second, if there is one.
    fn asks(uploads: &mut Uploads<&'static str>, ack: u64, second: i64) -> Option<u64> {
        let now = LocalTime::from_nanos(second * 1_000_000_000);
        uploads.take_request(ack, now).map(|request| request.ack)
    }

    fn failed(update: Option<UploadUpdate>) -> (u64, String) {
        match update {
            Some(UploadUpdate { id, progress: UploadProgress::Failed { reason }, .. }) => {
                (id, reason)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_sent_one_after_the_other() {
        let mut uploads = Uploads::new();
        let first = uploads.add("/music/kick.wav".into());
        assert_eq!(
            first,
            UploadUpdate { id: 1, file: "kick.wav".to_owned(), progress: UploadProgress::Waiting }
        );
        uploads.add("bell.flac".into());
        assert_eq!(begin(&mut uploads), UploadProgress::Checking);
        assert_eq!(uploads.take_next(), None);
        assert_eq!(asks(&mut uploads, 1, 0), None, "it is not checked yet");
        checked(&mut uploads, 1);
        let request = uploads.take_request(1, LocalTime::default()).unwrap();
        assert_eq!((request.name.as_str(), request.bytes, request.ack), ("kick", 48, 1));
        assert_eq!(asks(&mut uploads, 2, 0), None, "it is asked once");
        assert_eq!(uploads.ready(9), None);
        assert_eq!(uploads.ready(1), Some(&"thread"));
        assert_eq!(asks(&mut uploads, 2, 60), None);
        let sending = uploads.take(1, UploadEvent::Sending { sent: 12, bytes: 48 }).unwrap();
        assert_eq!(sending.progress, UploadProgress::Sending { sent: 12, bytes: 48 });
        let added = AddedSound { name: "kick 2".to_owned(), hash: "aa".to_owned() };
        let ended = uploads.take(1, UploadEvent::Ended(Ok(added))).unwrap();
        assert!(matches!(ended.progress, UploadProgress::Added { sound, .. } if sound == "kick 2"));
        assert_eq!(uploads.take_next().unwrap().id, 2);
    }

    #[test]
    fn a_path_that_is_lost_or_has_expired_is_asked_for_again() {
        let mut uploads = Uploads::new();
        uploads.add("kick.wav".into());
        begin(&mut uploads);
        checked(&mut uploads, 1);
        assert_eq!(asks(&mut uploads, 1, 0), Some(1));
        uploads.disconnected();
        assert_eq!(asks(&mut uploads, 2, 0), Some(2));
        assert_eq!(uploads.ready(1), None, "of the former connection");
        uploads.ready(2).unwrap();
        assert_eq!(uploads.take(1, UploadEvent::Expired), None);
        assert_eq!(asks(&mut uploads, 3, 0), Some(3));
    }

    #[test]
    fn a_relay_that_does_not_answer_is_asked_again_and_any_answer_will_do() {
        let mut uploads = Uploads::new();
        uploads.add("kick.wav".into());
        begin(&mut uploads);
        checked(&mut uploads, 1);
        assert_eq!(uploads.due(), None);
        let asked: Vec<_> = (1..=12).filter_map(|n| asks(&mut uploads, n, n as i64)).collect();
        assert_eq!(asked, [1, 6, 11]);
        for n in 100..200 {
            asks(&mut uploads, n, 10 * n as i64);
        }
        assert_eq!(uploads.ready(6), None, "that was long ago");
        assert_eq!(uploads.ready(195), Some(&"thread"));
        assert_eq!(uploads.due(), None);
    }

    #[test]
    fn files_do_not_go_to_another_relay() {
        let mut uploads = Uploads::new();
        for name in ["a.wav", "b.wav", "c.wav"] {
            uploads.add(name.into());
        }
        begin(&mut uploads);
        let failed: Vec<_> = uploads.abandon("left").into_iter().map(|u| failed(Some(u))).collect();
        assert_eq!(failed, [1, 2, 3].map(|id| (id, "left".to_owned())));
        assert_eq!(uploads.take_next(), None);
    }

    #[test]
    fn one_that_fails_or_is_refused_or_cancelled_makes_way() {
        let mut uploads = Uploads::new();
        for name in ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav"] {
            uploads.add(name.into());
        }
        begin(&mut uploads);
        let ended = UploadEvent::Ended(Err("the file is empty".to_owned()));
        assert_eq!(failed(uploads.take(1, ended)), (1, "the file is empty".to_owned()));
        begin(&mut uploads);
        checked(&mut uploads, 2);
        let ack = asks(&mut uploads, 1, 0).unwrap();
        assert_eq!(uploads.refused(Some(ack + 1), "no"), None);
        assert_eq!(failed(uploads.refused(Some(ack), "not allowed")).0, 2);
        uploads.cancel(4);
        begin(&mut uploads);
        uploads.cancel(3);
        assert_eq!(uploads.take(3, UploadEvent::Decoding), None, "it is cancelled");
        let next = uploads.take_next().unwrap();
        assert_eq!(next.id, 5);
        let update = uploads.begin(next, Err("no thread".to_owned()));
        assert_eq!(failed(Some(update)), (5, "no thread".to_owned()));
        assert_eq!(uploads.take_next(), None);
    }

    #[test]
    fn files_beyond_the_limit_are_refused() {
        let mut uploads = Uploads::<()>::new();
        for _ in 0..MAX_WAITING {
            assert_eq!(uploads.add("a.wav".into()).progress, UploadProgress::Waiting);
        }
        let (id, reason) = failed(Some(uploads.add("a.wav".into())));
        assert_eq!(id, MAX_WAITING as u64 + 1);
        assert!(reason.contains("256"));
    }
}

//! Files on their way to the relay's bank, as they are shown.

use std::collections::VecDeque;

use super::room::{ReadyOn, WatchedRoom};
use crate::event::{UploadProgress, UploadUpdate};

/// Uploads that are kept. Beyond it, the oldest that has ended is dropped. There always is one: the session has at
/// most 256 that wait and one that is under way.
const MAX_UPLOADS: usize = 320;

/// The uploads, in the order in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uploads {
    entries: VecDeque<Upload>,
}

/// A file on its way to the relay's bank.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Its number, by which it is cancelled.
    pub id: u64,
    /// Name of the file, without its folder.
    pub file: String,
    /// How far it is.
    pub progress: UploadProgress,
    /// The number of the first bank on this connection that contained the sound; none until then.
    pub bank: Option<u64>,
}

impl Upload {
    /// Whether it has ended, well or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.progress, UploadProgress::Added { .. } | UploadProgress::Failed { .. })
    }

    /// The part that is sent, from 0 to 1; none unless it is being sent.
    #[must_use]
    pub fn fraction(&self) -> Option<f32> {
        match self.progress {
            UploadProgress::Sending { sent, bytes } => Some(sent as f32 / bytes.max(1) as f32),
            _ => None,
        }
    }

    /// On how many players of the room its sound is ready, among `sounds` sounds; none unless it is in the bank.
    #[must_use]
    pub fn ready_on(&self, room: &WatchedRoom, sounds: usize) -> Option<ReadyOn> {
        match &self.progress {
            UploadProgress::Added { sound, .. } => Some(room.ready_on(sound, self.bank?, sounds)),
            _ => None,
        }
    }
}

impl Uploads {
    /// All of them, in the order in which they were asked for.
    pub fn iter(&self) -> impl Iterator<Item = &Upload> {
        self.entries.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn update(&mut self, update: UploadUpdate) {
        let UploadUpdate { id, file, progress } = update;
        if let Some(upload) = self.entries.iter_mut().find(|upload| upload.id == id) {
            upload.progress = progress;
            return;
        }
        if self.entries.len() == MAX_UPLOADS {
            let ended = self.entries.iter().position(Upload::has_ended).unwrap_or(0);
            self.entries.remove(ended);
        }
        self.entries.push_back(Upload { id, file, progress, bank: None });
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.entries.retain(|upload| upload.id != id);
    }

    /// The numbers of banks are of another relay from now on, or of one that was started again. Those of its bank
    /// follow.
    pub(super) fn forget_banks(&mut self) {
        for upload in &mut self.entries {
            upload.bank = None;
        }
    }

    /// The bank of this number has sounds of these hashes.
    pub(super) fn bank_changed(&mut self, number: u64, hashes: &[&str]) {
        for upload in self.entries.iter_mut().filter(|upload| upload.bank.is_none()) {
            if let UploadProgress::Added { hash, .. } = &upload.progress
                && hashes.contains(&hash.as_str())
            {
                upload.bank = Some(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(uploads: &mut Uploads, id: u64, progress: UploadProgress) {
        uploads.update(UploadUpdate { id, file: format!("{id}.wav"), progress });
    }

    fn added() -> UploadProgress {
        UploadProgress::Added { sound: "kick".to_owned(), hash: "aa".to_owned() }
    }

    #[test]
    fn an_upload_is_shown_from_its_beginning_to_its_bank() {
        let mut uploads = Uploads::default();
        update(&mut uploads, 1, UploadProgress::Waiting);
        update(&mut uploads, 2, UploadProgress::Waiting);
        update(&mut uploads, 1, UploadProgress::Sending { sent: 30, bytes: 120 });
        assert_eq!(uploads.iter().next().unwrap().fraction(), Some(0.25));
        update(&mut uploads, 1, added());
        uploads.bank_changed(6, &["bb"]);
        assert_eq!(uploads.iter().next().unwrap().ready_on(&WatchedRoom::default(), 3), None);
        uploads.bank_changed(7, &["bb", "aa"]);
        uploads.bank_changed(8, &["aa"]);
        let first = uploads.iter().next().unwrap();
        assert_eq!((first.bank, first.has_ended()), (Some(7), true));
        assert!(first.ready_on(&WatchedRoom::default(), 3).is_some());
        uploads.remove(1);
        assert_eq!(uploads.iter().map(|upload| upload.id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn one_that_waits_is_never_dropped() {
        let mut uploads = Uploads::default();
        // As many as the session takes, and then those that it refuses.
        for id in 0..257 {
            update(&mut uploads, id, UploadProgress::Waiting);
        }
        for id in 257..1000 {
            let reason = "too many wait".to_owned();
            update(&mut uploads, id, UploadProgress::Failed { reason });
        }
        assert_eq!(uploads.iter().filter(|upload| !upload.has_ended()).count(), 257);
        assert_eq!(uploads.iter().count(), MAX_UPLOADS);
    }

    #[test]
    fn the_oldest_that_has_ended_makes_room() {
        let mut uploads = Uploads::default();
        update(&mut uploads, 0, UploadProgress::Waiting);
        for id in 1..=MAX_UPLOADS as u64 {
            update(&mut uploads, id, added());
        }
        assert_eq!(uploads.iter().count(), MAX_UPLOADS);
        let ids: Vec<_> = uploads.iter().map(|upload| upload.id).take(3).collect();
        assert_eq!(ids, [0, 2, 3]);
    }
}

//! Uploads: from the request for a ticket to a sound in the bank.
//!
//! Files are decoded and stored one after the other, on a thread that may wait: neither delays a trigger, and what
//! they need of memory is bounded by the tickets and one decoded file.

use std::{
    io,
    sync::{Arc, MutexGuard, PoisonError},
};

use bytes::Bytes;
use downbeat_protocol::{ClientId, ErrorCode, Refusal, UploadReady, UploadRequest, clean_name};
use thiserror::Error;
use tokio::task::spawn_blocking;

use super::Hub;
use crate::{
    bank::{
        Sound,
        decode::DecodeError,
        tickets::{NotTaken, TicketId, Tickets},
    },
    room::refuse::{invalid, refusal},
};

/// Why a file that has arrived is no sound of the bank.
#[derive(Debug, Error)]
pub(crate) enum NotStored {
    /// It cannot be played.
    #[error("{0}")]
    Unreadable(#[from] DecodeError),
    /// Decoding it has panicked.
    #[error("the file cannot be decoded: it is damaged in a way that the relay does not know")]
    Panicked,
    /// There is no space for what it becomes.
    #[error(
        "decoded, the file has {bytes} bytes, and the bank has space for {left}: remove sounds, or send a shorter one"
    )]
    Full {
        /// The size of its WAV file.
        bytes: u64,
        /// What is left.
        left: u64,
    },
    /// The disk refuses it.
    #[error("the relay cannot write it to its data folder ({0}); nothing of it is kept")]
    Disk(#[from] io::Error),
    /// The disk refuses its entry in the store, or the relay is ending.
    #[error(
        "the sound is in the bank until the relay ends: its data folder cannot be written, and the log says why"
    )]
    NotKept,
}

/// A sound that was uploaded, or that was there already.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) name: String,
    pub(crate) hash: String,
}

/// A file that is being received for a ticket. Dropped before its end, it leaves the ticket to another attempt.
#[derive(Debug)]
pub(crate) struct Receiving {
    hub: Arc<Hub>,
    id: TicketId,
    attempt: u64,
}

impl Receiving {
    /// Bytes have arrived.
    ///
    /// # Errors
    /// If another attempt has replaced it, or the ticket has ended.
    pub(crate) fn continues(&self) -> Result<(), NotTaken> {
        self.hub.tickets().receive(self.id, self.attempt, self.hub.clock.now())
    }

    /// Completes when another attempt or the end of a client may have ended this one.
    pub(crate) async fn disturbed(&self) {
        self.hub.tickets_changed.notified().await;
    }

    /// Makes a sound of the file, which has arrived in these parts. Goes on without the caller: the file is not sent
    /// again.
    ///
    /// # Errors
    /// If another attempt has replaced it, or the ticket has ended.
    pub(crate) fn complete(
        self,
        parts: Vec<Vec<u8>>,
    ) -> Result<impl Future<Output = Result<Uploaded, NotStored>>, NotTaken> {
        let name = self.hub.tickets().complete(self.id, self.attempt)?;
        let (hub, id) = (self.hub.clone(), self.id);
        let storing = tokio::spawn(async move {
            let stored = hub.store_upload(name, parts).await;
            hub.tickets().end(id);
            stored
        });
        let hub = self.hub.clone();
        Ok(async move {
            storing.await.unwrap_or_else(|_| {
                hub.tickets().end(id);
                Err(NotStored::Panicked)
            })
        })
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.hub.tickets().interrupt(self.id, self.attempt);
    }
}

impl Hub {
    /// Locks the tickets. The holder must not wait for anything, nor lock anything else.
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        // No code panics while it holds the lock. If one did, the tickets would still be usable.
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a client a ticket for a file.
    ///
    /// # Errors
    /// If there is no space for the file, or the client has too many tickets.
    pub(crate) fn offer_upload(
        &self,
        by: ClientId,
        request: &UploadRequest,
    ) -> Result<UploadReady, Refusal> {
        request.validate().map_err(invalid)?;
        // Valid names are not empty.
        let name = clean_name(&request.name).unwrap_or_default();
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| refusal(ErrorCode::Full, format!("no random numbers: {error}")))?;
        let id = TicketId(u128::from_be_bytes(random));
        let (space, now) = (self.library().space(), self.clock.now());
        let given = self.tickets().give(id, by, (name, request.bytes), space, now);
        given.inspect_err(|refusal| {
            if refusal.code == ErrorCode::Full {
                self.counters.uploads_refused.full.increment();
            }
        })?;
        Ok(UploadReady { ack: request.ack, path: format!("uploads/{id}") })
    }

    /// Begins to receive a file of so many `bytes` for a ticket.
    ///
    /// # Errors
    /// If it is not taken.
    pub(crate) fn begin_upload(
        self: &Arc<Self>,
        id: TicketId,
        bytes: u64,
    ) -> Result<Receiving, NotTaken> {
        let attempt = self.tickets().begin(id, bytes, self.clock.now())?;
        self.tickets_changed.notify_waiters();
        Ok(Receiving { hub: self.clone(), id, attempt })
    }

    /// Ends the tickets of a client that has left, or may not upload any more.
    pub(super) fn end_uploads_of(&self, client: ClientId) {
        if self.tickets().end_of(client) {
            self.tickets_changed.notify_waiters();
        }
    }

    /// Decodes a file, stores it, and puts it into the bank.
    async fn store_upload(
        self: &Arc<Self>,
        name: String,
        parts: Vec<Vec<u8>>,
    ) -> Result<Uploaded, NotStored> {
        let hash = {
            let _storing = self.storing.lock().await;
            let sound = blocking(move || Sound::of_upload(name, &joined(parts))).await??;
            let hash = sound.info.hash.clone();
            let (is_here, is_on_disk, left) = {
                let library = self.library();
                (library.has(&hash), library.has_uploaded(&hash), library.space().bytes)
            };
            if !is_here && sound.info.bytes > left {
                return Err(NotStored::Full { bytes: sound.info.bytes, left });
            }
            // The folder may lose its own file before this one is announced, and then the row needs a file.
            let sound = if is_on_disk {
                sound
            } else {
                let files = self.files.clone();
                blocking(move || files.write(&sound).map(|()| sound)).await??
            };
            self.library().arrive(sound);
            hash
        };
        let next = self.library().next_announcement();
        tokio::time::sleep(self.clock.until(next)).await;
        if !self.announce_uploads().await {
            return Err(NotStored::NotKept);
        }
        let name = self.library().name_of(&hash).unwrap_or_default();
        tracing::info!(name, hash, "sound_uploaded");
        Ok(Uploaded { name, hash })
    }
}

/// The parts of a file as one. Each is freed once it is copied.
fn joined(parts: Vec<Vec<u8>>) -> Bytes {
    let mut file = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for part in parts {
        file.extend_from_slice(&part);
    }
    file.into()
}

/// Runs what is slow on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotStored> {
    spawn_blocking(work).await.map_err(|_| NotStored::Panicked)
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        config::Config,
        joining::{Invitation, tokens::Tokens},
    };

    #[tokio::test]
    async fn a_file_that_the_folder_has_and_loses_before_it_is_announced_is_on_disk() {
        let (data, samples) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [wav, flac] = ["pluck.wav", "pluck.flac"].map(|name| {
            let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/audio");
            std::fs::read(vectors.join(name)).unwrap()
        });
        std::fs::write(samples.path().join("pluck.wav"), &wav).unwrap();
        let config = Config {
            data: Some(data.path().to_owned()),
            samples: Some(samples.path().to_owned()),
            ..Config::default()
        };
        let tokens = Arc::new(Tokens::new(&config).unwrap());
        let invitation = Invitation::new(tokens, config.listen, false, None).unwrap();
        let (hub, _) = Hub::new(&config, invitation).unwrap();
        let hub = Arc::new(hub);
        let store = |name: &str, file: &[u8]| {
            let (hub, name, parts) = (hub.clone(), name.to_owned(), vec![file.to_vec()]);
            tokio::spawn(async move { hub.store_upload(name, parts).await.unwrap() })
        };
        let on_disk = |hash: &str| data.path().join(format!("sounds/{hash}.wav")).exists();

        // While the folder has it, nothing is left of an upload of the same file.
        let same = store("same", &wav).await.unwrap();
        assert_eq!(same.name, "pluck");
        let begun = Instant::now();
        while on_disk(&same.hash) {
            assert!(begun.elapsed() < Duration::from_secs(10), "it is deleted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }

        // The next announcement waits for a while after this one.
        store("other", &flac).await.unwrap();
        let stored = store("mine", &wav);
        while !hub.library().has_uploaded(&same.hash) {
            tokio::task::yield_now().await;
        }
        hub.replace_found(Vec::new()).await;
        assert_eq!(stored.await.unwrap().name, "mine");
        assert!(on_disk(&same.hash), "its row is");
    }
}

//! The bank as the room has it: what a folder, an edit or an upload changes, and who is told.

use std::sync::{Arc, MutexGuard, PoisonError};

use downbeat_protocol::{
    Ack, BankNow, ClientId, EditSoundsRequest, Refusal, RelayToClient, encode,
};
use tokio::sync::mpsc::Permit as QueuePlace;

use super::{Hub, turn::Turn};
use crate::{
    bank::{
        Bank, Sound,
        library::{Change, Library},
        watcher::log_loaded,
    },
    broadcast::lane::{Command, Delivery},
    room::refuse::invalid,
    store::AckTo,
    websocket::{client::Wire, frame},
};

/// Largest gain of a trigger, with that of its sound.
const MAX_GAIN: f32 = 4.0;

impl Hub {
    /// Locks the sounds. Whoever needs the room too takes its lock first.
    pub(super) fn library(&self) -> MutexGuard<'_, Library> {
        // No code panics while it holds the lock. If one did, the bank would still be usable.
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bank as it is now.
    pub(crate) fn bank(&self) -> Arc<Bank> {
        self.library().bank().clone()
    }

    /// Replaces the sounds of the folder, and broadcasts the bank unless it is the same.
    pub(crate) async fn replace_found(&self, found: Vec<Sound>) {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return };
        // With the room locked, so that a newcomer's welcome has this bank or is followed by it.
        let _room = self.room();
        let mut library = self.library();
        let change = library.replace_found(found);
        log_loaded(library.bank());
        if change.is_new {
            place.send(Command::Broadcast(to_frame(library.bank())));
        } else {
            tracing::info!("bank_unchanged");
        }
    }

    /// Changes sounds at the request of a client; returns the size of what is broadcast.
    ///
    /// # Errors
    /// If a value is out of range, a sound is not there, or a name is taken.
    pub(crate) fn edit_sounds(
        self: &Arc<Self>,
        turn: Turn<'_>,
        by: ClientId,
        request: &EditSoundsRequest,
    ) -> Result<usize, Refusal> {
        request.validate().map_err(invalid)?;
        let Some(place) = turn.v1 else { return Ok(0) };
        let _room = self.room();
        let mut library = self.library();
        let change = library.edit(request)?;
        let mut acks: Vec<_> =
            request.ack.map(|ack| AckTo { client: by, ack }).into_iter().collect();
        if let Some(store) = &self.store {
            let Change { writes, deleted, .. } = &change;
            store.submit(writes.clone(), std::mem::take(&mut acks));
            if !deleted.is_empty() {
                self.delete_files(deleted.clone());
            }
        }
        let acks = acks.into_iter().map(|AckTo { client, ack }| {
            (client, frame::text(&encode(&RelayToClient::Ack(Ack { ack }))))
        });
        Ok(tell(place, change.is_new.then(|| library.bank()), acks.collect()))
    }

    /// Puts the uploaded sounds that have arrived into the bank, and broadcasts it. Completes when that is on disk, if
    /// there is a data folder; false if it cannot be written, or the relay is ending.
    pub(super) async fn announce_uploads(self: &Arc<Self>) -> bool {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return false };
        let committed = {
            let _room = self.room();
            let mut library = self.library();
            let Change { is_new, writes, deleted } = library.announce(self.clock.now());
            let store = self.store.as_ref();
            let committed = store.map(|store| store.submit_and_tell(writes));
            if !deleted.is_empty() {
                self.delete_files(deleted);
            }
            tell(place, is_new.then(|| library.bank()), Vec::new());
            committed
        };
        match committed {
            Some(committed) => committed.await.is_ok(),
            None => true,
        }
    }

    /// Deletes the files of uploaded sounds, once it is on disk that they are gone: a row without its file would be
    /// a sound that is lost. Without a data folder there are none.
    fn delete_files(self: &Arc<Self>, hashes: Vec<String>) {
        let hub = self.clone();
        tokio::spawn(async move {
            let Some(store) = &hub.store else { return };
            if !store.all_committed().await {
                return;
            }
            // A file that is uploaded again is written under this lock.
            let _storing = hub.storing.lock().await;
            let gone: Vec<_> = {
                let library = hub.library();
                hashes.into_iter().filter(|hash| !library.has_uploaded(hash)).collect()
            };
            let files = hub.files.clone();
            // It ends without a result only with the relay.
            let _ = tokio::task::spawn_blocking(move || {
                for hash in gone {
                    files.delete(&hash);
                }
            })
            .await;
        });
    }
}

/// Broadcasts a bank, and then what single clients are sent; returns the size.
fn tell(
    place: QueuePlace<'_, Command>,
    bank: Option<&Arc<Bank>>,
    replies: Vec<(ClientId, bytes::Bytes)>,
) -> usize {
    let frames: Vec<_> = bank.map(|bank| to_frame(bank)).into_iter().collect();
    let bytes =
        frames.iter().chain(replies.iter().map(|(_, frame)| frame)).map(bytes::Bytes::len).sum();
    if bytes > 0 {
        place.send(Command::Deliver(Delivery { frames, replies, ..Delivery::default() }));
    }
    bytes
}

fn to_frame(bank: &Bank) -> bytes::Bytes {
    frame::text(&encode(&RelayToClient::Bank(BankNow {
        sounds: bank.infos().cloned().collect(),
        default_sound: bank.default_name().to_owned(),
        bank: bank.number,
        removed: bank.removed().to_vec(),
    })))
}

/// The gain of a trigger with that of its sound.
pub(super) fn total_gain(gain: f32, sound_db: f32) -> f32 {
    if sound_db == 0.0 {
        return gain;
    }
    (gain * 10_f32.powf(sound_db / 20.0)).min(MAX_GAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_of_a_sound_is_a_factor_and_bounded() {
        for (gain, sound_db, total) in [
            (0.3, 0.0, 0.3),
            (1.0, -6.0, 0.501_19),
            (0.5, 12.0, 1.990_54),
            (2.0, 12.0, 4.0),
            (0.0, 12.0, 0.0),
        ] {
            assert!((total_gain(gain, sound_db) - total).abs() < 1e-4, "{gain} and {sound_db} dB");
        }
    }
}

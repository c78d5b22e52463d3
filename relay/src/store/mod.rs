//! What survives the relay: variables, their values, machines, the lock, and what was changed about sounds, in one
//! `SQLite` file.
//!
//! A thread of its own writes it: a disk that sleeps must not delay a trigger. The `queue` collects what is to
//! be written, and the thread commits all of it at once. A request is acknowledged after the commit.
//!
//! This module knows no rules of the room: it writes what it is given.

mod columns;
mod database;
mod error;
pub(crate) mod folder;
mod machines;
mod queue;
mod schema;
mod sounds;
mod write;

use std::{path::Path, sync::Arc, thread};

use tokio::sync::{Mutex, mpsc, oneshot};

pub use self::error::StoreError;
pub(crate) use self::write::{
    AckTo, Assigned, SoundEdits, Stored, StoredMachine, StoredSound, StoredValue, Write,
};
use self::{database::Database, queue::Queue};
use crate::{counters::Counters, supervise::Supervisor};

/// How many commits may wait until their requests are acknowledged. Beyond it the thread waits.
const MAX_COMMITS: usize = 16;

/// The file, and the thread that writes it.
#[derive(Debug)]
pub(crate) struct Store {
    queue: Arc<Queue>,
    committed: Mutex<mpsc::Receiver<Vec<AckTo>>>,
    writer: thread::JoinHandle<()>,
}

impl Store {
    /// Opens the file in `folder`, or creates both, and starts the thread. Returns what is stored too.
    ///
    /// # Errors
    /// If the folder cannot be used, or its file is not one of this relay, or is damaged.
    pub(crate) fn open(
        folder: &Path,
        counters: &Arc<Counters>,
        supervisor: &Arc<Supervisor>,
    ) -> Result<(Self, Stored), StoreError> {
        let mut database = Database::open(folder)?;
        let stored = database.read()?;
        let queue = Arc::new(Queue::default());
        let (sender, committed) = mpsc::channel(MAX_COMMITS);
        let (theirs, counters, guard) =
            (queue.clone(), counters.clone(), supervisor.guard("store"));
        let writer = thread::Builder::new().name("store".to_owned()).spawn(move || {
            let _guard = guard;
            run(&theirs, &mut database, &sender, &counters);
        });
        let writer = writer.map_err(|source| StoreError::unusable(folder, &source))?;
        Ok((Self { queue, committed: Mutex::new(committed), writer }, stored))
    }

    /// Waits until there is space for another request. Only who asks waits, and never the room.
    pub(crate) async fn ready(&self) {
        self.queue.has_space().await;
    }

    /// Puts into the queue what is to be written, and whom to tell after the commit. Never waits.
    pub(crate) fn submit(&self, writes: Vec<Write>, acks: Vec<AckTo>) {
        self.queue.add(writes, acks);
    }

    /// Puts into the queue what is to be written. The receiver is told when all that was put there until now is on
    /// disk, and is an error if it cannot be written. Never waits.
    pub(crate) fn submit_and_tell(&self, writes: Vec<Write>) -> oneshot::Receiver<()> {
        let (sender, committed) = oneshot::channel();
        self.queue.add_and_tell(writes, sender);
        committed
    }

    /// Completes when all that was put there until now is on disk, however often it has to be tried; false if the relay
    /// ends before.
    pub(crate) async fn all_committed(&self) -> bool {
        loop {
            if self.submit_and_tell(Vec::new()).await.is_ok() {
                return true;
            }
            if self.queue.has_ended() {
                return false;
            }
        }
    }

    /// Whom to tell about the next commit. `None` at the end.
    pub(crate) async fn committed(&self) -> Option<Vec<AckTo>> {
        self.committed.lock().await.recv().await
    }

    /// Makes the thread commit what waits, and end.
    pub(crate) fn end(&self) {
        self.queue.end();
    }

    /// Whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.writer.is_finished()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

/// Commits what is queued until the end. What cannot be written is tried again, and acknowledged to nobody:
/// who has asked gives up by then.
fn run(
    queue: &Queue,
    database: &mut Database,
    committed: &mpsc::Sender<Vec<AckTo>>,
    counters: &Counters,
) {
    let mut is_failing = false;
    while let Some(batch) = queue.take(is_failing) {
        match database.commit(batch.writes.values()) {
            Ok(()) => {
                if is_failing {
                    tracing::info!(
                        "the data folder can be written again; nothing that is set now was lost"
                    );
                }
                is_failing = false;
                for waiter in batch.waiters {
                    // Who waits may have left.
                    let _ = waiter.send(());
                }
                if !batch.acks.is_empty() {
                    // Without a receiver the relay is ending.
                    let _ = committed.blocking_send(batch.acks);
                }
            }
            Err(error) => {
                counters.store_failures.increment();
                if !is_failing {
                    tracing::error!(
                        %error,
                        "cannot write to the data folder; the room goes on, but requests are not \
                         acknowledged until it can be written"
                    );
                }
                is_failing = true;
                queue.put_back(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! What waits to be written.
//!
//! Of several writes to one key the last one counts, so that a fader that is moved takes one place. At most
//! [`MAX_WRITES`] and [`MAX_ACKS`] wait: beyond that, clients that ask for changes wait, and TCP slows them
//! down. The room itself never waits, and what it writes on its own has a key that is bounded.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

use super::write::{AckTo, Key, Write};

/// Most keys that wait for a disk: every variable twice, and the values of a thousand machines.
const MAX_WRITES: usize = 16_384;

/// Most requests that wait to be acknowledged.
const MAX_ACKS: usize = 16_384;

/// How long the thread waits before it tries again to write.
const RETRY: Duration = Duration::from_secs(1);

/// What is committed at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) writes: BTreeMap<Key, Write>,
    pub(super) acks: Vec<AckTo>,
    /// Parts of the relay that wait for the commit: one for each upload, and so a few.
    pub(super) waiters: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.acks.is_empty() && self.waiters.is_empty()
    }

    fn put(&mut self, writes: Vec<Write>) {
        self.writes.extend(writes.into_iter().map(|write| (write.key(), write)));
    }

    fn has_space(&self) -> bool {
        self.writes.len() < MAX_WRITES && self.acks.len() < MAX_ACKS
    }
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    has_ended: bool,
}

/// The queue to the thread that writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified when something waits, and at the end.
    filled: Condvar,
    /// Notified when there is space again.
    space: Notify,
}

impl Queue {
    /// Waits until there is space.
    pub(super) async fn has_space(&self) {
        loop {
            // Before the check, so that no notification is missed.
            let space = self.space.notified();
            if self.state().batch.has_space() {
                return;
            }
            space.await;
        }
    }

    /// Adds what is to be written, and whom to tell after that.
    pub(super) fn add(&self, writes: Vec<Write>, acks: Vec<AckTo>) {
        if writes.is_empty() && acks.is_empty() {
            return;
        }
        self.fill(|batch| {
            batch.put(writes);
            batch.acks.extend(acks);
        });
    }

    /// Adds what is to be written, and whom to tell after that, even if it is nothing.
    pub(super) fn add_and_tell(&self, writes: Vec<Write>, waiter: oneshot::Sender<()>) {
        self.fill(|batch| {
            batch.put(writes);
            batch.waiters.push(waiter);
        });
    }

    fn fill(&self, add: impl FnOnce(&mut Batch)) {
        add(&mut self.state().batch);
        self.filled.notify_one();
    }

    /// Waits for something to write, and takes all of it; `None` at the end. After a failure it waits for a
    /// while, and tries once more at the end.
    pub(super) fn take(&self, after_failure: bool) -> Option<Batch> {
        let mut state = self.state();
        if after_failure {
            let waiting = |state: &mut State| !state.has_ended;
            let waited = self.filled.wait_timeout_while(state, RETRY, waiting);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let waiting = |state: &mut State| state.batch.is_empty() && !state.has_ended;
        state = self.filled.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut state.batch);
        drop(state);
        self.space.notify_waiters();
        (!batch.is_empty()).then_some(batch)
    }

    /// Puts back what could not be written, behind what has come meanwhile. Nobody is told about it.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut state = self.state();
        if state.has_ended {
            // It is lost, and who waits for all that came before must not hear that it is on disk.
            state.batch.waiters.clear();
            return;
        }
        for (key, write) in batch.writes {
            if let Entry::Vacant(place) = state.batch.writes.entry(key) {
                place.insert(write);
            }
        }
    }

    /// Lets the thread end when nothing waits.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.filled.notify_one();
    }

    /// Whether nothing is tried again.
    pub(super) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock. If one did, the state would still be usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

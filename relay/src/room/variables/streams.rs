//! Thins streams of values: a fader that is moved, a sensor. Each client may have a variable broadcast so many
//! times a second; of the values in between the last one counts, and always goes out.
//!
//! Pure: the caller passes the time, and sends what is due.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use downbeat_protocol::{ClientId, RelayTime};

use super::Set;
use crate::{room::member::Owner, store::AckTo};

/// The shortest time between two broadcasts of one stream: 50 a second, twice as often as an eye needs, and
/// what a listener hears between them glides.
const INTERVAL_MICROS: u64 = 20_000;

/// Most requests whose acknowledgement waits with one value. With one more it is sent early.
const MAX_HELD_ACKS: usize = 1024;

/// A stream: the values that a client sets to a variable.
type Key = (ClientId, Arc<str>);

/// A value that waits for its turn, and the requests that it answers: its own, and those of the values that it
/// has replaced.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) set: Set,
    pub(super) acks: Vec<AckTo>,
}

#[derive(Debug)]
struct Stream {
    /// When its next value may be sent.
    next_at: RelayTime,
    held: Option<Held>,
}

/// The streams with a value within the last interval. What each client may send is limited, and so is their
/// number.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_key: HashMap<Key, Stream>,
    /// Each stream by the time of its next value.
    order: BTreeSet<(RelayTime, Key)>,
    /// How many hold a value.
    held: usize,
}

impl Streams {
    /// Whether a value of this stream has to wait at `now`.
    pub(super) fn must_wait(&self, key: &Key, now: RelayTime) -> bool {
        let stream = self.by_key.get(key);
        stream.is_some_and(|stream| stream.held.is_some() || now < stream.next_at)
    }

    /// Whether this stream holds a value.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.by_key.get(key).is_some_and(|stream| stream.held.is_some())
    }

    /// Holds a value of a stream that has to wait. It replaces one that is held already. Returns a value that
    /// must be sent at once: one for other machines, which this one does not replace, or one with too many
    /// acknowledgements.
    pub(super) fn hold(&mut self, key: &Key, set: Set, ack: Option<AckTo>) -> Option<Held> {
        let stream = self.by_key.get_mut(key)?;
        let mut now_due = None;
        let mut acks = Vec::new();
        if let Some(held) = stream.held.take() {
            if held.set.target == set.target && held.acks.len() < MAX_HELD_ACKS {
                acks = held.acks;
            } else {
                now_due = Some(held);
            }
        } else {
            self.held += 1;
        }
        acks.extend(ack);
        stream.held = Some(Held { set, acks });
        now_due
    }

    /// Records that a value of a stream is sent at `now`.
    pub(super) fn sent(&mut self, key: Key, now: RelayTime) {
        let next_at = now.plus_micros(INTERVAL_MICROS);
        let held = match self.by_key.remove(&key) {
            Some(stream) => {
                self.order.remove(&(stream.next_at, key.clone()));
                stream.held
            }
            None => None,
        };
        self.order.insert((next_at, key.clone()));
        self.by_key.insert(key, Stream { next_at, held });
    }

    /// Removes and returns the next value that is due at `now`, and forgets streams that have ended.
    pub(super) fn take_due(&mut self, now: RelayTime) -> Option<Held> {
        while self.order.first().is_some_and(|(at, _)| *at <= now) {
            let (_, key) = self.order.pop_first()?;
            if let Some(held) = self.by_key.remove(&key).and_then(|stream| stream.held) {
                self.held -= 1;
                return Some(held);
            }
        }
        None
    }

    /// Removes and returns what a stream holds.
    pub(super) fn take(&mut self, key: &Key) -> Option<Held> {
        let held = self.by_key.get_mut(key)?.held.take();
        self.held -= usize::from(held.is_some());
        held
    }

    /// Removes and returns what all streams of a variable hold.
    pub(super) fn take_all_of(&mut self, name: &str) -> Vec<Held> {
        let of_it = self.by_key.iter_mut().filter(|((_, variable), _)| **variable == *name);
        let held: Vec<_> = of_it.filter_map(|(_, stream)| stream.held.take()).collect();
        self.held -= held.len();
        held
    }

    /// Removes a machine from the targets of what is held.
    pub(super) fn forget(&mut self, owner: Owner) {
        if self.held == 0 {
            return;
        }
        for held in self.by_key.values_mut().filter_map(|stream| stream.held.as_mut()) {
            if let Some((_, owners)) = &mut held.set.target {
                owners.retain(|other| *other != owner);
            }
        }
    }

    /// When the next held value is due, if one is held. It may be a little later.
    pub(super) fn next_at(&self) -> Option<RelayTime> {
        let (at, _) = self.order.first()?;
        (self.held > 0).then_some(*at)
    }
}

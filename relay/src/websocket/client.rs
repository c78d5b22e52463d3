//! One client as the fan-out and its connection both know it, and many of them.
//!
//! What a client is called and how it is doing is not here but in the [`room`](crate::room): the
//! way of a trigger to a socket needs neither.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use downbeat_protocol::{ClientId, RelayTime};

use crate::{access::Role, outbox::Outbox};

/// The two wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// No subprotocol: the tutorial's two texts.
    Seed,
    /// `downbeat.v1`.
    Modern,
}

/// A WebSocket client, shared by its connection's task and the fan-out.
#[derive(Debug)]
pub struct Client {
    /// Its number while it stays connected.
    pub id: ClientId,
    /// What it speaks.
    pub wire: Wire,
    /// What it may do.
    pub role: Role,
    /// The way to it.
    pub outbox: Outbox,
    /// When it connected.
    pub since: RelayTime,
    /// When it was last heard, in microseconds of relay time. It guards no other memory, so the
    /// weakest ordering does.
    heard: AtomicU64,
}

impl Client {
    /// A client that connected at `now`. What is sent to it waits until its outbox is opened.
    #[must_use]
    pub fn new(id: ClientId, wire: Wire, role: Role, outbox: Outbox, now: RelayTime) -> Self {
        let heard = AtomicU64::new(now.as_micros());
        Self { id, wire, role, outbox, since: now, heard }
    }

    /// Notes that something arrived from it.
    pub fn was_heard(&self, now: RelayTime) {
        self.heard.store(now.as_micros(), Ordering::Relaxed);
    }

    /// When something last arrived from it.
    #[must_use]
    pub fn heard(&self) -> RelayTime {
        RelayTime::from_micros(self.heard.load(Ordering::Relaxed))
    }
}

/// Clients in the order of their numbers, which is that in which they came. To lend them to a thread
/// costs nothing; to change them costs a copy of the list while they are lent.
#[derive(Clone, Debug, Default)]
pub struct Clients(Arc<Vec<Arc<Client>>>);

impl Clients {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Some of them, by their places.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn of(&self, places: Range<usize>) -> &[Arc<Client>] {
        &self.0[places]
    }

    /// Takes one in, if it is not there yet.
    pub fn insert(&mut self, client: Arc<Client>) {
        // Mostly at the end.
        if let Err(place) = self.place(client.id) {
            Arc::make_mut(&mut self.0).insert(place, client);
        }
    }

    /// Takes one out, if it is there.
    pub fn remove(&mut self, id: ClientId) -> Option<Arc<Client>> {
        let place = self.place(id).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(place))
    }

    fn place(&self, id: ClientId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |client| client.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_in_the_order_in_which_they_came() {
        let mut clients = Clients::default();
        let now = RelayTime::from_micros(0);
        for id in [3, 1, 2, 3, 5, 4] {
            clients.insert(Arc::new(Client::new(
                ClientId(id),
                Wire::Seed,
                Role::Bang,
                Outbox::default(),
                now,
            )));
        }
        let lent = clients.clone();
        assert!(clients.remove(ClientId(9)).is_none());
        assert_eq!(clients.remove(ClientId(4)).unwrap().id, ClientId(4));
        let ids = |clients: &Clients| -> Vec<u32> {
            clients.of(0..clients.len()).iter().map(|client| client.id.0).collect()
        };
        assert_eq!(ids(&clients), [1, 2, 3, 5]);
        assert_eq!(ids(&lent), [1, 2, 3, 4, 5], "what is lent stays as it was");
    }
}

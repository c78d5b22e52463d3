//! A list of clients that can be lent to writer threads.

use std::{ops::Range, sync::Arc};

use downbeat_protocol::ClientId;

use crate::websocket::client::Client;

/// Clients in the order of their numbers, which is the order in which they connected. Cloning is cheap, so
/// that a thread can work on a clone; changing a list copies it while a clone exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientList(Arc<Vec<Arc<Client>>>);

impl ClientList {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The clients at `range`.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub(crate) fn get(&self, range: Range<usize>) -> &[Arc<Client>] {
        &self.0[range]
    }

    /// The client of this number.
    pub(crate) fn find(&self, id: ClientId) -> Option<&Arc<Client>> {
        Some(&self.0[self.index(id).ok()?])
    }

    /// Adds a client, unless it is in the list.
    pub(crate) fn insert(&mut self, client: Arc<Client>) {
        // Mostly at the end.
        if let Err(index) = self.index(client.id) {
            Arc::make_mut(&mut self.0).insert(index, client);
        }
    }

    /// Removes a client, if it is in the list.
    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Arc<Client>> {
        let index = self.index(id).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(index))
    }

    fn index(&self, id: ClientId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |client| client.id)
    }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::RelayTime;

    use super::*;
    use crate::websocket::{client::Wire, outbox::Outbox};

    #[test]
    fn clients_are_in_order_and_a_clone_does_not_change() {
        let mut clients = ClientList::default();
        let now = RelayTime::from_micros(0);
        for id in [3, 1, 2, 3, 5, 4] {
            let client = Client::new(ClientId(id), Wire::Tutorial, Outbox::default(), now);
            clients.insert(Arc::new(client));
        }
        let lent = clients.clone();
        assert!(clients.remove(ClientId(9)).is_none() && clients.find(ClientId(9)).is_none());
        assert_eq!(clients.find(ClientId(4)).unwrap().id, ClientId(4));
        assert_eq!(clients.remove(ClientId(4)).unwrap().id, ClientId(4));
        let ids = |clients: &ClientList| -> Vec<u32> {
            clients.get(0..clients.len()).iter().map(|client| client.id.0).collect()
        };
        assert_eq!(ids(&clients), [1, 2, 3, 5]);
        assert_eq!(ids(&lent), [1, 2, 3, 4, 5]);
    }
}

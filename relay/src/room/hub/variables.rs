//! Variables: from a request to everyone, to the store, and the acknowledgement to who asked. Other requests go
//! the same way.

use bytes::Bytes;
use downbeat_protocol::{
    Ack, By, ClientId, DeclareRequest, Refusal, RelayToClient, RemoveRequest, SetRequest, encode,
};
use tokio::{sync::mpsc::Permit as QueuePlace, task::yield_now};

use super::{Hub, turn::Turn};
use crate::{
    broadcast::lane::{Command, Delivery},
    room::{effects::Effects, state::Room},
    store::AckTo,
    websocket::{client::Wire, frame},
};

/// How many acknowledgements are encoded before others have their turn: a slow commit may be that of thousands.
const MAX_ACKS_AT_ONCE: usize = 256;

impl Hub {
    /// Declares variables; returns the size of what is broadcast, as the following do.
    ///
    /// # Errors
    /// If one is invalid, contradicts one that exists, or there is no space.
    pub(crate) fn declare(
        &self,
        turn: Turn<'_>,
        by: ClientId,
        request: DeclareRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| room.declare(request, by, effects))
    }

    /// Removes variables.
    ///
    /// # Errors
    /// If there are too many names.
    pub(crate) fn remove(
        &self,
        turn: Turn<'_>,
        by: ClientId,
        request: &RemoveRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| room.remove(request, by, self.clock.now(), effects))
    }

    /// Sets a variable, now or when it is its turn.
    ///
    /// # Errors
    /// If there is none of that name, it does not take the value, or there is no space.
    pub(crate) fn set(
        &self,
        turn: Turn<'_>,
        by: By,
        request: SetRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| room.set(request, by, self.clock.now(), effects))
    }

    /// Sends the values that wait for their turn, each when it is due.
    pub(crate) async fn send_held_values(&self) {
        loop {
            let next = self.room().next_value_due();
            let Some(at) = next else {
                self.value_waits.notified().await;
                continue;
            };
            // Nothing is due before it: all values wait equally long.
            tokio::time::sleep(self.clock.until(at)).await;
            let Some(place) = self.fan_out.reserve(Wire::V1).await else { return };
            self.change(place, |room, effects| room.send_due(self.clock.now(), effects));
        }
    }

    /// Acknowledges requests whose changes are on disk.
    pub(crate) async fn acknowledge_committed(&self) {
        let Some(store) = &self.store else { return std::future::pending().await };
        while let Some(acks) = store.committed().await {
            for acks in acks.chunks(MAX_ACKS_AT_ONCE) {
                let replies = acks.iter().copied().map(to_reply).collect();
                let delivery = Delivery { replies, ..Delivery::default() };
                self.fan_out.send(Wire::V1, Command::Deliver(delivery)).await;
                yield_now().await;
            }
        }
    }

    /// Changes the room at the request of a client.
    pub(super) fn request(
        &self,
        turn: Turn<'_>,
        change: impl FnOnce(&mut Room, &mut Effects) -> Result<(), Refusal>,
    ) -> Result<usize, Refusal> {
        let Some(place) = turn.v1 else { return Ok(0) };
        let mut result = Ok(());
        let bytes = self.change(place, |room, effects| result = change(room, effects));
        result.map(|()| bytes)
    }

    /// Changes the room, and passes on what follows.
    fn change(
        &self,
        place: QueuePlace<'_, Command>,
        change: impl FnOnce(&mut Room, &mut Effects),
    ) -> usize {
        let mut room = self.room();
        let was_waiting = room.next_value_due().is_some();
        let mut effects = Effects::default();
        change(&mut room, &mut effects);
        if !was_waiting && room.next_value_due().is_some() {
            self.value_waits.notify_one();
        }
        self.deliver(place, effects)
    }

    /// Passes on what follows from a change of the room, whose lock the caller holds: so the store and everyone
    /// learn of changes in one order. Returns the size of what is sent.
    fn deliver(&self, place: QueuePlace<'_, Command>, effects: Effects) -> usize {
        let Effects { first, demoted, values, variables, lock, triggers, mut acks, writes } =
            effects;
        for client in demoted {
            self.end_uploads_of(client);
        }
        if let Some(store) = &self.store {
            store.submit(writes, std::mem::take(&mut acks));
        }
        self.counters.values.add(values.len() as u64);
        let values = values.into_iter().map(RelayToClient::Value);
        let frames: Vec<_> = values
            .chain(variables.map(RelayToClient::Variables))
            .chain(lock.map(RelayToClient::Lock))
            .chain(triggers.into_iter().map(RelayToClient::Trigger))
            .map(to_frame)
            .collect();
        let first: Vec<_> =
            first.into_iter().map(|(id, message)| (id, to_frame(message))).collect();
        let replies: Vec<_> = acks.into_iter().map(to_reply).collect();
        let single = first.iter().chain(&replies).map(|(_, frame)| frame);
        let bytes = frames.iter().chain(single).map(Bytes::len).sum();
        if bytes > 0 {
            place.send(Command::Deliver(Delivery { first, frames, replies }));
        }
        bytes
    }
}

#[allow(clippy::needless_pass_by_value)] // For `map`.
pub(super) fn to_frame(message: RelayToClient) -> Bytes {
    frame::text(&encode(&message))
}

fn to_reply(AckTo { client, ack }: AckTo) -> (ClientId, Bytes) {
    (client, to_frame(RelayToClient::Ack(Ack { ack })))
}

//! Variables: from a request to everyone, and the acknowledgement to who asked.

use bytes::Bytes;
use downbeat_protocol::{
    Ack, By, ClientId, DeclareRequest, Refusal, RelayToClient, RemoveRequest, SetRequest, encode,
};
use tokio::{sync::mpsc::Permit as QueuePlace, time::timeout};

use super::Hub;
use crate::{
    broadcast::lane::Command,
    room::{
        state::Room,
        variables::{AckTo, Effects},
    },
    websocket::{client::Wire, frame},
};

impl Hub {
    /// Declares variables; returns the size of what is broadcast.
    ///
    /// # Errors
    /// If one is invalid, contradicts one that exists, or there is no space.
    pub(crate) async fn declare(
        &self,
        client: ClientId,
        request: DeclareRequest,
    ) -> Result<usize, Refusal> {
        let ack = request.ack.map(|ack| AckTo { client, ack });
        self.change(|room| {
            let variables = room.declare(request)?;
            Ok(Effects { variables, acks: ack.into_iter().collect(), ..Effects::default() })
        })
        .await
    }

    /// Removes variables; returns the size of what is broadcast.
    ///
    /// # Errors
    /// If there are too many names.
    pub(crate) async fn remove(
        &self,
        client: ClientId,
        request: RemoveRequest,
    ) -> Result<usize, Refusal> {
        let ack = request.ack.map(|ack| AckTo { client, ack });
        self.change(|room| {
            let mut effects = room.remove(&request, self.clock.now())?;
            effects.acks.extend(ack);
            Ok(effects)
        })
        .await
    }

    /// Sets a variable; returns the size of what is broadcast at once.
    ///
    /// # Errors
    /// If there is none of that name, it does not take the value, or there is no space.
    pub(crate) async fn set(&self, by: By, request: SetRequest) -> Result<usize, Refusal> {
        self.change(|room| room.set(request, by, self.clock.now())).await
    }

    /// Sends the values that wait for their turn, each when it is due.
    pub(crate) async fn send_held_values(&self) {
        loop {
            let next = self.room().next_value_due();
            let notified = self.value_waits.notified();
            match next {
                None => notified.await,
                Some(at) => {
                    // Nothing is due before it: every value waits equally long.
                    if timeout(self.clock.until(at), std::future::pending::<()>()).await.is_err() {
                        // What the room returns is not refused.
                        let _ = self.change(|room| Ok(room.send_due(self.clock.now()))).await;
                    }
                }
            }
        }
    }

    /// Changes the room, and sends what follows.
    async fn change(
        &self,
        change: impl FnOnce(&mut Room) -> Result<Effects, Refusal>,
    ) -> Result<usize, Refusal> {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return Ok(0) };
        let mut room = self.room();
        let was_waiting = room.next_value_due().is_some();
        let effects = change(&mut room)?;
        if !was_waiting && room.next_value_due().is_some() {
            self.value_waits.notify_one();
        }
        Ok(self.deliver(place, effects))
    }

    /// Passes on what follows from a request; returns the size of what is broadcast. The caller holds the
    /// room's lock.
    fn deliver(&self, place: QueuePlace<'_, Command>, effects: Effects) -> usize {
        let Effects { values, variables, acks } = effects;
        self.counters.values.add(values.len() as u64);
        let values = values.into_iter().map(RelayToClient::Value);
        let frames: Vec<_> =
            values.chain(variables.map(RelayToClient::Variables)).map(to_frame).collect();
        let replies: Vec<_> = acks.into_iter().map(to_reply).collect();
        let bytes = frames.iter().map(Bytes::len).sum();
        if !frames.is_empty() || !replies.is_empty() {
            place.send(Command::Deliver(frames, replies));
        }
        bytes
    }
}

#[allow(clippy::needless_pass_by_value)] // For `map`.
fn to_frame(message: RelayToClient) -> Bytes {
    frame::text(&encode(&message))
}

fn to_reply(AckTo { client, ack }: AckTo) -> (ClientId, Bytes) {
    (client, to_frame(RelayToClient::Ack(Ack { ack })))
}

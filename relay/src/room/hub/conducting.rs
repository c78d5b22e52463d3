//! For those who run the room: machines, the lock, commands, and what watchers are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use downbeat_protocol::{
    Ack, AssignRequest, By, ClientId, CommandRequest, ForgetRequest, LockRequest, Outcomes,
    Refusal, RelayTime, RelayToClient, WatchRequest,
};

use super::{Hub, turn::Turn, variables::to_frame};
use crate::websocket::client::Client;

impl Hub {
    /// Changes what is kept of machines; returns the size of what is sent, as the following do.
    ///
    /// # Errors
    /// If a value is out of range, none of the machines is known, or there is no space.
    pub(crate) fn assign(
        &self,
        turn: Turn<'_>,
        by: ClientId,
        request: &AssignRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| room.assign(request, by, effects))
    }

    /// Forgets machines.
    ///
    /// # Errors
    /// If there are too many.
    pub(crate) fn forget(
        &self,
        turn: Turn<'_>,
        by: ClientId,
        request: &ForgetRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| room.forget(request, by, effects))
    }

    /// Locks the room, or unlocks it.
    ///
    /// # Errors
    /// None.
    pub(crate) fn lock(
        &self,
        turn: Turn<'_>,
        by: By,
        request: LockRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| {
            room.lock(request, by, effects);
            Ok(())
        })
    }

    /// Lets clients do something.
    ///
    /// # Errors
    /// If the command is unknown, or none of the clients is connected.
    pub(crate) fn command(
        &self,
        turn: Turn<'_>,
        by: &By,
        request: CommandRequest,
    ) -> Result<usize, Refusal> {
        self.request(turn, |room, effects| {
            let triggers = room.command(request, by, self.clock.now(), effects)?;
            self.counters.triggers.add(triggers.len() as u64);
            effects.triggers = triggers;
            Ok(())
        })
    }

    /// Lets a client watch the room, or no longer. It is told at once how others join, and of the machines in
    /// time.
    ///
    /// # Errors
    /// If too many watch.
    pub(crate) fn watch(&self, client: &Arc<Client>, request: WatchRequest) -> Result<(), Refusal> {
        let (begins, token_rights) = {
            let mut room = self.room();
            (room.watch(request, client.id)?, room.token_rights_of(client.id))
        };
        if begins {
            self.watchers().insert(client.id, client.clone());
            let joining = self.invitation.message(token_rights, self.clock.now());
            client.outbox.send(&to_frame(RelayToClient::Joining(joining)));
        }
        if let Some(ack) = request.ack {
            client.outbox.send(&to_frame(RelayToClient::Ack(Ack { ack })));
        }
        Ok(())
    }

    /// Records what a client did about triggers.
    ///
    /// # Errors
    /// If there are too many.
    pub(crate) fn outcomes(&self, by: ClientId, outcomes: &Outcomes) -> Result<(), Refusal> {
        self.room().outcomes(outcomes, by)
    }

    /// Tells those who watch what is new, unless they have not yet read what they were told.
    pub(super) fn tell_watchers(&self, now: RelayTime) {
        let watchers = self.watchers();
        if watchers.is_empty() {
            return;
        }
        let is_ready = |id| watchers.get(&id).is_some_and(|client| !client.outbox.is_waiting());
        let news = self.room().news(now, is_ready);
        for news in news {
            let machines = news.machines.map(RelayToClient::Machines).into_iter();
            let receipts = news.receipts.into_iter().map(RelayToClient::Receipt);
            for frame in machines.chain(receipts).map(to_frame) {
                for client in news.to.iter().filter_map(|id| watchers.get(id)) {
                    client.outbox.send(&frame);
                }
            }
        }
    }

    pub(super) fn watchers(&self) -> MutexGuard<'_, BTreeMap<ClientId, Arc<Client>>> {
        // No code panics while it holds the lock. If one did, the list would still be usable.
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What all sessions share: the room's state, the bank, the clock, and the broadcast.
//!
//! The room's lock is held for microseconds: never while waiting, never while writing to a socket of
//! another client. What the room returns is put into a lane's queue before the lock is released, so that
//! all clients receive everything in the order of its numbers. Queue places are therefore reserved before
//! the lock is taken. The bank has a lock of its own, for a pointer's copy; whoever needs both takes the
//! room's first.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use downbeat_protocol::{
    BankNow, By, ClientId, ClientKind, Epoch, ErrorCode, Hello, Limits, Refusal, RelayTime,
    RelayToClient, Report, Roster, StopRequest, Trigger, TriggerRequest, Welcome, encode,
};
use tokio::sync::mpsc::Permit as QueuePlace;

use super::{
    lead::Lead,
    member::{Member, Role, tutorial_name},
    state::Room,
};
use crate::{
    VERSION,
    bank::{Bank, Sound},
    broadcast::{fan_out::FanOut, lane::Command},
    clock::RelayClock,
    config::Config,
    counters::Counters,
    supervise::Supervisor,
    websocket::{
        client::{Client, Wire},
        decoder::MAX_MESSAGE_BYTES,
        frame,
        outbox::{Backlog, Outbox},
    },
};

/// The frame that makes a client of the tutorial wire play: the text `trigger-output`.
const TUTORIAL_TRIGGER: Bytes = Bytes::from_static(b"\x81\x0etrigger-output");

/// Bytes in a MiB.
const MIB: usize = 1 << 20;

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) clock: RelayClock,
    /// Identifies this run of the relay.
    pub(crate) epoch: Epoch,
    pub(crate) counters: Arc<Counters>,
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) fan_out: FanOut,
    /// What waits for all clients together.
    pub(crate) backlog: Arc<Backlog>,
    limits: Limits,
    room: Mutex<Room>,
    bank: Mutex<Arc<Bank>>,
    last_id: AtomicU32,
}

impl Hub {
    /// A hub with an empty room.
    ///
    /// # Errors
    /// If a writer thread cannot be started.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(config: &Config, bank: Bank) -> io::Result<Self> {
        let lead = Lead::new(config.min_lead_ms * 1000, config.max_lead_ms * 1000);
        let limits = Limits {
            message_bytes: MAX_MESSAGE_BYTES as u32,
            min_lead_micros: lead.min(),
            max_lead_micros: lead.max(),
        };
        let (counters, supervisor) = (Arc::default(), Arc::default());
        let clock = RelayClock::start();
        Ok(Self {
            clock,
            epoch: Epoch(fastrand::u64(..)),
            fan_out: FanOut::start(clock, &counters, &supervisor)?,
            counters,
            supervisor,
            backlog: Arc::new(Backlog::new(config.backlog_mib as usize * MIB)),
            limits,
            room: Mutex::new(Room::new(lead)),
            bank: Mutex::new(Arc::new(bank)),
            last_id: AtomicU32::new(0),
        })
    }

    /// Locks the room. The holder must not wait for anything.
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        // No code panics while it holds the lock. If one did, the room would still be usable.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bank as it is now.
    pub(crate) fn bank(&self) -> Arc<Bank> {
        self.bank.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the bank and broadcasts its list of sounds, unless the list is the same.
    pub(crate) async fn replace_bank(&self, bank: Bank) {
        if bank.infos().eq(self.bank().infos()) {
            return tracing::info!("bank_unchanged");
        }
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return };
        // With the room locked, so that a newcomer's welcome has this bank or is followed by it.
        let _room = self.room();
        let bank = Arc::new(bank);
        let message = RelayToClient::Bank(BankNow {
            sounds: bank.infos().cloned().collect(),
            default_sound: bank.default_name().to_owned(),
        });
        *self.bank.lock().unwrap_or_else(PoisonError::into_inner) = bank;
        place.send(Command::Broadcast(frame::text(&encode(&message))));
    }

    /// Registers a client whose handshake is about to be answered. One of the tutorial wire is a member at
    /// once; what is broadcast to it waits until its outbox is opened.
    pub(crate) async fn connect(&self, wire: Wire, role: Role) -> Arc<Client> {
        let id = ClientId(self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let outbox = Outbox::new(&self.backlog);
        let client = Arc::new(Client::new(id, wire, outbox, self.clock.now()));
        if let Some(place) = self.fan_out.reserve(wire).await {
            // From here on nothing waits: the caller may be dropped while it waits, and must not leave
            // a member behind.
            let mut room = self.room();
            let mut scheduled = Vec::new();
            if wire == Wire::Tutorial {
                room.enter(id, Member::tutorial(id, role));
                let instants = room.take_unscheduled(self.clock.now());
                scheduled = instants.into_iter().map(|at| (at, TUTORIAL_TRIGGER)).collect();
            }
            place.send(Command::Connected(client.clone(), scheduled));
        }
        client
    }

    /// Admits a client of `downbeat.v1` under its cleaned `name`, and sends its welcome.
    ///
    /// The welcome holds what is sounding, and broadcasts follow it: nothing twice, nothing lost in
    /// between.
    pub(crate) async fn admit(&self, client: &Client, role: Role, hello: &Hello, name: &str) {
        let Some(place) = self.fan_out.reserve(client.wire).await else { return };
        let kind = match hello.kind {
            // Only the relay assigns this kind.
            ClientKind::Tutorial => ClientKind::Other,
            kind => kind,
        };
        let mut room = self.room();
        let (bank, now) = (self.bank(), self.clock.now());
        room.enter(client.id, Member::new(name.to_owned(), kind, role));
        let Roster { total, clients, lead_micros } = room.roster_for(client.id);
        let welcome = Welcome {
            id: client.id,
            epoch: self.epoch,
            now,
            relay: VERSION.to_owned(),
            limits: self.limits.clone(),
            sounds: bank.infos().cloned().collect(),
            default_sound: bank.default_name().to_owned(),
            sounding: room.sounding(now),
            variables: Vec::new(),
            pending: Vec::new(),
            total,
            clients,
            lead_micros,
        };
        client.outbox.send(&frame::text(&encode(&RelayToClient::Welcome(welcome))));
        place.send(Command::Admitted(client.id));
    }

    /// Removes a client; returns whether it was a member.
    pub(crate) async fn disconnect(&self, client: &Client) -> bool {
        let member = self.room().leave(client.id);
        self.fan_out.send(client.wire, Command::Left(client.id)).await;
        member.is_some()
    }

    /// Broadcasts a trigger from a client of `downbeat.v1`; returns the size of the frame.
    ///
    /// # Errors
    /// If a value is out of range, or the bank has no such sound.
    pub(crate) async fn trigger(&self, by: By, request: TriggerRequest) -> Result<usize, Refusal> {
        request.validate().map_err(|error| Refusal {
            code: ErrorCode::InvalidValue,
            message: error.to_string(),
            ack: None,
        })?;
        let Some(places) = self.reserve_both().await else { return Ok(0) };
        let mut room = self.room();
        let bank = self.bank();
        let name = request.sound.as_deref().unwrap_or(bank.default_name());
        let sound = bank.get(name).ok_or_else(|| unknown_sound(name))?;
        let trigger = self.schedule(&mut room, request, sound, by);
        // A client of the tutorial wire has no name to be a target.
        let for_tutorial = trigger.target.is_none();
        let bytes = self.broadcast(places, &mut room, for_tutorial, Some(trigger));
        self.counters.triggers.increment();
        Ok(bytes)
    }

    /// Broadcasts a trigger from a client of the tutorial wire, which plays it whatever the bank holds.
    /// Returns the size of the frame for `downbeat.v1`.
    pub(crate) async fn trigger_from_tutorial(&self, id: ClientId) -> usize {
        let by = By { id, name: tutorial_name(id) };
        let Some(places) = self.reserve_both().await else { return 0 };
        let mut room = self.room();
        let bank = self.bank();
        let trigger = bank
            .get(bank.default_name())
            .map(|sound| self.schedule(&mut room, TriggerRequest::default(), sound, by));
        let bytes = self.broadcast(places, &mut room, true, trigger);
        self.counters.triggers.increment();
        bytes
    }

    /// Numbers a trigger and assigns its instant.
    fn schedule(&self, room: &mut Room, request: TriggerRequest, sound: &Sound, by: By) -> Trigger {
        let micros = sound.info.duration_micros(request.rate);
        let trigger = room.trigger(request, &sound.info.name, micros, by, self.clock.now());
        tracing::debug!(seq = trigger.seq, sound = trigger.sound, by = trigger.by.id.0, "trigger");
        trigger
    }

    /// Passes a trigger to the lanes whose wire has a client: to wake a lane for nobody would cost a small
    /// room more than the rest. Returns the size of the frame for `downbeat.v1`.
    fn broadcast(
        &self,
        places: QueuePlaces<'_>,
        room: &mut Room,
        for_tutorial: bool,
        trigger: Option<Trigger>,
    ) -> usize {
        // Clients that play on arrival are sent to when the others play, if there are others.
        let at = trigger.as_ref().map(|trigger| trigger.play_at).filter(|_| room.has_players());
        let mut bytes = 0;
        if let Some(trigger) = trigger
            && room.has(Wire::V1)
        {
            let frame = frame::text(&encode(&RelayToClient::Trigger(trigger)));
            bytes = frame.len();
            places.v1.send(Command::Broadcast(frame));
        }
        match at {
            _ if !for_tutorial => {}
            Some(at) if room.has(Wire::Tutorial) => {
                places.tutorial.send(Command::BroadcastAt(at, TUTORIAL_TRIGGER));
            }
            Some(at) => room.add_unscheduled(at, self.clock.now()),
            None if room.has(Wire::Tutorial) => {
                places.tutorial.send(Command::Broadcast(TUTORIAL_TRIGGER));
            }
            None => {}
        }
        bytes
    }

    /// Broadcasts a stop.
    ///
    /// # Errors
    /// If no sound of that name is in the bank or sounding.
    pub(crate) async fn stop(&self, by: By, request: StopRequest) -> Result<(), Refusal> {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return Ok(()) };
        let mut room = self.room();
        let now = self.clock.now();
        if let Some(name) = &request.sound
            && self.bank().get(name).is_none()
            // It may have been removed from the bank while it sounds.
            && !room.sounding(now).iter().any(|sounding| sounding.trigger.sound == *name)
        {
            return Err(unknown_sound(name));
        }
        let stop = room.stop(request, by, now);
        place.send(Command::Broadcast(frame::text(&encode(&RelayToClient::Stop(stop)))));
        Ok(())
    }

    /// Records a client's report, and sends it its own entry if it is not among the listed members.
    pub(crate) fn report(&self, client: &Client, report: Report) {
        let mut room = self.room();
        room.report(client.id, report, self.clock.now());
        let change = room.own_change(client.id);
        drop(room);
        if let Some(change) = change {
            client.outbox.send(&frame::text(&encode(&RelayToClient::Roster(change))));
        }
    }

    /// Updates the room, and broadcasts what has changed in the roster if it is time to.
    pub(crate) async fn tick(&self, now: RelayTime) {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return };
        let mut room = self.room();
        if let Some(change) = room.tick(now) {
            place.send(Command::Broadcast(frame::text(&encode(&RelayToClient::Roster(change)))));
        }
    }

    /// Reserves a place in both queues. `None` only if a lane is gone, and then the relay is ending.
    async fn reserve_both(&self) -> Option<QueuePlaces<'_>> {
        let v1 = self.fan_out.reserve(Wire::V1).await?;
        Some(QueuePlaces { v1, tutorial: self.fan_out.reserve(Wire::Tutorial).await? })
    }
}

struct QueuePlaces<'a> {
    v1: QueuePlace<'a, Command>,
    tutorial: QueuePlace<'a, Command>,
}

fn unknown_sound(name: &str) -> Refusal {
    let message = format!("the bank has no sound named {name:?}");
    Refusal { code: ErrorCode::UnknownSound, message, ack: None }
}

#[cfg(test)]
mod tests {
    use downbeat_protocol::TUTORIAL_TRIGGER_OUTPUT;

    use super::*;

    #[test]
    fn the_tutorial_frame_holds_the_tutorial_text() {
        assert_eq!(TUTORIAL_TRIGGER, frame::text(TUTORIAL_TRIGGER_OUTPUT));
    }
}

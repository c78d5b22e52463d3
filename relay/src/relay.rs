//! What all connections share: the clock, the bank, the room, and the way to everyone.
//!
//! The room is behind the one lock of the relay. It is held for microseconds, never while writing
//! to a socket of the room or waiting; and what comes out of the room is put into the fan-out's
//! channel before it is let go, so that everyone hears it in the order of its numbers.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use downbeat_protocol::{
    By, ClientId, Epoch, ErrorCode, Hello, Limits, Refusal, RelayTime, RelayToClient, Report,
    StopRequest, TriggerRequest, Welcome, encode,
};
use tokio::sync::mpsc;

use crate::{
    VERSION,
    access::Access,
    clients::Client,
    clock::RelayClock,
    config::{Config, MESSAGE_BYTES},
    doors::{Bounds, Doors},
    fan_out::{self, Command, Said},
    frame,
    health::Counts,
    lead::Lead,
    metrics::Measured,
    room::{Member, Room},
    seed,
    sounds::Bank,
};

/// What all connections share.
#[derive(Debug)]
pub struct Relay {
    /// The clock that the room follows.
    pub clock: RelayClock,
    /// This life of this relay.
    pub epoch: Epoch,
    /// The sounds.
    pub bank: Bank,
    /// Who may do what.
    pub access: Access,
    /// Who may be inside.
    pub doors: Arc<Doors>,
    /// Messages that one connection may send a second.
    pub messages: u32,
    /// What is measured.
    pub measured: Arc<Measured>,
    /// What is counted.
    pub counts: Counts,
    limits: Limits,
    room: Mutex<Room>,
    everyone: mpsc::Sender<Command>,
    last_id: AtomicU32,
}

impl Relay {
    /// A relay with nobody in the room.
    ///
    /// # Errors
    /// If the thread of the fan-out cannot be started.
    pub fn new(config: &Config, access: Access, bank: Bank) -> io::Result<Self> {
        let lead = Lead::new(config.least_lead_ms * 1000, config.most_lead_ms * 1000);
        let limits = Limits {
            message_bytes: MESSAGE_BYTES as u32,
            least_lead_micros: lead.least(),
            most_lead_micros: lead.most(),
        };
        let bounds = Bounds {
            connections: config.connections,
            connections_per_address: config.connections_per_address,
            messages_per_address: config.messages_per_address,
        };
        let measured = Arc::new(Measured::default());
        Ok(Self {
            access,
            doors: Doors::new(bounds),
            messages: config.messages,
            clock: RelayClock::start(),
            epoch: Epoch(fastrand::u64(..)),
            bank,
            counts: Counts::default(),
            limits,
            room: Mutex::new(Room::new(lead)),
            everyone: fan_out::start(measured.clone())?,
            measured,
            last_id: AtomicU32::new(0),
        })
    }

    /// The room. Whoever holds it must not wait for anything.
    pub fn room(&self) -> MutexGuard<'_, Room> {
        // Nothing panics while holding it; were it otherwise, serving on is better than not.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no client of this epoch has had.
    pub fn next_id(&self) -> ClientId {
        ClientId(self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
    }

    /// Says something to everyone, or to the fan-out, when there is room for it in the channel.
    pub async fn command(&self, command: Command) {
        if let Some(channel) = self.reserve().await {
            channel.send(command);
        }
    }

    /// Admits a client of the seed's wire.
    pub async fn admit_plain(&self, id: ClientId) {
        let Some(channel) = self.reserve().await else { return };
        let mut room = self.room();
        room.enter(id, Member::new(seed::name(id), downbeat_protocol::ClientKind::Plain));
        channel.send(Command::Admitted(id));
    }

    /// Admits a client that said hello, under its cleaned `name`, and welcomes it.
    ///
    /// It is told what is sounding and hears everything that comes after: nothing twice, nothing
    /// lost in between.
    pub async fn admit(&self, client: &Client, hello: &Hello, name: &str) {
        let Some(channel) = self.reserve().await else { return };
        let kind = match hello.kind {
            // Only the relay says this of a client.
            downbeat_protocol::ClientKind::Plain => downbeat_protocol::ClientKind::Other,
            kind => kind,
        };
        let mut room = self.room();
        let now = self.clock.now();
        let welcome = Welcome {
            id: client.id,
            epoch: self.epoch,
            now,
            relay: VERSION.to_owned(),
            limits: self.limits.clone(),
            sounds: self.bank.infos().cloned().collect(),
            default_sound: self.bank.default_name().to_owned(),
            sounding: room.sounding(now),
            lead_micros: room.lead().micros(),
        };
        client.outbox.send(&frame::text(&encode(&RelayToClient::Welcome(welcome))));
        room.enter(client.id, Member::new(name.to_owned(), kind));
        channel.send(Command::Admitted(client.id));
    }

    /// Lets a client go.
    pub async fn leave(&self, id: ClientId) -> Option<Member> {
        let member = self.room().leave(id);
        self.command(Command::Left(id)).await;
        member
    }

    /// A bang from a client of `downbeat.v1`.
    ///
    /// # Errors
    /// If a value is out of its bounds, or the bank has no such sound.
    pub async fn bang(&self, by: By, request: TriggerRequest) -> Result<(), Refusal> {
        request.validate().map_err(|error| Refusal {
            code: ErrorCode::InvalidValue,
            message: error.to_string(),
        })?;
        let name = request.sound.as_deref().unwrap_or(self.bank.default_name());
        let sound = self.bank.get(name).ok_or_else(|| unknown_sound(name))?;
        let micros = sound.info.duration_micros(request.rate);
        // A client of the seed's wire has no name to be aimed at.
        let plain = request.target.is_none().then_some(seed::OUTPUT);
        let Some(channel) = self.reserve().await else { return Ok(()) };
        let mut room = self.room();
        let trigger = room.trigger(request, &sound.info.name, micros, by, self.clock.now());
        tracing::debug!(seq = trigger.seq, sound = trigger.sound, by = trigger.by.id.0, "trigger");
        let modern = Some(frame::text(&encode(&RelayToClient::Trigger(trigger))));
        channel.send(Command::Say(Said { seed: plain, modern }));
        self.counts.triggers.add();
        Ok(())
    }

    /// A bang from a client of the seed's wire: it sounds there whatever the bank holds.
    pub async fn bang_plain(&self, by: By) {
        let default = self.bank.get(self.bank.default_name());
        let Some(channel) = self.reserve().await else { return };
        let mut room = self.room();
        let modern = default.map(|sound| {
            let micros = sound.info.duration_micros(1.0);
            let (request, now) = (TriggerRequest::default(), self.clock.now());
            let trigger = room.trigger(request, &sound.info.name, micros, by, now);
            frame::text(&encode(&RelayToClient::Trigger(trigger)))
        });
        channel.send(Command::Say(Said { seed: Some(seed::OUTPUT), modern }));
        self.counts.triggers.add();
    }

    /// A wish for silence.
    ///
    /// # Errors
    /// If the bank has no such sound.
    pub async fn stop(&self, by: By, request: StopRequest) -> Result<(), Refusal> {
        if let Some(name) = &request.sound
            && self.bank.get(name).is_none()
        {
            return Err(unknown_sound(name));
        }
        let Some(channel) = self.reserve().await else { return Ok(()) };
        let mut room = self.room();
        let stop = room.stop(request, by, self.clock.now());
        let modern = Some(frame::text(&encode(&RelayToClient::Stop(stop))));
        channel.send(Command::Say(Said { seed: None, modern }));
        Ok(())
    }

    /// Notes how a client is doing.
    pub fn report(&self, id: ClientId, report: Report) {
        self.room().report(id, report, self.clock.now());
    }

    /// Looks after the room, and says the roster if it is time to.
    pub async fn tick(&self, now: RelayTime) {
        let Some(channel) = self.reserve().await else { return };
        let mut room = self.room();
        if let Some(roster) = room.tick(now) {
            let modern = Some(frame::text(&encode(&RelayToClient::Roster(roster))));
            channel.send(Command::Say(Said { seed: None, modern }));
        }
    }

    /// A place in the fan-out's channel. It is taken before the lock on the room, which must not
    /// be held while waiting. `None` only if the fan-out is gone, and then so is the relay.
    async fn reserve(&self) -> Option<mpsc::Permit<'_, Command>> {
        self.everyone.reserve().await.ok()
    }
}

fn unknown_sound(name: &str) -> Refusal {
    let message = format!("the bank has no sound named {name:?}");
    Refusal { code: ErrorCode::UnknownSound, message }
}

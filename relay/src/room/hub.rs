//! What all connections share: the clock, the bank, the room, and the way to everyone.
//!
//! The room is behind the one lock that matters. It is held for microseconds, never while writing to
//! a socket of the room or waiting; and what comes out of the room is put into the fan-out's channel
//! before it is let go, so that everyone hears it in the order of its numbers. The bank has another,
//! for no longer than it takes to look where it is; whoever needs both takes the room's first.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use downbeat_platform::scheduling::Priority;
use downbeat_protocol::{
    BankNow, By, ClientId, ClientKind, Epoch, ErrorCode, Hello, Limits, Refusal, RelayTime,
    RelayToClient, Report, Roster, StopRequest, Trigger, TriggerRequest, Welcome, encode,
};
use tokio::sync::mpsc::Permit;

use crate::{
    VERSION,
    access::{Access, Role},
    clients::{Client, Wire},
    clock::RelayClock,
    config::{Config, MESSAGE_BYTES, MIB},
    doors::{Bounds, Doors},
    fan_out::{Command, FanOut},
    frame,
    health::Counts,
    lead::Lead,
    metrics::Measured,
    outbox::{Backlog, Outbox},
    room::{Member, Room},
    seed,
    sounds::{Bank, Sound},
    supervise::Alarm,
};

/// What all connections share.
#[derive(Debug)]
pub struct Relay {
    /// The clock that the room follows.
    pub clock: RelayClock,
    /// This life of this relay.
    pub epoch: Epoch,
    /// Who may do what.
    pub access: Access,
    /// Who may be inside.
    pub doors: Arc<Doors>,
    /// Messages that one connection may send a second.
    pub messages: u32,
    /// Requests that one connection may make a second.
    pub requests: u32,
    /// What is measured.
    pub measured: Arc<Measured>,
    /// What is counted.
    pub counts: Counts,
    /// Rings when a part of it panics.
    pub alarm: Arc<Alarm>,
    /// The ways to everyone.
    pub fan_out: FanOut,
    /// What waits for all clients together.
    pub backlog: Arc<Backlog>,
    /// Which priority the main thread got, once it has asked.
    pub priority: OnceLock<Result<Priority, String>>,
    limits: Limits,
    room: Mutex<Room>,
    bank: Mutex<Arc<Bank>>,
    last_id: AtomicU32,
}

impl Relay {
    /// A relay with nobody in the room.
    ///
    /// # Errors
    /// If a thread of the fan-out cannot be started.
    ///
    /// # Panics
    /// Outside of a runtime.
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
            requests_per_address: config.requests_per_address,
        };
        let measured = Arc::new(Measured::default());
        let (clock, alarm) = (RelayClock::start(), Arc::default());
        Ok(Self {
            access,
            doors: Doors::new(bounds),
            messages: config.messages,
            requests: config.requests,
            clock,
            epoch: Epoch(fastrand::u64(..)),
            bank: Mutex::new(Arc::new(bank)),
            counts: Counts::default(),
            limits,
            room: Mutex::new(Room::new(lead)),
            fan_out: FanOut::start(clock, &measured, &alarm)?,
            alarm,
            measured,
            backlog: Arc::new(Backlog::new(config.backlog_mib as usize * MIB)),
            priority: OnceLock::new(),
            last_id: AtomicU32::new(0),
        })
    }

    /// The room. Whoever holds it must not wait for anything.
    pub fn room(&self) -> MutexGuard<'_, Room> {
        // Nothing panics while holding it; were it otherwise, serving on is better than not.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bank as it is now.
    pub fn bank(&self) -> Arc<Bank> {
        self.bank.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another bank takes the place of the one before, and everyone is told, if it tells of anything
    /// else.
    pub async fn serve_bank(&self, bank: Bank) {
        if bank.infos().eq(self.bank().infos()) {
            return tracing::info!("the bank is as it was");
        }
        let Some(channel) = self.fan_out.reserve(Wire::Modern).await else { return };
        // Under the lock on the room, so that a newcomer is welcomed with this bank or told of it.
        let _room = self.room();
        let bank = Arc::new(bank);
        let message = RelayToClient::Bank(BankNow {
            sounds: bank.infos().cloned().collect(),
            default_sound: bank.default_name().to_owned(),
        });
        *self.bank.lock().unwrap_or_else(PoisonError::into_inner) = bank;
        channel.send(Command::Say(frame::text(&encode(&message))));
    }

    /// Takes a client in whose handshake is still to be answered. One of the seed's wire hears from
    /// now on what is said, and what it hears waits until its outbox is opened.
    pub async fn connect(&self, wire: Wire, role: Role) -> Arc<Client> {
        let id = ClientId(self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let outbox = Outbox::new(&self.backlog);
        let client = Arc::new(Client::new(id, wire, role, outbox, self.clock.now()));
        if let Some(channel) = self.fan_out.reserve(wire).await {
            // Nothing is waited for any more: who asks for this may hang up while it waits, and must
            // not leave behind what nobody would ever take away.
            let mut room = self.room();
            let mut untold = Vec::new();
            if wire == Wire::Seed {
                room.enter(id, Member::new(seed::name(id), ClientKind::Plain));
                untold = room.take_untold(self.clock.now());
            }
            channel.send(Command::Connected(client.clone(), untold));
        }
        client
    }

    /// Admits a client that said hello, under its cleaned `name`, and welcomes it.
    ///
    /// It is told what is sounding and hears everything that comes after: nothing twice, nothing
    /// lost in between.
    pub async fn admit(&self, client: &Client, hello: &Hello, name: &str) {
        let Some(channel) = self.fan_out.reserve(client.wire).await else { return };
        let kind = match hello.kind {
            // Only the relay says this of a client.
            ClientKind::Plain => ClientKind::Other,
            kind => kind,
        };
        let mut room = self.room();
        let (bank, now) = (self.bank(), self.clock.now());
        room.enter(client.id, Member { role: client.role, ..Member::new(name.to_owned(), kind) });
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
            total,
            clients,
            lead_micros,
        };
        client.outbox.send(&frame::text(&encode(&RelayToClient::Welcome(welcome))));
        channel.send(Command::Admitted(client.id));
    }

    /// Lets a client go.
    pub async fn leave(&self, client: &Client) -> Option<Member> {
        let member = self.room().leave(client.id);
        self.fan_out.tell(client.wire, Command::Left(client.id)).await;
        member
    }

    /// A bang from a client of `downbeat.v1`; how many bytes each client of that wire is told.
    ///
    /// # Errors
    /// If a value is out of its bounds, or the bank has no such sound.
    pub async fn bang(&self, by: By, request: TriggerRequest) -> Result<usize, Refusal> {
        request.validate().map_err(|error| Refusal {
            code: ErrorCode::InvalidValue,
            message: error.to_string(),
        })?;
        let Some(channels) = self.reserve_both().await else { return Ok(0) };
        let mut room = self.room();
        let bank = self.bank();
        let name = request.sound.as_deref().unwrap_or(bank.default_name());
        let sound = bank.get(name).ok_or_else(|| unknown_sound(name))?;
        let trigger = self.number(&mut room, request, sound, by);
        // A client of the seed's wire has no name to be aimed at.
        let plain = trigger.target.is_none();
        let bytes = self.say(channels, &mut room, plain, Some(trigger));
        self.counts.triggers.add();
        Ok(bytes)
    }

    /// A bang from a client of the seed's wire: it sounds there whatever the bank holds. How many bytes
    /// each client of `downbeat.v1` is told.
    pub async fn bang_plain(&self, by: By) -> usize {
        let Some(channels) = self.reserve_both().await else { return 0 };
        let mut room = self.room();
        let bank = self.bank();
        let trigger = bank
            .get(bank.default_name())
            .map(|sound| self.number(&mut room, TriggerRequest::default(), sound, by));
        let bytes = self.say(channels, &mut room, true, trigger);
        self.counts.triggers.add();
        bytes
    }

    fn number(&self, room: &mut Room, request: TriggerRequest, sound: &Sound, by: By) -> Trigger {
        let micros = sound.info.duration_micros(request.rate);
        let trigger = room.trigger(request, &sound.info.name, micros, by, self.clock.now());
        tracing::debug!(seq = trigger.seq, sound = trigger.sound, by = trigger.by.id.0, "trigger");
        trigger
    }

    /// Says a bang on either wire, if there is anyone to hear it: to wake a thread for nobody would
    /// cost a small room more than the rest. How many bytes each client of `downbeat.v1` is told.
    fn say(
        &self,
        channels: Channels<'_>,
        room: &mut Room,
        plain: bool,
        trigger: Option<Trigger>,
    ) -> usize {
        // Who cannot be scheduled sounds together with those who can.
        let at = trigger.as_ref().map(|trigger| trigger.play_at).filter(|_| room.has_players());
        let mut bytes = 0;
        if let Some(trigger) = trigger
            && room.has(Wire::Modern)
        {
            let frame = frame::text(&encode(&RelayToClient::Trigger(trigger)));
            bytes = frame.len();
            channels.modern.send(Command::Say(frame));
        }
        match at {
            _ if !plain => {}
            Some(at) if room.has(Wire::Seed) => {
                channels.seed.send(Command::SayAt(at, seed::OUTPUT));
            }
            Some(at) => room.leave_untold(at, self.clock.now()),
            None if room.has(Wire::Seed) => channels.seed.send(Command::Say(seed::OUTPUT)),
            None => {}
        }
        bytes
    }

    /// A wish for silence.
    ///
    /// # Errors
    /// If the bank has no such sound, and none of that name is sounding.
    pub async fn stop(&self, by: By, request: StopRequest) -> Result<(), Refusal> {
        let Some(channel) = self.fan_out.reserve(Wire::Modern).await else { return Ok(()) };
        let mut room = self.room();
        let now = self.clock.now();
        if let Some(name) = &request.sound
            && self.bank().get(name).is_none()
            // It may have been taken out of the bank while it sounds.
            && !room.sounding(now).iter().any(|sounding| sounding.trigger.sound == *name)
        {
            return Err(unknown_sound(name));
        }
        let stop = room.stop(request, by, now);
        channel.send(Command::Say(frame::text(&encode(&RelayToClient::Stop(stop)))));
        Ok(())
    }

    /// Notes how a client is doing, and tells it how that is taken, unless everyone is told.
    pub fn report(&self, client: &Client, report: Report) {
        let mut room = self.room();
        room.report(client.id, report, self.clock.now());
        let news = room.news_of_itself(client.id);
        drop(room);
        if let Some(news) = news {
            client.outbox.send(&frame::text(&encode(&RelayToClient::Roster(news))));
        }
    }

    /// Looks after the room, and says what has changed in who is here if it is time to.
    pub async fn tick(&self, now: RelayTime) {
        let Some(channel) = self.fan_out.reserve(Wire::Modern).await else { return };
        let mut room = self.room();
        if let Some(roster) = room.tick(now) {
            channel.send(Command::Say(frame::text(&encode(&RelayToClient::Roster(roster)))));
        }
    }

    /// A place in either channel. They are taken before the lock on the room, which must not be held
    /// while waiting. `None` only if the fan-out is gone, and then so is the relay.
    async fn reserve_both(&self) -> Option<Channels<'_>> {
        let modern = self.fan_out.reserve(Wire::Modern).await?;
        Some(Channels { modern, seed: self.fan_out.reserve(Wire::Seed).await? })
    }
}

struct Channels<'a> {
    modern: Permit<'a, Command>,
    seed: Permit<'a, Command>,
}

fn unknown_sound(name: &str) -> Refusal {
    let message = format!("the bank has no sound named {name:?}");
    Refusal { code: ErrorCode::UnknownSound, message }
}

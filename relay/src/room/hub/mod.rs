//! What all sessions share: the room's state, the bank, the clock, and the broadcast.
//!
//! The room's lock is held for microseconds: never while waiting, never while writing to a socket of
//! another client. What the room returns is put into a lane's queue before the lock is released, so that
//! all clients receive everything in the order of its numbers. Queue places are therefore reserved before
//! the lock is taken: a request waits for its turn, is then authorized, and done without waiting. The sounds have a lock of their own, mostly for a pointer's copy; whoever needs both takes
//! the room's first.

mod conducting;
mod sounds;
mod triggers;
mod turn;
pub(crate) mod uploads;
mod variables;

use std::{
    collections::BTreeMap,
    io,
    mem::take,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use downbeat_protocol::{
    By, ClientId, ClientKind, ClientToRelay, Epoch, Hello, Limits, Refusal, RelayTime,
    RelayToClient, Report, Rights, Roster, Welcome, encode,
};
use thiserror::Error;
use tokio::sync::Notify;

use self::triggers::TUTORIAL_TRIGGER;
use super::{effects::Effects, lead::Lead, member::Member, state::Room};
use crate::{
    VERSION,
    bank::{self, FolderError, UploadedFiles, library::Library, tickets::Tickets, watcher::Folder},
    broadcast::{fan_out::FanOut, lane::Command},
    clock::RelayClock,
    config::Config,
    counters::Counters,
    joining::Invitation,
    store::{Store, StoreError, Stored},
    supervise::Supervisor,
    websocket::{
        client::{Client, Wire},
        decoder::MAX_MESSAGE_BYTES,
        frame,
        outbox::{Backlog, Outbox},
    },
};

/// Bytes in a MiB.
const MIB: usize = 1 << 20;

/// Why there is no hub.
#[derive(Debug, Error)]
pub(crate) enum HubError {
    /// The system does not start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The samples folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The variables of the settings contradict each other, or are too many.
    #[error("--variable: {0}")]
    Variables(String),
}

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
    library: Mutex<Library>,
    /// The files of uploaded sounds.
    files: Arc<UploadedFiles>,
    /// Held while a file is decoded and stored, or deleted.
    storing: tokio::sync::Mutex<()>,
    tickets: Mutex<Tickets>,
    /// Notified when an upload may have been replaced, or its client has left.
    tickets_changed: Notify,
    last_id: AtomicU32,
    /// What survives the relay, if it has a data folder.
    pub(crate) store: Option<Store>,
    /// Notified when a value begins to wait for its turn, and none has waited.
    value_waits: Notify,
    /// How others join.
    pub(crate) invitation: Invitation,
    /// The clients that have begun to watch, until they leave. Whether they still may, the room knows.
    watchers: Mutex<BTreeMap<ClientId, Arc<Client>>>,
}

impl Hub {
    /// A hub with an empty room, the variables of the settings, what is stored, and all sounds. Returns the samples
    /// folder too, to be watched.
    ///
    /// # Errors
    /// If a writer thread cannot be started, a folder cannot be used, or the variables of the settings contradict
    /// each other.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(
        config: &Config,
        invitation: Invitation,
    ) -> Result<(Self, Option<Folder>), HubError> {
        let lead = Lead::new(config.min_lead_ms * 1000, config.max_lead_ms * 1000);
        let limits = Limits {
            message_bytes: MAX_MESSAGE_BYTES as u32,
            min_lead_micros: lead.min(),
            max_lead_micros: lead.max(),
        };
        let (counters, supervisor) = (Arc::default(), Arc::default());
        let (store, mut stored) = match &config.data {
            None => (None, Stored::default()),
            Some(folder) => {
                let (store, stored) = Store::open(folder, &counters, &supervisor)?;
                (Some(store), stored)
            }
        };
        let files = UploadedFiles::new(config.data.as_deref());
        let (sounds, edits) = (take(&mut stored.sounds), take(&mut stored.edits));
        let samples = config.samples.as_deref();
        let (library, folder) = bank::open(samples, &config.r#loop, &files, sounds, edits)?;
        let mut room = Room::new(lead.clone());
        let writes = room.restore(&config.variable, stored);
        let writes = writes.map_err(|refusal| HubError::Variables(refusal.message))?;
        if let Some(store) = &store {
            store.submit(writes, Vec::new());
        }
        let clock = RelayClock::start();
        let hub = Self {
            clock,
            epoch: Epoch(fastrand::u64(..)),
            fan_out: FanOut::start(clock, &counters, &supervisor)?,
            counters,
            supervisor,
            backlog: Arc::new(Backlog::new(config.backlog_mib as usize * MIB)),
            limits,
            room: Mutex::new(room),
            library: Mutex::new(library),
            files: Arc::new(files),
            storing: tokio::sync::Mutex::default(),
            tickets: Mutex::default(),
            tickets_changed: Notify::new(),
            last_id: AtomicU32::new(0),
            store,
            value_waits: Notify::new(),
            invitation,
            watchers: Mutex::default(),
        };
        Ok((hub, folder))
    }

    /// Locks the room. The holder must not wait for anything.
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        // No code panics while it holds the lock. If one did, the room would still be usable.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a client whose handshake is about to be answered. One of the tutorial wire is a member at
    /// once; what is broadcast to it waits until its outbox is opened.
    /// `rights` are those of its token.
    pub(crate) async fn connect(&self, wire: Wire, rights: Rights) -> Arc<Client> {
        let id = ClientId(self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        let outbox = Outbox::new(&self.backlog);
        let client = Arc::new(Client::new(id, wire, outbox, self.clock.now()));
        if let Some(place) = self.fan_out.reserve(wire).await {
            // From here on nothing waits: the caller may be dropped while it waits, and must not leave
            // a member behind.
            let mut room = self.room();
            let mut scheduled = Vec::new();
            if wire == Wire::Tutorial {
                room.enter(id, Member::tutorial(id, rights));
                let cues = room.unscheduled.take(self.clock.now());
                scheduled = cues.into_iter().map(|cue| (cue, TUTORIAL_TRIGGER)).collect();
            }
            place.send(Command::Connected(client.clone(), scheduled));
        }
        client
    }

    /// Admits a client of `downbeat.v1` under its cleaned `name`, and sends its welcome.
    ///
    /// The welcome holds what is sounding, and broadcasts follow it: nothing twice, nothing lost in
    /// between.
    /// `rights` are those of its token.
    pub(crate) async fn admit(&self, client: &Client, rights: Rights, hello: &Hello, name: &str) {
        let Some(place) = self.fan_out.reserve(client.wire).await else { return };
        let kind = match hello.kind {
            // Only the relay assigns this kind.
            ClientKind::Tutorial => ClientKind::Other,
            kind => kind,
        };
        let mut room = self.room();
        let (bank, now) = (self.bank(), self.clock.now());
        let member = Member::new(name.to_owned(), kind, rights).on(hello.machine).by(&hello.client);
        room.enter(client.id, member);
        let Roster { total, clients, lead_micros } = room.roster_for(client.id);
        let mut effects = Effects::default();
        let (variables, pending) = room.variables_for(client.id, now, &mut effects);
        if let Some(store) = &self.store {
            effects.writes.extend(room.stored_machine(room.machine_of(client.id)));
            store.submit(effects.writes, Vec::new());
        }
        let welcome = Welcome {
            id: client.id,
            epoch: self.epoch,
            now,
            relay: VERSION.to_owned(),
            limits: self.limits.clone(),
            sounds: bank.infos().cloned().collect(),
            default_sound: bank.default_name().to_owned(),
            bank: bank.number,
            removed: bank.removed().to_vec(),
            machine: room.record_of(client.id),
            locked: room.locked,
            sounding: room.sounding(now),
            sounding_from: room.sounding_from(now),
            variables,
            pending,
            total,
            clients,
            lead_micros,
        };
        client.outbox.send(&frame::text(&encode(&RelayToClient::Welcome(welcome))));
        place.send(Command::Admitted(client.id));
    }

    /// Removes a client; returns whether it was a member.
    pub(crate) async fn disconnect(&self, client: &Client) -> bool {
        let member = {
            let mut room = self.room();
            let member = room.leave(client.id);
            if let Some(store) = &self.store {
                let machine = member.as_ref().and_then(|member| member.machine);
                store.submit(room.stored_machine(machine).into_iter().collect(), Vec::new());
            }
            member
        };
        self.watchers().remove(&client.id);
        self.end_uploads_of(client.id);
        self.fan_out.send(client.wire, Command::Left(client.id)).await;
        member.is_some()
    }

    /// Who sends a message, if it may at this time.
    ///
    /// # Errors
    /// If it may not.
    pub(crate) fn authorize(&self, id: ClientId, message: &ClientToRelay) -> Result<By, Refusal> {
        self.room().authorize(id, message)
    }

    /// What a request costs at least, in bytes of broadcasts: what it makes the relay look at, also if it is refused
    /// or changes nothing.
    pub(crate) fn work_of(&self, message: &ClientToRelay) -> usize {
        match message {
            ClientToRelay::EditSounds(_) => self.bank().listed_bytes(),
            // A byte for each member: what one connection may make the relay look at in a second takes some hundredths
            // of it.
            ClientToRelay::Set(_) | ClientToRelay::Trigger(_) => self.room().looked_at(message),
            _ => 0,
        }
    }

    /// Records a client's report, and sends it its own entry if that has changed and is not sent to all.
    pub(crate) fn report(&self, client: &Client, report: Report) {
        let mut room = self.room();
        room.report(client.id, report, self.clock.now());
        let change = room.own_change(client.id);
        drop(room);
        if let Some(change) = change {
            client.outbox.send(&frame::text(&encode(&RelayToClient::Roster(change))));
        }
    }

    /// Updates the room, broadcasts what has changed in the roster if it is time to, and tells those who watch.
    pub(crate) async fn tick(&self, now: RelayTime) {
        let Some(place) = self.fan_out.reserve(Wire::V1).await else { return };
        let mut room = self.room();
        if let Some(change) = room.tick(now) {
            place.send(Command::Broadcast(frame::text(&encode(&RelayToClient::Roster(change)))));
        }
        drop(room);
        self.tell_watchers(now);
    }
}

//! The state of the protocol with one relay: the handshake, which protocol the relay speaks, and which
//! of its triggers are new.
//!
//! Pure: texts and times in, messages out. It opens no socket, reads no clock, makes no sound.

use downbeat_protocol::{
    BankNow, ClientId, ClientKind, ClientToRelay, CommandNow, DecodeError, Epoch, Hello, Joining,
    LockChange, MachineId, MachineRecord, MachinesChange, ProbeReply, Receipt, Refusal,
    RelayToClient, Roster, Sounding, Stop, TUTORIAL_TRIGGER_INPUT, Target, Trigger, TriggerRequest,
    UploadReady, ValueChange, VariablesChange, Welcome, decode_from_relay, encode,
};

use crate::time::LocalTime;

/// A relay answers the hello within a round trip. One that has not done so by now is a tutorial relay.
const WELCOME_TIMEOUT_NANOS: i64 = 1_000_000_000;

/// The same for a relay that is known to speak `downbeat.v1`. On a crowded network the welcome of a large bank takes
/// longer than a round trip, and taking the relay for another costs all decoded sounds.
const KNOWN_WELCOME_TIMEOUT_NANOS: i64 = 10_000_000_000;

/// A message from the relay, as far as this client acts on it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// A relay of `downbeat.v1` has welcomed this client.
    Welcomed {
        /// Its message.
        welcome: Box<Welcome>,
        /// Whether its epoch is unknown: nothing that was known before holds.
        new_epoch: bool,
        /// What has been sounding since before this client came, or while it was away.
        missed: Vec<Sounding>,
    },
    /// The reply to a probe.
    ProbeReply(ProbeReply),
    /// A new trigger.
    Trigger(Trigger),
    /// A new stop.
    Stop(Stop),
    /// A variable takes a value.
    Value(ValueChange),
    /// Variables were declared or removed.
    VariablesChanged(VariablesChange),
    /// A request of this client is done.
    Ack(u64),
    /// The roster after a change.
    Roster(Roster),
    /// The relay serves other sounds from now on.
    BankChanged(BankNow),
    /// What the relay keeps of this machine, and what it may do.
    Machine(MachineRecord),
    /// Something to do at once.
    Command(CommandNow),
    /// The room was locked or unlocked.
    Lock(LockChange),
    /// What has changed among all machines.
    Machines(MachinesChange),
    /// Who sounded a trigger.
    Receipt(Receipt),
    /// How others join.
    Joining(Joining),
    /// Where a file can be uploaded.
    UploadReady(UploadReady),
    /// The relay refused something that this client sent.
    Refused(Refusal),
    /// A trigger of a tutorial relay: play now.
    TutorialTrigger,
    /// A message to ignore, and why, for the log.
    Ignored(&'static str),
}

/// How far the protocol has come on the current connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection.
    Disconnected,
    /// The hello is sent. Without a welcome by the deadline, it is a tutorial relay.
    AwaitingWelcome {
        /// When the handshake ends.
        deadline: LocalTime,
    },
    /// The relay speaks `downbeat.v1`, and this is the client's number.
    V1(ClientId),
    /// The relay speaks the protocol of the tutorial.
    Tutorial,
}

/// The state of the protocol with one relay, over as many connections as it takes.
#[derive(Debug)]
pub(crate) struct ProtocolState {
    hello: Hello,
    phase: Phase,
    epoch: Option<Epoch>,
    last_seq: u64,
    roster: Roster,
}

impl ProtocolState {
    /// The state before the first connection of a client with this name. Of one without a machine, the
    /// relay keeps nothing.
    pub(crate) fn new(name: String, kind: ClientKind, machine: Option<MachineId>) -> Self {
        let client = concat!("downbeat/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            hello: Hello { name, kind, client, machine },
            phase: Phase::Disconnected,
            epoch: None,
            last_seq: 0,
            roster: Roster::default(),
        }
    }

    /// Changes the name of this client. The relay is told by its next hello, or by an `assign`.
    pub(crate) fn set_name(&mut self, name: String) {
        self.hello.name = name;
    }

    /// The name of this client.
    pub(crate) fn name(&self) -> &str {
        &self.hello.name
    }

    /// How much later than its instant this client plays a trigger; none if it does not.
    pub(crate) fn delay_micros(&self, trigger: &Trigger) -> Option<u64> {
        trigger.delay_micros(self.id_or_none(), self.name(), self.own_tags())
    }

    /// Whether this client is in a target.
    pub(crate) fn is_in(&self, target: Option<&Target>) -> bool {
        target.is_none_or(|t| t.includes(self.id_or_none(), self.name(), self.own_tags()))
    }

    fn own_tags(&self) -> &[String] {
        self.roster.get(self.id_or_none()).map_or(&[], |entry| entry.tags.as_slice())
    }

    /// The number of this client; one that nobody has while there is none.
    fn id_or_none(&self) -> ClientId {
        self.own_id().unwrap_or(ClientId(0))
    }

    /// How far the protocol has come.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of this client, while it is connected to a relay of `downbeat.v1`.
    pub(crate) fn own_id(&self) -> Option<ClientId> {
        if let Phase::V1(id) = self.phase { Some(id) } else { None }
    }

    /// A connection is open: returns the hello to send. What is known of the relay stays valid until
    /// its welcome.
    pub(crate) fn connected(&mut self, now: LocalTime) -> ClientToRelay {
        let is_known = self.epoch.is_some();
        let timeout = if is_known { KNOWN_WELCOME_TIMEOUT_NANOS } else { WELCOME_TIMEOUT_NANOS };
        self.phase = Phase::AwaitingWelcome { deadline: now.plus_nanos(timeout) };
        ClientToRelay::Hello(self.hello.clone())
    }

    /// The connection is lost.
    pub(crate) fn disconnected(&mut self) {
        self.phase = Phase::Disconnected;
    }

    /// Another relay comes next: nothing that is known of this one holds.
    pub(crate) fn forget_relay(&mut self) {
        self.disconnected();
        self.epoch = None;
        self.last_seq = 0;
    }

    /// When [`ProtocolState::check_deadline`] is due, if it is.
    pub(crate) fn welcome_deadline(&self) -> Option<LocalTime> {
        if let Phase::AwaitingWelcome { deadline } = self.phase { Some(deadline) } else { None }
    }

    /// Ends the handshake if its deadline has passed: the relay is a tutorial relay until it says
    /// otherwise. That a server grants the subprotocol proves nothing.
    pub(crate) fn check_deadline(&mut self, now: LocalTime) {
        if self.welcome_deadline().is_some_and(|deadline| deadline <= now) {
            self.phase = Phase::Tutorial;
        }
    }

    /// The text of a bang, in the relay's protocol; none before the handshake has ended. A tutorial
    /// relay has one sound, and takes no parameters.
    pub(crate) fn encode_bang(&self, request: &TriggerRequest) -> Option<String> {
        match self.phase {
            Phase::V1(_) => Some(encode(&ClientToRelay::Trigger(request.clone()))),
            Phase::Tutorial => Some(TUTORIAL_TRIGGER_INPUT.to_owned()),
            Phase::Disconnected | Phase::AwaitingWelcome { .. } => None,
        }
    }

    /// Takes one text from the relay.
    pub(crate) fn receive(&mut self, text: &str) -> Incoming {
        match decode_from_relay(text) {
            Ok(RelayToClient::Welcome(welcome)) => self.welcomed(Box::new(welcome)),
            Ok(message) => self.received(message),
            Err(_) if self.own_id().is_none() => {
                // A relay of `downbeat.v1` sends no such text, and a client of the tutorial plays on
                // any message.
                self.phase = Phase::Tutorial;
                Incoming::TutorialTrigger
            }
            Err(DecodeError::UnknownType(_)) => Incoming::Ignored("a type from a newer relay"),
            Err(DecodeError::Malformed(_)) => Incoming::Ignored("malformed"),
        }
    }

    fn welcomed(&mut self, welcome: Box<Welcome>) -> Incoming {
        let new_epoch = self.epoch != Some(welcome.epoch);
        if new_epoch {
            self.epoch = Some(welcome.epoch);
            self.last_seq = 0;
        }
        self.phase = Phase::V1(welcome.id);
        self.roster = welcome.roster();
        self.apply_record(&welcome.machine);
        let last_seq = self.last_seq;
        let missed: Vec<_> =
            welcome.sounding.iter().filter(|s| s.trigger.seq > last_seq).cloned().collect();
        let pending = welcome.pending.iter().map(|change| change.seq);
        let last_seq = pending.fold(last_seq, u64::max);
        self.last_seq = missed.iter().map(|s| s.trigger.seq).fold(last_seq, u64::max);
        Incoming::Welcomed { welcome, new_epoch, missed }
    }

    /// A trigger can name this machine as the relay does, from the next message on.
    fn apply_record(&mut self, record: &MachineRecord) {
        if let Some(name) = &record.name {
            self.hello.name.clone_from(name);
        }
    }

    fn received(&mut self, message: RelayToClient) -> Incoming {
        if self.own_id().is_none() {
            // Before its welcome, a relay may refuse the hello, and sends nothing else.
            return match message {
                RelayToClient::Error(refusal) => Incoming::Refused(refusal),
                _ => Incoming::Ignored("before the welcome"),
            };
        }
        match message {
            RelayToClient::Trigger(trigger) if self.is_new(trigger.seq) => {
                Incoming::Trigger(trigger)
            }
            RelayToClient::Stop(stop) if self.is_new(stop.seq) => Incoming::Stop(stop),
            RelayToClient::Value(change) if self.is_new(change.seq) => Incoming::Value(change),
            RelayToClient::Trigger(_) | RelayToClient::Stop(_) | RelayToClient::Value(_) => {
                Incoming::Ignored("seen before")
            }
            RelayToClient::Variables(change) => Incoming::VariablesChanged(change),
            RelayToClient::Ack(ack) => Incoming::Ack(ack.ack),
            RelayToClient::ProbeReply(reply) => Incoming::ProbeReply(reply),
            RelayToClient::Roster(change) => {
                self.roster.update(change);
                Incoming::Roster(self.roster.clone())
            }
            RelayToClient::Bank(bank) => Incoming::BankChanged(bank),
            RelayToClient::Machine(record) => {
                self.apply_record(&record);
                Incoming::Machine(record)
            }
            RelayToClient::Command(command) => Incoming::Command(command),
            RelayToClient::Lock(change) => Incoming::Lock(change),
            RelayToClient::Machines(change) => Incoming::Machines(change),
            RelayToClient::Receipt(receipt) => Incoming::Receipt(receipt),
            RelayToClient::Joining(joining) => Incoming::Joining(joining),
            RelayToClient::UploadReady(ready) => Incoming::UploadReady(ready),
            RelayToClient::Error(refusal) => Incoming::Refused(refusal),
            RelayToClient::Welcome(_) => Incoming::Ignored("a second welcome"),
        }
    }

    fn is_new(&mut self, seq: u64) -> bool {
        let is_new = seq > self.last_seq;
        self.last_seq = self.last_seq.max(seq);
        is_new
    }
}

#[cfg(test)]
mod tests;

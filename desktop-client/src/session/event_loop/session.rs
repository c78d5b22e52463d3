//! The state of a session.

use std::{io, time::Duration};

use downbeat_audio::{DeviceChoice, DeviceInfo, OutputEvent, OutputManager};
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use tokio::{sync::mpsc, time::Instant};

use super::super::{
    cues::Cues, joining::Joining, options::SessionOptions, outcomes::OutcomeQueue,
    own_machine::OwnMachine, protocol::ProtocolState, sound_bank::SoundBank, throttle::Throttle,
    uploads::Uploads, variables::Variables,
};
use crate::{
    clock::RelayClock,
    event::SessionEvent,
    net::{
        address::RelayAddress,
        connection::{Connection, ConnectionEvent},
        discovery::Discovery,
        room_code::ExchangeError,
    },
    settings::{OutputChoice, SettingsStore},
    sounds::{Loader, LoaderToSession, Upload, UploadEvent},
    time::LocalClock,
};

/// How often the connection is checked, and the relay sent a report.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Capacity of the queue from the output manager, the loader and an upload, which send a few messages a second.
/// When it is full, the sender waits until the session has caught up, which delays no voice.
const HELPER_QUEUE: usize = 256;

/// From the threads that help the session.
pub(super) enum HelperEvent {
    Output(OutputEvent),
    Loader(LoaderToSession),
    /// What became of the room code of this exchange.
    Exchanged(u64, Result<RelayAddress, ExchangeError>),
    /// Of the upload of this number.
    Upload(u64, UploadEvent),
}

/// Whether this client is told about all machines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// Whether the observer wants it.
    pub(super) is_wanted: bool,
    /// Whether the relay was asked for it.
    pub(super) is_asked: bool,
}

/// A session.
pub(crate) struct Session {
    pub(super) protocol: ProtocolState,
    pub(super) helpers: mpsc::Receiver<HelperEvent>,
    /// The other end, for helpers that start later.
    pub(super) helper_sender: mpsc::Sender<HelperEvent>,
    pub(super) clock: LocalClock,
    observer: Box<dyn FnMut(SessionEvent) + Send>,
    throttle: Throttle,
    pub(super) connection: Connection,
    pub(super) joining: Joining,
    /// Whether a flag names the relay, which then is not remembered.
    pub(super) is_relay_given: bool,
    /// The search for relays, while there is none.
    pub(super) discovery: Option<Discovery>,
    pub(super) relay_clock: RelayClock,
    /// By which name the settings know this player.
    pub(super) own_name: String,
    /// By which name the others know it.
    pub(super) shown_name: String,
    /// Whether its name, volume and mute are remembered: a player without a window takes them from its command.
    pub(super) has_window: bool,
    pub(super) own_machine: OwnMachine,
    pub(super) outcomes: OutcomeQueue,
    pub(super) watch: Watch,
    pub(super) cues: Cues,
    pub(super) variables: Variables,
    pub(super) bank: SoundBank,
    pub(super) uploads: Uploads<Upload>,
    /// The `ack` of the last request that wants an answer.
    last_ack: u64,
    pub(super) settings: SettingsStore,
    pub(super) outputs: OutputManager,
    /// The open output, or why there is none.
    pub(super) output: Result<DeviceInfo, String>,
    /// Why it is not the chosen one, if it is not.
    pub(super) fallback_reason: Option<String>,
    pub(super) shown_latency_micros: u32,
    /// Bangs that wait for the handshake to end.
    pub(super) pending_bangs: Vec<TriggerRequest>,
    /// Whether a stop waits for the same, before those bangs.
    pub(super) is_stop_pending: bool,
    pub(super) report_due: Instant,
    pub(super) reported_lead_micros: u32,
    pub(super) reported_error_micros: Option<u32>,
    pub(super) reported_output: Option<String>,
    /// The largest level since the last report.
    pub(super) loudest: f32,
    pub(super) cues_due: Option<Instant>,
}

impl Session {
    /// A session that is about to connect.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(crate) fn new(
        options: SessionOptions,
        observer: Box<dyn FnMut(SessionEvent) + Send>,
    ) -> io::Result<Self> {
        let (to_session, helpers) = mpsc::channel(HELPER_QUEUE);
        let SessionOptions { relay, name, machine, kind, output, volume, outputs, cache, .. } =
            options;
        let clock = outputs.clock;
        let settings = SettingsStore::new(
            options.settings,
            options.extra_latencies,
            options.extra_latency,
            output.clone(),
        );
        let from_loader = to_session.clone();
        let loader = Loader::start(cache, move |answer| {
            // Fails only when the session has ended.
            let _ = from_loader.blocking_send(HelperEvent::Loader(answer));
        })?;
        let from_outputs = to_session.clone();
        let outputs = OutputManager::start(device_choice(output), outputs, move |event| {
            let _ = from_outputs.blocking_send(HelperEvent::Output(event));
        });
        let mut cues = Cues::new(volume);
        cues.set_muted(options.muted);
        let bank = SoundBank::new(loader, options.sound_memory, &mut cues);
        let mut connection = Connection::new(clock);
        connection.connect_to(relay.clone());
        Ok(Self {
            protocol: ProtocolState::new(name.clone(), kind, Some(machine)),
            helpers,
            helper_sender: to_session,
            clock,
            observer,
            throttle: Throttle::default(),
            connection,
            joining: Joining::new(relay, !options.is_relay_given),
            is_relay_given: options.is_relay_given,
            discovery: None,
            relay_clock: RelayClock::new(),
            own_name: options.own_name,
            shown_name: name,
            has_window: kind == ClientKind::Window,
            own_machine: OwnMachine::default(),
            outcomes: OutcomeQueue::default(),
            watch: Watch::default(),
            cues,
            variables: Variables::default(),
            bank,
            uploads: Uploads::new(),
            last_ack: 0,
            settings,
            outputs,
            output: Err("no output has been opened yet".to_owned()),
            fallback_reason: None,
            shown_latency_micros: 0,
            pending_bangs: Vec::new(),
            is_stop_pending: false,
            report_due: Instant::now() + REPORT_EVERY,
            reported_lead_micros: 0,
            reported_error_micros: None,
            reported_output: None,
            loudest: 0.0,
            cues_due: None,
        })
    }

    /// Sends an event to the observer, unless it is throttled.
    pub(super) fn emit(&mut self, event: SessionEvent) {
        if self.throttle.passes(&event, self.clock.now()) {
            (self.observer)(event);
        }
    }

    /// An `ack` for a request that wants an answer.
    pub(super) fn next_ack(&mut self) -> u64 {
        self.last_ack += 1;
        self.last_ack
    }

    /// Sends a message of `downbeat.v1`. Does nothing before the welcome, and with a tutorial relay.
    pub(super) fn send(&mut self, message: &ClientToRelay) {
        if self.protocol.own_id().is_some() {
            let sent = self.connection.send(message);
            self.handle_loss(sent);
        }
    }

    /// Handles the loss of the connection, if that is the result.
    pub(super) fn handle_loss(&mut self, result: Result<(), ConnectionEvent>) {
        if let Err(ConnectionEvent::Lost { reason, retry_in }) = result {
            self.lost(reason, retry_in);
        }
    }

    pub(super) fn lost(&mut self, reason: String, retry_in: Duration) {
        self.disconnected();
        self.emit(SessionEvent::Lost { reason, retry_in });
        self.without_relay();
    }

    pub(super) fn disconnected(&mut self) {
        self.protocol.disconnected();
        self.own_machine.disconnected();
        self.cues.forget_outcomes();
        self.outcomes.clear();
        self.uploads.disconnected();
        self.watch.is_asked = false;
        self.pending_bangs.clear();
        self.is_stop_pending = false;
    }
}

/// The choice, as the output manager takes it.
pub(super) fn device_choice(choice: OutputChoice) -> DeviceChoice {
    match choice {
        OutputChoice::SystemDefault => DeviceChoice::Default,
        OutputChoice::Device(id) => DeviceChoice::Named(id),
    }
}

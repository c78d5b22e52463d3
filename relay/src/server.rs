//! The relay as a whole: binds, serves, supervises, and shuts down.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use downbeat_platform::scheduling::{self, ThreadRole};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    accept::{
        self,
        certificate::{CertificateError, Identity},
        failures::AcceptFailures,
        tls::TlsAcceptor,
    },
    bank::{
        FolderError,
        watcher::{Folder, Watcher},
    },
    broadcast::lane::Command,
    config::Config,
    http::{
        auth::{Access, AccessError},
        context::ServerState,
        page,
    },
    joining::{Invitation, announcement::Announcement, qr},
    room::hub::{Hub, HubError},
    store::StoreError,
    supervise::{PartPanicked, Supervisor},
};

/// How often the room is updated: the roster, the fall of the lead, what has ended. It is also the shortest
/// time between two rosters, which `docs/PROTOCOL.md` promises.
const TICK: Duration = Duration::from_millis(250);

/// How often the keep-alive policy is applied.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a shutdown may take before the remaining connections are dropped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(4);

/// How often a relay that shuts down looks whether all is on disk.
const STORE_POLL: Duration = Duration::from_millis(5);

/// Why the relay does not start. Each message says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// It cannot listen on the address.
    #[error("cannot listen on {address}: {}", listen_advice(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The samples folder cannot be read.
    #[error("{0}; name a folder of WAV files with --samples")]
    Folder(#[from] FolderError),
    /// The bounds of the lead are in the wrong order.
    #[error("--min-lead-ms {min} is more than --max-lead-ms {max}; swap them")]
    Lead {
        /// The minimum, in milliseconds.
        min: u32,
        /// The maximum, in milliseconds.
        max: u32,
    },
    /// The tokens or origins are unusable.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no room code.
    #[error("the system has no random numbers: {0}")]
    Random(io::Error),
    /// There is no usable certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system does not start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The variables of the settings are unusable.
    #[error("--variable: {0}")]
    Variables(String),
}

impl StartError {
    /// Whether other settings help: otherwise it is what the relay has found on disk.
    #[must_use]
    pub fn is_wrong_setting(&self) -> bool {
        !matches!(self, Self::Store(StoreError::NotReadable { .. } | StoreError::Newer { .. }))
    }
}

impl From<HubError> for StartError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Thread(error) => Self::Thread(error),
            HubError::Store(error) => Self::Store(error),
            HubError::Folder(error) => Self::Folder(error),
            HubError::Variables(reason) => Self::Variables(reason),
        }
    }
}

fn listen_advice(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "the port is in use; stop the program that uses it, or choose another port with --listen".into()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its addresses with --listen".into()
        }
        ErrorKind::PermissionDenied => {
            "permission denied; choose a port of 1024 or above with --listen".into()
        }
        _ => format!("{error}; choose another address with --listen"),
    }
}

/// A relay that is bound to its address.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<ServerState>,
    identity: Option<Identity>,
    folder: Option<Folder>,
    reload: Arc<Notify>,
    announcement: Option<Announcement>,
}

impl Server {
    /// Loads the bank and begins to listen.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let (min, max) = (config.min_lead_ms, config.max_lead_ms);
        if min > max {
            return Err(StartError::Lead { min, max });
        }
        let host_name = gethostname::gethostname();
        let host_name = host_name.to_string_lossy();
        let access = Access::new(config, &host_name)?;
        let identity = Identity::new(config, &host_name)?;
        page::prepare();
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        if let Some(warning) = exposure(address.ip(), access.tokens().is_open(), identity.is_some())
        {
            tracing::warn!("{warning}");
        }
        let self_signed = identity.as_ref().filter(|identity| identity.is_self_signed);
        let fingerprint = self_signed.map(|identity| identity.fingerprint.clone());
        let (is_tls, tokens) = (identity.is_some(), access.tokens().clone());
        let needs_token = !tokens.is_open();
        let invitation = Invitation::new(tokens, address, is_tls, fingerprint.clone());
        let (hub, folder) = Hub::new(config, invitation.map_err(StartError::Random)?)?;
        if config.data.is_none() {
            tracing::info!(
                "variables, machines, the lock, uploaded sounds and edits of sounds end with the relay: there is \
                 no data folder (--data)"
            );
        }
        // One that others cannot reach is none of their business.
        let is_announced = !config.no_announce && !address.ip().to_canonical().is_loopback();
        let announcement = is_announced.then(|| Announcement {
            host_name: host_name.into_owned(),
            listens_on: address,
            epoch: hub.epoch,
            is_tls,
            fingerprint,
            needs_token,
        });
        let state = Arc::new(ServerState::new(config, access, hub));
        let reload = Arc::default();
        Ok(Self { listener, address, state, identity, folder, reload, announcement })
    }

    /// Notifying this reloads the bank, while the relay [runs](Self::run).
    #[must_use]
    pub fn reload(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    /// The supervisor, for an essential task outside of [`run`](Self::run).
    #[must_use]
    pub fn supervisor(&self) -> Arc<Supervisor> {
        self.state.hub.supervisor.clone()
    }

    /// The address that it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for a browser on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let here = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            ip => ip,
        };
        self.state.hub.invitation.url(here)
    }

    /// Its certificate, if it speaks TLS.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Asks for a real-time priority for the calling thread, which will [run](Self::run) the relay, and logs
    /// the answer. Takes a second at most.
    pub fn raise_priority(&self) {
        // A writer of normal priority could block a main thread of real-time priority (priority
        // inversion), so that neither would be better.
        let writers = self.state.hub.fan_out.writer_priority();
        let priority = writers.and_then(|()| scheduling::raise_priority(ThreadRole::Relay));
        match &priority {
            Ok(priority) => tracing::info!("real-time priority: {priority}"),
            Err(reason) => tracing::info!("real-time priority unavailable: {reason}"),
        }
        // A second call does not change the first answer.
        let _ = self.state.priority.set(priority);
    }

    /// The URLs for other machines: one for each network that it listens on.
    #[must_use]
    pub fn urls_for_others(&self) -> Vec<String> {
        self.state.hub.invitation.urls_for_others()
    }

    /// What a person needs to join, for the terminal of who runs the relay: the link of a player as a QR code,
    /// and the room code. It contains secrets.
    #[must_use]
    pub fn invitation(&self) -> Vec<String> {
        let link = self.state.hub.invitation.link_for_players();
        let mut lines = link.and_then(|link| qr::lines(&link)).unwrap_or_default();
        if let Some(code) = self.state.hub.invitation.code() {
            lines.push(format!("Room code: {code}"));
        }
        lines
    }

    /// Serves until `end` completes, then closes all connections; returns when they are closed, or after
    /// four seconds.
    ///
    /// # Errors
    /// If an essential part panics. It returns at once, without closing connections: the part that
    /// panicked may be the one that would do it, and clients reconnect to the next relay.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), PartPanicked> {
        let supervisor = self.supervisor();
        tokio::select! {
            () = self.serve(end) => Ok(()),
            part = supervisor.panicked() => Err(part),
        }
    }

    async fn serve(self, end: impl Future<Output = ()>) {
        let Self { listener, state, identity, folder, reload, announcement, .. } = self;
        let hub = state.hub.clone();
        let tls = identity.map(|identity| Arc::new(TlsAcceptor::new(identity.tls)));
        // Every connection holds a receiver: it announces the shutdown, which is complete when no receiver
        // is left.
        let (shutdown, receiver) = watch::channel(false);
        // Dropping the set ends its tasks.
        let mut parts = JoinSet::new();
        let watcher = Watcher::new(folder, reload, &hub.supervisor);
        let supervise = || hub.supervisor.clone();
        parts.spawn(supervise().watch("timekeeper", keep_time(state.clone())));
        parts.spawn(supervise().watch("bank watcher", watch_bank(hub.clone(), watcher)));
        parts.spawn(supervise().watch("value timer", send_held_values(hub.clone())));
        parts.spawn(supervise().watch("acknowledger", acknowledge_committed(hub.clone())));
        if let Some(announcement) = announcement {
            // It holds a receiver as well: a shutdown waits for its goodbye.
            let announcing = announcement.run(hub.counters.clone(), receiver.clone());
            tokio::spawn(supervise().watch("announcement", announcing));
        }
        let mut failures = AcceptFailures::default();
        let mut end = pin!(end);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(connection) => {
                        failures.succeeded();
                        accept::accept(&state, &receiver, tls.as_ref(), connection);
                    }
                    Err(error) => failures.failed(&error).await,
                },
                () = &mut end => break,
            }
        }
        drop((listener, receiver, parts));
        tracing::info!("shutting_down");
        shutdown.send_replace(true);
        hub.fan_out.send_to_both(Command::Shutdown).await;
        if timeout(SHUTDOWN_TIMEOUT, shutdown.closed()).await.is_err() {
            tracing::warn!(connections = shutdown.receiver_count(), "shutdown timed out");
        }
        if let Some(store) = &hub.store {
            store.end();
            let ended = async {
                while !store.has_ended() {
                    sleep(STORE_POLL).await;
                }
            };
            if timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
                tracing::warn!("the data folder does not answer: what was set last may be lost");
            }
        }
    }
}

/// A warning about what other machines can do, if that may surprise.
fn exposure(listens_on: IpAddr, is_open: bool, is_encrypted: bool) -> Option<&'static str> {
    if listens_on.to_canonical().is_loopback() {
        return None;
    }
    match (is_open, is_encrypted) {
        (true, true) => Some("anyone on the network can listen and bang: there is no --token"),
        (true, false) => Some(
            "anyone on the network can listen and bang, and nothing is encrypted: there is neither \
             --token nor --tls",
        ),
        (false, false) => Some(
            "the token and all messages are readable on the network, because nothing is encrypted: there \
             is no --tls",
        ),
        (false, true) => None,
    }
}

/// Replaces the sounds of the folder for as long as the watcher finds others.
async fn watch_bank(hub: Arc<Hub>, mut watcher: Watcher) {
    while let Some(found) = watcher.next(|| hub.bank()).await {
        hub.replace_found(found).await;
    }
}

/// Sends the values that have waited for their turn.
async fn send_held_values(hub: Arc<Hub>) {
    hub.send_held_values().await;
}

/// Acknowledges requests whose changes are on disk.
async fn acknowledge_committed(hub: Arc<Hub>) {
    hub.acknowledge_committed().await;
}

/// Updates the room and sweeps the clients at regular intervals.
async fn keep_time(state: Arc<ServerState>) {
    let hub = &state.hub;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = hub.clock.now();
    let mut logged = 0;
    loop {
        ticks.tick().await;
        let now = hub.clock.now();
        hub.tick(now).await;
        if now.micros_since(swept) >= SWEEP.as_micros() as i64 {
            hub.fan_out.send_to_both(Command::Sweep { now, last: swept }).await;
            state.admission.sweep(now);
            let disconnected = hub.counters.clients_disconnected.backlog.get();
            if disconnected > logged {
                tracing::warn!(
                    clients = disconnected - logged,
                    "backlog full: the clients with the longest queues are disconnected; \
                     --backlog-mib sets the limit"
                );
                logged = disconnected;
            }
            swept = now;
        }
    }
}

#[cfg(test)]
mod tests;

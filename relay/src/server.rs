//! The relay as a whole: listen, serve, and end so that everyone knows.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Instant,
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
    access::{Access, AccessError},
    certificate::{CertificateError, Identity},
    config::{ACCEPT_EPISODE, ACCEPT_PAUSE, Config, DRAIN, SWEEP, TICK},
    fan_out::Command,
    folder::{self, Folder},
    reception,
    relay::Relay,
    sounds::{Bank, FolderError},
    supervise::{Alarm, Lost},
    tls::TlsDoor,
};

/// Why the relay does not start. Each says what to do about it.
#[derive(Debug, Error)]
pub enum StartError {
    /// It may not or cannot listen there.
    #[error("cannot listen on {address}: {}", listen_advice(.source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of sounds cannot be read.
    #[error("{0}; name a folder of WAV files with --samples")]
    Folder(#[from] FolderError),
    /// The bounds of the lead are the wrong way round.
    #[error("--least-lead-ms {least} is more than --most-lead-ms {most}; swap them")]
    Lead {
        /// The least, in milliseconds.
        least: u32,
        /// The most, in milliseconds.
        most: u32,
    },
    /// The tokens or origins cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no certificate to show.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system gives it no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

fn listen_advice(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "the port is in use; end what listens there, or choose another with --listen".into()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its own with --listen".into()
        }
        ErrorKind::PermissionDenied => {
            "not permitted; choose a port from 1024 up with --listen".into()
        }
        _ => format!("{error}; choose another address with --listen"),
    }
}

/// A relay that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    relay: Arc<Relay>,
    identity: Option<Identity>,
    folder: Option<Folder>,
    reload: Arc<Notify>,
}

impl Server {
    /// Reads the bank and begins to listen.
    ///
    /// # Errors
    /// If something that was asked for cannot be had; see [`StartError`].
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let (least, most) = (config.least_lead_ms, config.most_lead_ms);
        if least > most {
            return Err(StartError::Lead { least, most });
        }
        let own_name = gethostname::gethostname();
        let own_name = own_name.to_string_lossy();
        let access = Access::new(config, &own_name)?;
        let identity = Identity::new(config, &own_name)?;
        let (folder, bank) = match &config.samples {
            None => {
                let bank = Bank::embedded();
                folder::tell_size(&bank);
                (None, bank)
            }
            Some(path) => {
                let (folder, bank) = Folder::open(path)?;
                (Some(folder), bank)
            }
        };
        let listen = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let relay = Relay::new(config, access, bank).map_err(StartError::Thread)?;
        if let Some(warning) = exposure(address.ip(), relay.access.is_open(), identity.is_some()) {
            tracing::warn!("{warning}");
        }
        let relay = Arc::new(relay);
        Ok(Self { listener, address, relay, identity, folder, reload: Arc::default() })
    }

    /// Whoever notifies this has the bank loaded anew, once it [runs](Self::run).
    #[must_use]
    pub fn reload(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    /// What rings when a part of the relay panics. Whoever runs another part guards it by this.
    #[must_use]
    pub fn alarm(&self) -> Arc<Alarm> {
        self.relay.alarm.clone()
    }

    /// Where it listens: the real port, where any was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser on this machine finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let here = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            ip => ip,
        };
        self.url_of(here)
    }

    /// What it shows of itself over TLS, if it speaks TLS.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Makes the calling thread, which is to [run](Self::run) it, go before other programs, and says
    /// once what came of it. Takes a second at most.
    pub fn raise(&self) {
        // A writer that is not raised could keep a main thread that is: then nobody is better.
        let writers = self.relay.fan_out.writers_priority();
        let priority = writers.and_then(|()| scheduling::raise_priority(ThreadRole::Relay));
        match &priority {
            Ok(priority) => tracing::info!("real-time priority: {priority}"),
            Err(reason) => tracing::info!("real-time priority unavailable: {reason}"),
        }
        // Whoever asks twice is told the first answer.
        let _ = self.relay.priority.set(priority);
    }

    fn url_of(&self, ip: IpAddr) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Where others find it: an address of each network that it listens on.
    #[must_use]
    pub fn urls_for_others(&self) -> Vec<String> {
        if !self.address.ip().is_unspecified() {
            return Vec::new();
        }
        // A machine that cannot list its networks still serves them.
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
        addresses.retain(|ip| match ip {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            // A link-local address needs a zone, which a browser does not take.
            IpAddr::V6(v6) => {
                self.address.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local()
            }
        });
        addresses.sort_unstable();
        addresses.dedup();
        addresses.into_iter().map(|ip| self.url_of(ip)).collect()
    }

    /// Serves until `end` completes, then says goodbye to everyone and returns when they are gone
    /// or [`DRAIN`] has passed.
    ///
    /// # Errors
    /// If a part of it panics. It returns at once, without a goodbye: what has died may be what would
    /// say it, and the clients come back to the relay that is started next.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), Lost> {
        let alarm = self.alarm();
        tokio::select! {
            () = self.serve(end) => Ok(()),
            lost = alarm.rung() => Err(lost),
        }
    }

    async fn serve(self, end: impl Future<Output = ()>) {
        let Self { listener, relay, identity, folder, reload, .. } = self;
        let tls = identity.map(|identity| Arc::new(TlsDoor::new(identity.tls)));
        // Everything that serves a connection holds a receiver: it tells them of the end, and when
        // none is left, they are all gone.
        let (ending, presence) = watch::channel(false);
        // They end with this.
        let mut parts = JoinSet::new();
        let follower = folder::follow(relay.clone(), folder, reload);
        parts.spawn(relay.alarm.clone().watch("time keeper", look_after(relay.clone())));
        parts.spawn(relay.alarm.clone().watch("folder follower", follower));
        let mut failed = FailedAccepts::default();
        let mut end = pin!(end);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(came) => {
                        if let Some(failed) = failed.end(Instant::now()) {
                            tracing::info!(failed, "connections are accepted again");
                        }
                        reception::receive(&relay, &presence, tls.as_ref(), came);
                    }
                    Err(error) => after_failed_accept(&mut failed, &error).await,
                },
                () = &mut end => break,
            }
        }
        drop((listener, presence, parts));
        tracing::info!("ending");
        ending.send_replace(true);
        relay.fan_out.tell_all(Command::End).await;
        if timeout(DRAIN, ending.closed()).await.is_err() {
            tracing::warn!(left = ending.receiver_count(), "some connections did not end in time");
        }
    }
}

/// What others can do who reach this machine, in one sentence, if that is more than it may seem.
fn exposure(listens_on: IpAddr, is_open: bool, is_encrypted: bool) -> Option<&'static str> {
    if listens_on.to_canonical().is_loopback() {
        return None;
    }
    match (is_open, is_encrypted) {
        (true, true) => {
            Some("whoever reaches this machine may listen and bang: there is no --token")
        }
        (true, false) => Some(
            "whoever reaches this machine may listen and bang, and nothing is encrypted: there is \
             neither --token nor --tls",
        ),
        (false, false) => Some(
            "whoever shares a network on the way can read the token and all that is said: there \
             is no --tls",
        ),
        (false, true) => None,
    }
}

/// Keeps time for the room and everyone in it.
async fn look_after(relay: Arc<Relay>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = relay.clock.now();
    let mut told_of = 0;
    loop {
        ticks.tick().await;
        let now = relay.clock.now();
        relay.tick(now).await;
        if now.micros_since(swept) >= SWEEP.as_micros() as i64 {
            relay.fan_out.tell_all(Command::Sweep { now, last: swept }).await;
            relay.doors.sweep(now);
            let cut_off = relay.counts.backlog.get();
            if cut_off > told_of {
                tracing::warn!(
                    clients = cut_off - told_of,
                    "cut off: more waited for all clients together than --backlog-mib allows, and \
                     most of it for them"
                );
                told_of = cut_off;
            }
            swept = now;
        }
    }
}

/// Failed accepts that belong together: from the first until none has failed for
/// [`ACCEPT_EPISODE`]. Without a descriptor ten fail a second, and one succeeds for each client that
/// leaves.
#[derive(Debug, Default)]
struct FailedAccepts {
    count: u64,
    /// When the last of them failed.
    last: Option<Instant>,
}

impl FailedAccepts {
    /// Notes one more at `now`; whether an episode begins with it.
    fn add(&mut self, now: Instant) -> bool {
        let begins = self.last.is_none();
        self.count += 1;
        self.last = Some(now);
        begins
    }

    /// Notes an accept that succeeded at `now`; how many failed in the episode that is over now.
    fn end(&mut self, now: Instant) -> Option<u64> {
        self.last.filter(|last| now.saturating_duration_since(*last) >= ACCEPT_EPISODE)?;
        Some(std::mem::take(self).count)
    }
}

async fn after_failed_accept(failed: &mut FailedAccepts, error: &io::Error) {
    // A client that gave up while it was waiting is nobody's failure.
    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
        return;
    }
    if failed.add(Instant::now()) {
        tracing::error!(
            %error,
            "cannot accept a connection; whoever comes waits until it can. If it lacks file \
             descriptors, raise its limit (ulimit -n) or lower --connections"
        );
    }
    sleep(ACCEPT_PAUSE).await;
}

#[cfg(test)]
mod tests;

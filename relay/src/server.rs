//! The relay as a whole: listen, serve, and end so that everyone knows.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    access::{Access, AccessError},
    config::{
        ACCEPT_PAUSE, Config, DRAIN, HEADER_BYTES, HEADER_TIMEOUT, HTTP_LIFETIME, SWEEP, TICK,
    },
    doors::{Full, Visit},
    fan_out::Command,
    folder::{self, Folder},
    http,
    relay::Relay,
    sounds::{Bank, FolderError},
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
        let access = Access::new(config, &own_name.to_string_lossy())?;
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
        if relay.access.is_open() && !address.ip().is_loopback() {
            tracing::warn!("whoever reaches this machine may listen and bang: there is no --token");
        }
        Ok(Self { listener, address, relay: Arc::new(relay), folder, reload: Arc::default() })
    }

    /// Whoever notifies this has the bank loaded anew, once it [runs](Self::run).
    #[must_use]
    pub fn reload(&self) -> Arc<Notify> {
        self.reload.clone()
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
        url(here, self.address.port())
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
        addresses.into_iter().map(|ip| url(ip, self.address.port())).collect()
    }

    /// Serves until `end` completes, then says goodbye to everyone and returns when they are gone
    /// or [`DRAIN`] has passed.
    pub async fn run(self, end: impl Future<Output = ()>) {
        let Self { listener, relay, folder, reload, .. } = self;
        // Everything that serves a connection holds a receiver: it tells them of the end, and when
        // none is left, they are all gone.
        let (ending, presence) = watch::channel(false);
        let keeper = tokio::spawn(look_after(relay.clone()));
        let follower = tokio::spawn(folder::follow(relay.clone(), folder, reload));
        let mut end = pin!(end);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let now = relay.clock.now();
                        match relay.doors.enter(peer.ip(), now) {
                            Ok(visit) => {
                                let visit = Arc::new(visit);
                                let presence = presence.clone();
                                tokio::spawn(serve(relay.clone(), presence, visit, stream, peer));
                            }
                            Err(full) => turn_away(&relay, full, &stream, peer),
                        }
                    }
                    Err(error) => after_failed_accept(&error).await,
                },
                () = &mut end => break,
            }
        }
        drop((listener, presence));
        tracing::info!("ending");
        keeper.abort();
        follower.abort();
        ending.send_replace(true);
        relay.fan_out.tell_all(Command::End).await;
        if timeout(DRAIN, ending.closed()).await.is_err() {
            tracing::warn!(left = ending.receiver_count(), "some connections did not end in time");
        }
    }
}

fn url(ip: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(ip, port))
}

/// Keeps time for the room and everyone in it.
async fn look_after(relay: Arc<Relay>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = relay.clock.now();
    loop {
        ticks.tick().await;
        let now = relay.clock.now();
        relay.tick(now).await;
        if now.micros_since(swept) >= SWEEP.as_micros() as i64 {
            relay.fan_out.tell_all(Command::Sweep { now, last: swept }).await;
            swept = now;
        }
    }
}

async fn after_failed_accept(error: &io::Error) {
    // A client that gave up while it was waiting is nobody's failure.
    let is_its_own =
        matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset);
    if !is_its_own {
        tracing::error!(%error, "cannot accept a connection");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Tells one that there is no place for it, as far as its socket takes that at once.
fn turn_away(relay: &Relay, full: Full, stream: &TcpStream, peer: SocketAddr) {
    relay.counts.turned_away.add();
    let (status, said) = match full {
        Full::House => ("503 Service Unavailable", "the relay is full\n"),
        Full::Address => ("429 Too Many Requests", "too many connections from your address\n"),
    };
    tracing::debug!(%peer, "turned away: {}", said.trim_end());
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{said}",
        said.len()
    );
    // A fresh socket has room for it; should it not, the end of the socket says the same.
    let _ = socket2::SockRef::from(stream).send(answer.as_bytes());
}

/// Serves one TCP connection as long as it speaks HTTP.
async fn serve(
    relay: Arc<Relay>,
    presence: watch::Receiver<bool>,
    visit: Arc<Visit>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    // Without it a small frame waits for the acknowledgement of the one before, 40 ms or more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot turn off delays");
    }
    let mut ending = presence.clone();
    let service = service_fn(move |request| {
        let answer = http::answer(&relay, &presence, &visit, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = timeout(HTTP_LIFETIME, connection.as_mut()) => match served {
            Ok(served) => served,
            Err(_) => return tracing::debug!(%peer, "took too long over HTTP"),
        },
        () = told_of_the_end(&mut ending) => {
            connection.as_mut().graceful_shutdown();
            // Long enough for an answer under way; a connection that is idle ends at once.
            timeout(Duration::from_secs(2), connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "an HTTP connection failed");
    }
}

async fn told_of_the_end(ending: &mut watch::Receiver<bool>) {
    // If the one who tells is gone, that is the end as well.
    let _ = ending.wait_for(|ending| *ending).await;
}

//! The relay as a whole: listen, serve, and end so that everyone knows.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    access::{Access, AccessError},
    certificate::{CertificateError, Identity},
    config::{
        ACCEPT_PAUSE, Config, DRAIN, HEADER_BYTES, HEADER_TIMEOUT, HTTP_LIFETIME, SWEEP, TICK,
        UNENCRYPTED_LIFETIME,
    },
    doors::{Full, Visit},
    fan_out::Command,
    folder::{self, Folder},
    http,
    relay::Relay,
    sounds::{Bank, FolderError},
    tls::{Opened, TlsDoor},
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
    pub async fn run(self, end: impl Future<Output = ()>) {
        let Self { listener, relay, identity, folder, reload, .. } = self;
        let tls = identity.map(|identity| Arc::new(TlsDoor::new(identity.tls)));
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
                                let stay = Stay { relay: relay.clone(), presence, visit, peer };
                                begin(stay, tls.as_ref(), stream);
                            }
                            Err(full) => turn_away(&relay, full, tls.is_none(), &stream, peer),
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

/// Tells one that there is no place for it, as far as its socket takes that at once; unless it
/// `is_plain`, the end of the socket must do.
fn turn_away(relay: &Relay, full: Full, is_plain: bool, stream: &TcpStream, peer: SocketAddr) {
    relay.counts.turned_away.add();
    let (status, said) = match full {
        Full::House => ("503 Service Unavailable", "the relay is full\n"),
        Full::Address => ("429 Too Many Requests", "too many connections from your address\n"),
    };
    tracing::debug!(%peer, "turned away: {}", said.trim_end());
    if !is_plain {
        return;
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{said}",
        said.len()
    );
    // A fresh socket has room for it; should it not, the end of the socket says the same.
    let _ = socket2::SockRef::from(stream).send(answer.as_bytes());
}

/// One TCP connection's place in the house.
struct Stay {
    relay: Arc<Relay>,
    presence: watch::Receiver<bool>,
    visit: Arc<Visit>,
    peer: SocketAddr,
}

/// Begins to serve one TCP connection, over TLS if the relay does.
fn begin(stay: Stay, tls: Option<&Arc<TlsDoor>>, stream: TcpStream) {
    // Without it a small frame waits for the acknowledgement of the one before, 40 ms or more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(peer = %stay.peer, %error, "cannot turn off delays");
    }
    match tls {
        // A task of its own kind: had it room for TLS, it would leave that much larger a hole among
        // the WebSockets that stay, which no later one fills.
        None => drop(tokio::spawn(speak_http(stay, stream))),
        Some(tls) => drop(tokio::spawn(speak_tls(stay, tls.clone(), stream))),
    }
}

async fn speak_tls(stay: Stay, tls: Arc<TlsDoor>, stream: TcpStream) {
    let peer = stay.peer;
    let mut ending = stay.presence.clone();
    let opened = tokio::select! {
        opened = tls.open(stream) => opened,
        () = told_of_the_end(&mut ending) => return,
    };
    match opened {
        Ok(Opened::Tls(stream)) => speak_http(stay, *stream).await,
        Ok(Opened::Plain(stream)) => {
            stay.relay.counts.handshakes.add();
            tracing::debug!(%peer, "came without TLS");
            send_to_tls(stay, stream).await;
        }
        Err(error) => {
            stay.relay.counts.handshakes.add();
            tracing::debug!(%peer, "{error}");
        }
    }
}

/// Serves one connection as long as it speaks HTTP.
async fn speak_http<S>(stay: Stay, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Stay { relay, presence, visit, peer } = stay;
    let mut ending = presence.clone();
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let answer = http::answer(&relay, &presence, &visit, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1().serve_connection(TokioIo::new(stream), service).with_upgrades();
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
        if !asked.load(Ordering::Relaxed) {
            relay.counts.heads.add();
        }
        tracing::debug!(%peer, %error, "an HTTP connection failed");
    }
}

/// Answers one request that came without TLS. Its answer closes the connection, so that nothing
/// more is said in the open.
async fn send_to_tls(stay: Stay, stream: TcpStream) {
    let Stay { relay, presence, visit, .. } = stay;
    let mut ending = presence;
    let service = service_fn(move |request| {
        let answer = http::answer_unencrypted(&relay, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // However it ends, it was one answer.
        _ = timeout(UNENCRYPTED_LIFETIME, connection) => {}
        () = told_of_the_end(&mut ending) => {}
    }
    drop(visit);
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES);
    builder
}

async fn told_of_the_end(ending: &mut watch::Receiver<bool>) {
    // If the one who tells is gone, that is the end as well.
    let _ = ending.wait_for(|ending| *ending).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_do_is_said_where_others_can_come() {
        let said = |ip: &str, open, encrypted| exposure(ip.parse().unwrap(), open, encrypted);
        for local in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(said(local, true, false), None, "{local}");
        }
        for (open, encrypted, named) in [
            (true, false, &["--token", "--tls"][..]),
            (true, true, &["--token"]),
            (false, false, &["--tls", "token"]),
        ] {
            for ip in ["0.0.0.0", "::", "192.168.1.20"] {
                let said = said(ip, open, encrypted).unwrap();
                assert!(named.iter().all(|part| said.contains(part)), "{said}");
            }
        }
        assert!(!said("0.0.0.0", true, true).unwrap().contains("encrypted"));
        assert_eq!(said("0.0.0.0", false, true), None);
    }
}

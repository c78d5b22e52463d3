//! One TCP connection, from the door to the end of its HTTP: turned away, led to TLS, or served.
//!
//! It knows nothing of what is asked and answered, which is [`http`](crate::http)'s; a WebSocket leaves
//! it as soon as its handshake is answered.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};

use crate::{
    config::{HEADER_BYTES, HEADER_TIMEOUT, HTTP_LIFETIME, UNENCRYPTED_LIFETIME},
    doors::{Full, Visit},
    http,
    relay::Relay,
    tls::{Opened, TlsDoor},
};

/// Tells one that there is no place for it, as far as its socket takes that at once; unless it
/// `is_plain`, the end of the socket must do.
pub fn turn_away(relay: &Relay, full: Full, is_plain: bool, stream: &TcpStream, peer: SocketAddr) {
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
pub struct Stay {
    /// The house.
    pub relay: Arc<Relay>,
    /// Tells of the end, and that this one has not come to it yet.
    pub presence: watch::Receiver<bool>,
    /// That it was let in.
    pub visit: Arc<Visit>,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// Begins to serve one TCP connection, over TLS if the relay does.
pub fn begin(stay: Stay, tls: Option<&Arc<TlsDoor>>, stream: TcpStream) {
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

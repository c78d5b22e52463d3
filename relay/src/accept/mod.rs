//! Accepts TCP connections: admits or rejects each, and performs its TLS handshake. Then the connection
//! speaks HTTP, which is [`http`](crate::http)'s.

pub mod certificate;
pub(crate) mod failures;
pub(crate) mod tls;

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, thread};

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::{net::TcpStream, sync::watch};

use self::tls::{Accepted, TlsAcceptor};
use crate::{
    counters::Counters,
    http::{
        connection,
        context::{ConnectionContext, ServerState, shutdown_begins},
    },
    limits::admission::Rejected,
};

/// What a new connection costs of the request rate of its address: without TLS about as much as a request.
const CONNECTION_COST: u32 = 1;

/// The same with TLS: a handshake takes some tenths of a millisecond.
const TLS_CONNECTION_COST: u32 = 4;

/// Size of a socket's send buffer in the kernel, in bytes (Linux doubles it for its own use). By default it
/// grows to 4 MB for a client that never reads, out of memory that all sockets of the machine share, and
/// only then frames begin to wait in the outbox.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Admits a connection and begins to serve it, over TLS if there is an acceptor; or rejects it.
pub(crate) fn accept(
    state: &Arc<ServerState>,
    shutdown: &watch::Receiver<bool>,
    tls: Option<&Arc<TlsAcceptor>>,
    (stream, peer): (TcpStream, SocketAddr),
) {
    let cost = if tls.is_some() { TLS_CONNECTION_COST } else { CONNECTION_COST };
    match state.admission.admit(peer.ip(), cost, state.hub.clock.now()) {
        Ok(permit) => {
            // A socket without a local address is broken, and the peer's is as good as any.
            let local_ip = stream.local_addr().map_or(peer.ip(), |address| address.ip());
            let context = ConnectionContext {
                state: state.clone(),
                shutdown: shutdown.clone(),
                permit: Arc::new(permit),
                peer,
                local_ip,
            };
            begin(context, tls, stream);
        }
        Err(rejected) => reject(&state.hub.counters, rejected, tls.is_some(), &stream, peer),
    }
}

/// Answers a rejected connection, if its socket accepts the answer at once and it speaks no TLS.
fn reject(
    counters: &Counters,
    rejected: Rejected,
    is_tls: bool,
    stream: &TcpStream,
    peer: SocketAddr,
) {
    counters.connections_rejected.increment();
    let (status, reason) = match rejected {
        Rejected::Capacity => ("503 Service Unavailable", "the relay is full\n"),
        Rejected::AddressCapacity => {
            ("429 Too Many Requests", "too many connections from your address\n")
        }
        Rejected::AddressRate => ("429 Too Many Requests", "too many requests from your address\n"),
    };
    tracing::debug!(addr = %peer, reason = reason.trim_end(), "connection_rejected");
    if is_tls {
        return;
    }
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{reason}",
        reason.len()
    );
    // A new socket has space for it. If not, the end of the socket says the same.
    let _ = SockRef::from(stream).send(response.as_bytes());
}

/// Begins to serve an admitted connection.
fn begin(context: ConnectionContext, tls: Option<&Arc<TlsAcceptor>>, stream: TcpStream) {
    // With Nagle's algorithm a small frame waits for the previous acknowledgement, 40 ms or more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(addr = %context.peer, %error, "cannot set TCP_NODELAY");
    }
    if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES) {
        tracing::debug!(addr = %context.peer, %error, "cannot set the send buffer size");
    }
    let counters = context.state.hub.counters.clone();
    match tls {
        // Two types of task: one with space for TLS would leave a much larger hole among the WebSockets
        // that stay, which no later allocation fills.
        None => spawn(counters, connection::serve(context, stream)),
        Some(tls) => spawn(counters, serve_tls(context, tls.clone(), stream)),
    }
}

/// Spawns the task of a connection. A panic ends it alone, and is counted.
fn spawn(counters: Arc<Counters>, task: impl Future<Output = ()> + Send + 'static) {
    let count = move |result: thread::Result<()>| {
        if result.is_err() {
            counters.connection_panics.increment();
        }
    };
    tokio::spawn(AssertUnwindSafe(task).catch_unwind().map(count));
}

async fn serve_tls(context: ConnectionContext, tls: Arc<TlsAcceptor>, stream: TcpStream) {
    let (addr, counters) = (context.peer, context.state.hub.counters.clone());
    let mut shutdown = context.shutdown.clone();
    let accepted = tokio::select! {
        accepted = tls.accept(stream) => accepted,
        () = shutdown_begins(&mut shutdown) => return,
    };
    match accepted {
        Ok(Accepted::Tls(stream)) => connection::serve(context, *stream).await,
        Ok(Accepted::Plain(stream)) => {
            counters.tls_handshake_failures.increment();
            tracing::debug!(%addr, reason = "HTTP without TLS", "tls_handshake_failed");
            connection::redirect_to_tls(context, stream).await;
        }
        Err(error) => {
            counters.tls_handshake_failures.increment();
            tracing::debug!(%addr, reason = %error, "tls_handshake_failed");
        }
    }
}

//! One connection while it speaks HTTP: its rate limit, its lifetime, its end.
//!
//! A WebSocket leaves it as soon as its handshake is answered.

use std::{
    convert::Infallible,
    error::Error as _,
    io::{self, ErrorKind},
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{CONNECTION, HOST, LOCATION, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    context::{ConnectionContext, shutdown_begins},
    response::{Answer, put, put_text, text},
    routes, upgrade,
};
use crate::limits::rate_limit::RateLimiter;

/// How long the head of a request may take. A browser on a bad network needs a second or two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, in bytes. Browsers send one kilobyte, cookies included.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Maximum lifetime of an HTTP connection; a response in progress gets the same again. A sound of 96 MB at
/// 160 KB a second fits. Browsers reconnect, and a client that reads nothing does not stay.
const MAX_LIFETIME: Duration = Duration::from_mins(10);

/// Maximum lifetime of a connection without TLS, where the relay speaks TLS: a head and a short response.
const MAX_REDIRECT_LIFETIME: Duration = Duration::from_secs(12);

/// How long a response may take when the relay shuts down: one in progress is mostly sent already.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves a connection as long as it speaks HTTP.
pub(crate) async fn serve<S>(context: ConnectionContext, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let hub = context.state.hub.clone();
    let (mut shutdown, peer) = (context.shutdown.clone(), context.peer);
    let limiter = RateLimiter::new(context.state.requests_per_second, hub.clock.now());
    let limiter = Mutex::new(limiter);
    let service = service_fn(|request| {
        #[cfg(test)]
        hub.supervisor.panic_if_injected("request");
        let now = hub.clock.now();
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let decision = limiter.check(now, 0, || context.permit.allow_request(now));
        let answer = routes::answer(context.clone(), decision, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let record_end = |result: hyper::Result<()>| {
        if let Err(error) = result {
            if is_malformed(&error) {
                hub.counters.malformed_requests.increment();
            }
            tracing::debug!(addr = %peer, %error, "http_connection_failed");
        }
    };
    tokio::select! {
        result = connection.as_mut() => return record_end(result),
        () = sleep(MAX_LIFETIME) => {}
        () = shutdown_begins(&mut shutdown) => {}
    }
    // An idle connection ends at once.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        result = connection => record_end(result),
        () = sleep(MAX_LIFETIME) => {
            hub.counters.clients_disconnected.unread.increment();
            tracing::debug!(addr = %peer, "http_response_unread");
        }
        () = async { shutdown_begins(&mut shutdown).await; sleep(SHUTDOWN_TIMEOUT).await } => {}
    }
}

/// Whether a connection failed because of what the client sent: no HTTP, half a request, or TLS records
/// that do not decrypt.
fn is_malformed(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    error.is_parse()
        || error.is_incomplete_message()
        || source.is_some_and(|error| error.kind() == ErrorKind::InvalidData)
}

/// Answers one request without TLS, where the relay speaks TLS. The response closes the connection, so
/// that nothing more is sent unencrypted.
pub(crate) async fn redirect_to_tls(context: ConnectionContext, stream: TcpStream) {
    let mut shutdown = context.shutdown.clone();
    let service = service_fn(|request| {
        let answer = tls_required(&context, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // One response, however the connection ends.
        _ = timeout(MAX_REDIRECT_LIFETIME, connection) => {}
        () = shutdown_begins(&mut shutdown) => {}
    }
}

/// Redirects a browser to https, and tells other clients that TLS is needed.
fn tls_required(context: &ConnectionContext, request: &Request<Incoming>) -> Answer {
    let (headers, access) = (request.headers(), &context.state.access);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|_| access.is_own_host(headers, context.local_ip));
    let location = host.map(|host| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        format!("https://{host}{path}")
    });
    let mut answer =
        text(StatusCode::UPGRADE_REQUIRED, "this relay needs TLS: use https:// or wss://\n");
    if let Some(location) = location
        && !upgrade::is_requested(headers)
    {
        // Temporary: the relay may be started without TLS tomorrow.
        *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        put_text(&mut answer, LOCATION, &location);
    }
    // As in RFC 2817. Players recognize the reason by this.
    put(&mut answer, UPGRADE, "TLS/1.2, HTTP/1.1");
    put(&mut answer, CONNECTION, "close, Upgrade");
    answer
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
}

#[cfg(test)]
mod tests;

//! One TCP connection, from the door to the end of its HTTP: turned away, led to TLS, or served.
//!
//! It knows nothing of what is asked and answered, which is [`http`](crate::http)'s; a WebSocket leaves
//! it as soon as its handshake is answered.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use futures_util::FutureExt as _;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    config::{
        ENTRANCE, HEADER_BYTES, HEADER_TIMEOUT, HTTP_LIFETIME, LAST_ANSWER, SEND_BUFFER_BYTES,
        TLS_ENTRANCE, UNENCRYPTED_LIFETIME,
    },
    doors::{Full, Visit},
    http,
    overheard::{Heard, Overheard},
    rate::Meter,
    relay::Relay,
    tls::{Opened, TlsDoor},
};

/// Lets a TCP connection in and begins to serve it, over TLS if there is a door for that; or turns it
/// away.
pub fn receive(
    relay: &Arc<Relay>,
    presence: &watch::Receiver<bool>,
    tls: Option<&Arc<TlsDoor>>,
    (stream, peer): (TcpStream, SocketAddr),
) {
    let entrance = if tls.is_some() { TLS_ENTRANCE } else { ENTRANCE };
    match relay.doors.enter(peer.ip(), entrance, relay.clock.now()) {
        Ok(visit) => {
            let (relay, presence) = (relay.clone(), presence.clone());
            // A socket that cannot tell is broken, and the peer's address as good as any.
            let reached = stream.local_addr().map_or(peer.ip(), |address| address.ip());
            begin(Stay { relay, presence, visit: Arc::new(visit), peer, reached }, tls, stream);
        }
        Err(full) => turn_away(relay, full, tls.is_none(), &stream, peer),
    }
}

/// Tells one that there is no place for it, as far as its socket takes that at once; unless it
/// `is_plain`, the end of the socket must do.
fn turn_away(relay: &Relay, full: Full, is_plain: bool, stream: &TcpStream, peer: SocketAddr) {
    relay.counts.turned_away.add();
    let (status, said) = match full {
        Full::House => ("503 Service Unavailable", "the relay is full\n"),
        Full::Address => ("429 Too Many Requests", "too many connections from your address\n"),
        Full::Often => ("429 Too Many Requests", "too many requests from your address\n"),
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
    let _ = SockRef::from(stream).send(answer.as_bytes());
}

/// One TCP connection's place in the house.
struct Stay {
    relay: Arc<Relay>,
    presence: watch::Receiver<bool>,
    visit: Arc<Visit>,
    peer: SocketAddr,
    /// The relay's own address on this connection.
    reached: IpAddr,
}

/// Begins to serve one TCP connection, over TLS if the relay does.
fn begin(stay: Stay, tls: Option<&Arc<TlsDoor>>, stream: TcpStream) {
    // Without it a small frame waits for the acknowledgement of the one before, 40 ms or more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(peer = %stay.peer, %error, "cannot turn off delays");
    }
    if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES) {
        tracing::debug!(peer = %stay.peer, %error, "cannot bound its send buffer");
    }
    match tls {
        // A task of its own kind: had it room for TLS, it would leave that much larger a hole among
        // the WebSockets that stay, which no later one fills.
        None => spawn(stay.relay.clone(), speak_http(stay, stream)),
        Some(tls) => spawn(stay.relay.clone(), speak_tls(stay, tls.clone(), stream)),
    }
}

/// Spawns a connection's task. One that panics ends alone, and is counted.
fn spawn(relay: Arc<Relay>, task: impl Future<Output = ()> + Send + 'static) {
    let count = move |ended: thread::Result<()>| {
        if ended.is_err() {
            relay.counts.panicked.add();
        }
    };
    tokio::spawn(AssertUnwindSafe(task).catch_unwind().map(count));
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
    let Stay { relay, presence, visit, peer, reached } = stay;
    let mut ending = presence.clone();
    let meter = Mutex::new(Meter::new(relay.requests, relay.clock.now()));
    let service = service_fn(|request| {
        #[cfg(test)]
        relay.alarm.panic_if_injected("request");
        let now = relay.clock.now();
        let mut meter = meter.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = meter.judge(now, 0, || visit.may_ask(now));
        let answer = http::answer(&relay, &presence, &visit, verdict, reached, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let (stream, heard) = Overheard::new(stream);
    let connection = http1().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        served = connection.as_mut() => return note_the_end(&relay, peer, &heard, &served),
        () = sleep(HTTP_LIFETIME) => {}
        () = told_of_the_end(&mut ending) => {}
    }
    // A connection that is idle ends at once.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        served = connection => note_the_end(&relay, peer, &heard, &served),
        // One who takes a large sound over a slow network has as long again for it.
        () = sleep(HTTP_LIFETIME) => {
            relay.counts.unread.add();
            tracing::debug!(%peer, "does not read its answer");
        }
        () = async { told_of_the_end(&mut ending).await; sleep(LAST_ANSWER).await } => {}
    }
}

/// Counts a connection that did not end as HTTP does.
fn note_the_end(relay: &Relay, peer: SocketAddr, heard: &Heard, served: &hyper::Result<()>) {
    let failure = served.as_ref().err();
    // One that has asked what it began to ask may leave, or stay and be silent, as it likes.
    let is_cut = failure.is_some_and(|error| error.is_parse() || heard.is_within_a_head());
    if is_cut || heard.is_spoilt() {
        relay.counts.heads.add();
    }
    if let Some(error) = failure {
        tracing::debug!(%peer, %error, "an HTTP connection failed");
    }
}

/// Answers one request that came without TLS. Its answer closes the connection, so that nothing
/// more is said in the open.
async fn send_to_tls(stay: Stay, stream: TcpStream) {
    let Stay { relay, presence, visit, reached, .. } = stay;
    let mut ending = presence;
    let service = service_fn(move |request| {
        let answer = http::answer_unencrypted(&relay, reached, &request);
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
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        task::JoinHandle,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{access::Access, config::Config, sounds::Bank};

    const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// One connection to a relay of its own, by a pipe that holds little, in virtual time.
    struct Call {
        relay: Arc<Relay>,
        pipe: DuplexStream,
        served: JoinHandle<()>,
        _ending: watch::Sender<bool>,
    }

    impl Call {
        fn new(config: &Config) -> Self {
            let access = Access::new(config, "x").unwrap();
            let relay = Arc::new(Relay::new(config, access, Bank::embedded()).unwrap());
            let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
            let visit =
                Arc::new(relay.doors.enter(peer.ip(), ENTRANCE, relay.clock.now()).unwrap());
            let (ending, presence) = watch::channel(false);
            let (pipe, stream) = duplex(256);
            let stay = Stay { relay: relay.clone(), presence, visit, peer, reached: peer.ip() };
            let served = tokio::spawn(speak_http(stay, stream));
            Self { relay, pipe, served, _ending: ending }
        }

        async fn say(&mut self, bytes: &[u8]) {
            self.pipe.write_all(bytes).await.unwrap();
        }

        /// The next answer, whole.
        async fn answer(&mut self) -> String {
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(self.pipe.read_u8().await.unwrap());
            }
            let head = String::from_utf8(answer).unwrap();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let length = length.lines().next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            self.pipe.read_exact(&mut body).await.unwrap();
            head + &String::from_utf8(body).unwrap()
        }

        /// What else comes, and how many seconds passed from `since` to the end of it.
        async fn end(mut self, since: Instant) -> (String, u64, Arc<Relay>) {
            let mut rest = String::new();
            self.pipe.read_to_string(&mut rest).await.unwrap();
            self.served.await.unwrap();
            (rest, since.elapsed().as_secs(), self.relay)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_read_its_answer_is_cut_off_and_counted() {
        let mut call = Call::new(&Config::default());
        let since = Instant::now();
        call.say(REQUEST).await;
        let served = &mut call.served;
        served.await.unwrap();
        assert_eq!(since.elapsed(), 2 * HTTP_LIFETIME);
        assert_eq!((call.relay.counts.unread.get(), call.relay.counts.heads.get()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_and_asks_comes_to_a_regular_end() {
        let mut call = Call::new(&Config::default());
        let since = Instant::now();
        while since.elapsed() + Duration::from_secs(4) < HTTP_LIFETIME {
            call.say(REQUEST).await;
            call.answer().await;
            sleep(Duration::from_secs(5)).await;
        }
        let (rest, after, relay) = call.end(since).await;
        assert_eq!((rest.as_str(), after), ("", HTTP_LIFETIME.as_secs()));
        assert_eq!((relay.counts.unread.get(), relay.counts.heads.get()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn to_ask_no_more_is_fine_and_to_stop_in_the_middle_is_counted() {
        // After a request, or without one: nothing, half a head, something else.
        let asked: [&[u8]; 2] = [REQUEST, b""];
        for (before, more, counted) in [
            (asked[0], &b""[..], 0),
            (asked[0], b"GET / HT", 1),
            (asked[0], b"\0\0\r\n\r\n", 1),
            // As browsers do that expect to ask soon.
            (asked[1], b"", 0),
            (asked[1], b"\r\n\r\n", 0),
            (asked[1], b"GET / HT", 1),
            (asked[1], b"\0\0\r\n\r\n", 1),
        ] {
            let mut call = Call::new(&Config::default());
            let since = Instant::now();
            call.say(before).await;
            if !before.is_empty() {
                call.answer().await;
            }
            call.say(more).await;
            let (rest, after, relay) = call.end(since).await;
            let is_garbage = more.starts_with(b"\0");
            assert_eq!(rest.starts_with("HTTP/1.1 400 "), is_garbage, "{rest}");
            assert_eq!(after, if is_garbage { 0 } else { HEADER_TIMEOUT.as_secs() });
            assert_eq!(relay.counts.heads.get(), counted, "{before:?} {more:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_too_much_is_told_and_then_to_go() {
        let mut call = Call::new(&Config { requests: 2, ..Config::default() });
        let since = Instant::now();
        // The relay's own clock is not virtual: what it lets through besides a burst of eight depends
        // on how long this takes.
        let mut told = 0;
        let last = loop {
            call.say(REQUEST).await;
            let answer = call.answer().await;
            if answer.starts_with("HTTP/1.1 429 ") {
                assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
                told += 1;
            }
            if answer.contains("connection: close\r\n") {
                break answer;
            }
        };
        assert!(told > 8, "as many again as pass are told to wait: {told}");
        assert!(last.starts_with("HTTP/1.1 429 "), "{last}");
        let (rest, _, relay) = call.end(since).await;
        assert_eq!(rest, "");
        assert_eq!((relay.counts.unheard.get(), relay.counts.denied.get()), (told, told));
    }
}

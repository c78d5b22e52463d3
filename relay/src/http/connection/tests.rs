//! Connections that speak HTTP, over a pipe and in virtual time.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::{
    config::Config,
    http::{auth::Access, context::ServerState},
    joining::Invitation,
    room::hub::Hub,
};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// One connection to a relay of its own, over a pipe with a small buffer.
struct Connection {
    state: Arc<ServerState>,
    pipe: DuplexStream,
    served: JoinHandle<()>,
    _shutdown: watch::Sender<bool>,
}

impl Connection {
    fn open(config: &Config) -> Self {
        let access = Access::new(config, "x").unwrap();
        let listens_on = SocketAddr::from(([127, 0, 0, 1], 3000));
        let invitation = Invitation::new(access.tokens().clone(), listens_on, false, None);
        let (hub, _) = Hub::new(config, invitation.unwrap()).unwrap();
        let state = Arc::new(ServerState::new(config, access, hub));
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
        let now = state.hub.clock.now();
        let permit = Arc::new(state.admission.admit(peer.ip(), 1, now).unwrap());
        let (shutdown, receiver) = watch::channel(false);
        let (pipe, stream) = duplex(256);
        let context = ConnectionContext {
            state: state.clone(),
            shutdown: receiver,
            permit,
            peer,
            local_ip: peer.ip(),
        };
        let served = tokio::spawn(serve(context, stream));
        Self { state, pipe, served, _shutdown: shutdown }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).await.unwrap();
    }

    /// The next response.
    async fn response(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.pipe.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.pipe.read_exact(&mut body).await.unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    /// What else is received, and how many seconds passed from `since` to the end.
    async fn end(mut self, since: Instant) -> (String, u64, Arc<ServerState>) {
        let mut rest = String::new();
        self.pipe.read_to_string(&mut rest).await.unwrap();
        self.served.await.unwrap();
        (rest, since.elapsed().as_secs(), self.state)
    }
}

/// How many connections ended with an unread response, and how many with a malformed request.
fn counted(state: &ServerState) -> (u64, u64) {
    let counters = &state.hub.counters;
    (counters.clients_disconnected.unread.get(), counters.malformed_requests.get())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_response_is_disconnected_and_counted() {
    let mut connection = Connection::open(&Config::default());
    let since = Instant::now();
    connection.send(REQUEST).await;
    let served = &mut connection.served;
    served.await.unwrap();
    assert_eq!(since.elapsed(), 2 * MAX_LIFETIME);
    assert_eq!(counted(&connection.state), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_sending_requests_is_closed_after_the_maximum_lifetime() {
    let mut connection = Connection::open(&Config::default());
    let since = Instant::now();
    while since.elapsed() + Duration::from_secs(4) < MAX_LIFETIME {
        connection.send(REQUEST).await;
        connection.response().await;
        sleep(Duration::from_secs(5)).await;
    }
    let (rest, after, state) = connection.end(since).await;
    assert_eq!((rest.as_str(), after), ("", MAX_LIFETIME.as_secs()));
    assert_eq!(counted(&state), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idle_or_stalled_connection_times_out_and_garbage_is_counted() {
    for (before, more) in [
        (REQUEST, &b""[..]),
        (REQUEST, b"GET / HT"),
        (REQUEST, b"\0\0\r\n\r\n"),
        // Browsers connect before they have a request.
        (b"", b""),
        (b"", b"\r\n\r\n"),
        (b"", b"GET / HT"),
        (b"", b"\0\0\r\n\r\n"),
    ] {
        let mut connection = Connection::open(&Config::default());
        let since = Instant::now();
        connection.send(before).await;
        if !before.is_empty() {
            connection.response().await;
        }
        connection.send(more).await;
        let (rest, after, state) = connection.end(since).await;
        let is_garbage = more.starts_with(b"\0");
        assert_eq!(rest.starts_with("HTTP/1.1 400 "), is_garbage, "{rest}");
        assert_eq!(after, if is_garbage { 0 } else { HEADER_TIMEOUT.as_secs() });
        assert_eq!(counted(&state), (0, u64::from(is_garbage)), "{before:?} {more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_within_a_head_is_counted_as_malformed() {
    for (sent, malformed) in [(&b"GET / HT"[..], 1), (b"", 0), (REQUEST, 0)] {
        let mut connection = Connection::open(&Config::default());
        connection.send(sent).await;
        if sent == REQUEST {
            connection.response().await;
        }
        connection.pipe.shutdown().await.unwrap();
        let (_, _, state) = connection.end(Instant::now()).await;
        assert_eq!(counted(&state), (0, malformed), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_beyond_its_request_rate_gets_429_and_is_then_closed() {
    let mut connection = Connection::open(&Config { requests: 2, ..Config::default() });
    let since = Instant::now();
    // The relay's own clock is not virtual: how many requests are allowed besides a burst of eight depends
    // on how long this takes.
    let mut refused = 0;
    let last = loop {
        connection.send(REQUEST).await;
        let response = connection.response().await;
        if response.starts_with("HTTP/1.1 429 ") {
            assert!(response.contains("retry-after: 1\r\n"), "{response}");
            refused += 1;
        }
        if response.contains("connection: close\r\n") {
            break response;
        }
    };
    assert!(refused > 8, "as many again as are allowed are told to wait: {refused}");
    assert!(last.starts_with("HTTP/1.1 429 "), "{last}");
    let (rest, _, state) = connection.end(since).await;
    assert_eq!(rest, "");
    let counters = &state.hub.counters;
    assert_eq!((counters.rate_limited.get(), counters.http_errors.get()), (refused, refused));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_waited_for_ten_seconds() {
    for path in ["/join", "/qr"] {
        let token = "t".parse().ok();
        let mut connection = Connection::open(&Config { token, ..Config::default() });
        let since = Instant::now();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n");
        connection.send(head.as_bytes()).await;
        for _ in 0..4 {
            connection.send(b"1").await;
            sleep(Duration::from_secs(2)).await;
        }
        let response = connection.response().await;
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        assert_eq!(since.elapsed().as_secs(), 10);
    }
}

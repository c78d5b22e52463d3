//! One request, one answer: the page, the sounds, the relay's health, or a WebSocket.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use downbeat_platform::packet_timestamps;
use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ACCEPT, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, IF_NONE_MATCH,
        IF_RANGE, LOCATION, RANGE, REFERRER_POLICY, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, X_CONTENT_TYPE_OPTIONS,
    },
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::server::TlsStream;

use crate::{
    clients::{Client, Wire},
    config::HEADER_TIMEOUT,
    connection,
    doors::Visit,
    health,
    metrics::{self, Format},
    outbox::CutOff,
    overheard::Overheard,
    page::{self, PageFile},
    ranges::{self, Wanted},
    rate::Verdict,
    relay::Relay,
    seal::Seal,
    sounds::Sound,
    upgrade::{self, Granted},
};

/// An answer: its body is in memory, and shared with whoever else is sent it.
pub type Answer = Response<Full<Bytes>>;

/// Only what the relay itself serves, and a WebSocket: nothing inline, nothing from elsewhere, and
/// no page may frame it. (Some browsers do not count `ws:` as `'self'`.)
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Answers a request of which its rate says `verdict`, and which came to the relay's address
/// `reached`. `presence` and `visit` are handed on to the connection that an upgrade begins.
pub fn answer(
    relay: &Arc<Relay>,
    presence: &watch::Receiver<bool>,
    visit: &Arc<Visit>,
    verdict: Verdict,
    reached: IpAddr,
    request: Request<Incoming>,
) -> impl Future<Output = Answer> + use<> {
    let (relay, stay) = (relay.clone(), (presence.clone(), visit.clone()));
    async move {
        let headers = request.headers();
        let answer = if verdict != Verdict::Pass {
            relay.counts.unheard.add();
            too_many(verdict)
        } else if !relay.access.is_own_host(headers, reached) {
            text(
                StatusCode::MISDIRECTED_REQUEST,
                "the relay is not known under this name: use its numeric address, or start it with \
                 --allow-origin http://NAME:PORT\n",
            )
        } else if upgrade::is_asked_for(headers) {
            open(&relay, stay, request).await
        } else if request.uri().path() == "/access" && request.method() == Method::POST {
            may_enter(&relay, headers)
        } else {
            answer_plainly(&relay, &request)
        };
        if answer.status().is_client_error() {
            relay.counts.denied.add();
        }
        answer
    }
}

/// Tells one that asks too much, and whether that was the last it is told.
fn too_many(verdict: Verdict) -> Answer {
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "too many requests; wait a second\n");
    put(&mut answer, RETRY_AFTER, "1");
    if verdict == Verdict::Expel {
        put(&mut answer, CONNECTION, "close");
    }
    answer
}

/// What an upgrade leaves its connection: that it is inside, and is told of the end.
type Stay = (watch::Receiver<bool>, Arc<Visit>);

/// Answers one who asks for a WebSocket.
async fn open(relay: &Arc<Relay>, stay: Stay, mut request: Request<Incoming>) -> Answer {
    match upgrade::judge(&relay.access, request.method(), request.headers()) {
        Ok(granted) => {
            let upgrade = hyper::upgrade::on(&mut request);
            // It is in the room before it is told so: whatever is said from then on waits for it
            // behind the answer.
            let client = relay.connect(granted.wire, granted.role).await;
            tokio::spawn(begin(relay.clone(), stay, upgrade, client));
            switch(&granted)
        }
        Err(refused) => {
            let mut answer = text(refused.status(), refused.reason());
            put(&mut answer, SEC_WEBSOCKET_VERSION, "13");
            answer
        }
    }
}

/// Answers a page that asks why its WebSocket does not open, because its browser does not say: with
/// the status that the upgrade got. Only with POST does a browser always send the page's `Origin`.
fn may_enter(relay: &Relay, headers: &HeaderMap) -> Answer {
    let (status, reason) = match upgrade::admit(&relay.access, headers) {
        Ok(_) => (StatusCode::OK, "a WebSocket would be opened\n"),
        Err(refused) => (refused.status(), refused.reason()),
    };
    let mut answer = text(status, reason);
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

fn answer_plainly(relay: &Relay, request: &Request<Incoming>) -> Answer {
    let is_head = request.method() == Method::HEAD;
    if request.method() != Method::GET && !is_head {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD, please\n");
        put(&mut answer, ALLOW, "GET, HEAD");
        return answer;
    }
    let path = request.uri().path();
    let bank = relay.bank();
    // A player asks for its sounds below where its WebSocket lies, and that may be at any path.
    let sound = path.rsplit_once("/sounds/").and_then(|(_, hash)| bank.by_hash(hash));
    let answer = if let Some(sound) = sound {
        sound_file(sound, request.headers())
    } else if let Some(file) = page::file(path) {
        page_file(file, request.headers())
    } else if path == "/healthz" {
        let json = match relay.access.role(request.headers()) {
            Some(_) => health::as_json(relay),
            // That it runs is no secret.
            None => "{\"status\":\"ok\"}".to_owned(),
        };
        let mut answer = body(json, "application/json");
        put(&mut answer, CACHE_CONTROL, "no-store");
        answer
    } else if path == "/metrics" {
        metrics(relay, request.headers())
    } else {
        text(StatusCode::NOT_FOUND, "there is nothing here\n")
    };
    if is_head { without_body(answer) } else { answer }
}

/// Turns what was an HTTP connection into a client, in a task of its own: the one that spoke HTTP
/// is done, and its buffers are freed. If the task panics, the client still leaves the room.
async fn begin(relay: Arc<Relay>, stay: Stay, upgrade: OnUpgrade, client: Arc<Client>) {
    let serving = serve(relay.clone(), stay, upgrade, client.clone());
    if AssertUnwindSafe(serving).catch_unwind().await.is_err() {
        relay.counts.panicked.add();
        tracing::error!(client = client.id.0, "its connection panicked, and is cut off");
        client.outbox.cut_off(CutOff::Broken);
        relay.leave(&client).await;
    }
}

async fn serve(
    relay: Arc<Relay>,
    (presence, visit): Stay,
    upgrade: OnUpgrade,
    client: Arc<Client>,
) {
    let upgraded = timeout(HEADER_TIMEOUT, upgrade).await;
    let upgraded = upgraded.ok().and_then(Result::ok).and_then(take_apart);
    let Some((socket, seal, early)) = upgraded else {
        // The socket went away during the handshake, or does not take the answer to it.
        relay.leave(&client).await;
        relay.counts.ended(client.outbox.phase());
        return;
    };
    // Its clock is only as good as the instants at which its probes are said to have come.
    packet_timestamps::enable(&socket);
    connection::serve(relay, client, (socket, seal), visit, early).await;
    drop(presence);
}

/// The socket of an upgraded connection, its seal if it came over TLS, and what was read early.
fn take_apart(upgraded: Upgraded) -> Option<(TcpStream, Option<Seal>, Vec<u8>)> {
    // A copy of what was read early, though mostly of nothing: the original would keep the whole
    // read buffer of the HTTP connection for as long as the client stays.
    match upgraded.downcast::<TokioIo<Overheard<TcpStream>>>() {
        Ok(parts) => Some((parts.io.into_inner().into_inner(), None, parts.read_buf.to_vec())),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<Overheard<TlsStream<TcpStream>>>>().ok()?;
            let (socket, session) = parts.io.into_inner().into_inner().into_inner();
            Some((socket, Some(Seal::new(session)), parts.read_buf.to_vec()))
        }
    }
}

/// Answers a request that came without TLS where TLS is spoken: a browser is led there, others are
/// told.
pub fn answer_unencrypted(relay: &Relay, reached: IpAddr, request: &Request<Incoming>) -> Answer {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let target = host.filter(|_| relay.access.is_own_host(headers, reached)).map(|host| {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        format!("https://{host}{path}")
    });
    let mut answer = text(StatusCode::UPGRADE_REQUIRED, "TLS only: https:// or wss://, please\n");
    if let Some(target) = target
        && !upgrade::is_asked_for(headers)
    {
        // Not for good: the relay may speak without TLS tomorrow.
        *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        put_text(&mut answer, LOCATION, &target);
    }
    // As RFC 2817 has it; players know by this what is the matter.
    put(&mut answer, UPGRADE, "TLS/1.2, HTTP/1.1");
    put(&mut answer, CONNECTION, "close, Upgrade");
    answer
}

/// The answer to a handshake that is granted.
#[must_use]
pub fn switch(granted: &Granted) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    put(&mut answer, CONNECTION, "Upgrade");
    put(&mut answer, UPGRADE, "websocket");
    put_text(&mut answer, SEC_WEBSOCKET_ACCEPT, &granted.accept);
    if granted.wire == Wire::Modern {
        put(&mut answer, SEC_WEBSOCKET_PROTOCOL, downbeat_protocol::SUBPROTOCOL);
    }
    answer
}

fn metrics(relay: &Relay, headers: &HeaderMap) -> Answer {
    if relay.access.role(headers).is_none() {
        return text(StatusCode::UNAUTHORIZED, "this relay needs its token\n");
    }
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::asked_for(accepted.flat_map(|value| value.split(',')));
    let mut answer = body(metrics::as_text(relay, format), format.content_type());
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

fn page_file(file: &PageFile, headers: &HeaderMap) -> Answer {
    let mut answer = if matches(headers, IF_NONE_MATCH, &file.etag) {
        not_modified()
    } else {
        body(Bytes::from_static(file.content), file.content_type)
    };
    put_text(&mut answer, ETAG, &file.etag);
    // Asked for again each time, and mostly answered by 304: a relay of another version must never
    // be met by an old page.
    put(&mut answer, CACHE_CONTROL, "no-cache");
    put(&mut answer, CONTENT_SECURITY_POLICY, POLICY);
    answer
}

fn sound_file(sound: &Sound, headers: &HeaderMap) -> Answer {
    let etag = format!("\"{}\"", sound.info.hash);
    let length = sound.file.len();
    // A range of another version of the file is of no use to anyone.
    let same = !headers.contains_key(IF_RANGE) || matches(headers, IF_RANGE, &etag);
    let range = headers.get(RANGE).filter(|_| same).and_then(|value| value.to_str().ok());
    let mut answer = if matches(headers, IF_NONE_MATCH, &etag) {
        not_modified()
    } else {
        match ranges::wanted(range, length) {
            Wanted::Whole => body(sound.file.clone(), "audio/wav"),
            Wanted::Part(part) => {
                let last = part.end - 1;
                let said = format!("bytes {}-{last}/{length}", part.start);
                let mut answer = body(sound.file.slice(part), "audio/wav");
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                put_text(&mut answer, CONTENT_RANGE, &said);
                answer
            }
            Wanted::Unsatisfiable => {
                let mut answer =
                    text(StatusCode::RANGE_NOT_SATISFIABLE, "the sound is not that long\n");
                put_text(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
                answer
            }
        }
    };
    put_text(&mut answer, ETAG, &etag);
    put(&mut answer, ACCEPT_RANGES, "bytes");
    // What is named by its content never changes.
    put(&mut answer, CACHE_CONTROL, "public, max-age=31536000, immutable");
    answer
}

/// Whether a header names this tag, among others or by a star.
fn matches(headers: &HeaderMap, name: HeaderName, etag: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn not_modified() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    guard(&mut answer);
    answer
}

fn text(status: StatusCode, message: &'static str) -> Answer {
    let mut answer = body(message, "text/plain; charset=utf-8");
    *answer.status_mut() = status;
    answer
}

fn body(content: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(content.into()));
    put(&mut answer, CONTENT_TYPE, content_type);
    guard(&mut answer);
    answer
}

/// What every answer says to a browser.
fn guard(answer: &mut Answer) {
    put(answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(answer, REFERRER_POLICY, "no-referrer");
}

fn without_body(answer: Answer) -> Answer {
    use hyper::body::Body as _;
    let (mut head, body) = answer.into_parts();
    if head.status != StatusCode::NOT_MODIFIED
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, Full::default())
}

fn put(answer: &mut Answer, name: HeaderName, value: &'static str) {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
}

fn put_text(answer: &mut Answer, name: HeaderName, value: &str) {
    // Digits, hashes, base64, and what was a header's value before.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

//! Answers each request.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_VERSION},
};

use super::{
    auth::Access,
    context::{ConnectionContext, ServerState},
    health, joining, metrics, page,
    response::{self, Answer, body, put, text, without_body},
    sounds, upgrade, upgraded, uploads,
};
use crate::{
    limits::rate_limit::Decision,
    rights::{HttpRequest, Required},
};

/// Answers a request, about which the rate limit has decided.
pub(super) async fn answer(
    context: ConnectionContext,
    decision: Decision,
    request: Request<Incoming>,
) -> Answer {
    let state = &context.state;
    let counters = state.hub.counters.clone();
    let headers = request.headers();
    let answer = if decision != Decision::Allow {
        counters.rate_limited.increment();
        too_many_requests(decision)
    } else if !state.access.is_own_host(headers, context.local_ip) {
        text(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown host name: use the relay's IP address, or start it with --allow-origin \
             http://NAME:PORT\n",
        )
    } else {
        route(context, request).await
    };
    if answer.status().is_client_error() {
        counters.http_errors.increment();
    }
    answer
}

/// What a request asks for.
fn classify(request: &Request<Incoming>) -> HttpRequest {
    let path = request.uri().path();
    if upgrade::is_requested(request.headers()) {
        return HttpRequest::WebSocket;
    }
    match path {
        "/access" if request.method() == Method::POST => HttpRequest::Access,
        "/join" if request.method() == Method::POST => HttpRequest::Join,
        "/qr" if request.method() == Method::POST => HttpRequest::QrCode,
        _ if request.method() == Method::PUT && path.contains("/uploads/") => HttpRequest::Upload,
        "/healthz" => HttpRequest::Health,
        "/metrics" => HttpRequest::Metrics,
        // A player requests sounds relative to its WebSocket's path, which may be any.
        _ if path.contains("/sounds/") => HttpRequest::Sound,
        _ if page::file(path).is_some() => HttpRequest::Page,
        _ => HttpRequest::Unknown,
    }
}

/// Answers a request, if its token gives the rights that it requires.
async fn route(context: ConnectionContext, request: Request<Incoming>) -> Answer {
    let state = &context.state;
    let rights = state.access.rights(request.headers());
    // The lock of the room is about sounding, not about HTTP.
    let may = |asked| Required::by_http(asked).check(rights, false).is_ok();
    let asked = match classify(&request) {
        // That the relay runs is no secret.
        HttpRequest::Health if !may(HttpRequest::Health) => HttpRequest::Status,
        asked => asked,
    };
    match asked {
        // These two say more about why they are refused.
        HttpRequest::WebSocket => open_websocket(context, request).await,
        HttpRequest::Access => check_access(&state.access, request.headers()),
        _ if !may(asked) => text(StatusCode::UNAUTHORIZED, "this relay needs its token\n"),
        // Boxed: every connection would otherwise carry the space for their bodies.
        HttpRequest::Join => Box::pin(joining::join(&context, request)).await,
        HttpRequest::QrCode => Box::pin(joining::qr_code(&context, request)).await,
        HttpRequest::Upload => Box::pin(receive_upload(state, request)).await,
        HttpRequest::Page
        | HttpRequest::Sound
        | HttpRequest::Status
        | HttpRequest::Health
        | HttpRequest::Metrics
        | HttpRequest::Unknown => answer_get(state, asked, &request),
    }
}

fn too_many_requests(decision: Decision) -> Answer {
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "too many requests; wait a second\n");
    put(&mut answer, RETRY_AFTER, "1");
    if decision == Decision::Disconnect {
        put(&mut answer, CONNECTION, "close");
    }
    answer
}

/// Answers a WebSocket handshake.
async fn open_websocket(context: ConnectionContext, mut request: Request<Incoming>) -> Answer {
    let access = &context.state.access;
    match upgrade::check(access, request.method(), request.headers()) {
        Ok(granted) => {
            let upgrade = hyper::upgrade::on(&mut request);
            // It is registered before it is answered: what is broadcast from then on waits for it
            // behind the answer.
            let client = context.state.hub.connect(granted.wire, granted.rights).await;
            tokio::spawn(upgraded::serve(context, upgrade, client, granted.rights));
            upgrade::switching_protocols(&granted)
        }
        Err(refused) => {
            let mut answer = text(refused.status(), refused.reason());
            put(&mut answer, SEC_WEBSOCKET_VERSION, "13");
            answer
        }
    }
}

/// Tells a page why its WebSocket does not open, because its browser does not: with the status that the
/// handshake would get. Only with POST does a browser always send the page's `Origin`.
fn check_access(access: &Access, headers: &HeaderMap) -> Answer {
    let (status, reason) = match upgrade::authorize(access, headers) {
        Ok(_) => (StatusCode::OK, "a WebSocket would be accepted\n"),
        Err(refused) => (refused.status(), refused.reason()),
    };
    let mut answer = text(status, reason);
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

/// Answers a request that sends a file. Its path is the authorization, and no page of another origin may use it.
async fn receive_upload(state: &ServerState, request: Request<Incoming>) -> Answer {
    if !state.access.is_own_origin(request.headers()) {
        let refused = upgrade::Refused::ForeignOrigin;
        return text(refused.status(), refused.reason());
    }
    let (_, id) = request.uri().path().rsplit_once("/uploads/").unwrap_or_default();
    let id = id.to_owned();
    uploads::receive(&state.hub, &id, request).await
}

fn answer_get(state: &ServerState, asked: HttpRequest, request: &Request<Incoming>) -> Answer {
    let is_head = request.method() == Method::HEAD;
    if request.method() != Method::GET && !is_head {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
        put(&mut answer, ALLOW, "GET, HEAD");
        return answer;
    }
    let (path, headers) = (request.uri().path(), request.headers());
    let answer = match asked {
        HttpRequest::Sound => sound(state, path, headers),
        HttpRequest::Page => page::file(path).map(|file| {
            let is_secure = state.hub.invitation.is_tls();
            response::page_file(file, is_secure, headers)
        }),
        HttpRequest::Status => Some(report("{\"status\":\"ok\"}", "application/json")),
        HttpRequest::Health => Some(report(health::as_json(state), "application/json")),
        HttpRequest::Metrics => {
            let format = metrics::Format::negotiate(headers);
            Some(report(metrics::as_text(state, format), format.content_type()))
        }
        _ => None,
    };
    let answer = answer.unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found\n"));
    if is_head { without_body(answer) } else { answer }
}

fn sound(state: &ServerState, path: &str, headers: &HeaderMap) -> Option<Answer> {
    let (_, hash) = path.rsplit_once("/sounds/")?;
    let bank = state.hub.bank();
    bank.file(hash).map(|(hash, file)| sounds::answer(hash, file, headers))
}

/// What is true only now.
fn report(content: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = body(content, content_type);
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

//! Answers each request.

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_VERSION},
};

use super::{
    auth::Access,
    context::{ConnectionContext, ServerState},
    health, metrics, page,
    response::{self, Answer, body, put, text, without_body},
    sounds, upgrade, upgraded,
};
use crate::limits::rate_limit::Decision;

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
    } else if upgrade::is_requested(headers) {
        open_websocket(context, request).await
    } else if request.uri().path() == "/access" && request.method() == Method::POST {
        check_access(&state.access, headers)
    } else {
        answer_get(state, &request)
    };
    if answer.status().is_client_error() {
        counters.http_errors.increment();
    }
    answer
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
            let client = context.state.hub.connect(granted.wire, granted.role).await;
            tokio::spawn(upgraded::serve(context, upgrade, client, granted.role));
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

fn answer_get(state: &ServerState, request: &Request<Incoming>) -> Answer {
    let is_head = request.method() == Method::HEAD;
    if request.method() != Method::GET && !is_head {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
        put(&mut answer, ALLOW, "GET, HEAD");
        return answer;
    }
    let (path, headers) = (request.uri().path(), request.headers());
    let bank = state.hub.bank();
    // A player requests sounds relative to its WebSocket's path, which may be any.
    let sound = path.rsplit_once("/sounds/").and_then(|(_, hash)| bank.by_hash(hash));
    let answer = if let Some(sound) = sound {
        sounds::answer(sound, headers)
    } else if let Some(file) = page::file(path) {
        page_file(file, headers)
    } else if path == "/healthz" {
        health_report(state, headers)
    } else if path == "/metrics" {
        metrics_report(state, headers)
    } else {
        text(StatusCode::NOT_FOUND, "not found\n")
    };
    if is_head { without_body(answer) } else { answer }
}

fn page_file(file: &page::PageFile, headers: &HeaderMap) -> Answer {
    response::page_file(file.content, file.content_type, &file.etag, headers)
}

fn health_report(state: &ServerState, headers: &HeaderMap) -> Answer {
    let json = match state.access.role(headers) {
        Some(_) => health::as_json(state),
        // That the relay runs is no secret.
        None => "{\"status\":\"ok\"}".to_owned(),
    };
    let mut answer = body(json, "application/json");
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

fn metrics_report(state: &ServerState, headers: &HeaderMap) -> Answer {
    if state.access.role(headers).is_none() {
        return text(StatusCode::UNAUTHORIZED, "this relay needs its token\n");
    }
    let format = metrics::Format::negotiate(headers);
    let mut answer = body(metrics::as_text(state, format), format.content_type());
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

//! Answers those who want to join by a room code, and makes QR codes for those who invite others.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, RETRY_AFTER},
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    context::{ConnectionContext, ServerState},
    response::{Answer, body, put, text},
    upgrade::Refused,
};
use crate::{
    joining::{Mistake, qr},
    limits::rate_limit::TokenBucket,
};

/// Longest room code, in bytes, with white space: more is none.
const MAX_CODE_BYTES: usize = 64;

/// How long the body of a request may take, which is a few bytes.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers a room code with a player's token.
pub(super) async fn join(context: &ConnectionContext, request: Request<Incoming>) -> Answer {
    let ConnectionContext { state, permit, .. } = context;
    let token_for =
        |code: &str| state.hub.invitation.token_for(code, permit.origin(), state.hub.clock.now());
    let answered = match text_of(state, request, MAX_CODE_BYTES).await {
        Err(answer) => answer,
        Ok(code) => match token_for(&code) {
            Some(Ok(token)) => body(token.0.clone(), "text/plain; charset=utf-8"),
            Some(Err(Mistake::Wrong)) => {
                state.hub.counters.wrong_room_codes.increment();
                text(StatusCode::FORBIDDEN, "this is not the room code\n")
            }
            Some(Err(Mistake::TooMany)) => {
                state.hub.counters.rate_limited.increment();
                let reason = "too many wrong room codes; wait a minute\n";
                retry_after(text(StatusCode::TOO_MANY_REQUESTS, reason), "60")
            }
            None => text(StatusCode::NOT_FOUND, "no room code is needed: open the page\n"),
        },
    };
    never_stored(answered)
}

/// Answers a text with its QR code.
pub(super) async fn qr_code(context: &ConnectionContext, request: Request<Incoming>) -> Answer {
    let ConnectionContext { state, permit, .. } = context;
    // What one address may not have takes nothing from the others.
    let is_allowed = || {
        let now = state.hub.clock.now();
        permit.allow_qr_code(now) && lock(&state.qr_codes).take(now)
    };
    let answered = match text_of(state, request, qr::MAX_TEXT_BYTES).await {
        Err(answer) => answer,
        Ok(link) if link.is_empty() => text(StatusCode::BAD_REQUEST, "the text is empty\n"),
        Ok(_) if !is_allowed() => {
            state.hub.counters.rate_limited.increment();
            let reason = "too many QR codes; wait a second\n";
            retry_after(text(StatusCode::TOO_MANY_REQUESTS, reason), "1")
        }
        // Not on the main thread, for which every client waits.
        Ok(link) => match spawn_blocking(move || qr::svg(&link)).await {
            Ok(Some(image)) => body(image, "image/svg+xml"),
            Ok(None) => too_large(),
            Err(error) => {
                tracing::error!(%error, "cannot make a QR code");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the relay cannot make this code\n")
            }
        },
    };
    never_stored(answered)
}

/// The text of a request from the relay's own page, or from no page at all.
async fn text_of(
    state: &ServerState,
    request: Request<Incoming>,
    max_bytes: usize,
) -> Result<String, Answer> {
    if !state.access.is_own_origin(request.headers()) {
        let refused = Refused::ForeignOrigin;
        return Err(text(refused.status(), refused.reason()));
    }
    let collected = timeout(BODY_TIMEOUT, Limited::new(request.into_body(), max_bytes).collect());
    let collected = match collected.await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) => {
            let incomplete = || text(StatusCode::BAD_REQUEST, "the body is incomplete\n");
            return Err(if error.is::<LengthLimitError>() { too_large() } else { incomplete() });
        }
        Err(_) => return Err(text(StatusCode::REQUEST_TIMEOUT, "the body takes too long\n")),
    };
    String::from_utf8(collected.into())
        .map_err(|_| text(StatusCode::BAD_REQUEST, "the text is not UTF-8\n"))
}

fn too_large() -> Answer {
    text(StatusCode::PAYLOAD_TOO_LARGE, "the text is too long\n")
}

fn retry_after(mut answer: Answer, seconds: &'static str) -> Answer {
    put(&mut answer, RETRY_AFTER, seconds);
    answer
}

/// A token or a link must not stay in a cache.
fn never_stored(mut answer: Answer) -> Answer {
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

fn lock(bucket: &Mutex<TokenBucket>) -> MutexGuard<'_, TokenBucket> {
    // No code panics while it holds the lock. If one did, the bucket would still be usable.
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

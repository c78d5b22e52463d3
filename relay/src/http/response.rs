//! Builds responses, with the headers that protect a browser.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
        HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};

/// A response. Its body is in memory, and shared with other responses.
pub type Answer = Response<Full<Bytes>>;

/// Only what the relay itself serves, and a WebSocket: nothing inline, nothing from elsewhere, no frames
/// around it. (In some browsers `'self'` does not include `ws:`.)
const CONTENT_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
                              object-src 'none'; base-uri 'none'; form-action 'none'; \
                              frame-ancestors 'none'";

pub(super) fn text(status: StatusCode, message: &'static str) -> Answer {
    let mut answer = body(message, "text/plain; charset=utf-8");
    *answer.status_mut() = status;
    answer
}

pub(super) fn body(content: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(content.into()));
    put(&mut answer, CONTENT_TYPE, content_type);
    protect(&mut answer);
    answer
}

pub(super) fn not_modified() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    protect(&mut answer);
    answer
}

/// A file of the page.
pub(super) fn page_file(
    content: &'static [u8],
    content_type: &'static str,
    etag: &str,
    headers: &HeaderMap,
) -> Answer {
    let mut answer = if names_etag(headers, IF_NONE_MATCH, etag) {
        not_modified()
    } else {
        body(Bytes::from_static(content), content_type)
    };
    put_text(&mut answer, ETAG, etag);
    // Revalidated each time, mostly with 304: a cached page must never meet a relay of another version.
    put(&mut answer, CACHE_CONTROL, "no-cache");
    put(&mut answer, CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    answer
}

/// Whether a header names this entity tag, in a list or by `*`.
pub(super) fn names_etag(headers: &HeaderMap, name: HeaderName, etag: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The response to HEAD instead of GET.
pub(super) fn without_body(answer: Answer) -> Answer {
    use hyper::body::Body as _;
    let (mut head, body) = answer.into_parts();
    if head.status != StatusCode::NOT_MODIFIED
        && let Some(length) = body.size_hint().exact()
    {
        head.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, Full::default())
}

fn protect(answer: &mut Answer) {
    put(answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(answer, REFERRER_POLICY, "no-referrer");
}

pub(super) fn put(answer: &mut Answer, name: HeaderName, value: &'static str) {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
}

pub(super) fn put_text(answer: &mut Answer, name: HeaderName, value: &str) {
    // Digits, hashes, base64, and what was a valid header's value before.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

//! Builds responses, with the headers that protect a browser.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::page::PageFile;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");

/// A response. Its body is in memory, and shared with other responses.
pub type Answer = Response<Full<Bytes>>;

/// Only what the relay itself serves, and a WebSocket: nothing from elsewhere, nothing inline but the script of this
/// hash, no frames around it. (In some browsers `'self'` does not include `ws:`.)
const CONTENT_POLICY: &str = "default-src 'self'; \
                              script-src 'self' 'sha256-anv2h1VTi7fIfIBG9R5h3Gfn0CRok4SSIckxK3njzgQ='; \
                              connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; \
                              base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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

/// A file of the page, compressed where the browser takes that. `is_secure` tells whether it is served with TLS.
pub(super) fn page_file(file: &'static PageFile, is_secure: bool, headers: &HeaderMap) -> Answer {
    let PageFile { content, compressed, content_type, etag, .. } = file;
    let is_compressed = takes_gzip(headers) && !compressed.is_empty();
    let mut answer = if names_etag(headers, IF_NONE_MATCH, etag) {
        not_modified()
    } else if is_compressed {
        let mut answer = body(Bytes::from_static(compressed), content_type);
        put(&mut answer, CONTENT_ENCODING, "gzip");
        answer
    } else {
        body(Bytes::from_static(content), content_type)
    };
    // Weak: both encodings have the same tag.
    put_text(&mut answer, ETAG, &format!("W/{etag}"));
    put(&mut answer, VARY, "Accept-Encoding");
    // Revalidated each time, mostly with 304: a cached page must never meet a relay of another version.
    put(&mut answer, CACHE_CONTROL, "no-cache");
    put(&mut answer, CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    if is_secure {
        // An isolated page has a clock of 5 us instead of 100. Without TLS, browsers ignore this and say so.
        put(&mut answer, CROSS_ORIGIN_OPENER_POLICY, "same-origin");
        put(&mut answer, CROSS_ORIGIN_EMBEDDER_POLICY, "require-corp");
    }
    answer
}

/// Whether `Accept-Encoding` lists gzip, and not with a weight of 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip")
            && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
    })
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

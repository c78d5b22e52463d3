//! Serves the file of a sound, whole or in part.

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE},
};

use super::{
    ranges::{self, Requested},
    response::{Answer, body, names_etag, not_modified, put, put_text, text},
};

/// Answers with a file, whose name is its `hash`.
pub(super) fn answer(hash: &str, file: &Bytes, headers: &HeaderMap) -> Answer {
    let etag = format!("\"{hash}\"");
    let length = file.len();
    // A range of another version of the file must not be combined with this one.
    let is_same = !headers.contains_key(IF_RANGE) || names_etag(headers, IF_RANGE, &etag);
    let range = headers.get(RANGE).filter(|_| is_same).and_then(|value| value.to_str().ok());
    let mut answer = if names_etag(headers, IF_NONE_MATCH, &etag) {
        not_modified()
    } else {
        match ranges::requested(range, length) {
            Requested::Whole => body(file.clone(), "audio/wav"),
            Requested::Part(part) => {
                let last = part.end - 1;
                let range = format!("bytes {}-{last}/{length}", part.start);
                let mut answer = body(file.slice(part), "audio/wav");
                *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
                put_text(&mut answer, CONTENT_RANGE, &range);
                answer
            }
            Requested::Unsatisfiable => {
                let mut answer =
                    text(StatusCode::RANGE_NOT_SATISFIABLE, "the range is beyond the file\n");
                put_text(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
                answer
            }
        }
    };
    put_text(&mut answer, ETAG, &etag);
    put(&mut answer, ACCEPT_RANGES, "bytes");
    // What its hash addresses never changes.
    put(&mut answer, CACHE_CONTROL, "public, max-age=31536000, immutable");
    answer
}

//! Receives an uploaded file.
//!
//! A file is kept in memory, as it arrives: what its head promises is not allocated. It must be announced by a
//! ticket, which is its path. It is kept in blocks: the main thread must not copy a large file.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    Request, StatusCode,
    body::{Body as _, Incoming},
    header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, EXPECT},
};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::response::{Answer, body, put};
use crate::{
    bank::tickets::{NotTaken, TicketId},
    counters::Counter,
    room::hub::{
        Hub,
        uploads::{NotStored, Receiving, Uploaded},
    },
};

/// How long nothing may arrive. A phone that changes its network needs some seconds.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Size of a block, in bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// How much is read and dropped of a file that is refused before it was read. Otherwise the end of the connection
/// would reach the client before the answer. A larger file is not worth its network.
const MAX_DROPPED_BYTES: usize = 1 << 20;

/// How the reception of a file ends without it.
enum Refused {
    NotTaken(NotTaken),
    NoLength,
    BrokenOff,
    Stalled,
    NotStored(NotStored),
}

#[derive(Serialize)]
struct Answered {
    name: String,
    hash: String,
}

/// Answers a request that sends a file to the path that ends with `id`.
pub(super) async fn receive(hub: &Arc<Hub>, id: &str, request: Request<Incoming>) -> Answer {
    let mut answer = match try_receive(hub, id, request).await {
        Ok(uploaded) => {
            hub.counters.uploads.increment();
            created(uploaded)
        }
        Err(refused) => {
            refused.counter(hub).increment();
            refused.answer()
        }
    };
    put(&mut answer, CACHE_CONTROL, "no-store");
    answer
}

async fn try_receive(
    hub: &Arc<Hub>,
    id: &str,
    request: Request<Incoming>,
) -> Result<Uploaded, Refused> {
    let headers = request.headers();
    let (has_length, waits) = (headers.contains_key(CONTENT_LENGTH), headers.contains_key(EXPECT));
    let mut file = request.into_body();
    let begun = match file.size_hint().exact().filter(|_| has_length) {
        None => Err(Refused::NoLength),
        Some(length) => {
            let id = TicketId::parse(id).ok_or(NotTaken::Unknown);
            let begun = id.and_then(|id| hub.begin_upload(id, length));
            begun.map(|receiving| (receiving, length)).map_err(Refused::NotTaken)
        }
    };
    let (receiving, length) = match begun {
        Ok(begun) => begun,
        Err(refused) => {
            // Who waits for permission has sent nothing.
            if !waits {
                drop_some(&mut file).await;
            }
            return Err(refused);
        }
    };
    let blocks = read(&receiving, &mut file, length).await?;
    let storing = receiving.complete(blocks).map_err(Refused::NotTaken)?;
    storing.await.map_err(Refused::NotStored)
}

/// Reads a file to its end, in blocks.
async fn read(
    receiving: &Receiving,
    file: &mut Incoming,
    length: u64,
) -> Result<Vec<Vec<u8>>, Refused> {
    let (mut blocks, mut read) = (Vec::new(), 0);
    let mut stalls_at = Instant::now() + STALL_TIMEOUT;
    while read < length {
        let mut disturbed = pin!(receiving.disturbed());
        let frame = tokio::select! {
            frame = timeout_at(stalls_at, file.frame()) => frame.map_err(|_| Refused::Stalled)?,
            () = &mut disturbed => {
                receiving.continues().map_err(Refused::NotTaken)?;
                continue;
            }
        };
        stalls_at = Instant::now() + STALL_TIMEOUT;
        let Some(Ok(frame)) = frame else { return Err(Refused::BrokenOff) };
        if let Ok(data) = frame.into_data() {
            receiving.continues().map_err(Refused::NotTaken)?;
            read += data.len() as u64;
            append(&mut blocks, &data);
        }
    }
    Ok(blocks)
}

fn append(blocks: &mut Vec<Vec<u8>>, mut data: &[u8]) {
    while !data.is_empty() {
        if blocks.last().is_none_or(|block| block.len() == BLOCK_BYTES) {
            blocks.push(Vec::new());
        }
        let Some(block) = blocks.last_mut() else { return };
        let (now, later) = data.split_at(data.len().min(BLOCK_BYTES - block.len()));
        block.extend_from_slice(now);
        data = later;
    }
}

/// Reads the beginning of a file, and drops it.
async fn drop_some(file: &mut Incoming) {
    let (mut dropped, end) = (0, Instant::now() + STALL_TIMEOUT);
    while dropped < MAX_DROPPED_BYTES
        && let Ok(Some(Ok(frame))) = timeout_at(end, file.frame()).await
    {
        dropped += frame.data_ref().map_or(0, Bytes::len);
    }
}

fn created(Uploaded { name, hash }: Uploaded) -> Answer {
    // Two texts: serde_json refuses neither.
    let json = serde_json::to_string(&Answered { name, hash }).unwrap_or_default();
    let mut answer = body(json, "application/json");
    *answer.status_mut() = StatusCode::CREATED;
    answer
}

impl Refused {
    fn counter<'a>(&self, hub: &'a Hub) -> &'a Counter {
        let refused = &hub.counters.uploads_refused;
        match self {
            Self::NotTaken(NotTaken::Busy) | Self::BrokenOff | Self::Stalled => {
                &refused.interrupted
            }
            Self::NotTaken(_) | Self::NoLength => &refused.unannounced,
            Self::NotStored(NotStored::Unreadable(_) | NotStored::Panicked) => &refused.unreadable,
            Self::NotStored(NotStored::Full { .. }) => &refused.full,
            Self::NotStored(NotStored::Disk(_) | NotStored::NotKept) => &refused.unwritten,
        }
    }

    fn answer(self) -> Answer {
        let (status, reason) = match self {
            Self::NotTaken(NotTaken::Unknown) => (
                StatusCode::NOT_FOUND,
                "this upload has ended, or never was: ask for another one with `upload`".to_owned(),
            ),
            Self::NotTaken(NotTaken::TooLarge { announced }) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the file is larger than the {announced} bytes that were announced"),
            ),
            Self::NotTaken(NotTaken::TooSmall { announced }) => (
                StatusCode::BAD_REQUEST,
                format!(
                    "the file is smaller than the {announced} bytes that were announced: send all of it"
                ),
            ),
            Self::NotTaken(NotTaken::Busy) => (
                StatusCode::CONFLICT,
                "another request sends this file, or has sent it: wait for its answer".to_owned(),
            ),
            Self::NoLength => {
                (StatusCode::LENGTH_REQUIRED, "send the file with its Content-Length".to_owned())
            }
            Self::BrokenOff => (
                StatusCode::BAD_REQUEST,
                "the file has not arrived as a whole: send it again, from its start".to_owned(),
            ),
            Self::Stalled => (
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "nothing has arrived for {} s: send the file again, from its start",
                    STALL_TIMEOUT.as_secs()
                ),
            ),
            Self::NotStored(error) => {
                let status = match error {
                    NotStored::Unreadable(_) | NotStored::Panicked => {
                        StatusCode::UNSUPPORTED_MEDIA_TYPE
                    }
                    NotStored::Full { .. } | NotStored::Disk(_) | NotStored::NotKept => {
                        StatusCode::INSUFFICIENT_STORAGE
                    }
                };
                (status, error.to_string())
            }
        };
        let mut answer = body(reason + "\n", "text/plain; charset=utf-8");
        *answer.status_mut() = status;
        if status == StatusCode::REQUEST_TIMEOUT {
            put(&mut answer, CONNECTION, "close");
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_filled_in_order() {
        let data: Vec<u8> = (0..BLOCK_BYTES * 5 / 2).map(|index| (index % 251) as u8).collect();
        let mut blocks = Vec::new();
        for part in data.chunks(70_001) {
            append(&mut blocks, part);
        }
        assert_eq!(blocks.concat(), data);
        let lengths: Vec<_> = blocks.iter().map(Vec::len).collect();
        assert_eq!(lengths, [BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES / 2]);
    }
}

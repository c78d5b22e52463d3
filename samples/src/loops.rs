//! Reads the loop of a WAV file, from its `smpl` chunk.
//!
//! Files are untrusted: no chunk makes this panic, and a loop that does not fit the file is no loop.

use thiserror::Error;

use crate::wav::{chunks_of, u32_at};

/// Fewest frames of a loop: a player that repeats a shorter one does little else.
pub const MIN_LOOP_FRAMES: u64 = 16;

/// The frames of a sound that repeat: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The first frame that repeats.
    pub start: u64,
    /// The frame after the last one that repeats.
    pub end: u64,
}

/// Why a file is played without its loop. The messages are for the user who added the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoopError {
    /// The chunk ends before its loops.
    #[error("the chunk that describes its loop is cut off")]
    Truncated,
    /// None of its loops runs forward without an end.
    #[error("none of its {0} loops runs forward without an end")]
    Kind(u32),
    /// The loop is not within the file, or too short.
    #[error(
        "its loop of the frames {first} to {last} does not fit: the file has {frames}, and a loop has at \
         least {MIN_LOOP_FRAMES}"
    )]
    Range {
        /// The first frame.
        first: u64,
        /// The last frame.
        last: u64,
        /// Frames of the file.
        frames: u64,
    },
}

/// Sizes of the head of a `smpl` chunk and of each loop in it, in bytes.
const HEAD_BYTES: usize = 36;
const LOOP_BYTES: usize = 24;

/// The loop of a file with so many `frames`: the first one that runs forward without an end.
///
/// # Errors
/// Why its loops are not played. A file without loops is no error.
pub fn loop_of(file: &[u8], frames: u64) -> Result<Option<Loop>, LoopError> {
    let Some(chunk) = chunks_of(file).find_map(|(name, body)| (name == b"smpl").then_some(body))
    else {
        return Ok(None);
    };
    if chunk.len() < HEAD_BYTES {
        return Err(LoopError::Truncated);
    }
    let (head, loops) = chunk.split_at(HEAD_BYTES);
    let count = u32_at(head, 28);
    if count == 0 {
        return Ok(None);
    }
    let present = loops.chunks_exact(LOOP_BYTES).take(count as usize);
    let is_cut_off = present.len() < count as usize;
    // Its type is 0 if it runs forward, and its count is 0 if it has no end.
    let forward = present.into_iter().find(|bytes| u32_at(bytes, 4) == 0 && u32_at(bytes, 20) == 0);
    let Some(found) = forward else {
        return Err(if is_cut_off { LoopError::Truncated } else { LoopError::Kind(count) });
    };
    // The last frame is part of the loop.
    let (first, last) = (u64::from(u32_at(found, 8)), u64::from(u32_at(found, 12)));
    let (start, end) = (first, last + 1);
    if end > frames || start + MIN_LOOP_FRAMES > end {
        return Err(LoopError::Range { first, last, frames });
    }
    Ok(Some(Loop { start, end }))
}

/// The loop of a whole sound; `None` if it is too short.
#[must_use]
pub fn whole(frames: u64) -> Option<Loop> {
    (frames >= MIN_LOOP_FRAMES).then_some(Loop { start: 0, end: frames })
}

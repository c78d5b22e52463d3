//! The simulated sound card of the lab. It reads frames from a pipe that PulseAudio fills, at the
//! rate of this machine's clock, like a converter.
//!
//! The card waits for a late sound server and then reads the backlog as fast as it comes. A busy machine
//! therefore delays all channels alike, and leaves no gap in a recording. The largest backlog is
//! recorded.
//!
//! PulseAudio's null sink is unsuitable. It renders in blocks as short as any client requests, down
//! to half a millisecond, which costs more than all players together. It also counts the length of
//! each block in whole microseconds, rounded down, so it runs fast by more than 1000 ppm, and its
//! rate changes whenever a client connects or leaves.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::{
    fs::{CWD, Mode, OFlags, mkfifoat},
    pipe::fcntl_setpipe_size,
};

use crate::recorder::RATE;

/// Pause between two reads of the converter: about one frame, to which the kernel adds its timer
/// slack. PulseAudio reports its latency with the same granularity, and with an error that stays
/// constant for a while, which no player can detect. Reading ten frames at once puts eight players
/// 70 microseconds apart, reading one 22.
pub const EVERY: Duration = Duration::from_micros(25);

/// The size of a pipe buffer in the kernel, and of one write by `PulseAudio`.
const PIECE_BYTES: usize = 4096;

/// Approximate capacity of the pipe in frames: the buffer of a good card.
const BUFFER_FRAMES: usize = RATE / 200;

/// A playing card.
#[derive(Debug)]
pub struct Card {
    pipe: File,
    frame_bytes: usize,
    /// Frames that the pipe holds.
    capacity: u64,
    began: Instant,
    /// Frames converted since then.
    converted: u64,
    /// Frames that were due but missing at the last read.
    backlog: u64,
}

impl Card {
    /// Creates the pipe at `path`, for frames of `channels` 32-bit floats.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn plug(path: &Path, channels: usize) -> Result<Self> {
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).context("making the card's pipe")?;
        // Opened for reading and writing, the pipe never ends, whether PulseAudio has it open or
        // not.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .context("opening the card's pipe")?;
        let frame_bytes = channels * size_of::<f32>();
        // A piece holds whole frames. With fewer than two pieces the card would underrun at every
        // read.
        let piece_frames = PIECE_BYTES / frame_bytes;
        let pieces = (BUFFER_FRAMES / piece_frames).max(2);
        fcntl_setpipe_size(&pipe, pieces * PIECE_BYTES).context("sizing the card's pipe")?;
        let capacity = u64::try_from(pieces * piece_frames)?;
        Ok(Self { pipe, frame_bytes, capacity, began: Instant::now(), converted: 0, backlog: 0 })
    }

    /// Converts the frames that are due at `now` and available: appends them to `bytes`.
    ///
    /// # Errors
    /// If the pipe is broken.
    pub fn convert(&mut self, now: Instant, bytes: &mut Vec<u8>) -> Result<()> {
        let since = now.saturating_duration_since(self.began).as_nanos();
        let due = u64::try_from(since * RATE as u128 / 1_000_000_000)? - self.converted;
        // However large the backlog is, a read costs no more than what the pipe holds.
        let readable = usize::try_from(due.min(self.capacity))?;
        let begin = bytes.len();
        let mut filled = begin;
        bytes.resize(begin + readable * self.frame_bytes, 0);
        while filled < bytes.len() {
            match self.pipe.read(&mut bytes[filled..]) {
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("reading the card's pipe"),
            }
        }
        bytes.truncate(filled);
        // PulseAudio writes whole frames, and each piece atomically.
        let converted = ((filled - begin) / self.frame_bytes) as u64;
        self.converted += converted;
        self.backlog = due - converted;
        Ok(())
    }

    /// Frames that were due but missing at the last read.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.backlog
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn frames_are_read_at_the_rate_of_the_clock_without_gaps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let mut card = Card::plug(&path, 2).unwrap();
        let mut server = OpenOptions::new().write(true).open(&path).unwrap();
        server.write_all(&[1; 80 * 8]).unwrap();

        let mut bytes = Vec::new();
        let at = |millis| card.began + Duration::from_millis(millis);
        let (first, second) = (at(1), at(2));
        card.convert(first, &mut bytes).unwrap();
        assert_eq!(bytes, [1; 48 * 8]);
        assert_eq!(card.backlog(), 0);
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 80 * 8);
        assert_eq!(card.backlog(), 16);
        server.write_all(&[2; 80 * 8]).unwrap();
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes[80 * 8..], [2; 16 * 8]);
        // No frame is due twice.
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 96 * 8);
    }

    #[test]
    fn a_backlog_is_read_in_pieces_that_the_pipe_can_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let mut card = Card::plug(&path, 2).unwrap();
        let mut server = OpenOptions::new().write(true).open(&path).unwrap();
        let mut bytes = Vec::with_capacity(1 << 16);
        let minute_later = card.began + Duration::from_mins(1);
        for read in 1..=3 {
            server.write_all(&[1; 100 * 8]).unwrap();
            card.convert(minute_later, &mut bytes).unwrap();
            assert_eq!(bytes.len(), read * 100 * 8);
            assert_eq!(card.backlog(), (60 * RATE - read * 100) as u64);
        }
        assert_eq!(bytes.capacity(), 1 << 16);
    }
}

//! The sound card of the lab: takes frames out of a pipe that PulseAudio fills, at the pace of this
//! machine's clock, as a converter does.
//!
//! A sound server that is late is waited for, and what it then owes is taken at once: a machine that
//! is busy with other work delays all cards alike, and no recording has a hole for it. How late it
//! was is kept.
//!
//! PulseAudio's own null sink would not do. It renders as finely as any one client asks for, down to
//! half a millisecond, which costs more than all players together; and it counts each piece that it
//! renders in whole microseconds, rounded down, so that it runs ahead of every clock by more than a
//! thousand parts per million, and by another rate whenever a client comes or goes.

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

/// How often the converter comes for frames: about once for each. What PulseAudio says of its latency
/// is as coarse, and wrong by as much in the same way for a while, which no player can tell from the
/// truth: coming for ten at once pulls eight players 70 microseconds apart, coming for one 22.
pub const EVERY: Duration = Duration::from_micros(25);

/// What the kernel holds of a pipe in one piece, and `PulseAudio` writes into it at once.
const PIECE_BYTES: usize = 4096;

/// Frames in the pipe at most, about: the buffer of a good card.
const BUFFER_FRAMES: usize = RATE / 200;

/// A card that plays.
#[derive(Debug)]
pub struct Card {
    pipe: File,
    frame_bytes: usize,
    began: Instant,
    /// Frames converted since.
    converted: u64,
    /// How many more were due when it last came for them.
    owed: u64,
}

impl Card {
    /// Makes the pipe at `path`, for frames of `channels` 32-bit floats.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn plug(path: &Path, channels: usize) -> Result<Self> {
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).context("making the card's pipe")?;
        // Open both ways it never ends, whether PulseAudio has it open or not.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .context("opening the card's pipe")?;
        let frame_bytes = channels * size_of::<f32>();
        // A piece holds whole frames. With fewer than two the card would run dry at every turn.
        let pieces = (BUFFER_FRAMES / (PIECE_BYTES / frame_bytes)).max(2);
        fcntl_setpipe_size(&pipe, pieces * PIECE_BYTES).context("sizing the card's pipe")?;
        Ok(Self { pipe, frame_bytes, began: Instant::now(), converted: 0, owed: 0 })
    }

    /// Converts the frames that are due at `now` and there: appends them to `bytes`.
    ///
    /// # Errors
    /// If the pipe is broken.
    pub fn convert(&mut self, now: Instant, bytes: &mut Vec<u8>) -> Result<()> {
        let since = now.saturating_duration_since(self.began).as_nanos();
        let due = u64::try_from(since * RATE as u128 / 1_000_000_000)? - self.converted;
        let begin = bytes.len();
        let mut filled = begin;
        bytes.resize(begin + usize::try_from(due)? * self.frame_bytes, 0);
        while filled < bytes.len() {
            match self.pipe.read(&mut bytes[filled..]) {
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("reading the card's pipe"),
            }
        }
        bytes.truncate(filled);
        // PulseAudio writes pieces of whole frames, each at once or not at all.
        let converted = ((filled - begin) / self.frame_bytes) as u64;
        self.converted += converted;
        self.owed = due - converted;
        Ok(())
    }

    /// How many frames the sound server owed when the card last came for them.
    #[must_use]
    pub fn owed(&self) -> u64 {
        self.owed
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn frames_come_at_the_pace_of_the_clock_and_none_is_left_out() {
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
        assert_eq!(card.owed(), 0);
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 80 * 8);
        assert_eq!(card.owed(), 16);
        server.write_all(&[2; 80 * 8]).unwrap();
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes[80 * 8..], [2; 16 * 8]);
        // Nothing is due twice.
        card.convert(second, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 96 * 8);
    }
}

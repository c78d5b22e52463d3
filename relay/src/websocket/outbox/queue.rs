//! What waits for one client, and the transport that accepts it. Behind the outbox's lock; nothing here waits.

use std::{
    borrow::Cow,
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    sync::Arc,
    time::Instant,
};

use bytes::{Buf as _, Bytes};

use super::{CutOff, Phase, backlog::Share};
use crate::websocket::transport::Transport;

/// Most bytes that wait for one client beyond what the kernel holds. A welcome with the largest bank and
/// everything that is usually sounding fits, and so does the largest burst of one client.
pub const MAX_OUTBOX_BYTES: usize = 1024 * 1024;

/// Most frames that wait for one client, so that small ones are bounded too: each costs a handle of 32
/// bytes besides its own.
pub const MAX_OUTBOX_FRAMES: usize = 4096;

/// Most frames that are written in one system call. More gain nothing measurable.
const FRAMES_PER_WRITE: usize = 64;

#[derive(Debug)]
pub(super) struct Queue {
    /// `None` while the handshake is still being answered.
    pub(super) transport: Option<Arc<Transport>>,
    waiting: VecDeque<Bytes>,
    /// The bytes in `waiting`, as part of the backlog.
    share: Share,
    /// The most bytes that ever waited.
    peak: usize,
    /// When the queue last ceased to be empty or the socket last accepted something.
    pub(super) progress: Instant,
    pub(super) phase: Phase,
}

impl Queue {
    pub(super) fn new(share: Share) -> Self {
        Self {
            transport: None,
            waiting: VecDeque::new(),
            share,
            peak: 0,
            progress: Instant::now(),
            phase: Phase::Open,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// The most bytes that ever waited.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// What to write for `frame`. A frame that is queued before there is a transport is encoded when it is
    /// opened.
    pub(super) fn encode<'a>(&self, frame: &'a Bytes) -> io::Result<Cow<'a, Bytes>> {
        match &self.transport {
            None => Ok(Cow::Borrowed(frame)),
            Some(transport) => transport.encode(frame),
        }
    }

    /// Writes what the socket accepts now; nothing before there is a transport.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.transport()?.try_write(bytes)
    }

    /// Queues `bytes`, unless the client must be cut off for it.
    pub(super) fn push(&mut self, bytes: Bytes) -> Result<(), CutOff> {
        // One frame of any size fits an empty queue.
        let is_over = self.bytes() + bytes.len() > MAX_OUTBOX_BYTES;
        if self.is_waiting() && (self.waiting.len() >= MAX_OUTBOX_FRAMES || is_over) {
            return Err(CutOff::Overflow);
        }
        self.share.grow(bytes.len()).map_err(|_| CutOff::Backlog)?;
        self.peak = self.peak.max(self.bytes());
        self.waiting.push_back(bytes);
        Ok(())
    }

    /// Writes what waits, as far as the socket accepts it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.is_waiting() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = self.waiting.len().min(FRAMES_PER_WRITE);
            for (slice, frame) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(frame);
            }
            let written = self.transport()?.try_write_vectored(&slices[..count])?;
            self.remove(written);
        }
        // A queue that was needed once may never be needed again, and the connection may last a year.
        self.waiting.shrink_to(0);
        Ok(())
    }

    /// Removes and returns what waits.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Bytes> {
        self.share.shrink(self.share.bytes());
        std::mem::take(&mut self.waiting)
    }

    fn transport(&self) -> io::Result<&Transport> {
        self.transport.as_deref().ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    fn remove(&mut self, mut written: usize) {
        self.share.shrink(written);
        self.progress = Instant::now();
        while let Some(front) = self.waiting.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.waiting.pop_front();
        }
    }
}

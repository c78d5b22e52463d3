//! What waits for one client, and the socket that takes it. Behind the outbox's lock; nothing here waits.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use downbeat_platform::packet_timestamps;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{CutOff, Phase, backlog::Share};
use crate::{
    config::{FRAMES_PER_WRITE, OUTBOX_BYTES, OUTBOX_FRAMES},
    seal::Seal,
};

#[derive(Debug)]
pub(super) struct Queue {
    /// None as long as the socket is not ours, because its handshake is still being answered.
    pub(super) socket: Option<Arc<TcpStream>>,
    waiting: VecDeque<Bytes>,
    /// How many bytes they are.
    share: Share,
    /// The most that they ever were.
    peak: usize,
    /// When something last began to wait or the socket last took something.
    pub(super) progress: Instant,
    pub(super) phase: Phase,
    /// For a client that came over TLS.
    pub(super) seal: Option<Seal>,
}

impl Queue {
    pub(super) fn new(share: Share) -> Self {
        Self {
            socket: None,
            waiting: VecDeque::new(),
            share,
            peak: 0,
            progress: Instant::now(),
            phase: Phase::Open,
            seal: None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// The most that ever waited.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// Tries the socket with one frame. One that is not there yet takes nothing.
    pub(super) fn write(&self, frame: &[u8]) -> io::Result<usize> {
        self.socket()?.try_write(frame)
    }

    /// Has `frame` wait behind what waits already, unless the client must be cut off for it.
    pub(super) fn push(&mut self, frame: Bytes) -> Result<(), CutOff> {
        // One frame of any size fits an empty queue.
        let is_over = self.bytes() + frame.len() > OUTBOX_BYTES;
        if self.is_waiting() && (self.waiting.len() >= OUTBOX_FRAMES || is_over) {
            return Err(CutOff::Overflow);
        }
        self.share.grow(frame.len()).map_err(|_| CutOff::Backlog)?;
        self.peak = self.peak.max(self.bytes());
        self.waiting.push_back(frame);
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.is_waiting() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = self.waiting.len().min(FRAMES_PER_WRITE);
            for (slice, frame) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(frame);
            }
            let written = self.socket()?.try_write_vectored(&slices[..count])?;
            self.took(written);
        }
        // A queue that was needed once may never be again, and a year is long.
        self.waiting.shrink_to(0);
        Ok(())
    }

    /// Takes out what waits.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Bytes> {
        self.share.shrink(self.share.bytes());
        std::mem::take(&mut self.waiting)
    }

    /// Reads plain bytes through the seal: how many, and when they arrived; and what the seal has to
    /// say for itself, which is to be written. `None` without socket or seal.
    pub(super) fn read_sealed(
        &mut self,
        buffer: &mut [u8],
    ) -> Option<(io::Result<(usize, Instant)>, Bytes)> {
        let (socket, seal) = (self.socket.as_ref()?, self.seal.as_mut()?);
        // What was read before, and waits in the seal, arrived when that did.
        let mut raw = Raw { socket, arrived: seal.arrived };
        let read = seal.open(&mut raw, buffer);
        let arrived = raw.arrived;
        seal.arrived = arrived;
        Some((read.map(|count| (count, arrived)), seal.own_words()))
    }

    /// Has the end of the socket drop what the kernel still holds for it. It would keep that for
    /// minutes, for one who has not read for long.
    pub(super) fn forget_unsent(&self) {
        if let Some(socket) = &self.socket {
            // If it fails, the kernel keeps it for as long as it tries to send it.
            let _ = SockRef::from(&**socket).set_linger(Some(Duration::ZERO));
        }
    }

    fn socket(&self) -> io::Result<&TcpStream> {
        self.socket.as_deref().ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    fn took(&mut self, mut written: usize) {
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

/// The socket as the seal reads it.
struct Raw<'a> {
    socket: &'a TcpStream,
    /// When what was last read had arrived.
    arrived: Instant,
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, arrived) = packet_timestamps::try_read(self.socket, buffer)?;
        self.arrived = arrived;
        Ok(count)
    }
}

//! The one thing that writes to a client's socket.
//!
//! A frame is tried straight on the socket; only what the kernel does not take is queued, and the
//! connection's task writes it when there is room, several frames in one call. So a room that
//! keeps up costs one bare write a client, and no task is woken.
//!
//! The bound: what waits may be [`OUTBOX_BYTES`] and [`OUTBOX_FRAMES`] (one frame of any size
//! fits an empty outbox). A client that exceeds it, or whose queue makes no progress for
//! [`STALLED_AFTER`](crate::config::STALLED_AFTER), is cut off: it would only hear the past. What waits
//! for all clients together is bounded by the [`Backlog`].

mod backlog;
mod queue;

use std::{
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{net::TcpStream, sync::Notify};

pub use self::backlog::Backlog;
use self::queue::Queue;
use crate::{
    frame::{self, CloseCode},
    seal::Seal,
};

/// Why a client was cut off without a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// More waited for it than the bound allows.
    Overflow,
    /// More waited for all clients together than the bound allows, and for it more than for most.
    Backlog,
    /// It read nothing for too long.
    Stalled,
    /// It said nothing for too long, not even an answer to a ping.
    Silent,
    /// Its socket failed.
    Broken,
}

/// How far a connection's outgoing half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Frames are taken.
    Open,
    /// A close frame is the last one.
    Closing,
    /// Nothing will be written any more.
    Cut(CutOff),
}

/// The way to a client's socket, and what waits to be written to it.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Told when something begins to wait and when the phase changes.
    changed: Notify,
}

impl Outbox {
    /// An outbox in which everything waits until it is opened. What waits counts to `backlog`.
    #[must_use]
    pub fn new(backlog: &Arc<Backlog>) -> Self {
        Self { queue: Mutex::new(Queue::new(backlog.share())), changed: Notify::new() }
    }

    /// From now on `socket` is written to, with what has waited so far first. Whoever opens it goes
    /// on to read from the socket, and to wait for it; what it holds may be sealed.
    pub fn open(&self, socket: Arc<TcpStream>, seal: Option<Seal>) {
        let mut queue = self.queue();
        queue.socket = Some(socket);
        if matches!(queue.phase, Phase::Cut(_)) {
            queue.forget_unsent();
        }
        if let Some(mut seal) = seal {
            // Should the session have something left to say, it comes before all else.
            let own = seal.own_words();
            queue.seal = Some(seal);
            let plain = queue.take_waiting();
            self.put_raw(&mut queue, &own);
            for frame in &plain {
                self.put(&mut queue, frame);
            }
        }
        drop(queue);
        self.flush();
    }

    /// Reads what a client sent that came over TLS, and tells when that arrived. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet; else why there will be nothing more.
    pub fn read_sealed(&self, buffer: &mut [u8]) -> io::Result<(usize, Instant)> {
        let mut queue = self.queue();
        let Some((read, own)) = queue.read_sealed(buffer) else {
            return Ok((0, Instant::now()));
        };
        self.put_raw(&mut queue, &own);
        read
    }

    /// Tells a client that came over TLS that nothing more will be written. Without TLS the end of
    /// the socket says it.
    pub fn say_end(&self) {
        let mut queue = self.queue();
        if let Some(seal) = &mut queue.seal {
            let last = seal.end();
            self.put_raw(&mut queue, &last);
        }
    }

    /// Writes `frame`, or queues what the socket does not take. Never waits.
    pub fn send(&self, frame: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            self.put(&mut queue, frame);
        }
    }

    /// Sends a close frame and takes nothing more.
    pub fn close(&self, code: CloseCode, reason: &'static str) {
        self.end_with(&frame::close(code, reason));
    }

    /// The same with a close frame as it is: the answer to the client's own.
    pub fn end_with(&self, goodbye: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            queue.phase = Phase::Closing;
            self.put(&mut queue, goodbye);
            self.changed.notify_one();
        }
    }

    /// Drops what waits, here and in the kernel, and takes nothing more.
    pub fn cut_off(&self, why: CutOff) {
        self.cut(&mut self.queue(), why);
    }

    /// Cuts the client off if what waits for it has made no progress for `patience` at `now`.
    pub fn cut_off_if_stalled(&self, now: Instant, patience: Duration) {
        let mut queue = self.queue();
        if queue.is_waiting() && now.saturating_duration_since(queue.progress) > patience {
            self.cut(&mut queue, CutOff::Stalled);
        }
    }

    /// The most bytes that ever waited.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.queue().peak()
    }

    /// Writes what waits, as far as the socket takes it. Never waits itself.
    pub fn flush(&self) {
        let mut queue = self.queue();
        match queue.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                self.cut(&mut queue, CutOff::Broken);
            }
            _ => {}
        }
    }

    /// Whether something waits to be written.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.queue().is_waiting()
    }

    /// How far the outgoing half is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.queue().phase
    }

    /// Completes when something began to wait, or the phase changed, since it last completed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn put(&self, queue: &mut Queue, frame: &Bytes) {
        match &mut queue.seal {
            None => self.put_raw(queue, frame),
            Some(seal) => match seal.seal(frame) {
                Ok(records) => self.put_raw(queue, &records),
                Err(_) => self.cut(queue, CutOff::Broken),
            },
        }
    }

    /// Writes bytes as the socket takes them.
    fn put_raw(&self, queue: &mut Queue, frame: &Bytes) {
        if frame.is_empty() || matches!(queue.phase, Phase::Cut(_)) {
            return;
        }
        let mut written = 0;
        if !queue.is_waiting() {
            match queue.write(frame) {
                Ok(all) if all == frame.len() => return,
                Ok(part) => written = part,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return self.cut(queue, CutOff::Broken),
            }
            queue.progress = Instant::now();
            self.changed.notify_one();
        }
        if let Err(why) = queue.push(frame.slice(written..)) {
            self.cut(queue, why);
        }
    }

    fn cut(&self, queue: &mut Queue, why: CutOff) {
        if !matches!(queue.phase, Phase::Cut(_)) {
            queue.phase = Phase::Cut(why);
            queue.take_waiting();
            queue.forget_unsent();
            self.changed.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding it; were it otherwise, the queue is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Outbox {
    /// An outbox with a backlog of its own.
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

#[cfg(test)]
mod tests;

//! The outgoing half of a connection: the only code that writes to a client's socket.
//!
//! A frame is written to the socket at once. Only what the kernel does not accept is queued; the
//! connection's task writes that when the socket is writable, several frames per system call. So a room
//! whose clients keep up costs one write per client, and no task is woken.
//!
//! The queue holds at most [`MAX_OUTBOX_BYTES`] and [`MAX_OUTBOX_FRAMES`] (one frame of any size fits an
//! empty queue). A client that exceeds this or whose queue makes no progress is cut off: what waits is
//! out of date. All queues together are bounded by the backlog.

mod backlog;
mod queue;

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::Notify;

pub(crate) use self::backlog::Backlog;
use self::queue::Queue;
pub use self::queue::{MAX_OUTBOX_BYTES, MAX_OUTBOX_FRAMES};
use super::{
    frame::{self, CloseCode},
    transport::Transport,
};

/// Why a client was cut off without a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// Its queue was full.
    Overflow,
    /// All queues together were full, and its own was among the longest.
    Backlog,
    /// It read nothing for too long.
    Stalled,
    /// It sent nothing for too long, not even a pong.
    Silent,
    /// Its socket or its task failed.
    Failed,
}

/// The state of the outgoing half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Frames are accepted.
    Open,
    /// A close frame was the last one.
    Closing,
    /// Nothing is written any more.
    Cut(CutOff),
}

/// Writes frames to a client, and queues what its socket does not accept.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Notified when the queue is no longer empty and when the phase changes.
    changed: Notify,
}

impl Outbox {
    /// An outbox that queues everything until it is opened. What waits counts towards `backlog`.
    pub(crate) fn new(backlog: &Arc<Backlog>) -> Self {
        Self { queue: Mutex::new(Queue::new(backlog.share())), changed: Notify::new() }
    }

    /// Begins to write to `transport`, starting with what has been queued so far.
    pub fn open(&self, transport: Arc<Transport>) {
        let mut queue = self.queue();
        if matches!(queue.phase, Phase::Cut(_)) {
            transport.discard_unsent_on_close();
        }
        let (is_tls, pending) = (transport.is_tls(), transport.take_pending());
        queue.transport = Some(transport);
        if is_tls {
            // Queued without encryption so far.
            let waiting = queue.take_waiting();
            self.write_bytes(&mut queue, &pending);
            for frame in &waiting {
                self.write_frame(&mut queue, frame);
            }
        }
        drop(queue);
        self.flush();
    }

    /// Writes `frame`, or queues what the socket does not accept. Never waits.
    pub fn send(&self, frame: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            self.write_frame(&mut queue, frame);
        }
    }

    /// Sends a close frame and accepts nothing more.
    pub fn close(&self, code: CloseCode, reason: &'static str) {
        self.close_with(&frame::close(code, reason));
    }

    /// The same with a given close frame: the answer to the client's own.
    pub(super) fn close_with(&self, close: &Bytes) {
        let mut queue = self.queue();
        if queue.phase == Phase::Open {
            queue.phase = Phase::Closing;
            self.write_frame(&mut queue, close);
            self.changed.notify_one();
        }
    }

    /// Writes what the TLS session has to send itself.
    pub(super) fn send_pending(&self) {
        let mut queue = self.queue();
        if let Some(transport) = queue.transport.clone() {
            self.write_bytes(&mut queue, &transport.take_pending());
        }
    }

    /// Tells a client over TLS that nothing more will be sent.
    pub(super) fn close_notify(&self) {
        let queue = self.queue();
        if let Some(transport) = &queue.transport {
            transport.close_notify();
        }
        drop(queue);
        self.send_pending();
    }

    /// Discards what waits, here and in the kernel, and accepts nothing more.
    pub(crate) fn cut_off(&self, reason: CutOff) {
        self.cut(&mut self.queue(), reason);
    }

    /// Cuts the client off if its queue has made no progress for `patience` at `now`.
    pub(crate) fn cut_off_if_stalled(&self, now: Instant, patience: Duration) {
        let mut queue = self.queue();
        if queue.is_waiting() && now.saturating_duration_since(queue.progress) > patience {
            self.cut(&mut queue, CutOff::Stalled);
        }
    }

    /// The most bytes that ever waited.
    pub(crate) fn peak(&self) -> usize {
        self.queue().peak()
    }

    /// Writes what waits, as far as the socket accepts it. Never waits itself.
    pub fn flush(&self) {
        let mut queue = self.queue();
        match queue.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                self.cut(&mut queue, CutOff::Failed);
            }
            _ => {}
        }
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.queue().is_waiting()
    }

    /// The state of the outgoing half.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.queue().phase
    }

    /// Completes when the queue has ceased to be empty, or the phase has changed, since the last call.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn write_frame(&self, queue: &mut Queue, frame: &Bytes) {
        match queue.encode(frame) {
            Ok(bytes) => self.write_bytes(queue, &bytes),
            Err(_) => self.cut(queue, CutOff::Failed),
        }
    }

    fn write_bytes(&self, queue: &mut Queue, bytes: &Bytes) {
        if bytes.is_empty() || matches!(queue.phase, Phase::Cut(_)) {
            return;
        }
        let mut written = 0;
        if !queue.is_waiting() {
            match queue.try_write(bytes) {
                Ok(all) if all == bytes.len() => return,
                Ok(part) => written = part,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return self.cut(queue, CutOff::Failed),
            }
            queue.progress = Instant::now();
            self.changed.notify_one();
        }
        if let Err(reason) = queue.push(bytes.slice(written..)) {
            self.cut(queue, reason);
        }
    }

    fn cut(&self, queue: &mut Queue, reason: CutOff) {
        if !matches!(queue.phase, Phase::Cut(_)) {
            queue.phase = Phase::Cut(reason);
            queue.take_waiting();
            if let Some(transport) = &queue.transport {
                transport.discard_unsent_on_close();
            }
            self.changed.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock. If one did, the queue would still be usable.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Outbox {
    /// An outbox that shares no backlog with others.
    fn default() -> Self {
        Self::new(&Arc::new(Backlog::new(usize::MAX)))
    }
}

#[cfg(test)]
mod tests;

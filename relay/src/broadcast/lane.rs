//! The lane of one wire: the task that owns its clients and sends what is broadcast to them.
//!
//! It alone owns the list of clients, and receives through one queue who connects, who leaves and what to
//! send. Hence all clients receive everything in one order, and no lock is held while writing.
//!
//! Commands that pile up while it is busy are joined: consecutive frames become one write per client, so
//! that a burst costs little more than one trigger.
//!
//! A lane runs on the main thread and must not keep it for long: it writes to a short list itself, within
//! half a millisecond, and leaves a long one to the [`writer_pool`](super::writer_pool). A probe then
//! waits for one write at most, if that is to the same client. What many single clients are sent is interrupted
//! after as long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use downbeat_protocol::{ClientId, RelayTime, Stop};
use tokio::{sync::mpsc, task::yield_now, time::timeout};

use super::{
    client_list::ClientList,
    client_op::ClientOp,
    scheduled::{Cue, ScheduledFrames},
    writer_pool::WriterPool,
};
use crate::{
    clock::RelayClock,
    counters::Counters,
    websocket::client::{Client, Wire},
};

/// Most commands that are taken at once, and so most frames that become one write. More would only delay
/// the first of them.
const MAX_BATCH: usize = 64;

/// A scheduled frame is handed to a writer thread this long before its instant, because the runtime's
/// timers have millisecond resolution and a thread's sleep has microseconds. Other commands to the lane
/// wait meanwhile.
const HANDOVER: Duration = Duration::from_millis(2);

/// How many single clients are written to before others have their turn: as long as for a short list.
const MAX_WRITES_AT_ONCE: usize = 64;

/// When the relay shuts down, what would sound within this time is sent at once: it was promised. What waits
/// for longer is not.
const RELEASED_MICROS: u64 = 500_000;

/// A command to a lane.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// A client has connected. It is kept alive from now on. One of the tutorial wire receives all
    /// broadcasts from now on, and these frames at their instants; one of `downbeat.v1` none yet.
    Connected(Arc<Client>, Vec<(Cue, Bytes)>),
    /// A client has sent its hello and receives all broadcasts from now on.
    Admitted(ClientId),
    /// A client has left.
    Left(ClientId),
    /// Send this complete frame to all.
    Broadcast(Bytes),
    /// Send it to all at the instant of a trigger.
    BroadcastAt(Cue, Bytes),
    /// Do not send what waits for triggers that this stop ends before they begin.
    Cancel(Stop),
    /// What follows from a request.
    Deliver(Delivery),
    /// Apply the keep-alive policy to all.
    Sweep {
        now: RelayTime,
        /// The time of the previous sweep.
        last: RelayTime,
    },
    /// Close all connections, and those that are still to come.
    Shutdown,
}

/// What follows from a request, for all and for single clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// Each is sent to one client, before anything that comes after it: what follows depends on it.
    pub(crate) first: Vec<(ClientId, Bytes)>,
    /// To all, in this order.
    pub(crate) frames: Vec<Bytes>,
    /// Each is sent to one client, some time after that.
    pub(crate) replies: Vec<(ClientId, Bytes)>,
}

/// Runs a lane until its queue is closed.
pub(super) async fn run(mut commands: mpsc::Receiver<Command>, mut lane: Lane) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while receive(&mut commands, &mut batch, lane.next_handover()).await {
        for command in batch.drain(..) {
            lane.apply(command).await;
        }
        lane.send_pending().await;
        lane.send_due().await;
    }
}

/// Waits for commands, but no longer than `limit`. False if the queue is closed.
async fn receive(
    commands: &mut mpsc::Receiver<Command>,
    batch: &mut Vec<Command>,
    limit: Option<Duration>,
) -> bool {
    let received = commands.recv_many(batch, MAX_BATCH);
    match limit {
        None => received.await > 0,
        Some(limit) => !matches!(timeout(limit, received).await, Ok(0)),
    }
}

/// The clients of a wire, and what they are still to be sent.
pub(super) struct Lane {
    /// Connected, without a hello so far.
    unadmitted: ClientList,
    listeners: ClientList,
    pending: FrameBatch,
    /// What is sent to single clients after what is pending, so that bursts are still joined.
    replies: Vec<(ClientId, Bytes)>,
    scheduled: ScheduledFrames,
    writers: WriterPool,
    clock: RelayClock,
    counters: Arc<Counters>,
    shutting_down: bool,
}

impl Lane {
    pub(super) fn new(writers: WriterPool, clock: RelayClock, counters: Arc<Counters>) -> Self {
        Self {
            unadmitted: ClientList::default(),
            listeners: ClientList::default(),
            pending: FrameBatch::default(),
            replies: Vec::new(),
            scheduled: ScheduledFrames::default(),
            writers,
            clock,
            counters,
            shutting_down: false,
        }
    }

    /// How long until the next scheduled frame is handed over.
    fn next_handover(&self) -> Option<Duration> {
        Some(self.clock.until(self.scheduled.next_at()?).saturating_sub(HANDOVER))
    }

    /// Sends frames to all listeners, now or at an instant.
    async fn broadcast(&self, frames: Option<JoinedFrames>, at: Option<Instant>) {
        let Some(JoinedFrames { bytes, count }) = frames else { return };
        if self.listeners.is_empty() {
            return;
        }
        let now = Instant::now();
        let begun = at.map_or(now, |at| at.max(now));
        self.writers.for_each(&self.listeners, ClientOp::Send(bytes), at).await;
        self.counters.fan_out.observe(begun.elapsed().as_secs_f64());
        self.counters.deliveries.add(count * self.listeners.len() as u64);
    }

    async fn send_pending(&mut self) {
        let frames = self.pending.take();
        self.broadcast(frames, None).await;
        let replies = std::mem::take(&mut self.replies);
        self.send_to_each(replies).await;
    }

    /// Sends frames to single clients. Other tasks have their turns in between.
    async fn send_to_each(&self, frames: Vec<(ClientId, Bytes)>) {
        for (count, (id, frame)) in frames.into_iter().enumerate() {
            if count > 0 && count % MAX_WRITES_AT_ONCE == 0 {
                yield_now().await;
            }
            if let Some(client) = self.listeners.find(id) {
                client.outbox.send(&frame);
            }
        }
    }

    /// Sends the scheduled frames whose instant is near; the writers wait for the rest of the time.
    async fn send_due(&mut self) {
        while let Some(at) = self.scheduled.next_at() {
            let left = self.clock.until(at);
            if left > HANDOVER {
                return;
            }
            let mut frames = FrameBatch::default();
            let by = at.max(self.clock.now());
            while let Some(frame) = self.scheduled.pop_due(by) {
                frames.add(frame);
            }
            self.broadcast(frames.take(), Some(Instant::now() + left)).await;
        }
    }

    async fn apply(&mut self, command: Command) {
        match command {
            Command::Broadcast(frame) => self.pending.add(frame),
            Command::BroadcastAt(cue, frame) => self.scheduled.insert(cue, frame),
            Command::Cancel(stop) => self.scheduled.cancel(&stop),
            Command::Deliver(Delivery { first, frames, replies }) => {
                if !first.is_empty() {
                    self.send_pending().await;
                }
                self.send_to_each(first).await;
                for frame in frames {
                    self.pending.add(frame);
                }
                self.replies.extend(replies);
            }
            Command::Connected(client, scheduled) => {
                for (cue, frame) in scheduled {
                    self.scheduled.insert(cue, frame);
                }
                if self.shutting_down {
                    ClientOp::Shutdown.apply(&client, &self.counters);
                }
                match client.wire {
                    Wire::Tutorial => self.add_listener(client).await,
                    Wire::V1 => self.unadmitted.insert(client),
                }
            }
            Command::Admitted(id) => {
                if let Some(client) = self.unadmitted.remove(id) {
                    self.add_listener(client).await;
                }
            }
            Command::Left(id) => {
                // What is pending is still for this client.
                self.send_pending().await;
                self.unadmitted.remove(id);
                self.listeners.remove(id);
            }
            Command::Sweep { now, last } => {
                self.send_pending().await;
                self.writers.for_each(&self.unadmitted, ClientOp::CheckHello { now }, None).await;
                self.for_all(&ClientOp::KeepAlive { now, last }).await;
            }
            Command::Shutdown => {
                self.shutting_down = true;
                // A trigger that is about to sound is sent, if early.
                self.scheduled.release_until(self.clock.now().plus_micros(RELEASED_MICROS));
                while let Some(frame) = self.scheduled.pop_due(RelayTime::from_micros(0)) {
                    self.pending.add(frame);
                }
                self.send_pending().await;
                self.for_all(&ClientOp::Shutdown).await;
            }
        }
    }

    async fn add_listener(&mut self, client: Arc<Client>) {
        // What is pending is not for this client.
        self.send_pending().await;
        self.listeners.insert(client);
    }

    /// Applies `op` to all clients, admitted or not.
    async fn for_all(&self, op: &ClientOp) {
        for clients in [&self.unadmitted, &self.listeners] {
            self.writers.for_each(clients, op.clone(), None).await;
        }
    }
}

/// Consecutive frames as one buffer.
#[derive(Debug, PartialEq, Eq)]
struct JoinedFrames {
    bytes: Bytes,
    count: u64,
}

/// Collects frames that are sent together. A single one is passed on without a copy.
#[derive(Default)]
struct FrameBatch {
    first: Option<Bytes>,
    rest: BytesMut,
    count: u64,
}

impl FrameBatch {
    fn add(&mut self, frame: Bytes) {
        self.count += 1;
        match &self.first {
            None => self.first = Some(frame),
            Some(first) => {
                if self.rest.is_empty() {
                    self.rest.extend_from_slice(first);
                }
                self.rest.extend_from_slice(&frame);
            }
        }
    }

    fn take(&mut self) -> Option<JoinedFrames> {
        let first = self.first.take()?;
        let count = std::mem::take(&mut self.count);
        let bytes = if self.rest.is_empty() { first } else { self.rest.split().freeze() };
        Some(JoinedFrames { bytes, count })
    }
}

#[cfg(test)]
mod tests;

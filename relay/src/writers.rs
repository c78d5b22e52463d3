//! The threads that write to a large room, and that wait for an instant to the microsecond.
//!
//! A small room is written to at once by whoever asks, which is the thread that reads everything: to
//! wake another costs as much as some writes. In a large one that would keep a probe waiting, so its
//! clients are shared out among threads that do nothing else.
//!
//! They do not know the room: they are lent its clients, and told what to do for each.

use std::{
    io,
    num::NonZero,
    ops::Range,
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::Instant,
};

use bytes::Bytes;
use downbeat_priority::Urgency;
use downbeat_protocol::RelayTime;
use tokio::sync::oneshot;

use crate::{
    clients::{Client, Clients},
    config::{
        CLIENTS_PER_WRITER, HELLO_TIMEOUT, MOST_WRITERS, PING_AFTER, SILENT_AFTER, STALLED_AFTER,
    },
    frame::{self, CloseCode},
    metrics::Measured,
    outbox::CutOff,
};

/// What is done for each client.
#[derive(Clone, Debug)]
pub enum Deed {
    /// It is sent these complete frames.
    Send(Bytes),
    /// It is pinged if it was silent for a while, and cut off if it was for longer or does not read.
    LookAfter {
        /// Now.
        now: RelayTime,
        /// When it was last looked after.
        last: RelayTime,
    },
    /// It is told to go if it has not said hello in time.
    ExpectHello {
        /// Now.
        now: RelayTime,
    },
    /// It is told that the relay is ending.
    Goodbye,
}

impl Deed {
    /// Does it for one.
    pub fn do_for(&self, client: &Client, measured: &Measured) {
        match self {
            Self::Send(frames) => client.outbox.send(frames),
            Self::LookAfter { now, last } => look_after(client, *now, *last, measured),
            Self::ExpectHello { now } => {
                if now.micros_since(client.since) > HELLO_TIMEOUT.as_micros() as i64 {
                    client.outbox.close(CloseCode::Policy, "no hello");
                }
            }
            Self::Goodbye => client.outbox.close(CloseCode::GoingAway, "the relay is ending"),
        }
    }
}

fn look_after(client: &Client, now: RelayTime, last: RelayTime, measured: &Measured) {
    let silent = now.micros_since(client.heard()).max(0);
    let before = last.micros_since(client.heard()).max(0);
    let ping_after = PING_AFTER.as_micros() as i64;
    if silent > SILENT_AFTER.as_micros() as i64 {
        client.outbox.cut_off(CutOff::Silent);
    } else if silent / ping_after > before / ping_after {
        client.outbox.send(&frame::PING);
    }
    client.outbox.cut_off_if_stalled(Instant::now(), STALLED_AFTER);
    measured.outbox_peak.fetch_max(client.outbox.peak() as u64, Ordering::Relaxed);
}

/// What one thread is to do.
struct Share {
    clients: Clients,
    range: Range<usize>,
    deed: Deed,
    not_before: Option<Instant>,
    /// Dropped when it is done, by the last of those who hold it.
    done: Arc<oneshot::Sender<()>>,
}

impl Share {
    fn do_it(self, measured: &Measured) {
        let Self { clients, range, deed, not_before, done } = self;
        if let Some(at) = not_before {
            thread::sleep(at.saturating_duration_since(Instant::now()));
        }
        for client in clients.of(range) {
            deed.do_for(client, measured);
        }
        // In this order: who is told that it is done may change the clients, and while they are lent
        // that takes a copy of all of them.
        drop(clients);
        drop(done);
    }
}

/// The threads for one wire.
#[derive(Debug)]
pub struct Writers {
    threads: Vec<mpsc::SyncSender<Share>>,
    measured: Arc<Measured>,
}

impl Writers {
    /// Starts as many threads as there are processors to write with. They end when this is gone.
    ///
    /// # Errors
    /// If the system does not start them all.
    pub fn start(name: &str, measured: &Arc<Measured>) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let writers = cores.min(MOST_WRITERS);
        let start = |place| {
            // Whoever shares out waits until all is done, so there is never more than one.
            let (sender, shares) = mpsc::sync_channel::<Share>(1);
            let measured = measured.clone();
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                // Or else whoever is woken by a write, on this machine, holds up the next one. And
                // where there is one for each processor, it has it: a machine with more finds them
                // idle ones, and one that takes its turn must be free to look for another.
                let raised = downbeat_priority::raise(Urgency::Writer);
                let kept = raised.and_then(|()| downbeat_priority::keep_to(place, writers));
                if let Err(reason) = kept {
                    tracing::debug!(reason, "the system finds a writer its processor and its turn");
                }
                while let Ok(share) = shares.recv() {
                    share.do_it(&measured);
                }
            })?;
            Ok(sender)
        };
        let threads = (0..writers).map(start).collect::<io::Result<_>>()?;
        Ok(Self { threads, measured: measured.clone() })
    }

    /// Does `deed` for each of `clients`, but not before an instant, if there is one. Completes when
    /// it is done for all.
    pub async fn each(&self, clients: &Clients, deed: Deed, not_before: Option<Instant>) {
        let is_early = not_before.is_some_and(|at| at > Instant::now());
        if clients.len() < CLIENTS_PER_WRITER && !is_early {
            for client in clients.of(0..clients.len()) {
                deed.do_for(client, &self.measured);
            }
            return;
        }
        let writers = (clients.len() / CLIENTS_PER_WRITER).clamp(1, self.threads.len());
        let share = clients.len().div_ceil(writers).max(1);
        let (done, all_done) = oneshot::channel();
        let done = Arc::new(done);
        for (thread, begin) in self.threads.iter().zip((0..clients.len()).step_by(share)) {
            let range = begin..clients.len().min(begin + share);
            let (deed, done) = (deed.clone(), done.clone());
            let share = Share { clients: clients.clone(), range, deed, not_before, done };
            // It takes one always, as it has none.
            if let Err(mpsc::TrySendError::Full(share) | mpsc::TrySendError::Disconnected(share)) =
                thread.try_send(share)
            {
                share.do_it(&self.measured);
            }
        }
        drop(done);
        // What it yields is that nobody holds the other end any more.
        let _ = all_done.await;
    }
}

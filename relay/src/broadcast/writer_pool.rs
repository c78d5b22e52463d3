//! The threads that write to many clients, and that wait for an instant to the microsecond.
//!
//! A short list is written to at once by the caller, which is the main thread: to wake another thread
//! costs as much as some writes. A long list would delay probes there, so it is shared out among threads
//! that do nothing else.
//!
//! A pool does not know its clients: each call lends it a list and an operation.

use std::{
    io,
    num::NonZero,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use downbeat_platform::scheduling::{self, Priority, ThreadRole};
use tokio::sync::Notify;

use super::{client_list::ClientList, client_op::ClientOp};
use crate::{counters::Counters, supervise::Supervisor};

/// A thread is woken for this many clients: waking one costs ten microseconds, as much as three or four
/// writes. Shorter lists are written to by the main thread, which keeps it from probes for half a
/// millisecond at most.
pub(super) const CLIENTS_PER_WRITER: usize = 128;

/// How many clients a writer claims at a time: enough that claiming costs nothing beside the writes, and
/// few enough that they are soon done.
const CLIENTS_PER_CLAIM: usize = 8;

/// Most threads of a pool: beyond them the kernel's own locks are the limit.
pub(super) const MAX_WRITERS: usize = 4;

/// An operation on a long list of clients. Each writer begins with a share of its own, and so with the
/// same clients each time, whose sockets are in its processor's cache; then it helps the others. Hence a
/// writer that is preempted delays few clients.
struct Job {
    clients: ClientList,
    shares: Box<[JobShare]>,
    op: ClientOp,
    not_before: Option<Instant>,
    /// How many clients are left.
    left: AtomicUsize,
    done: Notify,
}

struct JobShare {
    /// The index of the first client that is not claimed. It guards no other memory, so relaxed
    /// ordering is enough.
    next: AtomicUsize,
    end: usize,
}

impl JobShare {
    /// Claims the next few clients for the caller.
    fn claim(&self) -> Option<Range<usize>> {
        let begin = self.next.fetch_add(CLIENTS_PER_CLAIM, Ordering::Relaxed);
        (begin < self.end).then(|| begin..self.end.min(begin + CLIENTS_PER_CLAIM))
    }
}

impl Job {
    /// Shares `clients` out among `writers`.
    fn new(clients: ClientList, writers: usize, op: ClientOp, not_before: Option<Instant>) -> Self {
        let size = clients.len().div_ceil(writers);
        let share = |index| {
            let end = clients.len().min((index + 1) * size);
            JobShare { next: AtomicUsize::new(end.min(index * size)), end }
        };
        let shares = (0..writers).map(share).collect();
        let left = AtomicUsize::new(clients.len());
        Self { clients, shares, op, not_before, left, done: Notify::new() }
    }

    /// Does what is left, on behalf of the writer at `index`.
    fn run(&self, index: usize, counters: &Counters) {
        if let Some(at) = self.not_before {
            thread::sleep(at.saturating_duration_since(Instant::now()));
        }
        let (before, from) = self.shares.split_at(index % self.shares.len());
        for share in from.iter().chain(before) {
            while let Some(range) = share.claim() {
                let count = range.len();
                for client in self.clients.get(range) {
                    self.op.apply(client, counters);
                }
                // Whoever is notified sees the effects of all writers.
                if self.left.fetch_sub(count, Ordering::AcqRel) == count {
                    self.done.notify_one();
                }
            }
        }
    }
}

/// The writer threads of one wire.
#[derive(Debug)]
pub(super) struct WriterPool {
    threads: Vec<mpsc::SyncSender<Arc<Job>>>,
    counters: Arc<Counters>,
}

impl WriterPool {
    /// Starts a thread per processor, at most [`MAX_WRITERS`]. They end when the pool is dropped. The
    /// supervisor learns if one panics: its part of a job would never be done. Each thread asks for a
    /// real-time priority first and sends the answer to `priorities`.
    ///
    /// # Errors
    /// If the system does not start all threads.
    pub(super) fn start(
        name: &'static str,
        counters: &Arc<Counters>,
        supervisor: &Arc<Supervisor>,
        priorities: &mpsc::SyncSender<Result<Priority, String>>,
    ) -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let writers = processors.min(MAX_WRITERS);
        let start = |index| {
            // One job at a time: the next is shared out when this one is done. A thread still holding
            // its previous job is skipped.
            let (sender, jobs) = mpsc::sync_channel::<Arc<Job>>(1);
            let (counters, priorities) = (counters.clone(), priorities.clone());
            let guard = supervisor.guard(name);
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                let _guard = guard;
                // A writer locks a client's outbox while it writes, and the main thread, which has a
                // real-time priority, may need the same lock: see "Priority inversion" in
                // docs/ARCHITECTURE.md. Sending fails only if the relay shuts down already.
                let _ = priorities.send(scheduling::raise_priority(ThreadRole::Writer));
                drop(priorities);
                // When woken in quick succession, two writers were often scheduled on one processor. On
                // a machine with more processors than writers, the scheduler finds idle ones.
                if let Err(reason) = scheduling::pin_to_processor(index, writers) {
                    tracing::debug!(reason, "writer thread not pinned");
                }
                while let Ok(job) = jobs.recv() {
                    job.run(index, &counters);
                }
            })?;
            Ok(sender)
        };
        let threads = (0..writers).map(start).collect::<io::Result<_>>()?;
        Ok(Self { threads, counters: counters.clone() })
    }

    /// Applies `op` to each of `clients`, and not before the given instant. Completes when it is done for
    /// all of them.
    pub(super) async fn for_each(
        &self,
        clients: &ClientList,
        op: ClientOp,
        not_before: Option<Instant>,
    ) {
        if clients.is_empty() {
            return;
        }
        let must_wait = not_before.is_some_and(|at| at > Instant::now());
        if clients.len() < CLIENTS_PER_WRITER && !must_wait {
            for client in clients.get(0..clients.len()) {
                op.apply(client, &self.counters);
            }
            return;
        }
        let writers = (clients.len() / CLIENTS_PER_WRITER).clamp(1, self.threads.len());
        let job = Arc::new(Job::new(clients.clone(), writers, op, not_before));
        // A thread that still holds a job which the others have completed is left out.
        let free = self.threads.iter().filter(|thread| thread.try_send(job.clone()).is_ok());
        if free.take(writers).count() == 0 {
            // All threads are gone: at least one of them would have completed its previous job.
            job.run(0, &self.counters);
        }
        job.done.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use downbeat_protocol::{ClientId, RelayTime};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        supervise::PartPanicked,
        websocket::{
            client::{Client, Wire},
            outbox::Outbox,
        },
    };

    const WRITERS: usize = 3;
    const FRAME: &[u8] = b"bang";

    /// Clients without a socket: what they are sent waits.
    fn clients(count: usize) -> ClientList {
        let mut clients = ClientList::default();
        for id in 1..=count as u32 {
            let now = RelayTime::from_micros(0);
            let client = Client::new(ClientId(id), Wire::Tutorial, Outbox::default(), now);
            clients.insert(Arc::new(client));
        }
        clients
    }

    fn job(clients: &ClientList) -> Job {
        Job::new(clients.clone(), WRITERS, ClientOp::Send(Bytes::from_static(FRAME)), None)
    }

    fn pool(supervisor: &Arc<Supervisor>) -> WriterPool {
        let (priorities, _) = mpsc::sync_channel(MAX_WRITERS);
        WriterPool::start("writer", &Arc::default(), supervisor, &priorities).unwrap()
    }

    fn each_was_sent_one_frame(clients: &ClientList) -> bool {
        clients.get(0..clients.len()).iter().all(|client| client.outbox.peak() == FRAME.len())
    }

    #[test]
    fn a_writer_that_is_done_helps_the_others() {
        for count in [1, 2, WRITERS, 100, CLIENTS_PER_CLAIM * WRITERS + 1] {
            for index in 0..WRITERS {
                let clients = clients(count);
                job(&clients).run(index, &Counters::default());
                assert!(each_was_sent_one_frame(&clients), "of {count} clients, by writer {index}");
            }
        }
    }

    #[tokio::test]
    async fn concurrent_writers_send_each_client_one_frame() {
        let clients = clients(10_000);
        let job = job(&clients);
        let counters = Counters::default();
        thread::scope(|scope| {
            for index in 0..WRITERS {
                let (job, counters) = (&job, &counters);
                scope.spawn(move || job.run(index, counters));
            }
        });
        assert!(each_was_sent_one_frame(&clients));
        let done = timeout(Duration::from_secs(10), job.done.notified());
        done.await.expect("completion is signalled");
    }

    #[tokio::test]
    async fn a_thread_that_does_not_run_delays_nobody() {
        let mut pool = pool(&Arc::default());
        let (stuck, _jobs) = mpsc::sync_channel(1);
        pool.threads.insert(0, stuck);
        for round in 1..=3 {
            let clients = clients(2 * CLIENTS_PER_WRITER);
            let sent = pool.for_each(&clients, ClientOp::Send(Bytes::from_static(FRAME)), None);
            timeout(Duration::from_secs(10), sent).await.expect("done without that thread");
            assert!(each_was_sent_one_frame(&clients), "in round {round}");
        }
    }

    #[tokio::test]
    async fn the_supervisor_learns_of_a_writer_that_panics() {
        let supervisor = Arc::new(Supervisor::default());
        let pool = pool(&supervisor);
        let clients = clients(CLIENTS_PER_WRITER);
        let op = async {
            pool.for_each(&clients, ClientOp::Panic, None).await;
            unreachable!("the job of a writer that panics is never done");
        };
        tokio::select! {
            () = op => {}
            part = timeout(Duration::from_secs(10), supervisor.panicked()) => {
                assert_eq!(part.expect("it is reported"), PartPanicked("writer"));
            }
        }
    }
}

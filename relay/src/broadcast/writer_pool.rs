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
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use bytes::Bytes;
use downbeat_platform::scheduling::{self, Priority, ThreadRole};
use downbeat_protocol::RelayTime;
use tokio::sync::Notify;

use crate::{
    clients::{Client, Clients},
    config::{
        CLIENTS_AT_A_TIME, CLIENTS_PER_WRITER, HELLO_TIMEOUT, MOST_WRITERS, PING_AFTER,
        SILENT_AFTER, STALLED_AFTER,
    },
    frame::{self, CloseCode},
    metrics::Measured,
    outbox::CutOff,
    supervise::Alarm,
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
    /// Whoever does it panics.
    #[cfg(test)]
    Panic,
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
            #[cfg(test)]
            Self::Panic => std::panic::panic_any("injected"),
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
    measured.note_peak(&client.outbox);
}

/// A deed for a large room. Each writer begins with a part of the room of its own, and so with the
/// same clients each time, whose sockets its processor knows; then it helps the others with theirs.
/// Hence one that is kept from its processor for a while holds up few.
struct Work {
    clients: Clients,
    parts: Box<[Part]>,
    deed: Deed,
    not_before: Option<Instant>,
    /// How many clients are still to be seen to.
    left: AtomicUsize,
    done: Notify,
}

struct Part {
    /// The place of the first client that nobody has taken yet. It guards no other memory, so the
    /// weakest ordering does.
    next: AtomicUsize,
    end: usize,
}

impl Part {
    /// The next few clients, which are then whoever's asks.
    fn take(&self) -> Option<Range<usize>> {
        let begin = self.next.fetch_add(CLIENTS_AT_A_TIME, Ordering::Relaxed);
        (begin < self.end).then(|| begin..self.end.min(begin + CLIENTS_AT_A_TIME))
    }
}

impl Work {
    /// Shares `clients` out to `writers`.
    fn new(clients: Clients, writers: usize, deed: Deed, not_before: Option<Instant>) -> Self {
        let size = clients.len().div_ceil(writers);
        let part = |place| {
            let end = clients.len().min((place + 1) * size);
            Part { next: AtomicUsize::new(end.min(place * size)), end }
        };
        let parts = (0..writers).map(part).collect();
        let left = AtomicUsize::new(clients.len());
        Self { clients, parts, deed, not_before, left, done: Notify::new() }
    }

    /// Does what is left, for the writer at `place`.
    fn help(&self, place: usize, measured: &Measured) {
        if let Some(at) = self.not_before {
            thread::sleep(at.saturating_duration_since(Instant::now()));
        }
        let (before, from) = self.parts.split_at(place % self.parts.len());
        for part in from.iter().chain(before) {
            while let Some(places) = part.take() {
                let count = places.len();
                for client in self.clients.of(places) {
                    self.deed.do_for(client, measured);
                }
                // Whoever hears that it is done has what all of them did before it.
                if self.left.fetch_sub(count, Ordering::AcqRel) == count {
                    self.done.notify_one();
                }
            }
        }
    }
}

/// The threads for one wire.
#[derive(Debug)]
pub struct Writers {
    threads: Vec<mpsc::SyncSender<Arc<Work>>>,
    measured: Arc<Measured>,
}

impl Writers {
    /// Starts as many threads as there are processors to write with. They end when this is gone, and
    /// the alarm rings if one panics: whoever waits for what it was to do waits for ever. Each says to
    /// `asked` which priority it got, before it writes anything.
    ///
    /// # Errors
    /// If the system does not start them all.
    pub fn start(
        name: &'static str,
        measured: &Arc<Measured>,
        alarm: &Arc<Alarm>,
        asked: &mpsc::Sender<Result<Priority, String>>,
    ) -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let writers = cores.min(MOST_WRITERS);
        let start = |place| {
            // For one at a time: the next is shared out when this is done. To a thread that is late,
            // and finds nothing left to do, it is not: that still has the one before.
            let (sender, works) = mpsc::sync_channel::<Arc<Work>>(1);
            let (measured, guard, asked) = (measured.clone(), alarm.guard(name), asked.clone());
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                let _guard = guard;
                // It holds a client's outbox while it writes, and the main thread, which is raised, may
                // need that one: see "Priority inversion" in docs/ARCHITECTURE.md.
                // Nobody listens any more if the relay ends already.
                let _ = asked.send(scheduling::raise_priority(ThreadRole::Writer));
                drop(asked);
                // Woken one right after the other, two were often put on one processor, to take
                // turns there. A machine with more processors than writers finds them idle ones.
                if let Err(reason) = scheduling::pin_to_processor(place, writers) {
                    tracing::debug!(reason, "the system finds a writer its processor");
                }
                while let Ok(work) = works.recv() {
                    work.help(place, &measured);
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
        if clients.is_empty() {
            return;
        }
        let is_early = not_before.is_some_and(|at| at > Instant::now());
        if clients.len() < CLIENTS_PER_WRITER && !is_early {
            for client in clients.of(0..clients.len()) {
                deed.do_for(client, &self.measured);
            }
            return;
        }
        let writers = (clients.len() / CLIENTS_PER_WRITER).clamp(1, self.threads.len());
        let work = Arc::new(Work::new(clients.clone(), writers, deed, not_before));
        // One that has not come for what the others have done without it is left alone.
        let free = self.threads.iter().filter(|thread| thread.try_send(work.clone()).is_ok());
        if free.take(writers).count() == 0 {
            // Then they are gone, as at least one has done what was before.
            work.help(0, &self.measured);
        }
        work.done.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use downbeat_protocol::ClientId;
    use tokio::time::timeout;

    use super::*;
    use crate::{access::Role, clients::Wire, outbox::Outbox, supervise::Lost};

    const WRITERS: usize = 3;
    const FRAME: &[u8] = b"bang";

    /// So many clients that have no socket yet: what they are sent waits.
    fn clients(count: usize) -> Clients {
        let mut clients = Clients::default();
        for id in 1..=count as u32 {
            let now = RelayTime::from_micros(0);
            let client = Client::new(ClientId(id), Wire::Seed, Role::Bang, Outbox::default(), now);
            clients.insert(Arc::new(client));
        }
        clients
    }

    fn work(clients: &Clients) -> Work {
        Work::new(clients.clone(), WRITERS, Deed::Send(Bytes::from_static(FRAME)), None)
    }

    fn all_were_told_once(clients: &Clients) -> bool {
        clients.of(0..clients.len()).iter().all(|client| client.outbox.peak() == FRAME.len())
    }

    #[test]
    fn whoever_is_done_does_what_the_others_have_not_begun() {
        for count in [1, 2, WRITERS, 100, CLIENTS_AT_A_TIME * WRITERS + 1] {
            for place in 0..WRITERS {
                let clients = clients(count);
                work(&clients).help(place, &Measured::default());
                assert!(all_were_told_once(&clients), "of {count} clients, by writer {place}");
            }
        }
    }

    #[tokio::test]
    async fn many_at_once_tell_each_client_once() {
        let clients = clients(10_000);
        let work = work(&clients);
        let measured = Measured::default();
        thread::scope(|scope| {
            for place in 0..WRITERS {
                let (work, measured) = (&work, &measured);
                scope.spawn(move || work.help(place, measured));
            }
        });
        assert!(all_were_told_once(&clients));
        let done = timeout(Duration::from_secs(10), work.done.notified());
        done.await.expect("it says when it is done");
    }

    #[tokio::test]
    async fn one_that_does_not_come_holds_up_nobody() {
        let measured = Arc::new(Measured::default());
        let mut writers =
            Writers::start("writer", &measured, &Arc::default(), &mpsc::channel().0).unwrap();
        let (never, _comes) = mpsc::sync_channel(1);
        writers.threads.insert(0, never);
        for round in 1..=3 {
            let clients = clients(2 * CLIENTS_PER_WRITER);
            let told = writers.each(&clients, Deed::Send(Bytes::from_static(FRAME)), None);
            timeout(Duration::from_secs(10), told).await.expect("it is done without it");
            assert!(all_were_told_once(&clients), "in round {round}");
        }
    }

    #[tokio::test]
    async fn the_alarm_rings_when_a_writer_panics() {
        let alarm = Arc::new(Alarm::default());
        let writers =
            Writers::start("writer", &Arc::default(), &alarm, &mpsc::channel().0).unwrap();
        let clients = clients(CLIENTS_PER_WRITER);
        let deed = async {
            writers.each(&clients, Deed::Panic, None).await;
            unreachable!("what a writer has not done is not done");
        };
        tokio::select! {
            () = deed => {}
            lost = timeout(Duration::from_secs(10), alarm.rung()) => {
                assert_eq!(lost.expect("it rings"), Lost("writer"));
            }
        }
    }
}

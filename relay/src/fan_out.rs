//! The threads that say things to everybody: one for each wire.
//!
//! They are threads of their own so that a probe never waits behind a fan-out: writing to 5000
//! sockets takes some 30 ms, which on a thread of the runtime would hold up whoever else is served
//! there. And there are two, so that those of `downbeat.v1` never wait behind those of the seed's
//! wire, who are told at the instant of the sound when the others are told well before it. Each alone
//! owns the list of who hears its wire, and is told by a bounded channel who comes, who goes and
//! what to say. Hence everything arrives everywhere in one order, and no lock is held while writing.
//!
//! Whatever piles up in the channel while it writes is joined: frames that are said one after the
//! other become one write a client, so that a burst costs little more than one trigger. A large
//! room is shared out to helpers, who write at once and are gone before the next thing is said.

use std::{
    collections::BTreeMap,
    io,
    num::NonZero,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use downbeat_protocol::{ClientId, RelayTime};
use tokio::sync::mpsc::{self, Permit};

use crate::{
    clients::{Client, Wire},
    clock::RelayClock,
    config::{
        CLIENTS_PER_WRITER, FAN_OUT_BATCH, FAN_OUT_QUEUE, HELLO_TIMEOUT, MOST_WRITERS, PING_AFTER,
        SILENT_AFTER, STALLED_AFTER,
    },
    due::Due,
    frame::{self, CloseCode},
    metrics::Measured,
    outbox::CutOff,
};

/// What a thread is told.
#[derive(Clone, Debug)]
pub enum Command {
    /// A client connected. It is looked after from now on, but hears nothing yet.
    Connected(Arc<Client>),
    /// It hears what is said on its wire from now on.
    Admitted(ClientId),
    /// It is gone.
    Left(ClientId),
    /// Say this complete frame to all who hear.
    Say(Bytes),
    /// Say it to all who hear at that instant.
    SayAt(RelayTime, Bytes),
    /// Look after everyone: ping, and cut off who is silent or stalls. Carries the time, and the
    /// time of the last such round.
    Sweep {
        /// Now.
        now: RelayTime,
        /// When it was last told to.
        last: RelayTime,
    },
    /// Say goodbye to everyone, and to everyone who still comes.
    End,
}

/// The ways to the threads.
#[derive(Debug)]
pub struct FanOut {
    seed: mpsc::Sender<Command>,
    modern: mpsc::Sender<Command>,
}

impl FanOut {
    /// Starts the threads. They end when this is gone.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(clock: RelayClock, measured: &Arc<Measured>) -> io::Result<Self> {
        let start = |name: &str| {
            let (sender, receiver) = mpsc::channel(FAN_OUT_QUEUE);
            let measured = measured.clone();
            thread::Builder::new()
                .name(name.into())
                .spawn(move || run(receiver, clock, measured))?;
            io::Result::Ok(sender)
        };
        Ok(Self { seed: start("fan-out seed")?, modern: start("fan-out v1")? })
    }

    /// A place in the channel of a wire's thread. `None` only if the thread is gone, and then so is
    /// the relay.
    ///
    /// Whoever asks waits while [`FAN_OUT_QUEUE`] commands are ahead of it: one who bangs faster
    /// than the room can be told is slowed by TCP itself, and no bang is lost.
    pub async fn reserve(&self, wire: Wire) -> Option<Permit<'_, Command>> {
        let sender = match wire {
            Wire::Seed => &self.seed,
            Wire::Modern => &self.modern,
        };
        sender.reserve().await.ok()
    }

    /// Tells a wire's thread, when there is room for it in the channel.
    pub async fn tell(&self, wire: Wire, command: Command) {
        if let Some(channel) = self.reserve(wire).await {
            channel.send(command);
        }
    }

    /// Tells both.
    pub async fn tell_all(&self, command: Command) {
        self.tell(Wire::Modern, command.clone()).await;
        self.tell(Wire::Seed, command).await;
    }
}

fn run(mut commands: mpsc::Receiver<Command>, clock: RelayClock, measured: Arc<Measured>) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut everyone =
        Everyone { writers: cores.min(MOST_WRITERS), measured, ..Everyone::default() };
    let mut batch = Vec::with_capacity(FAN_OUT_BATCH);
    let mut said = Joined::default();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while receive(&mut commands, &mut batch, &waker, clock, everyone.due.next()) {
        for command in batch.drain(..) {
            if let Command::Say(frame) = command {
                said.add(frame);
                continue;
            }
            if let Command::SayAt(at, frame) = command {
                everyone.due.put(at, frame);
                continue;
            }
            // Who comes now did not hear what was said before, and who goes did.
            everyone.tell(said.take());
            everyone.apply(command);
        }
        everyone.tell(said.take());
        if everyone.due.next().is_some() {
            let now = clock.now();
            while let Some(frame) = everyone.due.take(now) {
                said.add(frame);
            }
            everyone.tell(said.take());
        }
    }
}

/// Waits for commands, at most [`FAN_OUT_BATCH`], but not beyond `due`. False if none will ever come
/// again.
///
/// The channel can be waited for by a thread only without an end to it; so this polls it, and parks
/// the thread in between, which the kernel can wake to the microsecond.
fn receive(
    commands: &mut mpsc::Receiver<Command>,
    batch: &mut Vec<Command>,
    waker: &Waker,
    clock: RelayClock,
    due: Option<RelayTime>,
) -> bool {
    let mut context = Context::from_waker(waker);
    loop {
        if let Poll::Ready(count) = commands.poll_recv_many(&mut context, batch, FAN_OUT_BATCH) {
            return count > 0;
        }
        match due.map(|due| clock.until(due)) {
            None => thread::park(),
            Some(left) if left.is_zero() => return true,
            Some(left) => thread::park_timeout(left),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Who is connected on a wire: those who hear nothing yet, and those who hear.
#[derive(Default)]
struct Everyone {
    new: BTreeMap<ClientId, Arc<Client>>,
    listeners: Listeners,
    due: Due,
    /// Threads that may write at once, this one included.
    writers: usize,
    measured: Arc<Measured>,
    ending: bool,
}

/// Those who hear, in the order of their numbers, which is that in which they came.
#[derive(Default)]
struct Listeners(Vec<Arc<Client>>);

impl Listeners {
    fn insert(&mut self, client: Arc<Client>) {
        // Mostly at the end.
        let Err(place) = self.0.binary_search_by_key(&client.id, |other| other.id) else { return };
        self.0.insert(place, client);
    }

    fn remove(&mut self, id: ClientId) {
        if let Ok(place) = self.0.binary_search_by_key(&id, |client| client.id) {
            self.0.remove(place);
        }
    }

    /// Writes `frames` to each, by `writers` threads, at least this one.
    fn tell(&self, frames: &Bytes, writers: usize) {
        let tell = |clients: &[Arc<Client>]| {
            for client in clients {
                client.outbox.send(frames);
            }
        };
        let mut shares = self.0.chunks(self.0.len().div_ceil(writers.max(1)).max(1));
        let own = shares.next().unwrap_or_default();
        thread::scope(|scope| {
            for share in shares {
                let helper = thread::Builder::new().name("fan-out helper".into());
                if helper.spawn_scoped(scope, || tell(share)).is_err() {
                    // A system that gives no thread still lets this one write.
                    tell(share);
                }
            }
            tell(own);
        });
    }
}

impl Everyone {
    fn tell(&self, frames: Option<Bytes>) {
        let Some(frames) = frames else { return };
        let count = self.listeners.0.len();
        if count == 0 {
            return;
        }
        let begun = Instant::now();
        self.listeners.tell(&frames, self.writers.min(count / CLIENTS_PER_WRITER));
        self.measured.fan_out.observe(begun.elapsed().as_secs_f64());
        self.measured.deliveries.add_many(count as u64);
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Connected(client) => {
                if self.ending {
                    goodbye(&client);
                }
                self.new.insert(client.id, client);
            }
            Command::Admitted(id) => {
                if let Some(client) = self.new.remove(&id) {
                    self.listeners.insert(client);
                }
            }
            Command::Left(id) => {
                self.new.remove(&id);
                self.listeners.remove(id);
            }
            Command::Sweep { now, last } => self.sweep(now, last),
            Command::End => {
                self.ending = true;
                // A bang that was promised is kept, if early.
                self.due.hurry();
                while let Some(frame) = self.due.take(RelayTime::from_micros(0)) {
                    self.tell(Some(frame));
                }
                self.all().for_each(|client| goodbye(client));
            }
            Command::Say(frame) => self.tell(Some(frame)),
            Command::SayAt(at, frame) => self.due.put(at, frame),
        }
    }

    fn sweep(&self, now: RelayTime, last: RelayTime) {
        let instant = Instant::now();
        for client in self.new.values() {
            if now.micros_since(client.since) > HELLO_TIMEOUT.as_micros() as i64 {
                client.outbox.close(CloseCode::Policy, "no hello");
            }
        }
        for client in self.all() {
            let silent = now.micros_since(client.heard()).max(0);
            let before = last.micros_since(client.heard()).max(0);
            let ping_after = PING_AFTER.as_micros() as i64;
            if silent > SILENT_AFTER.as_micros() as i64 {
                client.outbox.cut_off(CutOff::Silent);
            } else if silent / ping_after > before / ping_after {
                client.outbox.send(&frame::PING);
            }
            client.outbox.cut_off_if_stalled(instant, STALLED_AFTER);
            let peak = client.outbox.peak() as u64;
            self.measured.outbox_peak.fetch_max(peak, Ordering::Relaxed);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.new.values().chain(&self.listeners.0)
    }
}

fn goodbye(client: &Client) {
    client.outbox.close(CloseCode::GoingAway, "the relay is ending");
}

/// Frames said one after the other, to be written as one. A single frame is passed on as it is.
#[derive(Default)]
struct Joined {
    first: Option<Bytes>,
    rest: BytesMut,
}

impl Joined {
    fn add(&mut self, frame: Bytes) {
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

    fn take(&mut self) -> Option<Bytes> {
        let first = self.first.take()?;
        if self.rest.is_empty() { Some(first) } else { Some(self.rest.split().freeze()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;
    use crate::{access::Role, config::SWEEP, outbox::Phase};

    /// A client that connected at the epoch, and its other end.
    async fn connect(wire: Wire) -> (Arc<Client>, TcpStream) {
        connect_as(1, wire).await
    }

    async fn connect_as(id: u32, wire: Wire) -> (Arc<Client>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        here.writable().await.unwrap();
        let client = Client::new(ClientId(id), wire, Role::Bang, at(0));
        client.outbox.open(Arc::new(here), None);
        (Arc::new(client), there)
    }

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    /// One sweep each second after `from` until `to`.
    fn sweep(everyone: &mut Everyone, from: u64, to: u64) {
        assert_eq!(SWEEP, Duration::from_secs(1));
        for second in from..to {
            everyone.apply(Command::Sweep { now: at(second + 1), last: at(second) });
        }
    }

    async fn rest(mut there: TcpStream) -> Vec<u8> {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), there.read_to_end(&mut rest)).await.unwrap().unwrap();
        rest
    }

    #[tokio::test]
    async fn one_that_is_silent_is_pinged_every_ten_seconds_and_cut_off_after_thirty() {
        let (client, there) = connect(Wire::Seed).await;
        let mut everyone = Everyone::default();
        everyone.apply(Command::Connected(client.clone()));
        everyone.apply(Command::Admitted(client.id));
        sweep(&mut everyone, 0, 5);
        client.was_heard(at(5));
        sweep(&mut everyone, 5, 35);
        assert_eq!(client.outbox.phase(), Phase::Open);
        sweep(&mut everyone, 35, 36);
        assert_eq!(client.outbox.phase(), Phase::Cut(CutOff::Silent));
        everyone.apply(Command::Left(client.id));
        drop(client);
        assert_eq!(rest(there).await, [0x89, 0, 0x89, 0, 0x89, 0]);
    }

    #[tokio::test]
    async fn one_that_never_says_hello_hears_nothing_and_is_told_to_go() {
        let (client, there) = connect(Wire::Modern).await;
        let mut everyone = Everyone::default();
        everyone.apply(Command::Connected(client.clone()));
        everyone.tell(Some(Bytes::from_static(b"not for it")));
        client.was_heard(at(10));
        sweep(&mut everyone, 0, 10);
        assert_eq!(client.outbox.phase(), Phase::Open);
        sweep(&mut everyone, 10, 11);
        assert_eq!(client.outbox.phase(), Phase::Closing);
        drop((everyone, client));
        assert_eq!(rest(there).await, frame::close(CloseCode::Policy, "no hello"));
    }

    #[tokio::test]
    async fn one_that_comes_after_the_end_is_told_so_too() {
        let (client, there) = connect(Wire::Modern).await;
        let mut everyone = Everyone::default();
        everyone.apply(Command::End);
        everyone.apply(Command::Connected(client.clone()));
        drop((everyone, client));
        let goodbye = frame::close(CloseCode::GoingAway, "the relay is ending");
        assert_eq!(rest(there).await, goodbye);
    }

    #[tokio::test]
    async fn everyone_is_told_once_whoever_writes() {
        let (mut listeners, mut theirs) = (Listeners::default(), Vec::new());
        for id in [3, 1, 2, 5, 4] {
            let (client, there) = connect_as(id, Wire::Seed).await;
            listeners.insert(client);
            theirs.push(there);
        }
        assert_eq!(
            listeners.0.iter().map(|client| client.id.0).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        for writers in 0..8 {
            listeners.tell(&Bytes::from(vec![b'0' + writers as u8]), writers);
        }
        listeners.remove(ClientId(9));
        drop(listeners);
        for there in theirs {
            assert_eq!(rest(there).await, b"01234567");
        }
    }

    #[test]
    fn frames_are_joined_in_order_and_once() {
        let mut joined = Joined::default();
        assert_eq!(joined.take(), None);
        joined.add(Bytes::from_static(b"one"));
        assert_eq!(joined.take().unwrap(), "one");
        for text in [&b"one"[..], b"two", b"three"] {
            joined.add(Bytes::from_static(text));
        }
        assert_eq!(joined.take().unwrap(), "onetwothree");
        assert_eq!(joined.take(), None);
    }
}

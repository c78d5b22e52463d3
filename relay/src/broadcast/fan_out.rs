//! Who says things to everybody: one lane for each wire.
//!
//! A lane alone owns the list of who hears its wire, and is told by a bounded channel who comes, who
//! goes and what to say. Hence everything arrives everywhere in one order, and no lock is held while
//! writing. There are two, so that those of `downbeat.v1` never wait behind those of the seed's wire,
//! who are told at the instant of the sound when the others are told well before it.
//!
//! Whatever piles up in the channel while it is busy is joined: frames that are said one after the
//! other become one write a client, so that a burst costs little more than one trigger.
//!
//! A lane lives on the thread that reads everything, and so must not keep it long: to a small room it
//! writes itself, which takes half a millisecond at most; a large one is left to the
//! [writers](crate::writers), and a probe waits for one write at most, if that is to the same client.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use downbeat_protocol::{ClientId, RelayTime};
use tokio::{
    sync::mpsc::{self, Permit},
    time::timeout,
};

use crate::{
    clients::{Client, Clients, Wire},
    clock::RelayClock,
    config::{DUE_HANDOVER, FAN_OUT_BATCH, FAN_OUT_QUEUE},
    due::Due,
    metrics::Measured,
    seed,
    supervise::Alarm,
    writers::{Deed, Writers},
};

/// What a lane is told.
#[derive(Clone, Debug)]
pub enum Command {
    /// A client connected. It is looked after from now on. One of the seed's wire hears what is said,
    /// too, and at these instants what was said while nobody was there; another hears nothing yet.
    Connected(Arc<Client>, Vec<RelayTime>),
    /// It said hello, and hears what is said on its wire from now on.
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

/// The ways to the lanes.
#[derive(Debug)]
pub struct FanOut {
    seed: mpsc::Sender<Command>,
    modern: mpsc::Sender<Command>,
    writers_priority: Result<(), String>,
}

impl FanOut {
    /// Starts the lanes, on the runtime of whoever calls. They end when this is gone;
    /// the alarm rings if one of them or of its writers panics. Waits until each writer knows its
    /// priority, which takes a second at most: none of them is to be missed once somebody bangs.
    ///
    /// # Errors
    /// If the system does not start the threads to write with.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start(
        clock: RelayClock,
        measured: &Arc<Measured>,
        alarm: &Arc<Alarm>,
    ) -> io::Result<Self> {
        let (asked, answers) = std::sync::mpsc::channel();
        let start = |lane, writer| {
            let (sender, receiver) = mpsc::channel(FAN_OUT_QUEUE);
            let writers = Writers::start(writer, measured, alarm, &asked)?;
            let everyone = Everyone::new(writers, clock, measured.clone());
            tokio::spawn(alarm.clone().watch(lane, run(receiver, everyone)));
            io::Result::Ok(sender)
        };
        let (seed, modern) = (start("lane seed", "writer seed")?, start("lane v1", "writer v1")?);
        drop(asked);
        // Each of them is waited for, also when one was refused.
        let answers: Vec<_> = answers.iter().collect();
        let writers_priority = answers.into_iter().try_for_each(|answer| answer.map(drop));
        Ok(Self { seed, modern, writers_priority })
    }

    /// Whether every writer goes before programs that are not raised.
    ///
    /// # Errors
    /// In words, if one of them could not be raised.
    pub fn writers_priority(&self) -> Result<(), String> {
        self.writers_priority.clone()
    }

    /// A place in the channel of a wire's lane. `None` only if the lane is gone, and then so is the
    /// relay.
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

    /// Tells a wire's lane, when there is room for it in the channel.
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

async fn run(mut commands: mpsc::Receiver<Command>, mut everyone: Everyone) {
    let mut batch = Vec::with_capacity(FAN_OUT_BATCH);
    while receive(&mut commands, &mut batch, everyone.next_due()).await {
        for command in batch.drain(..) {
            everyone.apply(command).await;
        }
        everyone.tell_what_was_said().await;
        everyone.tell_what_is_due().await;
    }
}

/// Waits for commands, at most [`FAN_OUT_BATCH`], and no longer than `due`, if something is. False
/// if none will ever come again.
async fn receive(
    commands: &mut mpsc::Receiver<Command>,
    batch: &mut Vec<Command>,
    due: Option<Duration>,
) -> bool {
    let some = commands.recv_many(batch, FAN_OUT_BATCH);
    match due {
        None => some.await > 0,
        Some(left) => !matches!(timeout(left, some).await, Ok(0)),
    }
}

/// Who is connected on a wire: those who hear nothing yet, and those who hear.
struct Everyone {
    new: Clients,
    listeners: Clients,
    /// What they are still to be told.
    said: Joined,
    due: Due,
    writers: Writers,
    clock: RelayClock,
    measured: Arc<Measured>,
    ending: bool,
}

impl Everyone {
    fn new(writers: Writers, clock: RelayClock, measured: Arc<Measured>) -> Self {
        Self {
            new: Clients::default(),
            listeners: Clients::default(),
            said: Joined::default(),
            due: Due::default(),
            writers,
            clock,
            measured,
            ending: false,
        }
    }

    /// How long the next frame that is due can still be left alone.
    fn next_due(&self) -> Option<Duration> {
        Some(self.clock.until(self.due.next()?).saturating_sub(DUE_HANDOVER))
    }

    /// Sends what is `said` to all who hear: now, or at an instant to come.
    async fn tell(&self, said: Option<Frames>, at: Option<Instant>) {
        let Some(Frames { bytes, count }) = said else { return };
        if self.listeners.is_empty() {
            return;
        }
        let now = Instant::now();
        let begun = at.map_or(now, |at| at.max(now));
        self.writers.each(&self.listeners, Deed::Send(bytes), at).await;
        self.measured.fan_out.observe(begun.elapsed().as_secs_f64());
        self.measured.deliveries.add_many(count * self.listeners.len() as u64);
    }

    async fn tell_what_was_said(&mut self) {
        let said = self.said.take();
        self.tell(said, None).await;
    }

    async fn tell_what_is_due(&mut self) {
        while let Some(at) = self.due.next() {
            let left = self.clock.until(at);
            if left > DUE_HANDOVER {
                return;
            }
            let mut said = Joined::default();
            let by = at.max(self.clock.now());
            while let Some(frame) = self.due.take(by) {
                said.add(frame);
            }
            self.tell(said.take(), Some(Instant::now() + left)).await;
        }
    }

    async fn apply(&mut self, command: Command) {
        match command {
            Command::Say(frame) => self.said.add(frame),
            Command::SayAt(at, frame) => self.due.put(at, frame),
            Command::Connected(client, untold) => {
                for at in untold {
                    self.due.put(at, seed::OUTPUT);
                }
                if self.ending {
                    Deed::Goodbye.do_for(&client, &self.measured);
                }
                match client.wire {
                    Wire::Seed => self.begin_to_tell(client).await,
                    Wire::Modern => self.new.insert(client),
                }
            }
            Command::Admitted(id) => {
                if let Some(client) = self.new.remove(id) {
                    self.begin_to_tell(client).await;
                }
            }
            Command::Left(id) => {
                // But it is for who goes now.
                self.tell_what_was_said().await;
                self.new.remove(id);
                self.listeners.remove(id);
            }
            Command::Sweep { now, last } => {
                self.tell_what_was_said().await;
                self.writers.each(&self.new, Deed::ExpectHello { now }, None).await;
                self.each(&Deed::LookAfter { now, last }).await;
            }
            Command::End => {
                self.ending = true;
                // A bang that was promised is kept, if early.
                self.due.hurry();
                while let Some(frame) = self.due.take(RelayTime::from_micros(0)) {
                    self.said.add(frame);
                }
                self.tell_what_was_said().await;
                self.each(&Deed::Goodbye).await;
            }
        }
    }

    async fn begin_to_tell(&mut self, client: Arc<Client>) {
        // What was said before is not for who comes now.
        self.tell_what_was_said().await;
        self.listeners.insert(client);
    }

    /// Does `deed` for all, whether they hear or not.
    async fn each(&self, deed: &Deed) {
        for clients in [&self.new, &self.listeners] {
            self.writers.each(clients, deed.clone(), None).await;
        }
    }
}

/// Frames to be written as one.
#[derive(Debug, PartialEq, Eq)]
struct Frames {
    bytes: Bytes,
    count: u64,
}

/// Frames said one after the other, until they are told. A single one is passed on as it is.
#[derive(Default)]
struct Joined {
    first: Option<Bytes>,
    rest: BytesMut,
    count: u64,
}

impl Joined {
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

    fn take(&mut self) -> Option<Frames> {
        let first = self.first.take()?;
        let count = std::mem::take(&mut self.count);
        let bytes = if self.rest.is_empty() { first } else { self.rest.split().freeze() };
        Some(Frames { bytes, count })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{
        access::Role,
        config::{CLIENTS_PER_WRITER, SWEEP},
        frame::{self, CloseCode},
        outbox::{CutOff, Outbox, Phase},
    };

    /// A client that connected at the epoch, and its other end.
    async fn connect(wire: Wire) -> (Arc<Client>, TcpStream) {
        connect_as(1, wire).await
    }

    async fn connect_as(id: u32, wire: Wire) -> (Arc<Client>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        here.writable().await.unwrap();
        let client = Client::new(ClientId(id), wire, Role::Bang, Outbox::default(), at(0));
        client.outbox.open(Arc::new(here), None);
        (Arc::new(client), there)
    }

    fn single(text: &'static str) -> Frames {
        Frames { bytes: Bytes::from(text), count: 1 }
    }

    fn everyone() -> Everyone {
        let measured = Arc::new(Measured::default());
        let writers =
            Writers::start("writer", &measured, &Arc::default(), &std::sync::mpsc::channel().0)
                .unwrap();
        Everyone::new(writers, RelayClock::start(), measured)
    }

    fn at(seconds: u64) -> RelayTime {
        RelayTime::from_micros(seconds * 1_000_000)
    }

    /// One sweep each second after `from` until `to`.
    async fn sweep(everyone: &mut Everyone, from: u64, to: u64) {
        assert_eq!(SWEEP, Duration::from_secs(1));
        for second in from..to {
            everyone.apply(Command::Sweep { now: at(second + 1), last: at(second) }).await;
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
        let mut everyone = everyone();
        everyone.apply(Command::Connected(client.clone(), Vec::new())).await;
        sweep(&mut everyone, 0, 5).await;
        client.was_heard(at(5));
        sweep(&mut everyone, 5, 35).await;
        assert_eq!(client.outbox.phase(), Phase::Open);
        sweep(&mut everyone, 35, 36).await;
        assert_eq!(client.outbox.phase(), Phase::Cut(CutOff::Silent));
        everyone.apply(Command::Left(client.id)).await;
        drop(client);
        let (mut there, mut pings) = (there, [0; 6]);
        there.read_exact(&mut pings).await.unwrap();
        assert_eq!(pings, [0x89, 0, 0x89, 0, 0x89, 0]);
        let end = timeout(Duration::from_secs(10), there.read_u8()).await.unwrap();
        assert!(end.is_err(), "nothing follows");
    }

    #[tokio::test]
    async fn one_that_never_says_hello_hears_nothing_and_is_told_to_go() {
        let (client, there) = connect(Wire::Modern).await;
        let mut everyone = everyone();
        everyone.apply(Command::Connected(client.clone(), Vec::new())).await;
        everyone.tell(Some(single("not for it")), None).await;
        client.was_heard(at(10));
        sweep(&mut everyone, 0, 10).await;
        assert_eq!(client.outbox.phase(), Phase::Open);
        sweep(&mut everyone, 10, 11).await;
        assert_eq!(client.outbox.phase(), Phase::Closing);
        drop((everyone, client));
        assert_eq!(rest(there).await, frame::close(CloseCode::Policy, "no hello"));
    }

    #[tokio::test]
    async fn one_that_comes_after_the_end_is_told_so_too() {
        let (client, there) = connect(Wire::Modern).await;
        let mut everyone = everyone();
        everyone.apply(Command::End).await;
        everyone.apply(Command::Connected(client.clone(), Vec::new())).await;
        drop((everyone, client));
        let goodbye = frame::close(CloseCode::GoingAway, "the relay is ending");
        assert_eq!(rest(there).await, goodbye);
    }

    #[tokio::test]
    async fn everyone_is_told_once_and_in_order_however_many_they_are() {
        for count in [1, CLIENTS_PER_WRITER - 1, CLIENTS_PER_WRITER, 3 * CLIENTS_PER_WRITER + 1] {
            let (mut everyone, mut theirs) = (everyone(), Vec::new());
            for id in 1..=count as u32 {
                let (client, there) = connect_as(id, Wire::Seed).await;
                everyone.apply(Command::Connected(client, Vec::new())).await;
                theirs.push(there);
            }
            for text in ["one ", "two ", "three"] {
                everyone.tell(Some(single(text)), None).await;
            }
            assert_eq!(everyone.measured.deliveries.get(), 3 * count as u64);
            drop(everyone);
            for there in theirs {
                assert_eq!(rest(there).await, b"one two three");
            }
        }
    }

    #[tokio::test]
    async fn what_is_due_is_said_at_its_instant_and_what_piled_up_by_then_with_it() {
        let (client, mut there) = connect(Wire::Seed).await;
        let mut everyone = everyone();
        everyone.apply(Command::Connected(client.clone(), Vec::new())).await;
        let clock = everyone.clock;
        let due = clock.now().plus_micros(20_000);
        let (commands, receiver) = mpsc::channel(8);
        let lane = tokio::spawn(run(receiver, everyone));
        for text in ["first ", "second"] {
            commands.send(Command::SayAt(due, Bytes::from(text))).await.unwrap();
        }
        let mut heard = [0; 12];
        timeout(Duration::from_secs(10), there.read_exact(&mut heard)).await.unwrap().unwrap();
        assert!(clock.now() >= due, "it was said {:?} too early", clock.until(due));
        assert_eq!(&heard, b"first second");
        drop(commands);
        timeout(Duration::from_secs(10), lane).await.unwrap().unwrap();
    }

    #[test]
    fn frames_are_joined_in_order_and_once() {
        let mut joined = Joined::default();
        assert_eq!(joined.take(), None);
        joined.add(Bytes::from_static(b"one"));
        assert_eq!(joined.take(), Some(single("one")));
        for text in [&b"one"[..], b"two", b"three"] {
            joined.add(Bytes::from_static(text));
        }
        let bytes = Bytes::from_static(b"onetwothree");
        assert_eq!(joined.take(), Some(Frames { bytes, count: 3 }));
        assert_eq!(joined.take(), None);
    }
}

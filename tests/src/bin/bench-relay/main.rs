//! The cost of the relay, compared with the machine's floor and the tutorial's server.
//!
//! ```text
//! bench-relay [--clients 100,1000,5000] [--rounds 5] [--deliveries 200000] [--busy 0]
//! bench-relay --hold 600 [--clients 10000]
//! bench-relay --idle-room 100,1000
//! ```
//!
//! Each round measures every server in turn, each in a process of its own. The figures are medians
//! over the rounds. A ratio compares figures of the same round, because the machine's speed varies
//! over time. There are two floors, because the frames of `downbeat.v1` are about a hundred bytes longer than
//! the tutorial wire's: each wire is compared with the floor that writes frames of its length.
//!
//! A delivery is timed by the kernel's receive timestamp, not by when the client reads the frame.
//! All clients share one thread here, which takes longer to read than the servers take to write, so
//! the read times would measure that thread. The time of the last read is printed too.
//!
//! The client thread is pinned to one processor; the servers may use all. The clients stand for
//! other machines. Without pinning, the scheduler moves their thread between those of the servers,
//! and the cost of waking it differs by a fifth from process to process.
//!
//! `--busy 2` runs two busy loops during the measurement, so that the servers compete for a
//! processor.

mod busy;
mod hold;
mod paced;
mod report;
mod room;
mod values;

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use downbeat_protocol::{ClientKind, ClientToRelay, Probe, RelayToClient};
use downbeat_tests::{
    client::V1Client,
    load::{
        cost::{allow_open_files, memory_bytes, processor_nanos},
        crowd::{Crowd, Received, Wire},
        figures::{median, quantile},
        processors::Processors,
        server::Server,
    },
    process::PATIENCE,
    relay::relay_command,
    tools::binary,
    tutorial::tutorial_command,
};

use crate::busy::BusyLoops;

/// Bangs per write in the burst measurement.
const BURST: usize = 20;

/// Time between two bangs, so that server and crowd are idle when a bang is sent.
const REST: Duration = Duration::from_millis(2);

/// A crowd that receives nothing for this long counts as settled.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Floor(Wire),
    Relay(Wire),
    Ws,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Floor(Wire::Tutorial) => "floor",
            Self::Floor(Wire::V1) => "floor, downbeat.v1",
            Self::Relay(Wire::Tutorial) => "relay, tutorial wire",
            Self::Relay(Wire::V1) => "relay, downbeat.v1",
            Self::Ws => "Node ws",
        }
    }

    fn wire(self) -> Wire {
        match self {
            Self::Floor(wire) | Self::Relay(wire) => wire,
            Self::Ws => Wire::Tutorial,
        }
    }
}

/// The measurements of one server in one round. Times are in microseconds.
#[derive(Clone, Debug, Default)]
struct Measured {
    per_delivery: f64,
    per_delivery_in_bursts: f64,
    /// The same for values of variables; only on `downbeat.v1`.
    per_delivery_of_values: Option<f64>,
    /// For each of [`paced::INTERVALS_MILLIS`]; only with few clients.
    per_delivery_paced: Option<[f64; 3]>,
    deliveries_a_second: f64,
    first: Vec<f64>,
    median: Vec<f64>,
    last: Vec<f64>,
    /// When the crowd's thread had read the last delivery.
    read: Vec<f64>,
    kib_a_connection: f64,
    /// Round trips of probes during fan-outs, and the time that the relay took to reply.
    probe_round_trips: Vec<f64>,
    probe_turnarounds: Vec<f64>,
}

struct Options {
    clients: Vec<usize>,
    rounds: usize,
    deliveries: usize,
    busy_loops: usize,
    /// Only hold connections, for this many seconds.
    hold_seconds: Option<u64>,
    /// Only measure rooms of so many players in which nothing happens.
    idle_rooms: Vec<usize>,
}

fn main() -> Result<()> {
    let options = options()?;
    let most = options.clients.iter().max().copied().unwrap_or_default();
    allow_open_files(most as u64 + 100)?;
    if let Some(seconds) = options.hold_seconds {
        return options.clients.iter().try_for_each(|&count| hold::hold(count, seconds));
    }
    if !options.idle_rooms.is_empty() {
        return options.idle_rooms.iter().try_for_each(|&count| room::room(count));
    }
    let wires = [Wire::Tutorial, Wire::V1];
    let mut kinds: Vec<_> =
        wires.map(Kind::Floor).into_iter().chain(wires.map(Kind::Relay)).collect();
    match tutorial_command() {
        Ok(_) => kinds.push(Kind::Ws),
        Err(error) => println!("The tutorial's server is not measured: {error}"),
    }
    for &count in &options.clients {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let measure =
                |&kind: &Kind| measure(kind, count, &options).with_context(|| kind.name());
            rounds.push(kinds.iter().map(measure).collect::<Result<Vec<_>>>()?);
        }
        report::print(count, &kinds, &rounds);
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options {
        clients: vec![100, 1000, 5000],
        rounds: 5,
        deliveries: 200_000,
        busy_loops: 0,
        hold_seconds: None,
        idle_rooms: Vec::new(),
    };
    let mut clients_given = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--clients" => {
                options.clients = counts(&value).with_context(|| format!("--clients {value}"))?;
                clients_given = true;
            }
            "--rounds" => options.rounds = value.parse().context("--rounds")?,
            "--deliveries" => options.deliveries = value.parse().context("--deliveries")?,
            "--busy" => options.busy_loops = value.parse().context("--busy")?,
            "--idle-room" => {
                options.idle_rooms =
                    counts(&value).with_context(|| format!("--idle-room {value}"))?;
            }
            "--hold" => options.hold_seconds = Some(value.parse().context("--hold")?),
            _ => bail!(
                "unknown option {name}; the options are --clients, --rounds, --deliveries, --busy, --hold \
                 and --idle-room"
            ),
        }
    }
    if options.hold_seconds.is_some() && !clients_given {
        options.clients = vec![10_000];
    }
    ensure!(
        options.rounds > 0
            && options.clients.iter().chain(&options.idle_rooms).all(|&count| count > 0),
        "--rounds, --clients and --idle-room must be at least 1"
    );
    Ok(options)
}

fn counts(value: &str) -> Result<Vec<usize>> {
    Ok(value.split(',').map(str::parse).collect::<Result<_, _>>()?)
}

fn measure(kind: Kind, count: usize, options: &Options) -> Result<Measured> {
    let server = start(kind, count)?;
    let _busy = BusyLoops::start(options.busy_loops);
    let all = Processors::allowed()?;
    all.last().pin()?;
    let measured = measure_running(&server, kind, count, options.deliveries, all);
    // The next server is started by this thread, and inherits its affinity.
    all.pin()?;
    measured
}

/// Measures from a thread that is pinned to one processor; `all` are those it may use.
fn measure_running(
    server: &Server,
    kind: Kind,
    count: usize,
    deliveries: usize,
    all: Processors,
) -> Result<Measured> {
    let (pid, address) = (server.id(), server.address());
    // The first clients cause one-off costs (threads, pages of code) that do not count as
    // per-connection memory.
    let mut first_of_all = match kind {
        Kind::Floor(_) => None,
        _ => Some(Crowd::join(address, kind.wire(), 10)?),
    };
    if let Some(crowd) = &mut first_of_all {
        settle(crowd, QUIET)?;
    }
    let before = memory_bytes(pid)?;
    let mut crowd = Crowd::join(address, kind.wire(), count)?;
    // The relay sends the roster up to a millisecond per client after the last arrival.
    let quiet =
        QUIET + Duration::from_millis(if kind.wire() == Wire::V1 { count } else { 0 } as u64);
    settle(&mut crowd, quiet)?;
    let held = memory_bytes(pid)?.saturating_sub(before);
    drop(first_of_all);
    let mut measured =
        Measured { kib_a_connection: held as f64 / 1024.0 / count as f64, ..Measured::default() };
    settle(&mut crowd, quiet)?;
    fan_out(&mut crowd, 1)?;

    let bangs = (deliveries / count).clamp(10, 500);
    let used = processor_nanos(pid)?;
    for _ in 0..bangs {
        let FannedOut { arrived, read } = fan_out(&mut crowd, 1)?;
        measured.first.push(quantile(&arrived, 0.0));
        measured.median.push(median(&arrived));
        measured.last.push(quantile(&arrived, 1.0));
        measured.read.push(read);
        thread::sleep(REST);
    }
    let used = processor_nanos(pid)? - used;
    measured.per_delivery = used as f64 / 1e3 / (bangs * count) as f64;

    let bursts = (deliveries / count / BURST).clamp(5, 100) * 2;
    let used = processor_nanos(pid)?;
    let mut busy = 0.0;
    for _ in 0..bursts {
        busy += fan_out(&mut crowd, BURST)?.read / 1e6;
        thread::sleep(REST);
    }
    let used = processor_nanos(pid)? - used;
    let deliveries = (bursts * BURST * count) as f64;
    measured.per_delivery_in_bursts = used as f64 / 1e3 / deliveries;
    measured.deliveries_a_second = deliveries / busy;

    if kind == Kind::Relay(Wire::V1) {
        measured.per_delivery_of_values = Some(values::per_delivery(&mut crowd, pid, bangs)?);
    }
    if count <= paced::MAX_CLIENTS {
        measured.per_delivery_paced = Some(paced::per_delivery(&mut crowd, pid)?);
    }
    if matches!(kind, Kind::Relay(_)) {
        probe_while_fanning_out(address, &mut crowd, bangs, all, &mut measured)?;
    }
    Ok(measured)
}

fn start(kind: Kind, count: usize) -> Result<Server> {
    Server::start(match kind {
        Kind::Floor(wire) => {
            let mut command = Command::new(binary("floor")?);
            command.arg(count.to_string());
            if wire == Wire::V1 {
                command.arg("v1");
            }
            command
        }
        Kind::Relay(_) => {
            let mut command = relay_command()?;
            command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
            // One client bangs faster than the default rate limit allows.
            command.args(["--messages", "1000000"]);
            command
        }
        Kind::Ws => tutorial_command()?,
    })
}

/// Reads until the crowd has received nothing for `quiet`.
fn settle(crowd: &mut Crowd, quiet: Duration) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while crowd.receive(quiet, |_, _, _| ControlFlow::Break(()))? {
        ensure!(Instant::now() < deadline, "the server does not stop sending");
    }
    Ok(())
}

/// The times of one fan-out, in microseconds since the bang.
struct FannedOut {
    /// Receive timestamp of each delivery.
    arrived: Vec<f64>,
    /// When the crowd's thread had read the last delivery.
    read: f64,
}

/// The last client sends `times` bangs in one write.
fn fan_out(crowd: &mut Crowd, times: usize) -> Result<FannedOut> {
    let start = Instant::now();
    crowd.bang(crowd.len() - 1, times)?;
    receive_by_all(crowd, times, Received::Trigger, start)
}

/// Receives until every client has received so many of what was sent at `start`.
fn receive_by_all(
    crowd: &mut Crowd,
    times: usize,
    expected: Received,
    start: Instant,
) -> Result<FannedOut> {
    let wanted = crowd.len() * times;
    let mut arrived = Vec::with_capacity(wanted);
    let mut lost = None;
    let all = crowd.receive(PATIENCE, |client, what, at| {
        match what {
            what if what == expected => arrived.push((at - start).as_nanos() as f64 / 1e3),
            Received::Trigger | Received::Value | Received::Other => {}
            Received::Close(_) | Received::End => lost = Some(client),
        }
        if arrived.len() >= wanted || lost.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    let read = start.elapsed().as_nanos() as f64 / 1e3;
    if let Some(client) = lost {
        bail!("client {client} was disconnected");
    }
    ensure!(
        all && arrived.len() == wanted,
        "only {} of {wanted} deliveries arrived",
        arrived.len()
    );
    Ok(FannedOut { arrived, read })
}

/// Sends probes from a separate, unpinned thread while bangs are fanned out to the crowd.
fn probe_while_fanning_out(
    address: SocketAddr,
    crowd: &mut Crowd,
    bangs: usize,
    all: Processors,
    measured: &mut Measured,
) -> Result<()> {
    let mut prober = V1Client::connect(&format!("ws://{address}/"), "prober", ClientKind::Remote)?;
    settle(crowd, QUIET)?;
    let end = Arc::new(AtomicBool::new(false));
    let ended = end.clone();
    let probing = thread::spawn(move || -> Result<Vec<(f64, f64)>> {
        all.pin()?;
        let mut times = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let sent = Instant::now();
            prober.send(&ClientToRelay::Probe(Probe { sent: 0 }))?;
            let reply = prober.wait_for(|message| match message {
                RelayToClient::ProbeReply(reply) => Some(reply),
                _ => None,
            })?;
            let round_trip = sent.elapsed().as_nanos() as f64 / 1e3;
            times.push((round_trip, reply.replied.micros_since(reply.received) as f64));
            thread::sleep(Duration::from_micros(500));
        }
        Ok(times)
    });
    // Without pauses, the relay is fanning out nearly all the time.
    let fanned_out = (0..bangs).try_for_each(|_| fan_out(crowd, 1).map(drop));
    end.store(true, Ordering::Relaxed);
    let times = match probing.join() {
        Ok(times) => times?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    (measured.probe_round_trips, measured.probe_turnarounds) = times.into_iter().unzip();
    fanned_out
}

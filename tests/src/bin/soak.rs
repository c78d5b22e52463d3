//! A soak test: clients connect and leave, some never read, some send hostile input, and the relay
//! is killed and restarted. No well-behaved client may miss a bang.
//!
//! ```text
//! SOAK_SECONDS=600 SOAK_CLIENTS=1000 SOAK_EVERY_MS=50 soak
//! ```
//!
//! A slow bang is reported with the kernel's counters of what delayed it. The program ends with a
//! summary, and with exit code 1 if a bang was lost or the relay has grown. Each bang waits until
//! the one before it has reached everyone, so that a loss belongs to one bang.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    ops::ControlFlow,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use downbeat_tests::{
    load::{
        cost::{allow_open_files, memory_bytes, open_files},
        crowd::{Crowd, Received, Wire, handshake, masked},
        figures::quantile,
        pressure::Snapshot,
        server::Server,
    },
    relay::relay_command,
};

/// Deadline for a bang to reach everyone. Deliveries outstanding after it count as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bang that takes longer to reach the last client is reported.
const STALL: Duration = Duration::from_millis(250);

/// Number of slow bangs that are reported. Further ones are only counted.
const MAX_REPORTED_STALLS: u64 = 10;

/// Number of clients connected at a time that never read.
const NON_READING: usize = 20;

/// Size of the `data` field of every second bang. What a client does not read must fill the
/// kernel's buffers within minutes.
const LOUD_BYTES: usize = 4000;

/// The relay has grown if its memory exceeds the settled value by more than one part in this.
const MAX_GROWTH_PART: u64 = 4;

fn main() -> Result<ExitCode> {
    let seconds = setting("SOAK_SECONDS", 600)?;
    let clients = setting("SOAK_CLIENTS", 1000)? as usize;
    let every = Duration::from_millis(setting("SOAK_EVERY_MS", 50)?);
    allow_open_files(clients as u64 + 500)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tally = Tally::default();

    // The first phase is short. It ends with SIGKILL, like a power cut, while all clients are
    // connected.
    let relay = start("127.0.0.1:0")?;
    let address = relay.address();
    let mut members = Members::join(address, clients)?;
    let first_phase = Duration::from_secs(seconds / 10);
    run_until(&relay, &mut members, every, Instant::now() + first_phase, &mut tally)?;
    drop(relay);
    let disconnected = members.receive_end()?;
    // All clients connect to the replacement.
    let relay = start(&address.to_string())?;
    let mut members = Members::join(address, clients)?;
    let memory = run_until(&relay, &mut members, every, end, &mut tally)?;

    println!("bangs sent           {}", tally.bangs);
    println!("deliveries           {}", tally.delivered);
    println!("lost                 {}", tally.lost);
    println!("delivered twice      {}", tally.twice);
    println!("disconnected         {}", tally.dropped);
    println!("power cut            seen by {disconnected} of {clients} clients, which reconnected");
    println!("short-lived clients  {}", tally.short_lived);
    println!("hostile inputs       {}", tally.hostile);
    println!("stalled, cut off     {}", tally.stalled_disconnected);
    let last = |share| quantile(&tally.last_millis, share);
    println!(
        "last delivery        p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        last(0.5),
        last(0.99),
        last(1.0)
    );
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let Memory { settled, ended, files_settled, files_ended } = memory;
    println!(
        "stalls               {} over {STALL:?}, {} of them while threads waited for a processor",
        tally.stalls, tally.starved
    );
    println!("memory               {:.1} MiB settled, {:.1} at the end", mib(settled), mib(ended));
    println!("open files           {files_settled} settled, {files_ended} at the end");
    let grown = ended > settled + settled / MAX_GROWTH_PART;
    let wrong = tally.lost + tally.twice + tally.dropped;
    let held = wrong == 0 && disconnected == clients && !grown;
    println!("{}", if held { "PASS" } else { "FAIL" });
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn setting(name: &str, default: u64) -> Result<u64> {
    let Some(value) = std::env::var_os(name) else { return Ok(default) };
    value.to_string_lossy().parse().with_context(|| format!("{name}={}", value.display()))
}

fn start(listen: &str) -> Result<Server> {
    let mut command = relay_command()?;
    command.args(["--listen", listen, "--log", "error"]);
    Server::start(command)
}

#[derive(Debug, Default)]
struct Tally {
    bangs: u64,
    delivered: u64,
    lost: u64,
    twice: u64,
    dropped: u64,
    short_lived: u64,
    hostile: u64,
    stalled_disconnected: u64,
    last_millis: Vec<f64>,
    stalls: u64,
    /// Stalls in which threads waited for a processor for at least half of the bang's duration.
    starved: u64,
}

struct Memory {
    settled: u64,
    ended: u64,
    files_settled: usize,
    files_ended: usize,
}

/// The well-behaved clients, on either wire.
struct Members {
    tutorial: Crowd,
    v1: Crowd,
}

impl Members {
    fn join(address: SocketAddr, clients: usize) -> Result<Self> {
        let mut tutorial = Crowd::join(address, Wire::Tutorial, clients / 2)?;
        let mut v1 = Crowd::join(address, Wire::V1, clients - clients / 2)?;
        wait_until_idle(&mut tutorial)?;
        wait_until_idle(&mut v1)?;
        Ok(Self { tutorial, v1 })
    }

    /// Waits for the relay to close. Returns how many clients saw the end of their connection.
    fn receive_end(&mut self) -> Result<usize> {
        let mut disconnected = 0;
        for crowd in [&mut self.tutorial, &mut self.v1] {
            let mut left = crowd.len();
            crowd.receive(PATIENCE, |_, received, _| {
                left -= usize::from(received == Received::End);
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            disconnected += crowd.len() - left;
        }
        Ok(disconnected)
    }
}

/// Bangs and runs the background load until `end`.
fn run_until(
    relay: &Server,
    members: &mut Members,
    every: Duration,
    end: Instant,
    tally: &mut Tally,
) -> Result<Memory> {
    let Members { tutorial, v1 } = members;
    // Background clients do not bang: their bangs would be counted as duplicates.
    let background = Background::start(relay.address());
    let loud = format!(r#"{{"type":"trigger","data":"{}"}}"#, "x".repeat(LOUD_BYTES));
    // The memory counts as settled after a tenth of the time.
    let begun = Instant::now();
    let settled_at = begun + (end - begun) / 10;
    let mut settled = None;
    let mut next = begun;
    while Instant::now() < end {
        if settled.is_none() && Instant::now() >= settled_at {
            settled = Some((memory_bytes(relay.id())?, open_files(relay.id())?));
        }
        let processes = [("relay", relay.id()), ("soak", std::process::id())];
        let before = Snapshot::take(&processes)?;
        let sent = Instant::now();
        if tally.bangs.is_multiple_of(2) {
            tutorial.bang(tally.bangs as usize % tutorial.len(), 1)?;
        } else {
            v1.send(tally.bangs as usize % v1.len(), loud.as_bytes())?;
        }
        tally.bangs += 1;
        let mut last = (sent, String::new());
        for (wire, crowd) in [("tutorial", &mut *tutorial), ("v1", &mut *v1)] {
            let (client, at) = tally.receive(crowd, sent)?;
            if at > last.0 {
                last = (at, format!("{wire} client {client}"));
            }
        }
        let took = last.0 - sent;
        if took > STALL {
            let pressure = Snapshot::take(&processes)?.since(&before);
            tally.stalls += 1;
            tally.starved += u64::from(pressure.starved_millis() * 2.0 > took.as_secs_f64() * 1e3);
            if tally.stalls <= MAX_REPORTED_STALLS {
                println!("bang {} took {took:.0?} to {}; {pressure}", tally.bangs, last.1);
            }
        }
        // Missed intervals are not made up for.
        next = (next + every).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let (short_lived, hostile, non_reading) = background.end();
    tally.short_lived += short_lived;
    tally.hostile += hostile;
    tally.stalled_disconnected += non_reading;
    let (ended, files_ended) = (memory_bytes(relay.id())?, open_files(relay.id())?);
    let (settled, files_settled) = settled.unwrap_or((ended, files_ended));
    Ok(Memory { settled, ended, files_settled, files_ended })
}

/// Waits until the crowd receives nothing for half a second: every client is then registered.
fn wait_until_idle(crowd: &mut Crowd) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline
        && crowd.receive(Duration::from_millis(500), |_, _, _| ControlFlow::Break(()))?
    {}
    Ok(())
}

impl Tally {
    /// Waits until the whole crowd has received one bang. Returns the last client, and when it
    /// received the bang.
    fn receive(&mut self, crowd: &mut Crowd, sent: Instant) -> Result<(usize, Instant)> {
        let mut has_received = vec![false; crowd.len()];
        let mut missing = crowd.len() as u64;
        let (mut last, mut who) = (sent, 0);
        let (mut twice, mut dropped) = (0, 0);
        crowd.receive(PATIENCE, |client, received, at| {
            match received {
                Received::Trigger => {
                    if std::mem::replace(&mut has_received[client], true) {
                        twice += 1;
                    } else {
                        missing -= 1;
                    }
                    // The client that is read last need not be the one that received last.
                    if at > last {
                        (last, who) = (at, client);
                    }
                }
                // The end of the stream follows a close frame.
                Received::Value | Received::Other | Received::Close(_) => {}
                Received::End => dropped += 1,
            }
            if missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.delivered += crowd.len() as u64 - missing;
        self.twice += twice;
        self.lost += missing;
        self.dropped += dropped;
        self.last_millis.push((last - sent).as_secs_f64() * 1e3);
        Ok((who, last))
    }
}

/// Background load: short-lived clients, clients that never read, and hostile clients.
struct Background {
    ended: Arc<AtomicBool>,
    short_lived: Arc<AtomicU64>,
    hostile: Arc<AtomicU64>,
    non_reading: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    fn start(address: SocketAddr) -> Self {
        let mut background = Self {
            ended: Arc::default(),
            short_lived: Arc::default(),
            hostile: Arc::default(),
            non_reading: Arc::default(),
            threads: Vec::new(),
        };
        let mut held = Vec::new();
        background.repeat(
            Duration::from_millis(20),
            &background.short_lived.clone(),
            move |round| {
                let wire = if round % 2 == 0 { Wire::Tutorial } else { Wire::V1 };
                held.extend(handshake(address, wire));
                // Some leave at once, some stay a while. None sends a close frame.
                if held.len() > 1 + (round % 40) as usize {
                    held.clear();
                }
                true
            },
        );
        let inputs = hostile_inputs();
        background.repeat(Duration::from_millis(50), &background.hostile.clone(), move |round| {
            let input = &inputs[round as usize % inputs.len()];
            let Ok(mut stream) = handshake(address, Wire::Tutorial) else { return false };
            // The relay may disconnect it before everything is written.
            let _ = stream.write_all(input);
            true
        });
        let requests = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3000);
        background.repeat(Duration::from_millis(200), &background.hostile.clone(), move |_| {
            let Ok(mut stream) = TcpStream::connect(address) else { return false };
            // It reads no responses, so the write may block and time out.
            let patience = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = patience.and_then(|()| stream.write_all(&requests));
            true
        });
        let mut non_reading: Vec<TcpStream> = Vec::new();
        background.repeat(
            Duration::from_millis(100),
            &background.non_reading.clone(),
            move |round| {
                if non_reading.len() < NON_READING {
                    non_reading.extend(non_reading_client(address));
                    return false;
                }
                // Some send a close frame while the relay still has data queued for them.
                if round % 20 == 0 {
                    let _ = non_reading[0].write_all(&masked(0x88, b"\x03\xe8"));
                }
                let before = non_reading.len();
                non_reading.retain(|stream| !was_disconnected(stream));
                non_reading.len() < before
            },
        );
        background
    }

    /// Calls `what` repeatedly on a thread, and counts how often it returns true.
    fn repeat(
        &mut self,
        every: Duration,
        count: &Arc<AtomicU64>,
        mut what: impl FnMut(u64) -> bool + Send + 'static,
    ) {
        let (ended, count) = (self.ended.clone(), count.clone());
        self.threads.push(thread::spawn(move || {
            for round in 0.. {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                if what(round) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(every);
            }
        }));
    }

    /// Stops the load. Returns the counts of short-lived clients, hostile inputs and disconnected
    /// non-reading clients.
    fn end(self) -> (u64, u64, u64) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.short_lived), count(&self.hostile), count(&self.non_reading))
    }
}

fn non_reading_client(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = handshake(address, Wire::V1).ok()?;
    let hello = br#"{"type":"hello","name":"non-reading","kind":"headless","client":"soak"}"#;
    stream.write_all(&masked(0x81, hello)).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Whether the relay has closed the connection, without reading what it sent.
fn was_disconnected(mut stream: &TcpStream) -> bool {
    // An unsolicited pong keeps the connection from timing out, and fails once the relay has closed
    // it.
    stream.write_all(&masked(0x8a, b"")).is_err()
}

fn hostile_inputs() -> Vec<Vec<u8>> {
    let mut noise = vec![0; 4096];
    // Without a random device, zeros are sent.
    let _ = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut noise));
    vec![
        b"\x81\x0dtrigger-input".to_vec(),
        masked(0x81, &vec![b'x'; 20_000]),
        [masked(0x01, b"x"), masked(0x00, b"").repeat(50_000)].concat(),
        masked(0x81, b"\xc3\x28"),
        masked(0x83, b"x"),
        masked(0x09, b"x"),
        [&[0x81, 0xff, 0, 0, 0, 1][..], &[0; 8]].concat(),
        masked(0x89, b"?").repeat(20_000),
        masked(0x88, b"\x03"),
        noise,
    ]
}

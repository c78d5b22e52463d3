//! A long day in a short time: clients come and go, some never read, some are hostile, the relay is
//! killed and comes back; and no client that behaves may miss a bang.
//!
//! ```text
//! SOAK_SECONDS=600 SOAK_CLIENTS=1000 SOAK_EVERY_MS=50 soak
//! ```
//!
//! A bang that took long is told with what the kernel says kept it. Ends with counts, and with code 1
//! if a bang was lost or the relay has grown. Each bang waits for the one before it to have reached
//! everyone, so that a loss has a name.

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
        crowd::{Crowd, Heard, Wire, masked, shake_hands},
        figures::quantile,
        pressure::Snapshot,
        server::Server,
    },
    relay::relay_command,
};

/// How long a bang may take to everyone before those who have not heard it count as losses.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bang that takes longer to the last is told of.
const STALL: Duration = Duration::from_millis(250);

/// So many of them; the rest is only counted.
const STALLS_TOLD: u64 = 10;

/// Clients that never read at any time.
const DEAF: usize = 20;

/// Free data of the loud bangs: what a deaf one does not read must fill the kernel's buffers in
/// minutes.
const LOUD_BYTES: usize = 4000;

/// The relay has grown if it holds more than it did by this part of that.
const LARGER: u64 = 4;

fn main() -> Result<ExitCode> {
    let seconds = setting("SOAK_SECONDS", 600)?;
    let clients = setting("SOAK_CLIENTS", 1000)? as usize;
    let every = Duration::from_millis(setting("SOAK_EVERY_MS", 50)?);
    allow_open_files(clients as u64 + 500)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tally = Tally::default();

    // The first life is short, and ends as a power cut would end it: in a full room.
    let relay = start("127.0.0.1:0")?;
    let address = relay.address();
    let mut room = Room::join(address, clients)?;
    let life = Duration::from_secs(seconds / 10);
    live(&relay, &mut room, every, Instant::now() + life, &mut tally)?;
    drop(relay);
    let bereft = room.hear_the_end()?;
    // They all come back to the one that takes its place.
    let relay = start(&address.to_string())?;
    let mut room = Room::join(address, clients)?;
    let memory = live(&relay, &mut room, every, end, &mut tally)?;

    println!("bangs sent           {}", tally.bangs);
    println!("deliveries           {}", tally.delivered);
    println!("lost                 {}", tally.lost);
    println!("heard twice          {}", tally.twice);
    println!("dropped, behaving    {}", tally.dropped);
    println!("power cut            heard by {bereft} of {clients}, who came back");
    println!("came and went        {}", tally.strangers);
    println!("hostile inputs       {}", tally.hostile);
    println!("deaf, shown out      {}", tally.deaf_cut_off);
    let last = |share| quantile(&tally.last_millis, share);
    println!(
        "last client          p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
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
    println!("memory of the relay  {:.1} MiB settled, {:.1} at the end", mib(settled), mib(ended));
    println!("its open files       {files_settled} settled, {files_ended} at the end");
    let grown = ended > settled + settled / LARGER;
    let wrong = tally.lost + tally.twice + tally.dropped;
    let held = wrong == 0 && bereft == clients && !grown;
    println!("{}", if held { "It held." } else { "It did not hold." });
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
    strangers: u64,
    hostile: u64,
    deaf_cut_off: u64,
    last_millis: Vec<f64>,
    stalls: u64,
    /// Those in which threads waited for a processor at least half as long as the bang took.
    starved: u64,
}

struct Memory {
    settled: u64,
    ended: u64,
    files_settled: usize,
    files_ended: usize,
}

/// Those who behave, on either wire.
struct Room {
    tutorial: Crowd,
    v1: Crowd,
}

impl Room {
    fn join(address: SocketAddr, clients: usize) -> Result<Self> {
        let mut tutorial = Crowd::join(address, Wire::Tutorial, clients / 2)?;
        let mut v1 = Crowd::join(address, Wire::V1, clients - clients / 2)?;
        admitted(&mut tutorial)?;
        admitted(&mut v1)?;
        Ok(Self { tutorial, v1 })
    }

    /// How many hear that the relay is gone.
    fn hear_the_end(&mut self) -> Result<usize> {
        let mut bereft = 0;
        for crowd in [&mut self.tutorial, &mut self.v1] {
            let mut left = crowd.len();
            crowd.hear(PATIENCE, |_, heard, _| {
                left -= usize::from(heard == Heard::End);
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            bereft += crowd.len() - left;
        }
        Ok(bereft)
    }
}

/// One life of the relay, until `end`.
fn live(
    relay: &Server,
    room: &mut Room,
    every: Duration,
    end: Instant,
    tally: &mut Tally,
) -> Result<Memory> {
    let Room { tutorial, v1 } = room;
    // Nobody else bangs: a stranger's would be one too many for the count.
    let trouble = Trouble::begin(relay.address());
    let loud = format!(r#"{{"type":"trigger","data":"{}"}}"#, "x".repeat(LOUD_BYTES));
    // It has settled after a tenth of its time.
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
            v1.say(tally.bangs as usize % v1.len(), loud.as_bytes())?;
        }
        tally.bangs += 1;
        let mut last = (sent, String::new());
        for (wire, crowd) in [("tutorial", &mut *tutorial), ("v1", &mut *v1)] {
            let (client, at) = tally.hear(crowd, sent)?;
            if at > last.0 {
                last = (at, format!("{wire} client {client}"));
            }
        }
        let took = last.0 - sent;
        if took > STALL {
            let pressure = Snapshot::take(&processes)?.since(&before);
            tally.stalls += 1;
            tally.starved += u64::from(pressure.starved_millis() * 2.0 > took.as_secs_f64() * 1e3);
            if tally.stalls <= STALLS_TOLD {
                println!("bang {} took {took:.0?} to {}; {pressure}", tally.bangs, last.1);
            }
        }
        // What could not be done in time is not made up for.
        next = (next + every).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let (strangers, hostile, deaf) = trouble.end();
    tally.strangers += strangers;
    tally.hostile += hostile;
    tally.deaf_cut_off += deaf;
    let (ended, files_ended) = (memory_bytes(relay.id())?, open_files(relay.id())?);
    let (settled, files_settled) = settled.unwrap_or((ended, files_ended));
    Ok(Memory { settled, ended, files_settled, files_ended })
}

/// Waits until a crowd has been quiet for a moment: then each of it is one of the room.
fn admitted(crowd: &mut Crowd) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline
        && crowd.hear(Duration::from_millis(500), |_, _, _| ControlFlow::Break(()))?
    {}
    Ok(())
}

impl Tally {
    /// Everyone of the crowd is to hear one bang. Who was the last to do so, and when.
    fn hear(&mut self, crowd: &mut Crowd, sent: Instant) -> Result<(usize, Instant)> {
        let mut heard_it = vec![false; crowd.len()];
        let mut missing = crowd.len() as u64;
        let (mut last, mut who) = (sent, 0);
        let (mut twice, mut dropped) = (0, 0);
        crowd.hear(PATIENCE, |client, heard, at| {
            match heard {
                Heard::Trigger => {
                    if std::mem::replace(&mut heard_it[client], true) {
                        twice += 1;
                    } else {
                        missing -= 1;
                    }
                    // The one that is read last need not be the one that heard it last.
                    if at > last {
                        (last, who) = (at, client);
                    }
                }
                // A close is followed by the end.
                Heard::Other | Heard::Close(_) => {}
                Heard::End => dropped += 1,
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

/// Those who come and go, those who never read, and those who mean harm.
struct Trouble {
    ended: Arc<AtomicBool>,
    strangers: Arc<AtomicU64>,
    hostile: Arc<AtomicU64>,
    deaf: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Trouble {
    fn begin(address: SocketAddr) -> Self {
        let mut trouble = Self {
            ended: Arc::default(),
            strangers: Arc::default(),
            hostile: Arc::default(),
            deaf: Arc::default(),
            threads: Vec::new(),
        };
        let mut held = Vec::new();
        trouble.repeat(Duration::from_millis(20), &trouble.strangers.clone(), move |round| {
            let wire = if round % 2 == 0 { Wire::Tutorial } else { Wire::V1 };
            held.extend(shake_hands(address, wire));
            // Some leave at once, some stay a while; none of them says goodbye.
            if held.len() > 1 + (round % 40) as usize {
                held.clear();
            }
            true
        });
        let inputs = hostile_inputs();
        trouble.repeat(Duration::from_millis(50), &trouble.hostile.clone(), move |round| {
            let input = &inputs[round as usize % inputs.len()];
            let Ok(mut stream) = shake_hands(address, Wire::Tutorial) else { return false };
            // It may be thrown out before it has said everything.
            let _ = stream.write_all(input);
            true
        });
        let requests = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3000);
        trouble.repeat(Duration::from_millis(200), &trouble.hostile.clone(), move |_| {
            let Ok(mut stream) = TcpStream::connect(address) else { return false };
            // It reads none of the answers, and so will not be rid of all of it.
            let patience = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = patience.and_then(|()| stream.write_all(&requests));
            true
        });
        let mut deaf: Vec<TcpStream> = Vec::new();
        trouble.repeat(Duration::from_millis(100), &trouble.deaf.clone(), move |round| {
            if deaf.len() < DEAF {
                deaf.extend(deaf_client(address));
                return false;
            }
            // Some say goodbye, with much still waiting for them.
            if round % 20 == 0 {
                let _ = deaf[0].write_all(&masked(0x88, b"\x03\xe8"));
            }
            let before = deaf.len();
            deaf.retain(|stream| !was_cut_off(stream));
            deaf.len() < before
        });
        trouble
    }

    /// Does something again and again on a thread, and counts how often it was true.
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

    /// Ends it; how many came and went, were hostile, were deaf and cut off.
    fn end(self) -> (u64, u64, u64) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.strangers), count(&self.hostile), count(&self.deaf))
    }
}

fn deaf_client(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = shake_hands(address, Wire::V1).ok()?;
    let hello = br#"{"type":"hello","name":"deaf","kind":"headless","client":"soak"}"#;
    stream.write_all(&masked(0x81, hello)).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Whether the relay has ended the connection. Asking does not read what it sent.
fn was_cut_off(mut stream: &TcpStream) -> bool {
    // An unsolicited pong keeps it from being silent, and fails once the other end is gone.
    stream.write_all(&masked(0x8a, b"")).is_err()
}

fn hostile_inputs() -> Vec<Vec<u8>> {
    let mut noise = vec![0; 4096];
    // Where there is no randomness, zeros will have to do.
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

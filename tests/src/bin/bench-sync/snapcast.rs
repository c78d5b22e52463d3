//! Snapcast on the same cards: one stream to all machines, which contains a click for each press.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, channel},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use downbeat_samples::wav;
use downbeat_tests::{
    lab::{Lab, Rig},
    process::Process,
    tools::{run, tool},
};

use crate::{Settings, peer, room::LATE_ONE_IN, table::Row};

/// Frames per write to the server: 10 ms at 48 kHz.
const BLOCK: usize = 480;
const BLOCK_TIME: Duration = Duration::from_millis(10);

/// How far ahead the stream is written, like a player's buffer. A server that underruns restarts
/// its stream, which puts the clients out of sync.
const AHEAD: Duration = Duration::from_millis(50);

/// Measures a snapserver with as many clients as there are players.
pub fn measure(settings: &Settings, rig: Rig) -> Result<Vec<Row>> {
    let (server, client) = (tool("snapserver")?, tool("snapclient")?);
    eprintln!("-- snapcast, {rig}");
    let lab = Lab::open_on(rig, settings.players + 1)?;
    let source = TcpListener::bind("127.0.0.1:0")?;
    let port = free_port()?;
    let mut command = lab.command(&server);
    command.current_dir(std::env::temp_dir());
    command.args(["--config", "/dev/null", "--tcp.enabled", "false", "--http.enabled", "false"]);
    command.args(["--stream.port", &port.to_string(), "--stream.codec", "pcm"]);
    command.arg("--server.datadir").arg(peer::home(&lab)?);
    let from = source.local_addr()?;
    let stream = format!("tcp://{from}?name=lab&mode=client&sampleformat=48000:16:2");
    command.args(["--stream.source", &stream]);
    let server = Process::spawn("snapserver", command)?;
    let feed = Feed::start(source)?;

    let start = |machine| {
        let mut command = lab.command_on(machine, &client);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--player", "pulse"]);
        command.args(["--hostID", &Lab::machine_name(machine), "--soundcard", &Lab::card(machine)]);
        Process::spawn(format!("snapclient {machine}"), command)
    };
    let first = settings.players - settings.players / LATE_ONE_IN;
    let mut clients = (0..first).map(start).collect::<Result<Vec<_>>>()?;
    let take = lab.record();
    // The first click may precede a client's connection, so that only some clients play it.
    let everywhere = (0..first).collect::<Vec<_>>();
    feed.click_until(|| take.wait_for_onsets(&everywhere, 1))
        .with_context(|| format!("snapserver printed:\n{}", server.transcript()))
        .with_context(|| format!("a snapclient printed:\n{}", clients[0].transcript()))?;
    drop(take);

    let name = format!("{}, {rig}", snapcast_version()?);
    let mut rows = peer::measure(&name, settings, &lab, feed.target, || {
        clients.extend((first..settings.players).map(start).collect::<Result<Vec<_>>>()?);
        Ok(())
    })?;
    rows[0].notes.push(
        "its buffer is 1000 ms, as it comes, and is fed 50 ms ahead; its clients do not say when \
         they know the time"
            .to_owned(),
    );
    Ok(rows)
}

fn snapcast_version() -> Result<String> {
    let printed = run(std::process::Command::new(tool("snapclient")?).arg("--version"))?;
    let version = printed.split_whitespace().nth(1).unwrap_or("?").to_owned();
    Ok(format!("Snapcast {}", version.trim_start_matches('v')))
}

/// A port that was free a moment ago: the server does not print the port that it chooses.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Writes silence at the sample rate to the server that connects, and a click for each press.
struct Feed {
    /// The address for presses: each is one byte.
    target: SocketAddr,
    /// Presses whose clicks have not been written.
    presses: Arc<AtomicUsize>,
}

impl Feed {
    fn start(source: TcpListener) -> Result<Self> {
        let click = frames(&wav::decode(peer::click()?)?.samples);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let feed = Self { target: listener.local_addr()?, presses: Arc::default() };
        let presses = Arc::clone(&feed.presses);
        thread::spawn(move || {
            let Ok((mut target, _)) = listener.accept() else { return };
            let mut bytes = [0; 16];
            while let Ok(count @ 1..) = target.read(&mut bytes) {
                presses.fetch_add(count, Relaxed);
            }
        });
        let presses = Arc::clone(&feed.presses);
        thread::spawn(move || write(&source, &click, &presses));
        Ok(feed)
    }

    /// Clicks repeatedly until `wait` returns.
    fn click_until(&self, wait: impl FnOnce() -> Result<()>) -> Result<()> {
        thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            scope.spawn(move || {
                while ended
                    .recv_timeout(Duration::from_secs(1))
                    .is_err_and(|e| e == RecvTimeoutError::Timeout)
                {
                    self.presses.fetch_add(1, Relaxed);
                }
            });
            let waited = wait();
            drop(done);
            waited
        })
    }
}

/// Writes to the connection that `source` accepts, until it ends.
fn write(source: &TcpListener, click: &[u8], pending: &AtomicUsize) {
    let Ok((mut server, _)) = source.accept() else { return };
    let silence = vec![0; BLOCK * 4];
    let begin = Instant::now();
    let mut blocks = 0;
    loop {
        let pressed = pending.load(Relaxed) > 0;
        let piece = if pressed { click } else { &silence };
        if server.write_all(piece).is_err() {
            return;
        }
        if pressed {
            pending.fetch_sub(1, Relaxed);
        }
        blocks += piece.len() / silence.len();
        let due = begin + BLOCK_TIME * blocks as u32;
        sleep(due.saturating_duration_since(Instant::now() + AHEAD));
    }
}

/// Converts a mono sound to 16-bit stereo frames, padded to whole blocks.
fn frames(sound: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in sound {
        let value = ((value * 32_767.0) as i16).to_le_bytes();
        bytes.extend([value, value].concat());
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK * 4), 0);
    bytes
}

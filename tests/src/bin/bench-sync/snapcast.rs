//! Snapcast on the same cards: one stream to all machines, with a click in it now and then.

use std::{
    io::Write as _,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use downbeat_samples::{EMBEDDED, wav};
use downbeat_tests::{
    lab::Lab,
    process::{PATIENCE, Process},
    tools::{run, tool},
};

use crate::{Settings, table::Row, unscheduled};

/// How long its clients take until they no longer correct much.
const SETTLING: Duration = Duration::from_secs(25);

/// What is written to the server at a time, in frames.
const BLOCK: usize = 480;

/// From one click to the next, in blocks.
const LEAST_GAP: usize = 60;
const MOST_GAP: usize = 90;

/// Measures as many clients of a snapserver as there are players.
pub fn measure(settings: &Settings) -> Result<Row> {
    let (server, client) = (tool("snapserver")?, tool("snapclient")?);
    let lab = Lab::open(settings.players)?;
    let source = TcpListener::bind("127.0.0.1:0")?;
    let port = free_port()?;
    let mut command = lab.command(&server);
    command.current_dir(std::env::temp_dir());
    command.args(["--config", "/dev/null", "--tcp.enabled", "false", "--http.enabled", "false"]);
    command.args(["--stream.port", &port.to_string(), "--stream.codec", "pcm"]);
    command.args(["--server.datadir", lab_folder(&lab)?.as_str()]);
    let from = source.local_addr()?;
    let stream = format!("tcp://{from}?name=lab&mode=client&sampleformat=48000:16:2");
    command.args(["--stream.source", &stream]);
    let server = Process::spawn("snapserver", command)?;
    let clicks = feed(source)?;

    let clients = (0..settings.players).map(|machine| {
        let mut command = lab.command_on(machine, &client);
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--player", "pulse"]);
        command.args(["--hostID", &Lab::machine_name(machine), "--soundcard", &Lab::card(machine)]);
        Process::spawn(format!("snapclient {machine}"), command)
    });
    let clients = clients.collect::<Result<Vec<_>>>()?;
    let heard = lab.record();
    heard
        .wait_for_onsets(&(0..settings.players).collect::<Vec<_>>(), 1)
        .with_context(|| format!("snapserver printed:\n{}", server.transcript()))
        .with_context(|| format!("a snapclient printed:\n{}", clients[0].transcript()))?;
    sleep(SETTLING);

    let take = lab.record();
    let enough = clicks.load(Relaxed) + settings.bangs;
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(settings.bangs as u64);
    while clicks.load(Relaxed) < enough && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    let recording = take.stop()?;
    let mut row = unscheduled::row(&snapcast_version()?, &recording, settings.players);
    row.notes.push("its buffer, and so press to sound, is 1000 ms as it comes".to_owned());
    Ok(row)
}

fn snapcast_version() -> Result<String> {
    let printed = run(std::process::Command::new(tool("snapclient")?).arg("--version"))?;
    let version = printed.split_whitespace().nth(1).unwrap_or("?").to_owned();
    Ok(format!("Snapcast {}", version.trim_start_matches('v')))
}

/// A folder that is gone with the lab.
fn lab_folder(lab: &Lab) -> Result<String> {
    let command = lab.command("x");
    let home = command.get_envs().find(|(name, _)| *name == "HOME").and_then(|(_, value)| value);
    Ok(home.and_then(|home| home.to_str()).context("the lab has a home")?.to_owned())
}

/// A port that was free a moment ago: the server does not tell which one it chose.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Writes silence, and at random a click, to whoever connects, at the pace of a sound card. Returns
/// the count of clicks so far.
fn feed(source: TcpListener) -> Result<Arc<AtomicUsize>> {
    let click = EMBEDDED.first().context("the bank is empty")?;
    let click = wav::decode(click.wav)?.samples;
    let block: Vec<u8> = vec![0; BLOCK * 4];
    let mut sound = Vec::new();
    for value in click {
        let value = ((value * 32_767.0) as i16).to_le_bytes();
        sound.extend([value, value].concat());
    }
    sound.resize(sound.len().next_multiple_of(block.len()), 0);
    let clicks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&clicks);
    thread::spawn(move || {
        let Ok((mut server, _)) = source.accept() else { return };
        let begin = Instant::now();
        let (mut blocks, mut next) = (0_usize, MOST_GAP);
        // It ends with the server.
        loop {
            let piece = if blocks >= next { &sound } else { &block };
            if server.write_all(piece).is_err() {
                return;
            }
            if blocks >= next {
                count.fetch_add(1, Relaxed);
                next = blocks + fastrand::usize(LEAST_GAP..MOST_GAP);
            }
            blocks += piece.len() / block.len();
            let due = begin + Duration::from_millis(10) * blocks as u32;
            sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    Ok(clicks)
}

//! soundworks on the same cards: a server, and on each machine a Node process that plays through
//! Node's Web Audio.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    lab::{Lab, Rig},
    process::{From, Mark, Process},
    tools::{package_folder, tool},
};
use serde_json::Value;

use crate::{Settings, peer, room::LATE_ONE_IN, table::Row};

/// Routes ALSA, which Node's Web Audio uses, to PulseAudio.
const ALSA: &str = "pcm.!default { type pulse }\nctl.!default { type pulse }\n";

/// Deadline for the start of all players: each is a Node process.
const STARTING: Duration = Duration::from_secs(90);

/// Measures as many players as there are of Downbeat's.
pub fn measure(settings: &Settings, rig: Rig) -> Result<Vec<Row>> {
    let version = version("@soundworks/core")?;
    eprintln!("-- soundworks, {rig}");
    let lab = Lab::open_on(rig, settings.players + 1)?;
    let home = peer::home(&lab)?;
    fs::write(home.join(".asoundrc"), ALSA).context("writing ALSA's settings")?;
    let click = home.join("click.wav");
    fs::write(&click, peer::click()?).context("writing the click")?;

    // A port that was free a moment ago: the server needs a given port.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let node = |mut command: Command, script: &str, arguments: &[&str]| {
        command.current_dir(&home);
        command.arg(folder().join(script)).arg(&port).args(arguments);
        // Node's Web Audio tries JACK first, and would start a server.
        command.env("JACK_NO_START_SERVER", "1");
        Process::spawn(script, command)
    };
    let program = tool("node")?;
    let server = node(lab.command(&program), "server.js", &[])?;
    server.wait_for("ready")?;
    let controller = node(lab.command(&program), "controller.js", &[])?;
    let click = click.to_str().context("the lab's path is valid UTF-8")?;
    let start = |machine| node(lab.command_on(machine, &program), "player.js", &[click]);
    let first = settings.players - settings.players / LATE_ONE_IN;
    let mut players = (0..first).map(start).collect::<Result<Vec<_>>>()?;
    let listens = controller.wait_for("listening on ")?;
    let listens = listens.rsplit(' ').next().unwrap_or_default();
    let until = Instant::now() + STARTING;
    let syncs = players.iter().map(|player| synced(player, until)).collect::<Result<Vec<_>>>()?;

    let target = format!("127.0.0.1:{listens}").parse().context("the controller's address")?;
    let name = format!("soundworks {version}, {rig}");
    let mut rows = peer::measure(&name, settings, &lab, target, || {
        let until = Instant::now() + STARTING;
        for machine in first..settings.players {
            let player = start(machine)?;
            synced(&player, until)?;
            players.push(player);
        }
        Ok(())
    })?;
    rows[0].syncs = syncs;
    rows[0].notes.push(
        "its lead is 500 ms, as in the documentation of its plugin for synchrony; in Node, over \
         ALSA's way to PulseAudio, with the latency hint that its audio library advises there"
            .to_owned(),
    );
    Ok(rows)
}

/// Time from connecting to a player's first clock estimate, in milliseconds.
fn synced(player: &Process, until: Instant) -> Result<f64> {
    const SYNCED: &str = "synced after ";
    let patience = until.saturating_duration_since(Instant::now());
    let line = player.wait_for_line(Mark::default(), patience, |from, line| {
        from == From::Stdout && line.starts_with(SYNCED)
    })?;
    let micros: f64 = line[SYNCED.len()..].parse().with_context(|| format!("{line:?}"))?;
    Ok(micros / 1e3)
}

fn folder() -> PathBuf {
    package_folder().join("soundworks")
}

/// The installed version of a package.
fn version(package: &str) -> Result<String> {
    let file = folder().join("node_modules").join(package).join("package.json");
    ensure!(
        file.is_file(),
        "{package} is not installed: run `npm ci --prefix tests/soundworks` first, as `make \
         bench-sync` does"
    );
    let described: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    Ok(described["version"].as_str().context("a package has a version")?.to_owned())
}

//! PipeWire as packaged by Debian: PipeWire, WirePlumber as its session manager, and
//! `pipewire-pulse`.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, ensure};

use super::{POLL_INTERVAL, Rig};
use crate::{
    process::{PATIENCE, Process},
    recorder::RATE,
    tools::{run, tool},
};

/// The sink's channel positions. PipeWire maps channels by these names.
const POSITIONS: [&str; 12] = [
    "front-left",
    "front-right",
    "rear-left",
    "rear-right",
    "front-center",
    "lfe",
    "side-left",
    "side-right",
    "front-left-of-center",
    "front-right-of-center",
    "rear-center",
    "top-center",
];

/// The channel position of a machine.
pub(super) fn position(machine: usize) -> Result<&'static str> {
    let most = POSITIONS.len();
    POSITIONS
        .get(machine)
        .copied()
        .with_context(|| format!("a lab on PipeWire has {most} machines"))
}

/// The address of the lab's session bus.
pub(super) fn bus(folder: &Path) -> String {
    format!("unix:path={}", folder.join("bus").display())
}

/// Starts the servers, with a null sink called `room`. Returns each server before those it depends
/// on.
pub(super) fn start(folder: &Path, channels: usize, map: &str) -> Result<Vec<Process>> {
    let mut servers = Servers { folder, running: Vec::new() };
    servers.start("dbus-daemon", &["--session", "--nofork", "--address", &bus(folder)])?;
    servers.wait_until("dbus-daemon listens", || folder.join("bus").exists())?;
    servers.start("pipewire", &[])?;
    servers.wait_until("PipeWire listens", || folder.join("pipewire-0").exists())?;
    servers.start("wireplumber", &[])?;
    servers.start("pipewire-pulse", &[])?;
    servers.wait_until("pipewire-pulse answers", || servers.pactl(&["info"]).is_ok())?;
    let (rate, channels) = (format!("rate={RATE}"), format!("channels={channels}"));
    let map = format!("channel_map={map}");
    servers.pactl(&[
        "load-module",
        "module-null-sink",
        "sink_name=room",
        &rate,
        &channels,
        &map,
    ])?;
    // The session manager makes the sink the default asynchronously.
    servers.wait_until("WirePlumber has configured the sink", || {
        servers.pactl(&["get-default-sink"]).is_ok_and(|sink| sink == "room")
    })?;
    Ok(servers.running)
}

struct Servers<'a> {
    folder: &'a Path,
    running: Vec<Process>,
}

impl Servers<'_> {
    fn start(&mut self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Rig::PipeWire.command(self.folder, tool(program)?);
        // Only this process is the server; the others connect to it.
        command.env_remove("PULSE_SERVER").args(arguments);
        self.running.insert(0, Process::spawn(program, command)?);
        Ok(())
    }

    fn pactl(&self, arguments: &[&str]) -> Result<String> {
        run(Rig::PipeWire.command(self.folder, tool("pactl")?).args(arguments))
    }

    /// Polls until `so` returns true.
    fn wait_until(&self, what: &str, so: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !so() {
            let ended = self.running.iter().find(|process| process.has_ended());
            ensure!(
                ended.is_none() && Instant::now() < deadline,
                "waiting until {what}; {}",
                ended.map_or_else(
                    || "time is up".to_owned(),
                    |p| format!("{} ended:\n{}", p.name(), p.transcript())
                )
            );
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

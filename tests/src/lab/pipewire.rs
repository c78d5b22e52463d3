//! A room of machines on PipeWire, as Debian has it: PipeWire, `WirePlumber` as its session manager, and
//! `pipewire-pulse`, through which players speak to it.
//!
//! All machines share one null sink with default settings. Each has a remapped sink of its own, which
//! feeds one channel of the null sink. The null sink's monitor is recorded, so that all machines are
//! recorded on one clock.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{LOOK_EVERY, be_alone, set_environment};
use crate::{
    process::{PATIENCE, Process},
    recorder::{RATE, Recording},
    tools::{binary, run, tool},
};

/// The positions of the null sink's channels. PipeWire maps by these names.
const POSITIONS: [&str; 8] = [
    "front-left",
    "front-right",
    "rear-left",
    "rear-right",
    "front-center",
    "lfe",
    "side-left",
    "side-right",
];

/// How long a series of bangs may take.
const LONGEST_BANG: Duration = Duration::from_mins(5);

/// What may be on its way to the recorder when a take is stopped.
const TAIL: Duration = Duration::from_millis(500);

/// The room.
// Fields are dropped in this order: first who needs the others, last the folder.
#[derive(Debug)]
pub struct PipewireLab {
    processes: Vec<Process>,
    machines: usize,
    folder: TempDir,
    _alone: File,
}

impl PipewireLab {
    /// Sets up a room of `machines` machines, numbered from 0. Waits for other labs to close.
    ///
    /// # Errors
    /// If a tool is missing, or one of the servers does not start.
    pub fn open(machines: usize) -> Result<Self> {
        let most = POSITIONS.len();
        ensure!((1..=most).contains(&machines), "a lab on PipeWire has 1 to {most} machines");
        let alone = be_alone()?;
        let folder = tempfile::tempdir().context("making a folder for the lab")?;
        fs::create_dir(folder.path().join("home")).context("making a home for the lab")?;
        let mut lab = Self { processes: Vec::new(), machines, folder, _alone: alone };
        lab.start("dbus-daemon", &["--session", "--nofork", "--address", &lab.bus()])?;
        lab.wait_until("dbus-daemon listens", |lab| lab.folder.path().join("bus").exists())?;
        lab.start("pipewire", &[])?;
        lab.wait_until("PipeWire listens", |lab| lab.folder.path().join("pipewire-0").exists())?;
        lab.start("wireplumber", &[])?;
        lab.start("pipewire-pulse", &[])?;
        lab.wait_until("pipewire-pulse answers", |lab| lab.pactl(&["info"]).is_ok())?;

        let map = POSITIONS[..machines].join(",");
        let sink = format!("channels={machines}");
        let map = format!("channel_map={map}");
        let null = ["load-module", "module-null-sink", "sink_name=room", "rate=48000"];
        lab.pactl(&[&null[..], &[&sink, &map]].concat())?;
        // The session manager makes the sink the default one in its own time.
        lab.wait_until("WirePlumber has taken the sink in", |lab| {
            lab.pactl(&["get-default-sink"]).is_ok_and(|sink| sink == "room")
        })?;
        for (machine, position) in POSITIONS[..machines].iter().enumerate() {
            lab.pactl(&[
                "load-module",
                "module-remap-sink",
                "master=room",
                "channels=1",
                "channel_map=mono",
                "remix=no",
                &format!("master_channel_map={position}"),
                &format!("sink_name={}", Self::card(machine)),
                &format!("sink_properties=device.description={}", Self::card(machine)),
            ])?;
        }
        Ok(lab)
    }

    /// How many machines it has.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.machines
    }

    /// The name of a machine's sink, as `--device` takes it.
    #[must_use]
    pub fn card(machine: usize) -> String {
        format!("card{machine}")
    }

    /// Asks the room's sound server.
    ///
    /// # Errors
    /// If it refuses.
    pub fn pactl(&self, arguments: &[&str]) -> Result<String> {
        run(self.command(tool("pactl")?).args(arguments)).with_context(|| {
            let printed: Vec<_> = self.processes.iter().map(Process::transcript).collect();
            format!("the servers printed:\n{}", printed.concat())
        })
    }

    /// A command whose sound goes to the room, and whose home is the lab's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        set_environment(&mut command, self.folder.path(), &self.socket());
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus());
        command
    }

    /// Starts `downbeat play` on a machine, with these arguments beside the usual ones.
    ///
    /// # Errors
    /// If it is not built.
    pub fn start_play(&self, machine: usize, relay: &str, arguments: &[&str]) -> Result<Process> {
        let mut command = self.command(binary("downbeat")?);
        command.args(["play", relay, "--device", &Self::card(machine)]).args(arguments);
        command.args(["--name", &format!("machine-{machine}")]);
        Process::spawn(format!("downbeat play on machine {machine}"), command)
    }

    /// Runs `downbeat bang` to its end.
    ///
    /// # Errors
    /// If it is not built, or ends with anything but success.
    pub fn bang(&self, relay: &str, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(binary("downbeat")?);
        command.args(["bang", relay]).args(arguments);
        let mut bang = Process::spawn("downbeat bang", command)?;
        ensure!(bang.wait(LONGEST_BANG)?.success(), "downbeat bang failed");
        Ok(())
    }

    /// Starts to record every machine.
    ///
    /// # Errors
    /// If nothing is recorded within [`PATIENCE`].
    pub fn record(&self) -> Result<PipewireTake> {
        let file = self.folder.path().join("take");
        let mut command = self.command(tool("parec")?);
        command.args(["--device=room.monitor", "--format=float32le", "--raw"]);
        command.args([format!("--rate={RATE}"), format!("--channels={}", self.machines)]);
        command.arg(format!("--channel-map={}", POSITIONS[..self.machines].join(",")));
        command.stdin(Stdio::null()).arg(&file);
        let recorder = Process::spawn("parec", command)?;
        self.wait_until("parec records", |_| fs::metadata(&file).is_ok_and(|f| f.len() > 0))?;
        Ok(PipewireTake { recorder, file, machines: self.machines })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("pulse/native")
    }

    fn bus(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    fn start(&mut self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(tool(program)?);
        // This one is the server: nothing else tells it where to be.
        command.env_remove("PULSE_SERVER").args(arguments);
        self.processes.insert(0, Process::spawn(program, command)?);
        Ok(())
    }

    /// Waits for what nothing tells of.
    fn wait_until(&self, what: &str, so: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !so(self) {
            let ended = self.processes.iter().find(|process| process.has_ended());
            ensure!(
                ended.is_none() && Instant::now() < deadline,
                "waiting until {what}; {}",
                ended.map_or_else(
                    || "time is up".to_owned(),
                    |p| format!("{} ended:\n{}", p.name(), p.transcript())
                )
            );
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// A recording under way.
#[derive(Debug)]
pub struct PipewireTake {
    recorder: Process,
    file: PathBuf,
    machines: usize,
}

impl PipewireTake {
    /// Records until all that sounds now has passed, and ends the take.
    ///
    /// # Errors
    /// If the recorder has failed.
    pub fn stop(mut self) -> Result<Recording> {
        std::thread::sleep(TAIL);
        self.recorder.terminate()?;
        self.recorder.wait(PATIENCE)?;
        let bytes = fs::read(&self.file).context("reading the recording")?;
        let values = bytes.as_chunks::<{ size_of::<f32>() }>().0;
        let values: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        let whole = values.len() / self.machines * self.machines;
        Ok(Recording::from_interleaved(&values[..whole], self.machines))
    }
}

//! A room of machines on one machine: each has a sound card of its own, and all cards are recorded
//! together.
//!
//! The cards are the channels of one sink behind a private sound server, so one clock drives them all,
//! and what differs between two channels is what differs between two players. [`Rig`] says which sink.
//! One lab stands at a time on this machine, whichever process opened it: two would disturb each
//! other's timing.

mod pipewire;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    card::Card,
    process::{From, PATIENCE, Process},
    recorder::{RATE, Recorder, Take},
    relay::forget_settings,
    tools::{binary, run, tool},
};

/// Most machines of a lab: PulseAudio's limit on channels is 32, and aux positions go to 31.
pub const MAX_MACHINES: usize = 32;

/// Fewest channels of the room's card: its buffer comes in pieces of a few KiB, and with fewer
/// channels each would last too long.
const MIN_CHANNELS: usize = 9;

/// The rate that PulseAudio calls its own, and browsers therefore play at: that of the room's card,
/// so that nothing has to be resampled.
const SETTINGS: &str = "default-sample-rate = 48000\navoid-resampling = yes\n";

/// How long one may wait for other labs to close: a whole suite's tests may be in the queue.
const MAX_WAIT_FOR_LOCK: Duration = Duration::from_mins(10);

/// How often something that tells nothing by itself is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the cards of a lab are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rig {
    /// A [`Card`] that takes frames at the pace of this machine's clock, as a good one does.
    Fine,
    /// PulseAudio's own null sink with default settings, whose clock slips when streams come and go.
    Stock,
    /// A null sink with default settings on PipeWire, with WirePlumber as its session manager. Players
    /// speak to it through `pipewire-pulse`.
    PipeWire,
}

impl std::str::FromStr for Rig {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "fine" => Ok(Self::Fine),
            "stock" => Ok(Self::Stock),
            "pipewire" => Ok(Self::PipeWire),
            _ => bail!("a rig {word:?}: there are fine, stock and pipewire"),
        }
    }
}

impl std::fmt::Display for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fine => "fine",
            Self::Stock => "stock",
            Self::PipeWire => "pipewire",
        })
    }
}

/// The room.
// Fields are dropped in this order: first who listens, then the server, then its folder.
#[derive(Debug)]
pub struct Lab {
    recorder: Recorder,
    rig: Rig,
    cards: Vec<Option<u32>>,
    /// The sound server and what it needs; who needs the others comes first.
    servers: Vec<Process>,
    folder: TempDir,
    _alone: File,
}

impl Lab {
    /// Sets up a room of `machines` machines, numbered from 0. Waits for other labs to close.
    ///
    /// # Errors
    /// If a tool is missing, or PulseAudio does not start.
    pub fn open(machines: usize) -> Result<Self> {
        Self::open_on(Rig::Fine, machines)
    }

    /// Sets up a room of `machines` machines on cards of another kind than [`Rig::Fine`].
    ///
    /// # Errors
    /// If a tool is missing, or the sound server does not start.
    pub fn open_on(rig: Rig, machines: usize) -> Result<Self> {
        ensure!((1..=MAX_MACHINES).contains(&machines), "a lab has 1 to {MAX_MACHINES} machines");
        let alone = lock_machine()?;
        let folder = tempfile::tempdir().context("making a folder for the lab")?;
        std::fs::create_dir(folder.path().join("home")).context("making a home for the lab")?;
        let room = folder.path();
        let (recorder, servers) = match rig {
            Rig::Fine => {
                let channels = machines.max(MIN_CHANNELS);
                let card = Card::plug(&pipe(room), channels)?;
                let recorder = Recorder::start(card, channels, machines);
                let sink = format!(
                    "module-pipe-sink sink_name=room file={} rate={RATE} format=float32le \
                     channels={channels} channel_map={}",
                    pipe(room).display(),
                    rig.channel_map(channels)?
                );
                (recorder, vec![start_server(room, &sink)?])
            }
            Rig::Stock => {
                let map = rig.channel_map(machines)?;
                let sink = format!(
                    "module-null-sink sink_name=room rate={RATE} channels={machines} \
                     channel_map={map}"
                );
                let server = start_server(room, &sink)?;
                (Recorder::listen(rig.monitor(room, machines)?, machines)?, vec![server])
            }
            Rig::PipeWire => {
                let map = rig.channel_map(machines)?;
                let servers = pipewire::start(room, machines, &map)?;
                (Recorder::listen(rig.monitor(room, machines)?, machines)?, servers)
            }
        };
        let cards = vec![None; machines];
        let mut lab = Self { recorder, rig, cards, servers, folder, _alone: alone };
        for machine in 0..machines {
            lab.plug(machine)?;
        }
        Ok(lab)
    }

    /// How many machines it has.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.cards.len()
    }

    /// The name of a machine's sound card for PulseAudio, and the end of its id for a player.
    #[must_use]
    pub fn card(machine: usize) -> String {
        format!("card{machine}")
    }

    /// What people call that card.
    #[must_use]
    pub fn card_description(machine: usize) -> String {
        format!("Lab-card-{machine}")
    }

    /// Plugs a machine's sound card in again, after [`Self::unplug`].
    ///
    /// # Errors
    /// If PulseAudio refuses.
    pub fn plug(&mut self, machine: usize) -> Result<()> {
        let card = Self::card(machine);
        let description = Self::card_description(machine);
        let module = self.pactl(&[
            "load-module",
            "module-remap-sink",
            "master=room",
            "channels=1",
            "channel_map=mono",
            "remix=no",
            &format!("master_channel_map={}", self.rig.position(machine)?),
            &format!("sink_name={card}"),
            &format!("sink_properties=device.description={description}"),
        ])?;
        let module = module.parse().with_context(|| format!("pactl printed {module:?}"))?;
        self.cards[machine] = Some(module);
        Ok(())
    }

    /// Pulls a machine's sound card out.
    ///
    /// # Errors
    /// If it is not plugged in, or PulseAudio refuses.
    pub fn unplug(&mut self, machine: usize) -> Result<()> {
        let module = self.cards[machine].take().context("the card is not plugged in")?;
        self.pactl(&["unload-module", &module.to_string()])?;
        Ok(())
    }

    /// Asks the room's PulseAudio.
    ///
    /// # Errors
    /// If it refuses.
    pub fn pactl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(tool("pactl")?);
        run(command.args(arguments)).with_context(|| {
            let printed: Vec<_> = self.servers.iter().map(Process::transcript).collect();
            format!("the sound server printed:\n{}", printed.concat())
        })
    }

    /// The file that the sound server listens at.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.rig.socket(self.folder.path())
    }

    /// A command whose sound goes to the room, and whose home is the lab's: settings and caches of
    /// the user are neither read nor touched.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.rig.command(self.folder.path(), program)
    }

    /// A command whose sound goes to a machine's card, if it is one that leaves the choice to
    /// PulseAudio.
    #[must_use]
    pub fn command_on(&self, machine: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.command(program);
        command.env("PULSE_SINK", Self::card(machine));
        command
    }

    /// The command `downbeat`, without arguments yet.
    ///
    /// # Errors
    /// If it is not built.
    pub fn downbeat(&self) -> Result<Command> {
        Ok(self.command(binary("downbeat")?))
    }

    /// Starts `downbeat play` on a machine, and waits until a bang would sound there.
    ///
    /// # Errors
    /// If it is not built or not ready in time.
    pub fn play(&self, machine: usize, relay: &str) -> Result<Process> {
        let player = self.start_play(machine, relay)?;
        wait_until_ready(&player)?;
        Ok(player)
    }

    /// Starts `downbeat play` on a machine.
    ///
    /// # Errors
    /// If it is not built.
    pub fn start_play(&self, machine: usize, relay: &str) -> Result<Process> {
        let mut command = self.downbeat()?;
        command.args(["play", relay, "--device", &Self::card_description(machine)]);
        command.args(["--name", &Self::machine_name(machine)]);
        Process::spawn(format!("downbeat play on machine {machine}"), command)
    }

    /// Runs `downbeat bang` to its end.
    ///
    /// # Errors
    /// If it is not built, or ends with anything but success.
    pub fn bang(&self, relay: &str, arguments: &[&str]) -> Result<()> {
        let mut command = self.downbeat()?;
        command.args(["bang", relay]).args(arguments);
        Process::spawn("downbeat bang", command)?.expect_exit(0)
    }

    /// What a player started by [`Self::play`] is called in the room.
    #[must_use]
    pub fn machine_name(machine: usize) -> String {
        format!("machine-{machine}")
    }

    /// Starts to record every card.
    #[must_use]
    pub fn record(&self) -> Take {
        self.recorder.record()
    }
}

/// Waits until a `downbeat play` would sound: it has an output, and all sounds of the relay that it
/// talks to now.
///
/// # Errors
/// If it does not within [`PATIENCE`].
pub fn wait_until_ready(player: &Process) -> Result<()> {
    player
        .wait_until(PATIENCE, |lines| {
            let last = |begins: &[&str]| {
                lines.iter().rposition(|line| {
                    line.from == From::Stdout && begins.iter().any(|b| line.text.starts_with(b))
                })
            };
            // Nothing comes before everything: a player that never lost its relay has not lost it.
            let greeted = last(&["Connected"]);
            let ready = greeted > last(&["Lost the relay"])
                && last(&["Output: "]) > last(&["No output"])
                && last(&["Ready: "]) > greeted;
            ready.then_some(())
        })
        .context("waiting until a player is ready")
}

/// Waits until no other lab stands on this machine, and holds the place while the file is open.
fn lock_machine() -> Result<File> {
    let path = std::env::temp_dir().join("downbeat-lab.lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    let deadline = Instant::now() + MAX_WAIT_FOR_LOCK;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(POLL_INTERVAL);
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("another lab holds {}, and does not close", path.display())
                });
            }
        }
    }
}

impl Rig {
    /// What a program of the lab in `folder` needs to know.
    fn command(self, folder: &Path, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        set_environment(&mut command, folder, &self.socket(folder));
        if self == Self::PipeWire {
            command.env("DBUS_SESSION_BUS_ADDRESS", pipewire::bus(folder));
        }
        command
    }

    fn socket(self, folder: &Path) -> PathBuf {
        match self {
            // Not "pulse": PulseAudio makes a folder of that name for itself.
            Self::Fine | Self::Stock => folder.join("native"),
            Self::PipeWire => folder.join("pulse/native"),
        }
    }

    /// The position of a machine's channel on the room's sink.
    fn position(self, machine: usize) -> Result<String> {
        match self {
            Self::Fine | Self::Stock => Ok(format!("aux{machine}")),
            Self::PipeWire => pipewire::position(machine).map(str::to_owned),
        }
    }

    fn channel_map(self, channels: usize) -> Result<String> {
        let positions = (0..channels).map(|channel| self.position(channel));
        Ok(positions.collect::<Result<Vec<_>>>()?.join(","))
    }

    /// A command that writes what the room's sink plays.
    fn monitor(self, folder: &Path, machines: usize) -> Result<Command> {
        let mut command = self.command(folder, tool("parec")?);
        // No latency is asked for: the sink's own would follow it.
        command.args(["--device=room.monitor", "--format=float32le", "--raw"]);
        command.args([format!("--rate={RATE}"), format!("--channels={machines}")]);
        command.arg(format!("--channel-map={}", self.channel_map(machines)?));
        Ok(command)
    }
}

/// Starts PulseAudio with a sink called `room`.
fn start_server(folder: &Path, sink: &str) -> Result<Process> {
    let settings = folder.join("daemon.conf");
    std::fs::write(&settings, SETTINGS).context("writing PulseAudio's settings")?;
    let mut command = Command::new(tool("pulseaudio")?);
    set_environment(&mut command, folder, &Rig::Stock.socket(folder));
    command.env("PULSE_CONFIG", &settings);
    // No configuration but ours, never idle, and none of what needs a desktop around it.
    command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]);
    command.args(["--system=false", "--disable-shm=yes"]);
    // As a desktop has it: what feeds the card goes before what does not sound.
    command.args(["--realtime=yes", "--high-priority=yes"]);
    let load = |command: &mut Command, module: &str| {
        command.args(["--load", module]);
    };
    // Where sound goes that was sent nowhere: not into the recording.
    load(&mut command, "module-null-sink sink_name=nowhere rate=48000 channels=2");
    load(&mut command, sink);
    // Loaded last: who can connect finds everything else there.
    load(
        &mut command,
        &format!(
            "module-native-protocol-unix socket={} auth-anonymous=1 auth-cookie-enabled=0",
            Rig::Stock.socket(folder).display()
        ),
    );
    let server = Process::spawn("pulseaudio", command)?;
    wait_for_server(&server, folder)?;
    Ok(server)
}

/// Waits until the server answers. Nothing tells when it does, so it is asked again and again.
fn wait_for_server(server: &Process, folder: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut command = Command::new(tool("pactl")?);
        set_environment(&mut command, folder, &Rig::Stock.socket(folder));
        let answer = run(command.args(["set-default-sink", "nowhere"]));
        if answer.is_ok() {
            return Ok(());
        }
        if server.has_ended() || Instant::now() > deadline {
            return answer.map(drop).with_context(|| {
                format!("PulseAudio does not answer; it printed:\n{}", server.transcript())
            });
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// What PulseAudio plays into.
fn pipe(folder: &Path) -> PathBuf {
    folder.join("room")
}

fn set_environment(command: &mut Command, folder: &Path, socket: &Path) {
    forget_settings(command);
    command.env("HOME", folder.join("home"));
    command.env("XDG_RUNTIME_DIR", folder);
    command.env("PULSE_SERVER", format!("unix:{}", socket.display()));
    for variable in [
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "DBUS_SESSION_BUS_ADDRESS",
        "PULSE_SINK",
        "PULSE_COOKIE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
    ] {
        command.env_remove(variable);
    }
}

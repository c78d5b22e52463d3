//! Simulates several machines on one: each has a sound card of its own, and all cards are recorded
//! together.
//!
//! The cards are the channels of one sink of a private sound server. One clock drives them all, so
//! a difference between two channels is a difference between two players. [`Rig`] selects the sink.
//! Only one lab runs on this machine at a time, across all processes: two would disturb each
//! other's timing.

mod pipewire;

use std::{
    fs::File,
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
    relay::clear_settings,
    tools::{binary, run, tool},
};

/// Largest number of machines. PulseAudio allows 32 channels, and aux positions up to 31.
pub const MAX_MACHINES: usize = 32;

/// Smallest number of channels of the lab's card. Its buffer consists of pieces of a few KiB, and
/// with fewer channels each piece would last too long.
const MIN_CHANNELS: usize = 9;

/// PulseAudio's default sample rate, at which browsers play: the card's rate, so that nothing is
/// resampled.
const SETTINGS: &str = "default-sample-rate = 48000\navoid-resampling = yes\n";

/// Polling interval for conditions that send no notification.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The kind of sink behind the cards of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rig {
    /// A [`Card`] that reads frames at the rate of this machine's clock, like good hardware.
    Fine,
    /// PulseAudio's null sink with default settings, whose clock slips when streams open and close.
    Stock,
    /// A null sink with default settings on PipeWire, with WirePlumber as its session manager.
    /// Players connect through `pipewire-pulse`.
    PipeWire,
}

impl std::str::FromStr for Rig {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fine" => Ok(Self::Fine),
            "stock" => Ok(Self::Stock),
            "pipewire" => Ok(Self::PipeWire),
            _ => bail!("unknown rig {text:?}: the rigs are fine, stock and pipewire"),
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

/// The simulated machines.
// Fields are dropped in this order: the recorder, the server, its folder.
#[derive(Debug)]
pub struct Lab {
    recorder: Recorder,
    rig: Rig,
    cards: Vec<Option<u32>>,
    /// The sound server and the programs it needs; a program comes before those it depends on.
    servers: Vec<Process>,
    folder: TempDir,
    _lock: File,
}

impl Lab {
    /// Opens a lab of `machines` machines, numbered from 0. Waits for other labs to close, unless each of them has
    /// one machine only: then nothing is measured that they would disturb.
    ///
    /// # Errors
    /// If a tool is missing, or PulseAudio does not start.
    pub fn open(machines: usize) -> Result<Self> {
        Self::open_on(Rig::Fine, machines)
    }

    /// Opens a lab of `machines` machines on the given rig.
    ///
    /// # Errors
    /// If a tool is missing, or the sound server does not start.
    pub fn open_on(rig: Rig, machines: usize) -> Result<Self> {
        ensure!((1..=MAX_MACHINES).contains(&machines), "a lab has 1 to {MAX_MACHINES} machines");
        let lock = lock_machine(machines > 1)?;
        let folder = tempfile::tempdir().context("creating a folder for the lab")?;
        std::fs::create_dir(folder.path().join("home"))
            .context("creating a home folder for the lab")?;
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
        let mut lab = Self { recorder, rig, cards, servers, folder, _lock: lock };
        for machine in 0..machines {
            lab.plug(machine)?;
        }
        Ok(lab)
    }

    /// Number of machines.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.cards.len()
    }

    /// The PulseAudio name of a machine's sound card, which is also the end of its device id.
    #[must_use]
    pub fn card(machine: usize) -> String {
        format!("card{machine}")
    }

    /// The human-readable name of that card.
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

    /// Runs `pactl` against the lab's sound server.
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

    /// The sound server's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.rig.socket(self.folder.path())
    }

    /// A command that uses the lab's sound server and home folder: it neither reads nor changes the
    /// user's settings and caches.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.rig.command(self.folder.path(), program)
    }

    /// A command whose sound goes to a machine's card, if the program leaves the choice to
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

    /// Starts `downbeat play` on a machine, and waits until it is ready.
    ///
    /// # Errors
    /// If it is not built, or not ready in time.
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

    /// The name of a player started by [`Self::play`].
    #[must_use]
    pub fn machine_name(machine: usize) -> String {
        format!("machine-{machine}")
    }

    /// Starts recording all cards.
    #[must_use]
    pub fn record(&self) -> Take {
        self.recorder.record()
    }
}

/// Waits until a `downbeat play` is ready: it has an output, and all sounds of its current relay.
///
/// # Errors
/// If it is not ready within [`PATIENCE`].
pub fn wait_until_ready(player: &Process) -> Result<()> {
    player
        .wait_until(PATIENCE, |lines| {
            let last = |begins: &[&str]| {
                lines.iter().rposition(|line| {
                    line.from == From::Stdout && begins.iter().any(|b| line.text.starts_with(b))
                })
            };
            // `None` sorts before every line: a player that never lost its relay is connected.
            let greeted = last(&["Connected"]);
            let ready = greeted > last(&["Lost the relay"])
                && last(&["Output: "]) > last(&["No output"])
                && last(&["Ready: "]) > greeted;
            ready.then_some(())
        })
        .context("waiting until a player is ready")
}

/// Waits until no other lab is open on this machine, and locks the machine while the returned file
/// is open. A lab that need not be alone waits only for labs that must be.
///
/// It waits in the kernel's queue, where nobody is overtaken for ever.
fn lock_machine(is_alone: bool) -> Result<File> {
    let path = std::env::temp_dir().join("downbeat-lab.lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    let locked = if is_alone { file.lock() } else { file.lock_shared() };
    locked.with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

impl Rig {
    /// A command with the environment of the lab in `folder`.
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
            // Not "pulse": PulseAudio creates a folder of that name.
            Self::Fine | Self::Stock => folder.join("native"),
            Self::PipeWire => folder.join("pulse/native"),
        }
    }

    /// The channel position of a machine on the lab's sink.
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

    /// A command that writes what the lab's sink plays to stdout.
    fn monitor(self, folder: &Path, machines: usize) -> Result<Command> {
        let mut command = self.command(folder, tool("parec")?);
        // Requests no latency: the sink would adopt it.
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
    // Only this configuration, no exit when idle, and nothing that needs a desktop session.
    command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]);
    command.args(["--system=false", "--disable-shm=yes"]);
    // As on a desktop: the sound server takes precedence over other programs.
    command.args(["--realtime=yes", "--high-priority=yes"]);
    let load = |command: &mut Command, module: &str| {
        command.args(["--load", module]);
    };
    // The default sink: sound without a chosen device is not recorded.
    load(&mut command, "module-null-sink sink_name=nowhere rate=48000 channels=2");
    load(&mut command, sink);
    // Loaded last: once clients can connect, everything else exists.
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

/// Polls until the server answers.
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

/// The pipe that PulseAudio writes to.
fn pipe(folder: &Path) -> PathBuf {
    folder.join("room")
}

fn set_environment(command: &mut Command, folder: &Path, socket: &Path) {
    clear_settings(command);
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

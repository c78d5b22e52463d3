//! A private PulseAudio, and output managers that use it.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use downbeat_audio::{
    DeviceChoice, DeviceInfo, MixerHandle, OutputContext, OutputEvent, OutputManager,
};
use downbeat_platform::local_time::LocalClock;
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// The environment can name only one server at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A private PulseAudio, with a socket in a folder of its own.
pub struct Pulse {
    folder: TempDir,
    server: Option<Child>,
    _alone: MutexGuard<'static, ()>,
}

impl Pulse {
    /// A running one.
    pub fn start() -> Self {
        let mut pulse = Self::absent();
        pulse.start_again();
        pulse
    }

    /// A server that is not running yet.
    pub fn absent() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { folder: tempfile::tempdir().unwrap(), server: None, _alone: alone }
    }

    /// Starts it, without a sink.
    pub fn start_again(&mut self) {
        let socket = self.socket();
        let server = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-L"])
            .arg(format!("module-native-protocol-unix auth-anonymous=1 socket={socket}"))
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("PULSE_SERVER")
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pulseaudio, pactl and parec (Debian: pulseaudio)");
        self.server = Some(server);
        let deadline = Instant::now() + PATIENCE;
        while !self.run_pactl(&["info"]).status.success() {
            assert!(Instant::now() < deadline, "pulseaudio does not answer");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it, like a crash.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Suspends it for this time, like a busy machine.
    pub fn stall(&self, time: Duration) {
        let signal = |name: &str| {
            let pid = self.server.as_ref().unwrap().id().to_string();
            assert!(Command::new("kill").args([name, pid.as_str()]).status().unwrap().success());
        };
        signal("-STOP");
        thread::sleep(time);
        signal("-CONT");
    }

    /// Makes this program, and what it starts, use the servers at `addresses`.
    #[allow(clippy::unused_self, reason = "a server in use proves that it is the only one")]
    pub fn let_be_used(&self, addresses: &str) {
        // SAFETY: no other test has a server now, and those without one do not read the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("PULSE_SERVER", addresses);
        }
    }

    /// Sets ALSA's configuration, until this is dropped.
    pub fn let_alsa_have(&self, configuration: &str) {
        let file = self.folder.path().join("asound.conf");
        std::fs::write(&file, configuration).unwrap();
        // SAFETY: as in `let_be_used`.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("ALSA_CONFIG_PATH", file);
        }
    }

    pub fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }

    pub fn address(&self) -> String {
        format!("unix:{}", self.socket())
    }

    /// Makes it listen on a TCP port too, and returns the port.
    pub fn listen_on_port(&self) -> u16 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        self.load(&format!(
            "module-native-protocol-tcp listen=127.0.0.1 port={port} auth-anonymous=1"
        ));
        port
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("PULSE_SERVER", self.address());
        command
    }

    /// Runs `pactl`, which waits for a server that does not answer for ever.
    fn run_pactl(&self, arguments: &[&str]) -> Output {
        let seconds = PATIENCE.as_secs().to_string();
        let arguments = [&[seconds.as_str(), "pactl"], arguments].concat();
        self.command("timeout", &arguments).output().unwrap()
    }

    pub fn pactl(&self, arguments: &[&str]) -> String {
        let output = self.run_pactl(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn load(&self, module: &str) -> String {
        let mut arguments = vec!["load-module"];
        arguments.extend(module.split(' '));
        self.pactl(&arguments)
    }

    pub fn load_sink(&self, name: &str, rate: u32) -> String {
        self.load(&format!("module-null-sink sink_name={name} rate={rate} channels=2"))
    }

    pub fn load_machine(&self, name: &str, channel: &str) -> String {
        self.load(&format!(
            "module-remap-sink sink_name={name} master=room channels=1 channel_map=mono \
             master_channel_map={channel} remix=no"
        ))
    }

    pub fn unload(&self, module: &str) {
        self.pactl(&["unload-module", module]);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        // SAFETY: as in `let_be_used`.
        #[allow(unsafe_code)]
        unsafe {
            std::env::remove_var("ALSA_CONFIG_PATH");
        }
    }
}

/// An output manager and its events.
pub struct Machine {
    pub manager: OutputManager,
    pub events: Receiver<OutputEvent>,
}

impl Machine {
    pub fn start(choice: DeviceChoice, clock: LocalClock) -> Self {
        Self::start_with(choice, clock, None)
    }

    /// Starts one with a configured output latency, if any.
    pub fn start_with(
        choice: DeviceChoice,
        clock: LocalClock,
        latency_millis: Option<u32>,
    ) -> Self {
        let (send, events) = channel();
        let outputs = OutputContext { clock, trace: None, latency_millis };
        let manager = OutputManager::start(choice, outputs, move |message| {
            let _ = send.send(message);
        });
        Self { manager, events }
    }

    pub fn wait<T>(&self, what: &str, mut wanted: impl FnMut(OutputEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.events.recv_timeout(left);
            let message =
                message.unwrap_or_else(|_| panic!("the output manager never reported {what}"));
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    pub fn opened(&self, name: &str) -> (MixerHandle, DeviceInfo) {
        self.wait(&format!("that {name} is open"), |message| match message {
            OutputEvent::Opened { mixer, device } if device.answers_to(name) => {
                Some((mixer, device))
            }
            _ => None,
        })
    }

    pub fn lost(&self) -> String {
        self.wait("that there is no device", |message| match message {
            OutputEvent::Lost { reason } => Some(reason),
            _ => None,
        })
    }

    /// Waits for the reason why another device than the chosen one is open.
    pub fn fallback(&self) -> Option<String> {
        self.wait("whether it is the chosen device", |message| match message {
            OutputEvent::Fallback(reason) => Some(reason),
            _ => None,
        })
    }
}

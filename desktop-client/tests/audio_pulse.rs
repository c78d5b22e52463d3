//! The device thread on a real PulseAudio, a private one: two outputs on the two channels of one
//! sink sound together in a recording of it, and devices may go and come back.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of a test may fail it.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use downbeat::audio::{
    DeviceChoice, DeviceInfo, DeviceKeeper, DeviceToSession, OutputContext, Player, PlayerEvent,
    SoundBuffer, VoiceId, VoiceStart,
};
use downbeat::time::LocalClock;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const CLICKS: u64 = 20;
const ROUNDS: usize = 10;
const CLICK_FRAMES: usize = 480;

/// A PulseAudio of our own, with a socket in a folder of our own.
struct Pulse {
    folder: TempDir,
    server: Child,
}

impl Pulse {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let server = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-L"])
            .arg(format!(
                "module-native-protocol-unix auth-anonymous=1 socket={}",
                socket.display()
            ))
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("HOME", folder.path())
            .env_remove("PULSE_SERVER")
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs pulseaudio, pactl and parec (Debian: pulseaudio)");
        let deadline = Instant::now() + PATIENCE;
        while !socket.exists() {
            assert!(Instant::now() < deadline, "pulseaudio has not opened its socket");
            thread::sleep(Duration::from_millis(10));
        }
        Self { folder, server }
    }

    fn address(&self) -> String {
        format!("unix:{}", self.folder.path().join("socket").display())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("PULSE_SERVER", self.address());
        command
    }

    fn load(&self, module: &str) -> String {
        let mut words = vec!["load-module"];
        words.extend(module.split(' '));
        let output = self.command("pactl", &words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn load_machine(&self, name: &str, channel: &str) -> String {
        self.load(&format!(
            "module-remap-sink sink_name={name} master=room channels=1 channel_map=mono \
             master_channel_map={channel} remix=no"
        ))
    }

    fn unload(&self, module: &str) {
        assert!(self.command("pactl", &["unload-module", module]).status().unwrap().success());
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What `parec` hears of the room, interleaved, so far.
struct Recording {
    parec: Child,
    heard: Arc<Mutex<Vec<f32>>>,
}

impl Recording {
    fn start(pulse: &Pulse) -> Self {
        let mut parec = pulse
            .command(
                "parec",
                &[
                    "--device=room.monitor",
                    "--format=float32le",
                    "--rate=48000",
                    "--channels=2",
                    "--latency-msec=20",
                ],
            )
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = parec.stdout.take().unwrap();
        let sink = Arc::clone(&heard);
        thread::spawn(move || {
            let mut bytes = [0; 4];
            while stdout.read_exact(&mut bytes).is_ok() {
                sink.lock().unwrap().push(f32::from_le_bytes(bytes));
            }
        });
        Self { parec, heard }
    }

    fn frames(&self) -> usize {
        self.heard.lock().unwrap().len() / 2
    }

    fn channel(&self, channel: usize) -> Vec<f32> {
        self.heard.lock().unwrap().chunks_exact(2).map(|frame| frame[channel]).collect()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.parec.kill();
        let _ = self.parec.wait();
    }
}

/// A keeper and what it says.
struct Machine {
    keeper: DeviceKeeper,
    said: Receiver<DeviceToSession>,
}

impl Machine {
    fn start(choice: DeviceChoice, clock: LocalClock) -> Self {
        let (send, said) = channel();
        let keeper =
            DeviceKeeper::start(choice, OutputContext { clock, trace: None }, move |message| {
                let _ = send.send(message);
            });
        Self { keeper, said }
    }

    fn wait<T>(&self, what: &str, mut wanted: impl FnMut(DeviceToSession) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.said.recv_timeout(left);
            let message = message.unwrap_or_else(|_| panic!("the device thread never said {what}"));
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    fn opened(&self, name: &str) -> (Player, DeviceInfo) {
        self.wait(&format!("that {name} is open"), |message| match message {
            DeviceToSession::Opened { player, device } if device.answers_to(name) => {
                Some((player, device))
            }
            _ => None,
        })
    }

    fn lost(&self) -> String {
        self.wait("that there is no device", |message| match message {
            DeviceToSession::Lost { reason } => Some(reason),
            _ => None,
        })
    }
}

/// 10 ms of noise that dies away: one sharp peak in its correlation with itself.
fn click(rate: u32) -> Arc<SoundBuffer> {
    let mut random = fastrand::Rng::with_seed(7);
    let samples = (0..CLICK_FRAMES)
        .map(|n| 0.5 * (random.f32() * 2.0 - 1.0) * (-(n as f32) / 100.0).exp())
        .collect();
    Arc::new(SoundBuffer::new(samples, 1, rate))
}

/// The frames at which something begins after at least 50 ms of silence.
fn onsets(channel: &[f32]) -> Vec<usize> {
    let mut onsets = Vec::new();
    let mut quiet = 2_400;
    for (n, value) in channel.iter().enumerate() {
        if value.abs() > 0.02 {
            if quiet >= 2_400 {
                onsets.push(n);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    onsets
}

/// By how many frames `b` comes after `a` around `frame`: the peak of their correlation, with the
/// parabola through its neighbours.
fn lag(a: &[f32], b: &[f32], frame: usize) -> f64 {
    const MOST: usize = 480;
    let from = frame.saturating_sub(MOST);
    let piece = &a[from..frame + CLICK_FRAMES];
    let correlation = |lag: isize| -> f64 {
        let shifted = |n: usize| (from + n).checked_add_signed(lag).and_then(|n| b.get(n));
        piece
            .iter()
            .enumerate()
            .map(|(n, value)| f64::from(*value * shifted(n).unwrap_or(&0.0)))
            .sum()
    };
    let most = MOST as isize;
    let best = (-most..=most).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap();
    let [low, peak, high] = [best - 1, best, best + 1].map(correlation);
    best as f64 + 0.5 * (low - high) / (low - 2.0 * peak + high)
}

/// Plays clicks on both players and returns how far apart they are in the recording, sorted, in
/// microseconds; nothing if a block was missed meanwhile.
fn round(
    clock: LocalClock,
    mut players: [&mut Player; 2],
    sound: &Arc<SoundBuffer>,
    recording: &Recording,
) -> Option<Vec<f64>> {
    let xruns = players.each_ref().map(|player| player.stats().xruns);
    let from = recording.frames();
    let first = clock.now().plus_nanos(1_000_000_000);
    for n in 0..CLICKS {
        let at = first.plus_nanos(n as i64 * 150_007_013);
        for player in &mut players {
            let (id, sound) = (VoiceId(n), Arc::clone(sound));
            player.start(VoiceStart { id, sound, at, gain: 1.0, rate: 1.0, pan: 0.0 }).unwrap();
        }
    }
    for player in &mut players {
        let mut ended = 0;
        let deadline = Instant::now() + PATIENCE;
        while ended < CLICKS {
            assert!(Instant::now() < deadline, "only {ended} clicks were played");
            match player.poll() {
                Some(PlayerEvent::Ended { .. }) => ended += 1,
                Some(PlayerEvent::Started { .. }) => {}
                Some(other) => panic!("{other:?}"),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }
    let heard = recording.frames() + 24_000;
    let deadline = Instant::now() + PATIENCE;
    while recording.frames() < heard {
        assert!(Instant::now() < deadline, "parec has stopped");
        thread::sleep(Duration::from_millis(10));
    }
    let stats = players.each_ref().map(|player| player.stats());
    eprintln!("{stats:?}");
    assert!(stats.iter().all(|stats| stats.latency_nanos > 0 && stats.block_frames > 0));
    let [a, b] = [0, 1].map(|channel| recording.channel(channel).split_off(from));
    let (begin, begin_b) = (onsets(&a), onsets(&b));
    if stats.map(|stats| stats.xruns) != xruns {
        return None;
    }
    assert_eq!((begin.len(), begin_b.len()), (CLICKS as usize, CLICKS as usize));
    let mut spread: Vec<_> =
        begin.iter().map(|frame| (lag(&a, &b, *frame) * 1e6 / 48e3).abs()).collect();
    spread.sort_by(f64::total_cmp);
    Some(spread)
}

#[test]
fn two_outputs_sound_together_and_devices_may_go_and_come_back() {
    let pulse = Pulse::start();
    // SAFETY: this is the only test of the program, and no thread reads the environment yet.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var("PULSE_SERVER", pulse.address());
    }
    let clock = LocalClock::start();

    // Without a device: said once, and then it appears.
    let left = Machine::start(DeviceChoice::Named("left".into()), clock);
    assert!(left.lost().contains("no output device"));
    pulse.load("module-null-sink sink_name=room rate=48000 channels=2");
    let (_, device) = left.opened("room");
    assert!(device.is_default && device.channels == 2 && device.rate == 48_000);
    let left_module = pulse.load_machine("left", "front-left");
    pulse.load_machine("right", "front-right");
    let (mut left_player, _) = left.opened("left");

    let right = Machine::start(DeviceChoice::Default, clock);
    right.opened("room");
    right.keeper.choose(DeviceChoice::Named("right".into()));
    let (mut right_player, device) = right.opened("right");
    assert_eq!(device.channels, 1);

    // Clicks on both, at instants that fall anywhere between the frames. A machine so busy that it
    // misses blocks says nothing about synchrony: it is asked again.
    let recording = Recording::start(&pulse);
    let sound = click(device.rate);
    let deadline = Instant::now() + PATIENCE;
    while recording.frames() == 0 {
        assert!(Instant::now() < deadline, "parec hears nothing");
        thread::sleep(Duration::from_millis(10));
    }
    let spread = (0..ROUNDS)
        .find_map(|_| round(clock, [&mut left_player, &mut right_player], &sound, &recording))
        .expect("a round without a missed block");
    let (median, worst) = (spread[spread.len() / 2], spread[spread.len() - 1]);
    eprintln!("spread of two outputs: median {median:.1} us, worst {worst:.1} us");
    assert!(median < 2_000.0, "clicks {median} us apart");

    // A device that goes is left for the default, and taken again when it is back.
    pulse.unload(&left_module);
    left.opened("room");
    pulse.load_machine("left", "front-left");
    left.opened("left");
}

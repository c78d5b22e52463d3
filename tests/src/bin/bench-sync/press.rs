//! The presser: a separate machine whose sound card marks each press in the recording.
//!
//! At each press it triggers the measured system, and schedules a click on its own card at a fixed
//! time after the press. The click is scheduled like any player's sound, so its onset minus the
//! fixed time is the instant of the press on the recording's clock, whatever the cards' latency.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{Arc, mpsc::channel},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use downbeat_audio::{
    DeviceChoice, MixerHandle, OutputContext, OutputEvent, OutputManager, SoundBuffer, VoiceId,
    VoiceStart,
};
use downbeat_platform::local_time::LocalClock;
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use downbeat_samples::{EMBEDDED, wav};
use downbeat_tests::{
    claims::shared_micros,
    client::V1Client,
    lab::Lab,
    process::{PATIENCE, Process},
};

/// The first argument that runs this program as the presser.
pub const COMMAND: &str = "press";

/// Time from a press to its mark on the presser's card, in seconds: more than any card's latency.
pub const MARK_SECONDS: f64 = 0.150;

/// Minimum time between two presses of Downbeat, in seconds. Even with the longest lead, a bang is
/// over before the next press.
pub const GAP_SECONDS: f64 = 0.65;

/// Upper bound of the random addition to the gap, in seconds.
const JITTER_SECONDS: f64 = 0.3;

/// Time before the first press, in which the card's device clock settles.
const SETTLING: Duration = Duration::from_secs(4);

/// The receiver of the presses.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A relay, by its URL.
    Relay(&'a str),
    /// A TCP listener at this address: each press is one byte.
    Listener(SocketAddr),
}

/// Starts a presser that presses `bangs` times at random moments, at least `gap` seconds apart, and
/// marks each press on the card of `machine`.
pub fn start(lab: &Lab, machine: usize, target: Target, bangs: usize, gap: f64) -> Result<Process> {
    let this = std::env::current_exe().context("locating the running executable")?;
    let mut command: Command = lab.command(this);
    let target = match target {
        Target::Relay(url) => url.to_owned(),
        Target::Listener(address) => address.to_string(),
    };
    command.args([COMMAND, &target, &Lab::card_description(machine)]);
    command.args([bangs.to_string(), gap.to_string()]);
    Process::spawn("the presser", command)
}

/// The times of the presses so far, in microseconds of [`shared_micros`].
pub fn presses(presser: &Process) -> Vec<u64> {
    let lines = presser.lines(downbeat_tests::process::From::Stdout);
    lines.iter().filter_map(|line| line.strip_prefix("pressed ")?.parse().ok()).collect()
}

/// Waits until there have been `count` presses.
pub fn wait_for(presser: &Process, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(2 * count as u64);
    while presses(presser).len() < count {
        if presser.has_ended() || Instant::now() > deadline {
            bail!("the presser stopped:\n{}", presser.transcript());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The presser's process.
pub fn main(arguments: &[String]) -> Result<()> {
    let [target, card, bangs, gap] = arguments else { bail!("press TARGET CARD BANGS GAP") };
    let bangs: u64 = bangs.parse().context("the number of bangs")?;
    let gap: f64 = gap.parse().context("the gap")?;
    let clock = LocalClock::start();
    let (send, events) = channel();
    let choice = DeviceChoice::Named(card.clone());
    let outputs = OutputContext { clock, trace: None, latency_millis: None };
    let _manager = OutputManager::start(choice, outputs, move |event| {
        // The receiver lives until the last press.
        let _ = send.send(event);
    });
    let mut mixer = loop {
        match events.recv_timeout(PATIENCE).context("opening the card")? {
            OutputEvent::Opened { mixer, device } => {
                ensure!(device.answers_to(card), "there is no card {card:?}");
                break mixer;
            }
            OutputEvent::Lost { reason } => bail!("{reason}"),
            OutputEvent::Devices(_) | OutputEvent::Fallback(_) | OutputEvent::LatencyAdapted(_) => {
            }
        }
    };
    let mut connection = Connection::to(target)?;
    connection.idle(SETTLING)?;

    let sound = Arc::new(click()?);
    let mut random = fastrand::Rng::new();
    for bang in 0..bangs {
        connection.idle(Duration::from_secs_f64(gap + JITTER_SECONDS * random.f64()))?;
        let pressed = clock.now();
        let pressed_micros = shared_micros();
        connection.press()?;
        let at = pressed.plus_nanos((MARK_SECONDS * 1e9) as i64);
        let sound = Arc::clone(&sound);
        mixer.start(VoiceStart {
            id: VoiceId(bang),
            source: sound.into(),
            at,
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
        })?;
        writeln!(std::io::stdout(), "pressed {pressed_micros}")?;
        free(&mut mixer);
    }
    connection.idle(Duration::from_secs_f64(gap))
}

/// A connection to the target.
enum Connection {
    Relay(Box<V1Client>),
    Listener(TcpStream),
}

impl Connection {
    fn to(target: &str) -> Result<Self> {
        let Ok(address) = target.parse::<SocketAddr>() else {
            let remote = V1Client::connect(target, "presser", ClientKind::Remote)?;
            return Ok(Self::Relay(Box::new(remote)));
        };
        let stream =
            TcpStream::connect(address).context("connecting to the target of the presses")?;
        stream.set_nodelay(true)?;
        Ok(Self::Listener(stream))
    }

    fn press(&mut self) -> Result<()> {
        match self {
            Self::Relay(remote) => remote.send(&ClientToRelay::Trigger(TriggerRequest::default())),
            Self::Listener(stream) => Ok(stream.write_all(b"!")?),
        }
    }

    /// Waits, and reads the relay's messages meanwhile.
    fn idle(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        match self {
            Self::Relay(remote) => while remote.socket().next(until)?.is_some() {},
            Self::Listener(_) => sleep(time),
        }
        Ok(())
    }
}

/// Frees the sounds that the mixer has returned. The events are ignored: the recording is what
/// counts.
fn free(mixer: &mut MixerHandle) {
    while mixer.poll().is_some() {}
}

/// The bank's default sound.
fn click() -> Result<SoundBuffer> {
    let file = EMBEDDED.first().context("the bank is empty")?;
    let decoded = wav::decode(file.wav)?;
    Ok(SoundBuffer::new(decoded.samples, decoded.channels, decoded.rate))
}

//! Who presses: a machine of its own, whose sound card says in the recording when it pressed.
//!
//! At each press it tells the system that is measured, and tells its own card to click at a fixed time
//! after the press. That click leaves the card through the same schedule as any player's, so that its onset
//! less that fixed time is the instant of the press on the recording's clock, whatever the cards'
//! latency is.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{Arc, mpsc::channel},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use downbeat::{
    audio::{
        DeviceChoice, DeviceKeeper, DeviceToSession, OutputContext, Player, SoundBuffer, VoiceId,
        VoiceStart,
    },
    time::LocalClock,
};
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use downbeat_samples::{EMBEDDED, wav};
use downbeat_tests::{
    claims::shared_micros,
    client::V1Client,
    lab::Lab,
    process::{PATIENCE, Process},
};

/// The first argument that makes this program the one who presses.
pub const COMMAND: &str = "press";

/// From a press to its mark on the presser's card, in seconds: more than any card's latency.
pub const MARK_SECONDS: f64 = 0.150;

/// From one press of Downbeat to the next at least, in seconds. Even with the longest lead, a bang is
/// over before the next is pressed.
pub const GAP_SECONDS: f64 = 0.65;

/// How much longer it may be: presses come at random.
const MORE_SECONDS: f64 = 0.3;

/// How long the presser's card plays nothing first: its schedule is to have settled.
const SETTLING: Duration = Duration::from_secs(4);

/// Who is told of each press.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A relay, by its URL.
    Relay(&'a str),
    /// Who listens there: each press is a byte.
    Listener(SocketAddr),
}

/// Starts someone who presses `bangs` times at random moments, `gap` seconds apart or a little more,
/// marking each press on the card of `machine`.
pub fn start(lab: &Lab, machine: usize, told: Told, bangs: usize, gap: f64) -> Result<Process> {
    let this = std::env::current_exe().context("where this benchmark was started from")?;
    let mut command: Command = lab.command(this);
    let told = match told {
        Told::Relay(url) => url.to_owned(),
        Told::Listener(address) => address.to_string(),
    };
    command.args([COMMAND, &told, &Lab::card_description(machine)]);
    command.args([bangs.to_string(), gap.to_string()]);
    Process::spawn("the presser", command)
}

/// When each press so far was, in microseconds of [`shared_micros`].
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

/// Presses, as another process.
pub fn main(arguments: &[String]) -> Result<()> {
    let [told, card, bangs, gap] = arguments else { bail!("press TOLD CARD BANGS GAP") };
    let bangs: u64 = bangs.parse().context("how many bangs")?;
    let gap: f64 = gap.parse().context("how far apart")?;
    let clock = LocalClock::start();
    let (send, news) = channel();
    let choice = DeviceChoice::Named(card.clone());
    let outputs = OutputContext { clock, trace: None, latency_millis: None };
    let _keeper = DeviceKeeper::start(choice, outputs, move |message| {
        // It is heard for as long as there are presses to come.
        let _ = send.send(message);
    });
    let mut player = loop {
        match news.recv_timeout(PATIENCE).context("opening the card")? {
            DeviceToSession::Opened { player, device } => {
                ensure!(device.answers_to(card), "there is no card {card:?}");
                break player;
            }
            DeviceToSession::Lost { reason } => bail!("{reason}"),
            DeviceToSession::Devices(_)
            | DeviceToSession::Instead(_)
            | DeviceToSession::Latency(_) => {}
        }
    };
    let mut line = Line::to(told)?;
    line.idle(SETTLING)?;

    let sound = Arc::new(click()?);
    let mut random = fastrand::Rng::new();
    for bang in 0..bangs {
        line.idle(Duration::from_secs_f64(gap + MORE_SECONDS * random.f64()))?;
        let pressed = clock.now();
        let pressed_micros = shared_micros();
        line.press()?;
        let at = pressed.plus_nanos((MARK_SECONDS * 1e9) as i64);
        let sound = Arc::clone(&sound);
        player.start(VoiceStart {
            id: VoiceId(bang),
            sound,
            at,
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
        })?;
        writeln!(std::io::stdout(), "pressed {pressed_micros}")?;
        free(&mut player);
    }
    line.idle(Duration::from_secs_f64(gap))
}

/// The line to who is told.
enum Line {
    Relay(Box<V1Client>),
    Listener(TcpStream),
}

impl Line {
    fn to(told: &str) -> Result<Self> {
        let Ok(address) = told.parse::<SocketAddr>() else {
            let remote = V1Client::connect(told, "presser", ClientKind::Remote)?;
            return Ok(Self::Relay(Box::new(remote)));
        };
        let stream = TcpStream::connect(address).context("reaching who is told of presses")?;
        stream.set_nodelay(true)?;
        Ok(Self::Listener(stream))
    }

    fn press(&mut self) -> Result<()> {
        match self {
            Self::Relay(remote) => remote.send(&ClientToRelay::Trigger(TriggerRequest::default())),
            Self::Listener(stream) => Ok(stream.write_all(b"!")?),
        }
    }

    /// Lets time pass, reading what a relay says meanwhile.
    fn idle(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        match self {
            Self::Relay(remote) => while remote.socket().next(until)?.is_some() {},
            Self::Listener(_) => sleep(time),
        }
        Ok(())
    }
}

/// Frees the sounds that the renderer is done with; what became of them is heard in the recording.
fn free(player: &mut Player) {
    while player.poll().is_some() {}
}

/// The bank's default sound, as every card of the lab plays it.
fn click() -> Result<SoundBuffer> {
    let file = EMBEDDED.first().context("the bank is empty")?;
    let decoded = wav::decode(file.wav)?;
    Ok(SoundBuffer::new(decoded.samples, decoded.channels, decoded.rate))
}

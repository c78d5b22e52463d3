//! Who presses: a machine of its own, whose sound card says in the recording when it pressed.
//!
//! At each press it tells the relay, and tells its own card to click at a fixed time after the
//! press. That click leaves the card through the same schedule as any player's, so that its onset
//! less that fixed time is the instant of the press on the recording's clock, whatever the cards'
//! latency is.

use std::{
    io::Write as _,
    process::Command,
    sync::{Arc, mpsc::channel},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use downbeat::{
    audio::{
        DeviceChoice, DeviceKeeper, DeviceToSession, Player, SoundBuffer, VoiceId, VoiceStart,
    },
    time::LocalClock,
};
use downbeat_protocol::{ClientKind, ClientToRelay, TriggerRequest};
use downbeat_samples::{EMBEDDED, wav};
use downbeat_tests::{
    client::Modern,
    lab::Lab,
    process::{PATIENCE, Process},
};

use crate::shared_micros;

/// The first argument that makes this program the one who presses.
pub const COMMAND: &str = "press";

/// From a press to its mark on the presser's card, in seconds: more than any card's latency.
pub const MARK_SECONDS: f64 = 0.150;

/// From one press to the next, in seconds. Even with the longest lead, a bang is over before the
/// next is pressed.
pub const LEAST_GAP_SECONDS: f64 = 0.65;
const MOST_GAP_SECONDS: f64 = 0.95;

/// How long the presser's card plays nothing first: its schedule is to have settled.
const SETTLING: Duration = Duration::from_secs(4);

/// Starts someone who presses `bangs` times at random moments, marking each press on the card of
/// `machine`.
pub fn start(lab: &Lab, machine: usize, relay: &str, bangs: usize) -> Result<Process> {
    let this = std::env::current_exe().context("where this benchmark was started from")?;
    let mut command: Command = lab.command(this);
    command.args([COMMAND, relay, &Lab::card_description(machine), &bangs.to_string()]);
    Process::spawn("the presser", command)
}

/// When each press so far was, in microseconds of [`shared_micros`].
pub fn presses(presser: &Process) -> Vec<u64> {
    let lines = presser.lines(downbeat_tests::process::From::Stdout);
    lines.iter().filter_map(|line| line.strip_prefix("pressed ")?.parse().ok()).collect()
}

/// Waits until there have been `count` presses.
pub fn wait_for(presser: &Process, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(count as u64);
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
    let [relay, card, bangs] = arguments else { bail!("press RELAY CARD BANGS") };
    let bangs: u64 = bangs.parse().context("how many bangs")?;
    let clock = LocalClock::start();
    let (send, news) = channel();
    let choice = DeviceChoice::Named(card.clone());
    let _keeper = DeviceKeeper::start(choice, clock, move |message| {
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
            DeviceToSession::Devices(_) => {}
        }
    };
    let mut remote = Modern::connect(relay, "presser", ClientKind::Remote)?;
    listen(&mut remote, SETTLING)?;

    let sound = Arc::new(click()?);
    let mut random = fastrand::Rng::new();
    for bang in 0..bangs {
        let gap = LEAST_GAP_SECONDS + (MOST_GAP_SECONDS - LEAST_GAP_SECONDS) * random.f64();
        listen(&mut remote, Duration::from_secs_f64(gap))?;
        let pressed = clock.now();
        let pressed_micros = shared_micros();
        remote.send(&ClientToRelay::Trigger(TriggerRequest::default()))?;
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
    listen(&mut remote, Duration::from_secs_f64(LEAST_GAP_SECONDS))
}

/// Lets time pass, reading what the relay says meanwhile.
fn listen(remote: &mut Modern, time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    while remote.socket().next(until)?.is_some() {}
    Ok(())
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

//! A window, a browser and a player without a window in one room: a pad that is pressed in the window lights on
//! the page when it sounds, and a variable that is moved on the page moves the fader in the window and what all
//! machines sound.

use std::{
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    ClientKind, ClientToRelay, DeclareRequest, RelayToClient, StopRequest, TONE, Tone, Trigger,
    TriggerRequest,
};
use downbeat_tests::{
    browser::Browser,
    client::V1Client,
    lab::Lab,
    onsets::THRESHOLD,
    process::{PATIENCE, Process},
    recorder::RATE,
    relay::Relay,
    room::wait_until_ready,
    tools::{output, pictures_folder, tool},
    window::{Screen, Window},
};
use serde_json::json;

/// The cards.
const WINDOW: usize = 0;
const BROWSER: usize = 1;
const HEADLESS: usize = 2;
const EVERYONE: [usize; 3] = [WINDOW, BROWSER, HEADLESS];

/// The window and the browser render in software beside everything else.
const AMPLE_LEAD_MILLIS: &str = "150";

/// Where a new window shows the variables, in pixels: below the bang, and above the meter.
const VARIABLES: &str = "290x230+650+372";

/// How far from its instant a pad may light, in milliseconds: a few frames of software rendering.
const MAX_LIGHT_MILLIS: f64 = 150.0;

struct Room {
    /// Ended first: a window does not survive its screen.
    _processes: [Process; 2],
    lab: Lab,
    relay: Relay,
    screen: Screen,
    window: Window,
    browser: Browser,
    client: V1Client,
}

/// Opens a window, a browser and a player in one room, with two variables.
fn open() -> Result<Room> {
    let lab = Lab::open(EVERYONE.len())?;
    let relay = Relay::start_with(&["--min-lead-ms", AMPLE_LEAD_MILLIS])?;
    let url = relay.ws_url();
    let headless = lab.play(HEADLESS, &url)?;
    let screen = Screen::open(1024, 900)?;
    let mut command = lab.downbeat()?;
    command.args([&url, "--name", "the window", "--device", &Lab::card_description(WINDOW)]);
    command.env("DISPLAY", screen.display());
    let process = Process::spawn("downbeat with a window", command)?;
    let window = screen.window("Downbeat")?;
    screen.wait_until_drawn()?;
    let browser = Browser::open(|program| lab.command_on(BROWSER, program), 1280, 800)?;
    browser.go(&relay.http_url())?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    wait_until_ready(&lab, &relay, &EVERYONE)?;
    let mut client = V1Client::connect(&url, "observer", ClientKind::Remote)?;
    let variables = json!([
        {"name": "level", "type": "float", "min": -60, "max": 0, "default": 0, "unit": "dB",
         "bind": [{"parameter": "gain_db", "sound": TONE}]},
    ]);
    let variables = serde_json::from_value(variables)?;
    client.send(&ClientToRelay::Declare(DeclareRequest { variables, ack: Some(1) }))?;
    client.wait_for(|message| matches!(message, RelayToClient::Ack(_)).then_some(()))?;
    browser.wait_for("[data-variable=level]")?;
    Ok(Room { _processes: [headless, process], lab, relay, screen, window, browser, client })
}

fn next_trigger(client: &mut V1Client) -> Result<Trigger> {
    client.wait_for(|message| match message {
        RelayToClient::Trigger(trigger) => Some(trigger),
        _ => None,
    })
}

fn picture(room: &Room, name: &str) -> Result<()> {
    let Some(folder) = pictures_folder()? else { return Ok(()) };
    room.screen.screenshot(&folder.join(format!("{name}-window.png")))?;
    room.browser.screenshot(&folder.join(format!("{name}-page.png")))
}

#[test]
fn a_pad_pressed_in_the_window_lights_on_the_page_when_it_sounds() -> Result<()> {
    let mut room = open()?;
    room.browser.run(
        "const pad = document.querySelector('.pad[data-sound=kick]');
         window.lit = [];
         new MutationObserver(() => {
           if (pad.matches('.flash, .glow')) lit.push(performance.timeOrigin + performance.now());
         }).observe(pad, { attributeFilter: ['class'] });",
    )?;
    let offset = room.client.measure_unix_offset()?;
    let take = room.lab.record();
    // The second pad of the embedded bank.
    room.screen.press(&room.window, "2")?;
    let trigger = next_trigger(&mut room.client)?;
    assert_eq!((trigger.sound.as_str(), trigger.by.name.as_str()), ("kick", "the window"));
    take.wait_for_onsets(&EVERYONE, 1)?;
    picture(&room, "pad")?;
    take.wait(Duration::from_millis(500))?;
    assert_eq!(take.stop()?.onset_counts(), [1, 1, 1]);

    let deadline = Instant::now() + PATIENCE;
    let lit = loop {
        if let Some(lit) = room.browser.run("return window.lit[0]")?.as_f64() {
            break lit;
        }
        ensure!(Instant::now() < deadline, "the pad on the page does not light");
        sleep(Duration::from_millis(20));
    };
    #[allow(clippy::cast_precision_loss)] // Unix time in microseconds is exact in an f64.
    let due = (i64::try_from(trigger.play_at.as_micros())? + offset) as f64 / 1e3;
    println!("the pad lights {:.0} ms after the instant of its sound", lit - due);
    ensure!((lit - due).abs() < MAX_LIGHT_MILLIS, "it lights {:.0} ms off", lit - due);
    Ok(())
}

/// The number of pixels that differ between two pictures of the window's variables.
fn difference(before: &Path, after: &Path) -> Result<u64> {
    let mut command = Command::new(tool("compare")?);
    command.args(["-metric", "AE", "-extract", VARIABLES]).arg(before).arg(after).arg("null:");
    // It prints the number to stderr, and fails if it is not 0.
    let output = output(&mut command).context("comparing two pictures")?;
    let printed = String::from_utf8_lossy(&output.stderr);
    let count = printed.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    Ok(count.with_context(|| format!("compare printed {printed:?}"))? as u64)
}

#[test]
fn a_variable_moved_on_the_page_moves_the_fader_in_the_window_and_the_sound_of_all() -> Result<()> {
    let mut room = open()?;
    let folder = tempfile::tempdir()?;
    let take = room.lab.record();
    let tone = Some(Tone { duration_micros: 60_000_000, ..Tone::default() });
    let request =
        TriggerRequest { sound: Some(TONE.to_owned()), tone, ..TriggerRequest::default() };
    room.client.send(&ClientToRelay::Trigger(request))?;
    take.wait_for_onsets(&EVERYONE, 1)?;
    let before = folder.path().join("before.png");
    room.screen.screenshot(&before)?;

    room.browser.set("[data-variable=level] .fader-value", "-60")?;
    let change = room.client.wait_for(|message| match message {
        RelayToClient::Value(change) => Some(change),
        _ => None,
    })?;
    assert_eq!((change.name.as_str(), change.value.as_f64()), ("level", Some(-60.0)));
    take.wait(Duration::from_millis(700))?;
    picture(&room, "variable")?;
    let silent = take.stop()?;
    for (machine, values) in silent.channels.iter().enumerate() {
        let tail = &values[values.len() - RATE / 4..];
        let loudest = tail.iter().fold(0.0, |peak: f32, value| peak.max(value.abs()));
        ensure!(loudest < THRESHOLD, "machine {machine} still sounds, at {loudest}");
    }
    room.client.send(&ClientToRelay::Stop(StopRequest::default()))?;
    let deadline = Instant::now() + PATIENCE;
    let after = folder.path().join("after.png");
    loop {
        room.screen.screenshot(&after)?;
        if difference(&before, &after)? > 100 {
            break;
        }
        ensure!(Instant::now() < deadline, "the fader in the window does not move");
    }

    // A page that joins late shows the value.
    room.browser.go("about:blank")?;
    room.browser.go(&room.relay.http_url())?;
    room.browser.click("#start")?;
    room.browser.wait_for("[data-variable=level] [aria-valuenow='-60']")?;
    Ok(())
}

//! The window, worked as a person works it: a screen, a pointer, a keyboard, a loudspeaker.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use downbeat_tests::{
    client::{Socket, connect_tutorial},
    lab::Lab,
    process::{From, PATIENCE, Process},
    relay::Relay,
    room::{wait_for_silence, wait_until_ready},
    tools::pictures_folder,
    tutorial::TutorialServer,
    window::{Screen, Window},
};

/// Where the bang is in a window of its first size: across and down, in parts of the whole.
const BANG: (f64, f64) = (0.32, 0.36);

/// A click that comes too late is over before it is heard. Whether the window is in time is not what
/// is tried here, so it has time enough, also where drawing it takes all of the machine.
const AMPLE_LEAD_MILLIS: &str = "100";

const GAP: Duration = Duration::from_millis(250);

/// Opens the window on a screen, with its sound on card 0.
fn open(lab: &Lab, screen: &Screen, relay: &str) -> Result<(Process, Window)> {
    let mut command = lab.downbeat()?;
    command.args([relay, "--name", "the window", "--device", &Lab::card_description(0)]);
    command.env("DISPLAY", screen.display());
    let process = Process::spawn("downbeat with a window", command)?;
    let window = screen
        .window("Downbeat")
        .with_context(|| format!("the program printed:\n{}", process.transcript()))?;
    screen.wait_until_drawn()?;
    Ok((process, window))
}

fn picture(screen: &Screen, name: &str) -> Result<()> {
    pictures_folder()?.map_or(Ok(()), |folder| screen.screenshot(&folder.join(name)))
}

#[test]
fn pointer_space_and_enter_bang_and_the_window_sounds() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let relay = Relay::start_with(&["--min-lead-ms", AMPLE_LEAD_MILLIS])?;
    let (_process, window) = open(&lab, &screen, &relay.ws_url())?;
    wait_until_ready(&lab, &relay, &[0])?;

    let take = lab.record();
    screen.click(&window, BANG.0, BANG.1)?;
    take.wait_for_onsets(&[0], 1)?;
    picture(&screen, "window-bang.png")?;
    take.wait(GAP)?;
    screen.press(&window, "space")?;
    take.wait_for_onsets(&[0], 2)?;
    take.wait(GAP)?;
    screen.press(&window, "Return")?;
    take.wait_for_onsets(&[0], 3)?;
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [3]);
    picture(&screen, "window.png")
}

#[test]
fn the_smallest_window_bangs_too() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let relay = Relay::start_with(&["--min-lead-ms", AMPLE_LEAD_MILLIS])?;
    let (_process, window) = open(&lab, &screen, &relay.ws_url())?;
    wait_until_ready(&lab, &relay, &[0])?;
    screen.resize(&window, 480, 600)?;
    let take = lab.record();
    // One column: the bang is in the middle, above the sounds.
    screen.click(&window, 0.5, 0.3)?;
    take.wait_for_onsets(&[0], 1)?;
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    picture(&screen, "window-smallest.png")
}

#[test]
fn a_window_on_a_plain_relay_bangs_and_sounds() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let server = TutorialServer::start()?;
    let mut page = connect_tutorial(&server.ws_url())?;
    let (_process, window) = open(&lab, &screen, &server.ws_url())?;
    // Nothing else tells when it has found out what it talks to and is ready to sound.
    let deadline = Instant::now() + PATIENCE;
    while lab_is_silent_after(&lab, &mut page)? {
        assert!(Instant::now() < deadline, "it does not sound");
    }
    wait_for_silence(&lab, &[0])?;
    picture(&screen, "window-plain.png")?;
    page.drain()?;

    let take = lab.record();
    page.send_text("trigger-input")?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(page.expect()?, tungstenite::Message::text("trigger-output"));
    take.wait(GAP)?;
    // What it bangs reaches the tutorial's clients, and comes back to itself.
    screen.click(&window, BANG.0, BANG.1)?;
    take.wait_for_onsets(&[0], 2)?;
    assert_eq!(page.expect()?, tungstenite::Message::text("trigger-output"));
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [2]);
    assert_eq!(page.drain()?, []);
    Ok(())
}

/// Bangs once from a client of the tutorial wire, and says whether nothing was heard of it.
fn lab_is_silent_after(lab: &Lab, page: &mut Socket) -> Result<bool> {
    let take = lab.record();
    page.send_text("trigger-input")?;
    take.wait(GAP)?;
    Ok(take.stop()?.onsets(0).is_empty())
}

#[test]
fn without_a_display_it_names_the_headless_player() -> Result<()> {
    let lab = Lab::open(1)?;
    let mut process = Process::spawn("downbeat without a display", lab.downbeat()?)?;
    let status = process.wait(PATIENCE)?;
    assert!(!status.success(), "{status}");
    let said = process.lines(From::Stderr);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("display") && said[0].contains("downbeat play"), "{said:?}");
    Ok(())
}

#[test]
fn a_display_that_is_not_there_is_named_too() -> Result<()> {
    let lab = Lab::open(1)?;
    let mut command = lab.downbeat()?;
    command.env("DISPLAY", ":4095");
    let mut process = Process::spawn("downbeat on a display that is not there", command)?;
    let status = process.wait(PATIENCE)?;
    assert!(!status.success(), "{status}");
    let said = process.lines(From::Stderr).join("\n");
    assert!(said.contains("downbeat play"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    Ok(())
}

//! The window, worked as a person works it: a screen, a pointer, a keyboard, a loudspeaker.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, StopRequest, TriggerRequest};
use downbeat_tests::{
    client::{Modern, connect_seed},
    lab::Lab,
    process::{From, PATIENCE, Process},
    relay::Relay,
    seed::SeedServer,
    tools::pictures_folder,
    window::{Screen, Window},
};

/// Where the bang is in a window of its first size: across and down, in parts of the whole.
const BANG: (f64, f64) = (0.32, 0.36);

const GAP: Duration = Duration::from_millis(250);

/// A sound long enough to be joined whenever the window is ready for it.
const LONG_SOUND: &str = "texture";

/// Opens the window on a screen, with its sound on card 0.
fn open(lab: &Lab, screen: &Screen, relay: &str) -> Result<(Process, Window)> {
    let mut command = lab.downbeat()?;
    command.args([relay, "--name", "the window", "--device", &Lab::card_description(0)]);
    command.env("DISPLAY", screen.display());
    let process = Process::spawn("downbeat with a window", command)?;
    let window = screen
        .window("Downbeat")
        .with_context(|| format!("the program printed:\n{}", process.transcript()))?;
    Ok((process, window))
}

/// Waits until the window sounds: a long sound is started, which it joins when it can, and ended
/// when it is heard. The window itself tells nothing but what it shows.
fn wait_until_it_sounds(lab: &Lab, relay: &Relay) -> Result<()> {
    let mut remote = Modern::connect(&relay.ws_url(), "remote", ClientKind::Remote)?;
    remote.wait_for(|message| match message {
        RelayToClient::Roster(roster) => {
            roster.clients.iter().any(|client| client.kind == ClientKind::Window).then_some(())
        }
        _ => None,
    })?;
    let take = lab.record();
    let sound = Some(LONG_SOUND.to_owned());
    remote.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;
    take.wait_for_onsets(&[0], 1)?;
    remote.send(&ClientToRelay::Stop(StopRequest::default()))?;
    remote.wait_for(|message| matches!(message, RelayToClient::Stop(_)).then_some(()))?;
    wait_for_silence(lab)
}

/// Waits until nothing sounds on card 0 for a while.
fn wait_for_silence(lab: &Lab) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let take = lab.record();
        take.wait(GAP)?;
        if take.stop()?.peak(0) < 1e-4 {
            return Ok(());
        }
    }
    bail!("it does not fall silent")
}

fn picture(screen: &Screen, name: &str) -> Result<()> {
    pictures_folder()?.map_or(Ok(()), |folder| screen.picture(&folder.join(name)))
}

#[test]
fn pointer_space_and_enter_bang_and_the_window_sounds() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let relay = Relay::start()?;
    let (_process, window) = open(&lab, &screen, &relay.ws_url())?;
    wait_until_it_sounds(&lab, &relay)?;

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
    let relay = Relay::start()?;
    let (_process, window) = open(&lab, &screen, &relay.ws_url())?;
    wait_until_it_sounds(&lab, &relay)?;
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
    let server = SeedServer::start()?;
    let mut page = connect_seed(&server.ws_url())?;
    let (_process, window) = open(&lab, &screen, &server.ws_url())?;
    // What it bangs reaches the tutorial's clients; it says hello first, and falls back.
    server.process().wait_for(r#"message received {"type":"hello""#)?;
    screen.click(&window, BANG.0, BANG.1)?;
    let message = page.expect()?;
    assert_eq!(message, tungstenite::Message::text("trigger-output"));
    wait_for_silence(&lab)?;
    // By now its bank is there: it was embedded.
    let take = lab.record();
    page.send_text("trigger-input")?;
    take.wait_for_onsets(&[0], 1)?;
    picture(&screen, "window-plain.png")?;
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    Ok(())
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

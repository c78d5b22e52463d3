//! The window on a virtual screen, operated with pointer and keyboard.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, RelayToClient};
use downbeat_tests::{
    client::{Socket, V1Client, connect_tutorial},
    lab::Lab,
    process::{From, PATIENCE, Process},
    relay::Relay,
    room::{wait_for_silence, wait_until_ready},
    tools::pictures_folder,
    tutorial::TutorialServer,
    window::{Geometry, Screen, Window},
};

/// Position of the bang in a window of the initial size, in fractions of its width and height.
const BANG: (f64, f64) = (0.83, 0.25);

/// A click that starts too late is over before it sounds. These tests do not check timing, so the
/// lead is ample even where software rendering keeps the machine busy.
const AMPLE_LEAD_MILLIS: &str = "100";

/// The colour of the button that one is to press.
const ACCENT: &str = "FF5A36";

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
fn a_bang_works_in_the_smallest_window() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let relay = Relay::start_with(&["--min-lead-ms", AMPLE_LEAD_MILLIS])?;
    let (_process, window) = open(&lab, &screen, &relay.ws_url())?;
    wait_until_ready(&lab, &relay, &[0])?;
    screen.resize(&window, 480, 600)?;
    let take = lab.record();
    // In one column, the bang is at the left, above the pads.
    screen.click(&window, 0.175, 0.34)?;
    take.wait_for_onsets(&[0], 1)?;
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    picture(&screen, "window-smallest.png")
}

#[test]
fn a_window_on_a_tutorial_relay_bangs_and_sounds() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let server = TutorialServer::start()?;
    let mut page = connect_tutorial(&server.ws_url())?;
    let (_process, window) = open(&lab, &screen, &server.ws_url())?;
    // No other signal shows that the window has detected the tutorial wire and is ready.
    let deadline = Instant::now() + PATIENCE;
    while lab_is_silent_after(&lab, &mut page)? {
        assert!(Instant::now() < deadline, "the window does not sound");
    }
    wait_for_silence(&lab, &[0])?;
    picture(&screen, "window-tutorial.png")?;
    page.drain()?;

    let take = lab.record();
    page.send_text("trigger-input")?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(page.expect()?, tungstenite::Message::text("trigger-output"));
    take.wait(GAP)?;
    // Its bangs reach tutorial clients, and itself.
    screen.click(&window, BANG.0, BANG.1)?;
    take.wait_for_onsets(&[0], 2)?;
    assert_eq!(page.expect()?, tungstenite::Message::text("trigger-output"));
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [2]);
    assert_eq!(page.drain()?, []);
    Ok(())
}

/// Bangs once from a tutorial client. Returns whether the card stays silent.
fn lab_is_silent_after(lab: &Lab, page: &mut Socket) -> Result<bool> {
    let take = lab.record();
    page.send_text("trigger-input")?;
    take.wait(GAP)?;
    Ok(take.stop()?.onsets(0).is_empty())
}

#[test]
fn a_window_joins_by_the_room_code_once_it_is_right() -> Result<()> {
    let lab = Lab::open(1)?;
    let screen = Screen::open(1024, 900)?;
    let relay = Relay::start_with(&["--token", "our-lab", "--conductor-token", "desk"])?;
    let url = relay.ws_url();
    let mut desk = V1Client::connect_with_token("desk", &url, "the desk", ClientKind::Remote)?;
    desk.watch()?;
    let code = desk.wait_for(|message| match message {
        RelayToClient::Joining(joining) => joining.code,
        _ => None,
    })?;
    let (_process, window) = open(&lab, &screen, &url)?;
    // In the editor's button *Connect*, above its text.
    let Geometry { x, y, width, .. } = screen.geometry(&window)?;
    let button = (x + width - 165, y + 17);
    // In the button *Enter code*, beside its text.
    let again = (x + 725, y + 225);
    let wrong = if code == "12345678" { "87654321" } else { "12345678" };
    for typed in [wrong, &code] {
        screen.press(&window, "ctrl+l")?;
        // The editor takes keys from its first frame on.
        screen.wait_for_colour(button, ACCENT, true)?;
        screen.type_text(&window, typed)?;
        screen.press(&window, "Return")?;
        screen.wait_for_colour(button, ACCENT, false)?;
        if typed == wrong {
            screen.wait_for_colour(again, ACCENT, true)?;
            picture(&screen, "window-room-code-wrong.png")?;
        }
    }
    desk.wait_for_roster(|roster| roster.clients.iter().any(|c| c.name == "the window"))?;
    picture(&screen, "window-room-code.png")
}

#[test]
fn without_a_display_the_error_names_the_headless_player() -> Result<()> {
    let lab = Lab::open(1)?;
    let mut process = Process::spawn("downbeat without a display", lab.downbeat()?)?;
    let status = process.wait(PATIENCE)?;
    assert!(!status.success(), "{status}");
    let stderr = process.lines(From::Stderr);
    assert_eq!(stderr.len(), 1, "{stderr:?}");
    assert!(stderr[0].contains("display") && stderr[0].contains("downbeat play"), "{stderr:?}");
    Ok(())
}

#[test]
fn an_unreachable_display_is_reported_without_a_panic() -> Result<()> {
    let lab = Lab::open(1)?;
    let mut command = lab.downbeat()?;
    command.env("DISPLAY", ":4095");
    let mut process = Process::spawn("downbeat on a display that is not there", command)?;
    let status = process.wait(PATIENCE)?;
    assert!(!status.success(), "{status}");
    let stderr = process.lines(From::Stderr).join("\n");
    assert!(stderr.contains("downbeat play"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    Ok(())
}

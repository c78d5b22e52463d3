//! The page in a real browser while it is rejected or disconnected.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, TriggerRequest};
use downbeat_tests::{
    browser::Browser, client::V1Client, process::PATIENCE, proxy::Proxy, relay::Relay,
    tools::pictures_folder,
};

/// The space bar, as `WebDriver` encodes it.
const SPACE: char = '\u{e00d}';

/// A browser without an audio output: its audio clock runs without a sound server.
fn open() -> Result<Browser> {
    let launch = |program: &Path| {
        let mut command = Command::new(program);
        command.env("PULSE_SERVER", "unix:/nonexistent");
        command
    };
    let browser = Browser::open(launch, 390, 844)?;
    browser.emulate_phone(390, 844)?;
    Ok(browser)
}

/// A browser whose page is connected.
fn join(relay: &Relay) -> Result<Browser> {
    let browser = open()?;
    browser.go(&relay.http_url())?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    Ok(browser)
}

/// Waits until an element contains `text`.
fn wait_for_text(browser: &Browser, selector: &str, text: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let script = format!("return document.querySelector('{selector}').innerText");
        let shown = browser.run(&script)?;
        if shown.as_str().is_some_and(|shown| shown.contains(text)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{selector} shows {shown}, not {text:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn picture(browser: &Browser, name: &str) -> Result<()> {
    pictures_folder()?.map_or(Ok(()), |folder| browser.screenshot(&folder.join(name)))
}

#[test]
fn the_page_asks_for_a_missing_token_and_keeps_it_in_its_address() -> Result<()> {
    let relay = Relay::start_with(&["--token", "let-me_in"])?;
    let browser = open()?;
    browser.go(&relay.http_url())?;
    wait_for_text(&browser, "#token-reason", "requires a token")?;
    browser.wait_for("#state[data-state=rejected]")?;
    picture(&browser, "page-token.png")?;
    browser.set("#token", "wrong")?;
    browser.click("#token-form button")?;
    wait_for_text(&browser, "#token-reason", "does not accept the token")?;
    picture(&browser, "page-token-wrong.png")?;
    browser.set("#token", &format!("{}/#token=let-me_in", relay.http_url()))?;
    browser.click("#token-form button")?;
    browser.wait_for("#state[data-state=connected]")?;
    browser.wait_for("#token-form[hidden]")?;
    // Submitting the form is a gesture: the audio needs no other.
    browser.wait_for("#start[hidden]")?;
    assert_eq!(browser.run("return location.hash")?, "#token=let-me_in");
    browser.run("location.reload()")?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    Ok(())
}

#[test]
fn the_page_asks_again_when_the_token_has_changed() -> Result<()> {
    let mut relay = Relay::start_with(&["--token", "first"])?;
    let browser = open()?;
    browser.go(&format!("{}/#token=first", relay.http_url()))?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    relay.kill()?;
    wait_for_text(&browser, "#message", "The relay does not answer")?;
    picture(&browser, "page-lost.png")?;
    relay.replace(&["--token", "second"])?;
    wait_for_text(&browser, "#token-reason", "does not accept the token")?;
    // A new token in the address is tried at once.
    browser.run("location.hash = '#token=second'")?;
    browser.wait_for("#state[data-state=connected]")?;
    Ok(())
}

#[test]
fn a_notification_covers_the_status_only_for_a_while() -> Result<()> {
    let mut relay = Relay::start()?;
    let browser = join(&relay)?;
    relay.kill()?;
    wait_for_text(&browser, "#message", "The relay does not answer")?;
    browser.press(SPACE)?;
    wait_for_text(&browser, "#message", "the bang was not sent")?;
    wait_for_text(&browser, "#message", "The relay does not answer")?;
    browser.click("#stop")?;
    wait_for_text(&browser, "#message", "Stopped on this machine only")
}

#[test]
fn space_after_stop_bangs() -> Result<()> {
    let relay = Relay::start()?;
    let browser = join(&relay)?;
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    browser.click("#stop")?;
    watcher.wait_for(|message| matches!(message, RelayToClient::Stop(_)).then_some(()))?;
    browser.press(SPACE)?;
    watcher.wait_for(|message| matches!(message, RelayToClient::Trigger(_)).then_some(()))
}

#[test]
fn a_drum_roll_flashes_three_times_a_second_at_most() -> Result<()> {
    let relay = Relay::start()?;
    let browser = join(&relay)?;
    browser.run(
        "window.flashes = [];
         const bang = document.querySelector('#bang');
         let lit = false;
         new MutationObserver(() => {
           const isLit = bang.classList.contains('flash');
           if (isLit && !lit) window.flashes.push(performance.now());
           lit = isLit;
         }).observe(bang, { attributes: true });",
    )?;
    let mut drummer = V1Client::connect(&relay.ws_url(), "drummer", ClientKind::Remote)?;
    // The roll goes on until the limit has been met twice. Flashes of adjacent triggers count as one.
    let deadline = Instant::now() + PATIENCE;
    let flashes: Vec<f64> = loop {
        drummer.send(&ClientToRelay::Trigger(TriggerRequest::default()))?;
        std::thread::sleep(Duration::from_millis(60));
        let flashes = browser.run("return window.flashes")?;
        let flashes: Option<Vec<f64>> =
            flashes.as_array().and_then(|all| all.iter().map(serde_json::Value::as_f64).collect());
        let flashes = flashes.context("instants are numbers")?;
        if flashes.len() >= 7 {
            break flashes;
        }
        ensure!(Instant::now() < deadline, "it flashed {} times", flashes.len());
    };
    let sounds = browser.run("return Number(document.querySelector('#bang').dataset.flashes)")?;
    ensure!(sounds.as_f64().is_some_and(|count| count > 7.0), "all of {sounds} sounds flashed");
    for window in flashes.windows(4) {
        // The observer runs a little later than the flash begins.
        ensure!(window[3] - window[0] > 950.0, "{flashes:?}");
    }
    Ok(())
}

#[test]
fn a_page_that_has_lost_one_of_its_files_loads_again() -> Result<()> {
    let relay = Relay::start()?;
    for path in ["/main.js", "/state/room.js", "/style/layout.css"] {
        let proxy = Proxy::losing_once(relay.address(), path)?;
        let browser = open()?;
        browser.go(&format!("{}/", proxy.url()))?;
        browser
            .wait_for("#state[data-state=connected]")
            .with_context(|| format!("without {path}"))?;
        assert!(proxy.has_lost(), "{path} was not asked for");
    }
    Ok(())
}

//! The page in a real browser: gestures, sound, the list of clients.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, TriggerRequest};
use downbeat_tests::{
    browser::Browser, client::V1Client, lab::Lab, relay::Relay, room::wait_until_ready,
    tools::pictures_folder,
};

/// The sound card of the browser.
const BROWSER: usize = 0;
/// The sound card of the desktop player.
const DESKTOP: usize = 1;

/// Keys, as `WebDriver` encodes them.
const SPACE: char = '\u{e00d}';
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';

/// The sound of the bangs: half a second long, so that a browser that is late by a few milliseconds and
/// joins it in the middle is still detected.
const SOUND: &str = "kick";

/// Longer than that sound.
const GAP: Duration = Duration::from_millis(800);

/// Opens the page on an emulated phone, starts its audio, and waits until these channels sound.
fn join(lab: &Lab, relay: &Relay, channels: &[usize]) -> Result<Browser> {
    let browser = Browser::open(|program| lab.command_on(BROWSER, program), 390, 844)?;
    browser.emulate_phone(390, 844)?;
    browser.go(&relay.http_url())?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    wait_until_ready(lab, relay, channels)?;
    browser.click("#view-bang")?;
    browser.click(&format!("#sound label[data-sound={SOUND}]:not(.missing)"))?;
    Ok(browser)
}

fn picture(browser: &Browser, name: &str) -> Result<()> {
    pictures_folder()?.map_or(Ok(()), |folder| browser.screenshot(&folder.join(name)))
}

/// The text of the page, for errors.
fn shown(browser: &Browser) -> String {
    let text = browser.run("return document.querySelector('#page').innerText");
    format!("the page shows {text:?}, and has flashed {:?} times", flashes(browser))
}

/// How many triggers the page has sounded: it flashes for each.
fn flashes(browser: &Browser) -> Result<u64> {
    let value = browser.run("return document.querySelector('#bang').dataset.flashes")?;
    value.as_str().and_then(|n| n.parse().ok()).with_context(|| format!("data-flashes is {value}"))
}

#[test]
fn the_page_sounds_from_its_own_bang_by_click_and_by_key() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let browser = join(&lab, &relay, &[BROWSER])?;
    let before = flashes(&browser)?;
    let take = lab.record();
    browser.click("#bang")?;
    take.wait_for_onsets(&[BROWSER], 1).with_context(|| shown(&browser))?;
    picture(&browser, "page-phone.png")?;
    take.wait(GAP)?;
    browser.press(SPACE)?;
    take.wait_for_onsets(&[BROWSER], 2).with_context(|| shown(&browser))?;
    take.wait(GAP)?;
    browser.press(ENTER)?;
    take.wait_for_onsets(&[BROWSER], 3).with_context(|| shown(&browser))?;
    take.wait(GAP)?;
    assert_eq!(take.stop()?.onset_counts(), [3]);
    assert_eq!(flashes(&browser)? - before, 3);
    Ok(())
}

#[test]
fn escape_on_the_page_stops_every_machine() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let browser = join(&lab, &relay, &[BROWSER])?;
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    browser.press(ESCAPE)?;
    watcher.wait_for(|message| matches!(message, RelayToClient::Stop(_)).then_some(()))
}

#[test]
fn the_page_and_a_desktop_player_sound_from_each_others_bangs() -> Result<()> {
    let lab = Lab::open(2)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let _player = lab.play(DESKTOP, &url)?;
    let browser = join(&lab, &relay, &[BROWSER, DESKTOP])?;
    let take = lab.record();
    browser.click("#bang")?;
    take.wait_for_onsets(&[BROWSER, DESKTOP], 1).with_context(|| shown(&browser))?;
    take.wait(GAP)?;
    lab.bang(&url, &["--sound", SOUND])?;
    take.wait_for_onsets(&[BROWSER, DESKTOP], 2).with_context(|| shown(&browser))?;
    assert_eq!(take.stop()?.onset_counts(), [2, 2]);

    // The page lists the player by name.
    let roster = browser.run("return document.querySelector('#roster').textContent")?;
    let roster = roster.as_str().context("the roster is text")?;
    assert!(roster.contains(&Lab::machine_name(DESKTOP)), "{roster:?}");
    picture(&browser, "page-phone-room.png")?;
    Ok(())
}

#[test]
fn a_name_with_markup_is_shown_as_text() -> Result<()> {
    const NAME: &str = "<img src=x onerror=alert(1)>";
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let browser = join(&lab, &relay, &[BROWSER])?;
    let take = lab.record();
    let mut stranger = V1Client::connect(&relay.ws_url(), NAME, ClientKind::Remote)?;
    stranger.send(&ClientToRelay::Trigger(TriggerRequest::default()))?;
    take.wait_for_onsets(&[BROWSER], 1).with_context(|| shown(&browser))?;
    // Rosters are sent less often than triggers.
    browser.wait_for("#roster li:nth-child(2)")?;
    let text =
        |what: &str| browser.run(&format!("return document.querySelector('{what}').innerText"));
    assert_eq!(text("#last-by")?, format!("by {NAME}"));
    let roster = text("#roster")?;
    assert!(roster.as_str().is_some_and(|roster| roster.contains(NAME)), "{roster}");
    assert_eq!(browser.run("return document.querySelectorAll('img[onerror]').length")?, 0);
    Ok(())
}

#[test]
fn the_page_updates_its_list_when_the_folder_changes() -> Result<()> {
    let embedded = |name: &str| {
        let sound = downbeat_samples::EMBEDDED.iter().find(|sound| sound.name == name);
        sound.map(|sound| sound.wav).with_context(|| format!("the bank has a {name}"))
    };
    let folder = tempfile::tempdir()?;
    let put = |name: &str, sound: &str| -> Result<()> {
        Ok(std::fs::write(folder.path().join(name), embedded(sound)?)?)
    };
    // `wait_until_ready` bangs this sound.
    put("texture.wav", "texture")?;
    put("kick.wav", "kick")?;
    put("old.wav", "bell")?;
    let lab = Lab::open(1)?;
    let relay = Relay::start_with(&[Path::new("--samples"), folder.path()])?;
    let browser = join(&lab, &relay, &[BROWSER])?;
    std::fs::remove_file(folder.path().join("old.wav"))?;
    put("new.wav", "clap")?;
    browser.wait_for("#sound label[data-sound=new]:not(.missing)")?;
    let old = browser.run("return document.querySelectorAll('#sound [data-sound=old]').length")?;
    assert_eq!(old, 0, "a removed sound is still listed");
    // The chosen sound still is, and sounds.
    let take = lab.record();
    browser.click("#bang")?;
    take.wait_for_onsets(&[BROWSER], 1).with_context(|| shown(&browser))?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    Ok(())
}

#[test]
fn the_page_loads_nothing_from_other_servers() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let browser = join(&lab, &relay, &[BROWSER])?;
    let elsewhere = browser.run(
        "return performance.getEntriesByType('resource').map(entry => entry.name)
            .filter(name => !name.startsWith(location.origin))",
    )?;
    assert_eq!(elsewhere, serde_json::json!([]));
    Ok(())
}

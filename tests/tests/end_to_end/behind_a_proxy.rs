//! A relay behind a reverse proxy that serves it below a path: the page and the players work.

use std::time::Duration;

use anyhow::{Context, Result};
use downbeat_tests::{
    browser::Browser, lab::Lab, proxy::Proxy, relay::Relay, room::wait_until_ready,
};

/// The sound cards of the browser and the players.
const BROWSER: usize = 0;
const WITH_SLASH: usize = 1;
const WITHOUT_SLASH: usize = 2;

const EVERYONE: [usize; 3] = [BROWSER, WITH_SLASH, WITHOUT_SLASH];

/// Time between two bangs, longer than their sound.
const GAP: Duration = Duration::from_millis(800);

#[test]
fn page_and_players_sound_below_the_path_of_a_reverse_proxy() -> Result<()> {
    let lab = Lab::open(EVERYONE.len())?;
    let relay = Relay::start()?;
    let proxy = Proxy::before(relay.address())?;
    let (folder, bare) = (format!("{}/", proxy.url()), proxy.url());
    // A ready player has fetched the sounds.
    let _with_slash = lab.play(WITH_SLASH, &folder)?;
    let _without_slash = lab.play(WITHOUT_SLASH, &bare)?;
    let browser = Browser::open(|program| lab.command_on(BROWSER, program), 390, 844)?;
    browser.go(&bare)?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    browser.click("#view-bang")?;
    browser.wait_for("#sound label[data-sound=kick]:not(.missing)")?;
    wait_until_ready(&lab, &relay, &EVERYONE)?;

    let take = lab.record();
    browser.click("#sound label[data-sound=kick]")?;
    browser.click("#bang")?;
    take.wait_for_onsets(&EVERYONE, 1).context("after a bang of the page")?;
    take.wait(GAP)?;
    lab.bang(&bare, &["--sound", "kick"])?;
    take.wait_for_onsets(&EVERYONE, 2).context("after a bang of a program")?;
    assert_eq!(take.stop()?.onset_counts(), [2, 2, 2]);
    Ok(())
}

//! A machine whose link is cut: nobody says goodbye. The relay finds out and lets go; the machine comes
//! back when the link is mended, and hears what comes then and nothing of before.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use downbeat_protocol::{ClientKind, ClientToRelay, Probe, TriggerRequest};
use downbeat_tests::{
    client::V1Client,
    partition::{VirtualLink, ensure_permitted},
    process::{From, Process},
    relay::{Relay, clear_settings},
    tools::binary,
};

/// Set where the test must not be passed over, as in continuous integration.
const REQUIRED: &str = "REQUIRE_NAMESPACES";

/// How long the relay waits for one that is silent, and the longest that its rounds and a busy machine
/// add to that.
const SILENT_AFTER: Duration = Duration::from_secs(30);
const AND_SOME: Duration = Duration::from_secs(10);

/// The longest back-off, a connection that is given up just before the link is mended, and some more.
const BACK_WITHIN: Duration = Duration::from_secs(15);

fn bang(sound: &str) -> ClientToRelay {
    let sound = Some(sound.to_owned());
    ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() })
}

#[test]
fn one_that_is_cut_off_is_let_go_and_comes_back_to_the_next_bang() -> Result<()> {
    if let Err(why) = ensure_permitted() {
        ensure!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but {why:#}");
        println!("NOT RUN: {why:#}. Run it as root, where network namespaces can be made.");
        return Ok(());
    }
    let link = VirtualLink::create()?;
    let relay = Relay::start_on(&format!("{}:0", link.near_address()), &["--log", "info"])?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(binary("downbeat")?);
    clear_settings(&mut command);
    command.args(["play", &relay.ws_url(), "--name", "far"]);
    for folder in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HOME"]
    {
        command.env(folder, home.path());
    }
    let player = Process::spawn("downbeat play at the far end", link.far_command(&command)?)?;
    player.wait_for("Connected as client")?;
    let mut near = V1Client::connect(&relay.ws_url(), "near", ClientKind::Remote)?;
    let whole = player.mark();
    near.send(&bang("click"))?;
    player.wait_for_after(whole, "Played click by near")?;
    assert_eq!(relay.health()?["total"], 2);

    link.disconnect()?;
    let (cut, lost) = (Instant::now(), player.mark());
    for _ in 0..3 {
        near.send(&bang("kick"))?;
    }
    while relay.health()?["total"] != 1 {
        let left = SILENT_AFTER + AND_SOME;
        ensure!(cut.elapsed() < left, "the relay has not noticed: {}", relay.health()?);
        // It reads nothing meanwhile, and so would not answer a ping.
        near.send(&ClientToRelay::Probe(Probe { sent: 0 }))?;
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("the relay let it go after {:?}", cut.elapsed());
    let health = relay.health()?;
    let reasons = &health["clients_disconnected"];
    // What waited for it may have been noticed before its silence.
    let by_silence = reasons["silent"] == 1 || reasons["stalled"] == 1;
    ensure!(by_silence, "it went another way: {health}");
    player.wait_for_after(lost, "Lost the relay")?;

    link.reconnect()?;
    let (mended, back) = (Instant::now(), player.mark());
    let from_stdout =
        |part: &'static str| move |from, line: &str| from == From::Stdout && line.contains(part);
    player.wait_for_line(back, BACK_WITHIN, from_stdout("Connected as client"))?;
    println!("it was back {:?} after the link was mended", mended.elapsed());
    near.send(&bang("bell"))?;
    player.wait_for_after(back, "Played bell by near")?;
    let heard = player.lines(From::Stdout);
    let heard: Vec<_> = heard.iter().filter(|line| line.starts_with("Played")).collect();
    assert_eq!(heard.len(), 2, "a click before, a bell after, and nothing stale: {heard:#?}");
    Ok(())
}

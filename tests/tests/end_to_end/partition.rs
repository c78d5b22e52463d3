//! A machine whose link is cut without a close. The relay detects it and disconnects the client.
//! Once the link is restored, the player reconnects and plays new triggers only.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use downbeat_protocol::{ClientKind, ClientToRelay, Probe, TriggerRequest};
use downbeat_tests::{
    client::V1Client,
    partition::{VirtualLink, is_permitted},
    process::{From, Process},
    relay::{Relay, clear_settings},
    tools::binary,
};

/// The relay's timeout for silent clients, and the longest addition by its polling and a busy
/// machine.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
const MARGIN: Duration = Duration::from_secs(10);

/// The longest back-off, a connection attempt that times out just before the link is restored, and
/// a margin.
const MAX_RECONNECT: Duration = Duration::from_secs(15);

fn bang(sound: &str) -> ClientToRelay {
    let sound = Some(sound.to_owned());
    ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() })
}

#[test]
fn a_partitioned_player_is_disconnected_and_reconnects_afterwards() -> Result<()> {
    if !is_permitted()? {
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
        let left = SILENCE_TIMEOUT + MARGIN;
        ensure!(
            cut.elapsed() < left,
            "the relay has not disconnected the client: {}",
            relay.health()?
        );
        // This client does not read meanwhile, so it would not answer pings.
        near.send(&ClientToRelay::Probe(Probe { sent: 0 }))?;
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("the relay disconnected the client after {:?}", cut.elapsed());
    let health = relay.health()?;
    let reasons = &health["clients_disconnected"];
    // Unsent data may be detected before the silence.
    let by_silence = reasons["silent"] == 1 || reasons["stalled"] == 1;
    ensure!(by_silence, "it was disconnected for another reason: {health}");
    player.wait_for_after(lost, "Lost the relay")?;

    link.reconnect()?;
    let (restored, back) = (Instant::now(), player.mark());
    let from_stdout =
        |part: &'static str| move |from, line: &str| from == From::Stdout && line.contains(part);
    player.wait_for_line(back, MAX_RECONNECT, from_stdout("Connected as client"))?;
    println!("the player reconnected {:?} after the link was restored", restored.elapsed());
    near.send(&bang("bell"))?;
    player.wait_for_after(back, "Played bell by near")?;
    let sounds = player.lines(From::Stdout);
    let sounds: Vec<_> = sounds.iter().filter(|line| line.starts_with("Played")).collect();
    assert_eq!(sounds.len(), 2, "a click before, a bell after, and nothing stale: {sounds:#?}");
    Ok(())
}

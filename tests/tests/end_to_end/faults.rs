//! Faults while a room plays: a killed relay, an unplugged card, a missing sound system, broken
//! files.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use downbeat_protocol::ClientKind;
use downbeat_tests::{
    client::V1Client,
    lab::{Lab, wait_until_ready},
    process::{From, Process},
    relay::Relay,
    wav,
};

/// The sound of the bangs: long enough to be detected on a machine that was too busy to start it in
/// time and joined it in the middle.
const SOUND: &str = "clap";

/// Time between two bangs, longer than that sound.
const GAP: Duration = Duration::from_millis(700);

/// A sound of some seconds. A player that has just come may need a while until its output plays: it joins a long sound
/// then, where a short one is over.
fn long_sound() -> Result<&'static [u8]> {
    let texture = downbeat_samples::EMBEDDED.iter().find(|sound| sound.name == "texture");
    Ok(texture.context("the bank has a texture")?.wav)
}

/// The longest back-off of a player.
const MAX_BACK_OFF: Duration = Duration::from_secs(5);

#[test]
fn players_reconnect_after_the_relay_was_killed_and_restarted() -> Result<()> {
    let lab = Lab::open(3)?;
    let mut relay = Relay::start()?;
    let url = relay.ws_url();
    let players = (0..3).map(|machine| lab.play(machine, &url)).collect::<Result<Vec<_>>>()?;
    let take = lab.record();
    lab.bang(&url, &["--sound", SOUND, "--count", "2", "--every", "700"])?;
    take.wait_for_onsets(&[0, 1, 2], 2)?;
    assert_eq!(take.stop()?.onset_counts(), [2, 2, 2]);

    relay.kill()?;
    for player in &players {
        player.wait_for("Lost the relay")?;
    }
    let take = lab.record();
    let back = Instant::now();
    relay.restart()?;
    for player in &players {
        wait_until_ready(player)?;
    }
    let away = back.elapsed();
    let most = MAX_BACK_OFF + Duration::from_secs(5);
    assert!(away < most, "the players took {away:?} to reconnect");
    // Triggers from before the crash are not played again.
    take.wait(Duration::from_millis(500))?;
    assert_eq!(take.stop()?.onset_counts(), [0, 0, 0]);

    let take = lab.record();
    lab.bang(&url, &["--sound", SOUND, "--count", "2", "--every", "700"])?;
    take.wait_for_onsets(&[0, 1, 2], 2)?;
    assert_eq!(take.stop()?.onset_counts(), [2, 2, 2]);
    Ok(())
}

#[test]
fn a_card_sounds_again_after_being_unplugged_and_replugged() -> Result<()> {
    let mut lab = Lab::open(2)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let players = (0..2).map(|machine| lab.play(machine, &url)).collect::<Result<Vec<_>>>()?;
    let bang = |lab: &Lab, expected: [usize; 2]| -> Result<()> {
        let take = lab.record();
        lab.bang(&url, &["--sound", SOUND])?;
        take.wait_for_onsets(&[0], expected[0])?;
        take.wait_for_onsets(&[1], expected[1])?;
        take.wait(GAP)?;
        assert_eq!(take.stop()?.onset_counts(), expected);
        Ok(())
    };
    bang(&lab, [1, 1])?;

    let mark = players[0].mark();
    lab.unplug(0)?;
    // The player reports the loss or opens another output, and the others continue.
    players[0].wait_for_line(mark, Duration::from_secs(15), |from, line| {
        from == From::Stdout && (line.starts_with("No output") || line.starts_with("Output: "))
    })?;
    bang(&lab, [0, 1])?;

    let mark = players[0].mark();
    lab.plug(0)?;
    players[0].wait_for_after(mark, &format!("Output: {}", Lab::card_description(0)))?;
    bang(&lab, [1, 1])
}

#[test]
fn a_player_without_a_sound_system_waits_for_one() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let folder = tempfile::tempdir()?;
    let later = folder.path().join("pulseaudio");
    let mut command = lab.downbeat()?;
    command.args(["play", &relay.ws_url(), "--device", &Lab::card_description(0)]);
    command.env("PULSE_SERVER", format!("unix:{}", later.display()));
    let player = Process::spawn("downbeat play without a sound system", command)?;
    player.wait_for("Connected")?;
    player.wait_for("No output")?;
    std::os::unix::fs::symlink(lab.socket(), &later)?;
    player.wait_for(&format!("Output: {}", Lab::card_description(0)))?;
    wait_until_ready(&player)?;
    let take = lab.record();
    lab.bang(&relay.ws_url(), &["--sound", SOUND])?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    Ok(())
}

#[test]
fn broken_files_are_logged_and_the_others_are_served() -> Result<()> {
    let folder = tempfile::tempdir().context("creating a folder of sounds")?;
    let broken = wav::write_broken(folder.path())?;
    wav::write_good(&folder.path().join("good.wav"))?;
    std::fs::write(folder.path().join("notes.txt"), "not meant to be a sound")?;
    let relay = Relay::start_with(&[Path::new("--samples"), folder.path()])?;
    let client = V1Client::connect(&relay.ws_url(), "remote", ClientKind::Remote)?;
    let served: Vec<_> = client.welcome.sounds.iter().map(|sound| sound.name.as_str()).collect();
    assert_eq!(served, ["good"]);
    assert_eq!(client.welcome.default_sound, "good");
    drop(client);

    // A separate thread writes the log, which is complete only once the relay has ended.
    let mut relay = relay;
    relay.process().terminate()?;
    relay.process().expect_exit(0)?;
    let log = relay.process().lines(From::Stderr);
    for name in broken {
        let about = log.iter().filter(|line| line.contains(name)).count();
        assert_eq!(about, 1, "{name} must be named once in {log:#?}");
    }
    assert!(!log.iter().any(|line| line.contains("notes.txt")), "{log:#?}");
    Ok(())
}

#[test]
fn a_sound_that_is_added_at_runtime_plays_on_every_machine() -> Result<()> {
    let folder = tempfile::tempdir().context("creating a folder of sounds")?;
    wav::write_good(&folder.path().join("first.wav"))?;
    let lab = Lab::open(1)?;
    let relay = Relay::start_with(&[Path::new("--samples"), folder.path()])?;
    let url = relay.ws_url();
    let player = lab.play(0, &url)?;
    let mark = player.mark();
    // Written to a temporary file and renamed, so that the relay never sees a partial file.
    let beside = folder.path().join("added.part");
    std::fs::write(&beside, long_sound()?)?;
    std::fs::rename(&beside, folder.path().join("added.wav"))?;
    player.wait_for_after(mark, "The relay now serves 2 sounds")?;
    player.wait_for_after(mark, "Ready: 2 sounds")?;
    let take = lab.record();
    lab.bang(&url, &["--sound", "added"])?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    Ok(())
}

#[test]
fn players_play_the_files_of_the_relays_folder() -> Result<()> {
    let folder = tempfile::tempdir().context("creating a folder of sounds")?;
    wav::write_broken(folder.path())?;
    std::fs::write(folder.path().join("own.wav"), long_sound()?)?;
    let lab = Lab::open(1)?;
    let relay = Relay::start_with(&[Path::new("--samples"), folder.path()])?;
    let url = relay.ws_url();
    let _player = lab.play(0, &url)?;
    let take = lab.record();
    lab.bang(&url, &["--sound", "own"])?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(take.stop()?.onset_counts(), [1]);
    Ok(())
}

//! Tests of the lab itself, with stand-ins for the programs under test: its measurements are only
//! as reliable as these tests.

use std::{io::Write, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    client::connect_tutorial,
    lab::Lab,
    process::{PATIENCE, wait_for_exit},
    recorder::RATE,
    tools::tool,
    tutorial::TutorialServer,
};
use tungstenite::Message;

/// Plays a burst of a 1 kHz tone for `millis` on a machine's card, with `pacat`.
fn play_tone(lab: &Lab, machine: usize, millis: usize) -> Result<()> {
    let mut command = lab.command_on(machine, tool("pacat")?);
    command.args(["--raw", "--format=float32le", "--channels=1", "--latency-msec=10"]);
    command.arg(format!("--rate={RATE}")).stdin(Stdio::piped());
    let mut player = command.spawn().context("starting pacat")?;
    let frames = millis * RATE / 1000;
    let tone: Vec<u8> = (0..frames)
        .map(|frame| 0.25 * (std::f32::consts::TAU * 1000.0 * frame as f32 / RATE as f32).cos())
        .flat_map(f32::to_le_bytes)
        .collect();
    player.stdin.take().context("pacat's stdin is piped")?.write_all(&tone)?;
    ensure!(wait_for_exit(&mut player)?.success(), "pacat failed");
    Ok(())
}

#[test]
fn a_card_records_what_its_machine_plays_and_nothing_else() -> Result<()> {
    let lab = Lab::open(3)?;
    let take = lab.record();
    for _ in 0..2 {
        play_tone(&lab, 1, 20)?;
        take.wait(Duration::from_millis(200))?;
    }
    take.wait_for_onsets(&[1], 2)?;
    let recording = take.stop()?;
    assert_eq!(recording.onset_counts(), [0, 2, 0]);
    assert!((recording.peak(1) - 0.25).abs() < 0.001, "{}", recording.peak(1));
    // Every frame of the tone is recorded: it is neither cut nor stretched.
    let loud = recording.channels[1].iter().filter(|value| value.abs() > 0.0).count();
    assert!((1900..=1920).contains(&loud), "{loud} of 1920 frames were recorded");
    Ok(())
}

#[test]
fn a_card_can_be_unplugged_and_replugged() -> Result<()> {
    let mut lab = Lab::open(2)?;
    lab.unplug(0)?;
    assert!(!lab.pactl(&["list", "short", "sinks"])?.contains(&Lab::card(0)));
    lab.plug(0)?;
    let take = lab.record();
    play_tone(&lab, 0, 20)?;
    take.wait_for_onsets(&[0], 1)?;
    assert_eq!(take.stop()?.onset_counts(), [1, 0]);
    Ok(())
}

#[test]
fn a_take_contains_only_its_own_duration() -> Result<()> {
    let lab = Lab::open(1)?;
    play_tone(&lab, 0, 20)?;
    lab.record().stop()?;
    let take = lab.record();
    take.wait(Duration::from_millis(100))?;
    let recording = take.stop()?;
    assert_eq!(recording.onset_counts(), [0]);
    let seconds = recording.channels[0].len() as f64 / RATE as f64;
    assert!((0.4..0.6).contains(&seconds), "100 ms and the tail were recorded as {seconds} s");
    Ok(())
}

#[test]
fn the_tutorial_server_broadcasts_exact_bangs_only() -> Result<()> {
    let server = TutorialServer::start()?;
    let mut one = connect_tutorial(&server.ws_url())?;
    let mut other = connect_tutorial(&server.ws_url())?;
    one.send(Message::binary(b"trigger-input".as_slice()))?;
    one.send_text("trigger-input\n")?;
    one.send_text("trigger-input")?;
    for client in [&mut one, &mut other] {
        assert_eq!(client.expect()?, Message::text("trigger-output"));
        assert_eq!(client.drain()?, []);
    }
    server.process().wait_for("message received trigger-input")?;
    Ok(())
}

#[test]
fn a_dropped_process_has_ended() -> Result<()> {
    let lab = Lab::open(1)?;
    let mut command = lab.command("sleep");
    command.arg("60");
    let process = downbeat_tests::process::Process::spawn("sleep", command)?;
    let id = process.id();
    drop(process);
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists(), "within {PATIENCE:?}");
    Ok(())
}

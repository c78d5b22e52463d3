//! A machine that joins while a long sound plays: how soon it sounds, and how closely it follows
//! the others.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, StopRequest, TriggerRequest};
use downbeat_tests::{
    claims::shared_micros,
    client::V1Client,
    onsets,
    recorder::{RATE, Recording},
};

use crate::room::{Bang, Room};

/// A long sound of the embedded bank. Any 50 ms of it identify their position.
const LONG_SOUND: &str = "texture";

/// How long the others have been playing when it joins, and how long it is recorded.
const BEFORE: Duration = Duration::from_millis(1500);
const LISTENED: Duration = Duration::from_secs(8);

/// Window, step and search range of the comparison, in frames.
const WINDOW: usize = RATE / 20;
const EVERY: usize = RATE / 50;
const REACH: usize = RATE / 100;

/// The times of one late join, in microseconds of [`shared_micros`].
pub struct Joining {
    machine: usize,
    came: u64,
    from: u64,
    to: u64,
}

/// Stops the player on the last machine, and restarts it while the long sound plays.
pub fn join(room: &mut Room, machine: usize) -> Result<Joining> {
    let mut player = room.players.pop().context("there are no players")?;
    player.terminate()?;
    player.expect_exit(0)?;
    let known = room.joined.get(&machine).copied();
    let url = room.url.clone();
    let joining = come(&url, machine, || {
        room.start(machine..machine + 1)?;
        Ok(room.joined[&machine].at_micros)
    })?;
    // The bangs' figures count the player that was there before.
    room.joined.extend(known.map(|known| (machine, known)));
    Ok(joining)
}

/// Starts the long sound and calls `enter`, which connects a machine and returns the time of that.
pub fn come(url: &str, machine: usize, enter: impl FnOnce() -> Result<u64>) -> Result<Joining> {
    let mut remote = V1Client::connect(url, "composer", ClientKind::Remote)?;
    let sound = Some(LONG_SOUND.to_owned());
    remote.send(&ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() }))?;
    sleep(BEFORE);
    let from = shared_micros();
    let came = enter()?;
    sleep(LISTENED);
    let to = shared_micros();
    remote.send(&ClientToRelay::Stop(StopRequest::default()))?;
    remote.wait_for(|m| matches!(m, downbeat_protocol::RelayToClient::Stop(_)).then_some(()))?;
    Ok(Joining { machine, came, from, to })
}

/// Describes the join in one line.
pub fn note(recording: &Recording, bangs: &[Bang], joining: &Joining) -> Result<String> {
    let last = bangs.last().context("there are no bangs")?;
    let frame = |micros: u64| {
        let after = micros as f64 - last.pressed_micros as f64;
        (last.pressed + after * RATE as f64 / 1e6) as usize
    };
    let (from, to) = (frame(joining.from), frame(joining.to));
    let came = frame(joining.came);
    let values = &recording.channels[joining.machine];
    let reference = &recording.channels[0];
    let loud = |value: &f32| value.abs() > onsets::THRESHOLD;
    let first = values.get(from..to).and_then(|values| values.iter().position(loud));
    let Some(first) = first.map(|frame| frame + from) else {
        return Ok("the latecomer did not sound".to_owned());
    };
    let millis = |frames: f64| frames * 1e3 / RATE as f64;
    // After the fade-in, the whole window contains its sound.
    let begin = first + RATE / 200;
    let errors: Vec<(f64, f64)> = (begin..to.saturating_sub(WINDOW + REACH))
        .step_by(EVERY)
        .filter_map(|at| {
            let window = values.get(at..at + WINDOW)?;
            let around = reference.get(at - REACH..at + WINDOW + REACH)?;
            // The reference is searched for the window, so that the whole window always has a
            // counterpart.
            let lag = onsets::lag(around, window, 2 * REACH);
            let off = lag.map_or(f64::INFINITY, |lag| lag - REACH as f64);
            Some((millis((at + WINDOW) as f64 - came as f64), off * 1e6 / RATE as f64))
        })
        .collect();
    if std::env::var_os("LAGS").is_some() {
        eprintln!("latecomer (ms after connecting, us): {errors:.0?}");
    }
    let worst = |errors: &mut dyn Iterator<Item = f64>| {
        errors.map(f64::abs).max_by(f64::total_cmp).map_or("-".into(), |most| format!("{most:.0}"))
    };
    let after_second = worst(&mut errors.iter().filter(|e| e.0 >= 1e3).map(|e| e.1));
    let within_second = worst(&mut errors.iter().filter(|e| e.0 < 1e3).map(|e| e.1));
    let at_second = worst(&mut errors.iter().find(|e| e.0 >= 1e3).map(|e| e.1).into_iter());
    let later = worst(&mut errors.iter().filter(|e| e.0 >= 2e3).map(|e| e.1));
    Ok(format!(
        "a latecomer in {LONG_SOUND} sounds {:.0} ms after connecting; off by at most \
         {within_second} us in the first second, {at_second} us at its end, {after_second} us from \
         then on, {later} us from 2 s on",
        millis(first as f64 - came as f64)
    ))
}

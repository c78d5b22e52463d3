//! A relay and three players on three sound cards: every bang sounds once, everywhere, at the same
//! instant.

use std::time::Duration;

use anyhow::{Context, Result};
use downbeat_tests::{
    lab::Lab,
    onsets::{lags, spread},
    recorder::{RATE, Recording},
    relay::Relay,
    room::wait_until_ready,
};

/// What is banged: sharp, and long enough to be heard also by a machine that was too busy to start
/// it in time, and so joined it in the middle.
const SOUND: &str = "clap";

/// From one bang to the next, in milliseconds: longer than that sound.
const EVERY_MILLIS: &str = "700";

/// How far apart one bang may sound on two machines, in microseconds. It is far more than what is
/// reached on a quiet machine, and less than what two clicks need to be heard as two.
const MAX_SPREAD_MICROS: f64 = 2_000.0;

/// How many of the bangs may be further apart: all players share this machine with whatever else it
/// does.
const MAX_MISSED: usize = 1;

/// How long a machine is held up: many blocks, and less than it takes a filter to follow.
const SUSPENDED: Duration = Duration::from_millis(150);

const ROUNDS: usize = 5;

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 5;

/// By how much each bang began later on each channel than on the first, in microseconds.
fn lags_of_bangs(recording: &Recording) -> Result<Vec<Vec<f64>>> {
    let channels: Vec<&[f32]> = recording.channels.iter().map(Vec::as_slice).collect();
    let onsets: Vec<_> = (0..channels.len()).map(|channel| recording.onsets(channel)).collect();
    (0..onsets[0].len())
        .map(|bang| {
            let begun: Vec<_> = onsets.iter().map(|onsets| onsets[bang]).collect();
            let lags = lags(&channels, &begun, WINDOW)
                .with_context(|| format!("bang {bang} at frames {begun:?} cannot be compared"))?;
            Ok(lags.iter().map(|frames| frames * 1e6 / RATE as f64).collect())
        })
        .collect()
}

#[test]
fn ten_bangs_sound_ten_times_on_three_machines_together() -> Result<()> {
    let lab = Lab::open(3)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let _players = (0..3).map(|machine| lab.play(machine, &url)).collect::<Result<Vec<_>>>()?;
    wait_until_ready(&lab, &relay, &[0, 1, 2])?;

    let take = lab.record();
    lab.bang(&url, &["--sound", SOUND, "--count", "10", "--every", EVERY_MILLIS])?;
    take.wait_for_onsets(&[0, 1, 2], 10)?;
    let recording = take.stop()?;
    assert_eq!(recording.onset_counts(), [10, 10, 10]);

    let lags = lags_of_bangs(&recording)?;
    let mut spreads: Vec<_> = lags.iter().map(|lags| spread(lags)).collect();
    spreads.sort_by(f64::total_cmp);
    let (median, most) = (spreads[spreads.len() / 2], spreads[spreads.len() - 1]);
    println!("spread of 3 players over 10 bangs: median {median:.0} us, most {most:.0} us");
    println!("each bang's lag behind machine 0, in us: {lags:.0?}");
    let judged = spreads[spreads.len() - 1 - MAX_MISSED];
    assert!(judged < MAX_SPREAD_MICROS, "a spread of {judged:.0} us; lags in us: {lags:.0?}");
    Ok(())
}

#[test]
fn a_machine_that_was_held_up_is_in_its_place_right_afterwards() -> Result<()> {
    let lab = Lab::open(2)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let players = (0..2).map(|machine| lab.play(machine, &url)).collect::<Result<Vec<_>>>()?;
    wait_until_ready(&lab, &relay, &[0, 1])?;

    let take = lab.record();
    for round in 1..=ROUNDS {
        players[1].suspend_for(SUSPENDED)?;
        lab.bang(&url, &["--sound", SOUND])?;
        take.wait_for_onsets(&[0, 1], round)?;
        take.wait(Duration::from_millis(400))?;
    }
    let lags = lags_of_bangs(&take.stop()?)?;
    let mut spreads: Vec<_> = lags.iter().map(|lags| spread(lags)).collect();
    spreads.sort_by(f64::total_cmp);
    println!("spread right after 150 ms of standing still, in us: {spreads:.0?}");
    let judged = spreads[ROUNDS - 1 - MAX_MISSED];
    assert!(judged < MAX_SPREAD_MICROS, "a spread of {judged:.0} us; all: {spreads:.0?}");
    Ok(())
}

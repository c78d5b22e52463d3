//! A relay and three players on three sound cards: every bang sounds exactly once on each, at the
//! same instant.

use std::time::Duration;

use anyhow::{Context, Result};
use downbeat_tests::{
    lab::Lab,
    onsets::{lags, spread},
    recorder::{RATE, Recording},
    relay::Relay,
    room::wait_until_ready,
};

/// The sound of the bangs: with a sharp onset, and long enough to be detected on a machine that was
/// too busy to start it in time and joined it in the middle.
const SOUND: &str = "clap";

/// Time between two bangs in milliseconds, longer than that sound.
const EVERY_MILLIS: &str = "700";

/// Largest permitted spread of a bang, in microseconds. It is far more than on an idle machine, and
/// less than the separation at which two clicks are heard as two.
const MAX_SPREAD_MICROS: f64 = 2_000.0;

/// Number of bangs that may exceed it, because the players share this machine with other programs.
const MAX_MISSED: usize = 1;

/// How long a player is suspended: many blocks, and less than a filter needs to follow.
const SUSPENDED: Duration = Duration::from_millis(150);

const ROUNDS: usize = 5;

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 5;

/// The lag of each bang on each channel behind the first channel, in microseconds.
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
fn ten_bangs_sound_exactly_ten_times_in_sync_on_three_machines() -> Result<()> {
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
    println!("spread of 3 players over 10 bangs: median {median:.0} us, max {most:.0} us");
    println!("each bang's lag behind machine 0, in us: {lags:.0?}");
    let judged = spreads[spreads.len() - 1 - MAX_MISSED];
    assert!(judged < MAX_SPREAD_MICROS, "a spread of {judged:.0} us; lags in us: {lags:.0?}");
    Ok(())
}

#[test]
fn a_suspended_player_is_in_sync_immediately_after_resuming() -> Result<()> {
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
    println!("spread right after a suspension of 150 ms, in us: {spreads:.0?}");
    let judged = spreads[ROUNDS - 1 - MAX_MISSED];
    assert!(judged < MAX_SPREAD_MICROS, "a spread of {judged:.0} us; all: {spreads:.0?}");
    Ok(())
}

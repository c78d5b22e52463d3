//! Six players on PipeWire, two of which come late: every bang sounds together, and each machine keeps
//! its place.

use std::{thread, time::Duration};

use anyhow::Result;
use downbeat_tests::{
    lab::{Lab, Rig, wait_until_ready},
    onsets::{lags, spread},
    recorder::{RATE, Recording},
    relay::Relay,
};

const MACHINES: usize = 6;
const LATE: usize = 2;

/// How much later those come.
const LATER: Duration = Duration::from_secs(4);

/// How long a machine settles: PipeWire changes its period when a stream comes.
const SETTLE: Duration = Duration::from_secs(3);

const BANGS: usize = 30;
const EVERY_MILLIS: &str = "503";

/// How far apart half of the bangs may sound, in microseconds. On a quiet machine it is a tenth.
const MAX_SPREAD_MICROS: f64 = 2_000.0;

/// By how much half of a machine's bangs may be off its usual place, in microseconds. On a quiet
/// machine it is a tenth.
const MAX_DEVIATION_MICROS: f64 = 400.0;

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 20;

/// By how much each bang began later on each machine than on the first, in microseconds. Bangs that a
/// machine missed on this busy one are left out.
fn lags_of_bangs(recording: &Recording) -> Vec<Vec<f64>> {
    let channels: Vec<&[f32]> = recording.channels.iter().map(Vec::as_slice).collect();
    let onsets: Vec<_> = (0..channels.len()).map(|channel| recording.onsets(channel)).collect();
    let near = |onset: usize, other: &Vec<usize>| {
        other.iter().copied().find(|frame| frame.abs_diff(onset) < RATE / 10)
    };
    let bangs = onsets[0].iter().filter_map(|onset| {
        let begun: Vec<usize> = onsets.iter().map_while(|other| near(*onset, other)).collect();
        (begun.len() == channels.len()).then_some(begun)
    });
    bangs
        .filter_map(|begun| lags(&channels, &begun, WINDOW))
        .map(|lags| lags.iter().map(|frames| frames * 1e6 / RATE as f64).collect())
        .collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[test]
fn six_players_on_pipewire_sound_together_though_two_come_late() -> Result<()> {
    let lab = Lab::open_on(Rig::PipeWire, MACHINES)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let start = |machine| lab.start_play(machine, &url);
    let mut players = (0..MACHINES - LATE).map(start).collect::<Result<Vec<_>>>()?;
    players.iter().try_for_each(wait_until_ready)?;
    thread::sleep(LATER);
    for machine in MACHINES - LATE..MACHINES {
        players.push(start(machine)?);
    }
    players.iter().try_for_each(wait_until_ready)?;
    thread::sleep(SETTLE);

    let take = lab.record();
    lab.bang(&url, &["--count", &BANGS.to_string(), "--every", EVERY_MILLIS])?;
    let recording = take.stop()?;
    let lags = lags_of_bangs(&recording);
    let counts = recording.onset_counts();
    assert!(lags.len() > BANGS / 2, "{counts:?} bangs of {BANGS} were heard");

    let median_spread = median(lags.iter().map(|lags| spread(lags)));
    println!(
        "spread of {MACHINES} players over {} bangs: median {median_spread:.0} us",
        lags.len()
    );
    // Against the room's own middle, so that what is unsteady about one machine is not put down to all.
    let middles: Vec<f64> = lags.iter().map(|lags| median(lags.iter().copied())).collect();
    for machine in 0..MACHINES {
        let offsets = || lags.iter().zip(&middles).map(|(lags, middle)| lags[machine] - middle);
        let usual = median(offsets());
        let unsteady = median(offsets().map(|offset| (offset - usual).abs()));
        println!("machine {machine}: {usual:.0} us off the middle, {unsteady:.0} us unsteady");
        assert!(unsteady < MAX_DEVIATION_MICROS, "machine {machine}: {unsteady} us");
    }
    assert!(median_spread < MAX_SPREAD_MICROS, "a spread of {median_spread} us");
    drop(players);
    Ok(())
}

//! Six players on PipeWire, two of which join late: bangs are in sync, and each machine's offset is
//! stable.

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

/// How much later they join.
const LATER: Duration = Duration::from_secs(4);

/// Settling time: PipeWire changes its period when a stream opens.
const SETTLE: Duration = Duration::from_secs(3);

const BANGS: usize = 30;
const EVERY_MILLIS: &str = "503";

/// Largest permitted median spread, in microseconds. On an idle machine it is a tenth of this.
const MAX_SPREAD_MICROS: f64 = 2_000.0;

/// Largest permitted median deviation of a machine from its usual offset, in microseconds. On an
/// idle machine it is a tenth of this.
const MAX_DEVIATION_MICROS: f64 = 400.0;

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 20;

/// The lag of each bang on each machine behind the first machine, in microseconds. Bangs that a
/// machine missed are left out.
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
fn six_players_on_pipewire_are_in_sync_although_two_join_late() -> Result<()> {
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
    assert!(lags.len() > BANGS / 2, "{counts:?} of {BANGS} bangs sounded");

    let median_spread = median(lags.iter().map(|lags| spread(lags)));
    println!(
        "spread of {MACHINES} players over {} bangs: median {median_spread:.0} us",
        lags.len()
    );
    // Relative to the median machine, so that one unsteady machine does not affect the others'
    // figures.
    let middles: Vec<f64> = lags.iter().map(|lags| median(lags.iter().copied())).collect();
    for machine in 0..MACHINES {
        let offsets = || lags.iter().zip(&middles).map(|(lags, middle)| lags[machine] - middle);
        let usual = median(offsets());
        let unsteady = median(offsets().map(|offset| (offset - usual).abs()));
        println!("machine {machine}: offset {usual:.0} us, deviation {unsteady:.0} us");
        assert!(unsteady < MAX_DEVIATION_MICROS, "machine {machine} deviates by {unsteady} us");
    }
    assert!(median_spread < MAX_SPREAD_MICROS, "a spread of {median_spread} us");
    drop(players);
    Ok(())
}

//! The error bounds that players claim hold: on a stock sound server, while other programs open and
//! close streams and keep the processors busy, a player's sounds lie within its claimed bound of
//! the others'.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    claims::{ClaimWatch, claimed_at, shared_micros},
    disturbance::Disturbance,
    figures::{later, quantile, within},
    lab::{Lab, Rig},
    recorder::RATE,
    relay::Relay,
};

const MACHINES: usize = 4;
const BANGS: usize = 120;
const EVERY_MILLIS: u64 = 250;

/// Frames compared from an onset on: the whole default sound and a margin.
const WINDOW: usize = RATE / 40;

/// Required share of errors within the claimed bound.
const MIN_SHARE: f64 = 0.99;

/// Largest permitted ratio of the median claim to the median error: a bound that holds because it
/// is huge is useless. On busy processors the clock estimate alone contributes tens of
/// microseconds.
const MAX_RATIO: f64 = 40.0;

#[test]
fn the_claimed_bound_holds_while_other_programs_disturb() -> Result<()> {
    let lab = Lab::open_on(Rig::Stock, MACHINES)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let players = (0..MACHINES).map(|m| lab.play(m, &url)).collect::<Result<Vec<_>>>()?;
    let watch = ClaimWatch::start(&relay);
    std::thread::sleep(Duration::from_secs(3));

    let take = lab.record();
    let disturbance = Disturbance::start(&lab)?;
    let began = shared_micros();
    lab.bang(&url, &["--count", &BANGS.to_string(), "--every", &EVERY_MILLIS.to_string()])?;
    let recording = take.stop()?;
    drop(disturbance);
    let claims = watch.stop()?;
    drop(players);

    let onsets: Vec<_> = (0..MACHINES).map(|machine| recording.onsets(machine)).collect();
    let (mut errors, mut claimed, mut held) = (Vec::new(), Vec::new(), 0);
    for (bang, first) in onsets[0].iter().enumerate() {
        // Bangs are located by time, so that a missed bang does not shift those after it.
        let at = began + ((first - onsets[0][0]) * 1_000_000 / RATE) as u64;
        let reference = (recording.channels[0].as_slice(), *first);
        let lags: Vec<Option<f64>> = (0..MACHINES)
            .map(|machine| {
                let near = *first as f64;
                let onset = within(&onsets[machine], near - 4_800.0, near + 4_800.0)?;
                let values = (recording.channels[machine].as_slice(), onset);
                Some(later(values, reference, WINDOW)? * 1e6 / RATE as f64)
            })
            .collect();
        let known: Vec<f64> = lags.iter().copied().flatten().collect();
        let middle = quantile(&known, 0.5).context("a bang did not sound on any machine")?;
        for (machine, lag) in lags.iter().enumerate() {
            let name = Lab::machine_name(machine);
            let claim = claims.get(&name).and_then(|claims| claimed_at(claims, at));
            if let (Some(lag), Some(claim)) = (lag, claim) {
                let error = (lag - middle).abs();
                held += usize::from(error <= claim);
                if error > claim {
                    println!(
                        "bang {bang}, machine {machine}: off by {error:.0} us, claimed {claim} us"
                    );
                }
                errors.push(error);
                claimed.push(claim);
            }
        }
    }
    ensure!(errors.len() > BANGS * MACHINES / 2, "only {} sounds were compared", errors.len());
    let share = held as f64 / errors.len() as f64;
    let median = |values: &[f64]| quantile(values, 0.5).unwrap_or(f64::NAN);
    println!(
        "error: median {:.0} us, p99 {:.0} us; claimed: median {:.0} us; {:.1} % of {} held",
        median(&errors),
        quantile(&errors, 0.99).unwrap_or(f64::NAN),
        median(&claimed),
        share * 100.0,
        errors.len()
    );
    ensure!(
        share >= MIN_SHARE,
        "only {:.1} % of the errors lie within the claimed bound",
        share * 100.0
    );
    ensure!(
        median(&claimed) <= MAX_RATIO * median(&errors),
        "the median claim is {:.0} us, the median error {:.0} us",
        median(&claimed),
        median(&errors)
    );
    Ok(())
}

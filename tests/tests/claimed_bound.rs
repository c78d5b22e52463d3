//! What a player claims of its synchrony is so: on a stock sound server, while other programs open and
//! close streams and keep the processors busy, its sounds lie within the claimed bound of the others'.

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

/// Frames compared from an onset on: the whole default sound, and room around it.
const WINDOW: usize = RATE / 40;

/// The share of the errors that the claims are to hold.
const HELD: f64 = 0.99;

/// How much larger than the median error the median claim may be: a claim that is always true because
/// it is huge says nothing. On busy processors the clock estimate's part alone is tens of microseconds.
const LARGER: f64 = 40.0;

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
        // By the recording, so that a bang that was not heard shifts none after it.
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
        let middle = quantile(&known, 0.5).context("a bang sounded nowhere")?;
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
    ensure!(share >= HELD, "only {:.1} % of the errors lie within what was claimed", share * 100.0);
    ensure!(
        median(&claimed) <= LARGER * median(&errors),
        "the median claim is {:.0} us, the median error {:.0} us",
        median(&claimed),
        median(&errors)
    );
    Ok(())
}

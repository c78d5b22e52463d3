//! Variables across machines: a frequency that glides, and a step of the gain, are heard together.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    ClientKind, ClientToRelay, DeclareRequest, RelayToClient, SetRequest, StopRequest, TONE, Tone,
    TriggerRequest, When,
};
use downbeat_tests::{
    client::V1Client,
    figures::quantile,
    lab::{Lab, Rig},
    onsets::{lag, spread},
    recorder::{RATE, Recording},
    relay::Relay,
    room::wait_until_ready,
};
use serde_json::{Value, json};

const MACHINES: usize = 6;

/// Window and search range of the comparison, in frames. Half a period of the highest frequency is
/// 27 frames.
const WINDOW: usize = RATE / 20;
const REACH: usize = 24;

/// Largest permitted median spread, in microseconds: far more than on an idle machine.
const MAX_SPREAD_MICROS: f64 = 500.0;

/// Declares variables, and waits until the relay has kept them.
fn declare(client: &mut V1Client, variables: Value) -> Result<()> {
    let variables = serde_json::from_value(variables)?;
    client.send(&ClientToRelay::Declare(DeclareRequest { variables, ack: Some(1) }))?;
    client.wait_for(|message| matches!(message, RelayToClient::Ack(_)).then_some(()))
}

fn set(client: &mut V1Client, name: &str, value: f64, over_millis: u64) -> Result<()> {
    client.send(&ClientToRelay::Set(SetRequest {
        name: name.to_owned(),
        value: value.into(),
        over_micros: over_millis * 1000,
        when: When::Together,
        target: None,
        ack: None,
    }))
}

/// A tone that follows the variables, until it is stopped.
fn start_tone(client: &mut V1Client) -> Result<()> {
    let tone = Some(Tone { duration_micros: 60_000_000, ..Tone::default() });
    let sound = Some(TONE.to_owned());
    client.send(&ClientToRelay::Trigger(TriggerRequest {
        sound,
        tone,
        ..TriggerRequest::default()
    }))
}

/// The lag of each machine behind the first, in microseconds, around a frame.
fn lags(recording: &Recording, frame: usize) -> Option<Vec<f64>> {
    let reference = recording.channels[0].get(frame - REACH..frame + WINDOW + REACH)?;
    recording
        .channels
        .iter()
        .map(|values| {
            let window = values.get(frame..frame + WINDOW)?;
            let found = lag(reference, window, 2 * REACH)?;
            Some((REACH as f64 - found) * 1e6 / RATE as f64)
        })
        .collect()
}

#[test]
fn a_gliding_frequency_is_heard_together_on_six_machines() -> Result<()> {
    let lab = Lab::open_on(Rig::Stock, MACHINES)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let machines: Vec<_> = (0..MACHINES).collect();
    let players = machines.iter().map(|m| lab.play(*m, &url)).collect::<Result<Vec<_>>>()?;
    wait_until_ready(&lab, &relay, &machines)?;
    let mut client = V1Client::connect(&url, "composer", ClientKind::Remote)?;
    declare(
        &mut client,
        json!([{"name": "f", "type": "float", "min": 100, "max": 1000, "default": 200,
                "unit": "Hz", "scale": "logarithmic", "bind": [{"parameter": "frequency"}]}]),
    )?;

    let take = lab.record();
    start_tone(&mut client)?;
    take.wait_for_onsets(&machines, 1)?;
    // Up and down in glides, and a fader that is moved.
    set(&mut client, "f", 800.0, 1500)?;
    take.wait(Duration::from_millis(1200))?;
    set(&mut client, "f", 150.0, 500)?;
    take.wait(Duration::from_millis(700))?;
    for step in 0..50 {
        let value = 150.0 * 4.0_f64.powf(f64::from(step) / 50.0);
        set(&mut client, "f", value, 20)?;
        take.wait(Duration::from_millis(20))?;
    }
    take.wait(Duration::from_millis(500))?;
    let recording = take.stop()?;
    drop(players);

    let begin = recording.onsets(0)[0] + RATE / 10;
    let end = recording.channels[0].len() - RATE / 2;
    let mut spreads = Vec::new();
    for frame in (begin..end).step_by(RATE / 20) {
        let lags = lags(&recording, frame).context("a machine does not sound")?;
        spreads.push(spread(&lags));
    }
    let median = quantile(&spreads, 0.5).context("nothing was compared")?;
    println!(
        "a tone that glides on {MACHINES} machines for {:.1} s: spread median {median:.0} us, p99 \
         {:.0} us",
        (end - begin) as f64 / RATE as f64,
        quantile(&spreads, 0.99).unwrap_or(f64::NAN)
    );
    ensure!(median < MAX_SPREAD_MICROS, "a spread of {median:.0} us");
    Ok(())
}

#[test]
fn a_machine_that_joins_late_has_the_values_of_all_variables() -> Result<()> {
    let lab = Lab::open_on(Rig::Stock, 2)?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let _first = lab.play(0, &url)?;
    wait_until_ready(&lab, &relay, &[0])?;
    let mut client = V1Client::connect(&url, "composer", ClientKind::Remote)?;
    declare(
        &mut client,
        json!([{"name": "f", "type": "float", "min": 100, "max": 1000, "default": 200,
                "bind": [{"parameter": "frequency"}]},
               {"name": "level", "type": "float", "min": -60, "max": 0, "default": -60,
                "bind": [{"parameter": "gain_db", "sound": "tone"}]}]),
    )?;
    set(&mut client, "f", 330.0, 0)?;
    set(&mut client, "level", 0.0, 0)?;
    client.wait_for(|message| match message {
        RelayToClient::Value(change) if change.name == "level" => Some(()),
        _ => None,
    })?;
    start_tone(&mut client)?;

    let _second = lab.play(1, &url)?;
    let take = lab.record();
    take.wait_for_onsets(&[0, 1], 1)?;
    take.wait(Duration::from_secs(2))?;
    client.send(&ClientToRelay::Stop(StopRequest::default()))?;
    take.wait(Duration::from_millis(500))?;
    let recording = take.stop()?;
    let settled = recording.onsets(1)[0] + RATE;
    let lags = lags(&recording, settled).context("the second machine does not sound")?;
    println!("a machine that joins a tone: {:.0} us apart", spread(&lags));
    ensure!(spread(&lags) < MAX_SPREAD_MICROS, "{lags:.0?} us apart");
    let crossings =
        |values: &[f32]| values.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    for values in &recording.channels {
        let hertz = crossings(&values[settled..settled + RATE / 2]) * 2;
        ensure!(hertz.abs_diff(330) <= 4, "a tone of {hertz} Hz, not 330");
    }
    Ok(())
}

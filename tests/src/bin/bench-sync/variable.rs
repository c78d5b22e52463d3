//! A variable that steps: how far apart the machines' sounds change.
//!
//! The step is that of a gain, from silence. Its instant is read from the level alone: a comparison of the tone's
//! waves would show how far apart these are, whenever the step came.

use std::{collections::HashMap, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    ClientKind, ClientToRelay, DeclareRequest, RelayToClient, SetRequest, Shape, StopRequest, TONE,
    Tone, TriggerRequest, When,
};
use downbeat_tests::{client::V1Client, figures::within, recorder::RATE};
use serde_json::json;

use crate::{
    Settings,
    room::{self, Bang, Room, server_note},
    table::Row,
};

/// The variable: it drives the gain of the tone.
const VARIABLE: &str = "step";

/// How long the tone sounds and is silent.
const SOUNDS: Duration = Duration::from_millis(150);
const SILENT: Duration = Duration::from_millis(350);

/// The tone is a square wave: between two corners, its level is that of the gain.
const HERTZ: f32 = 25.0;

/// Frames from an onset in which the level has risen: the ramp of a step takes 5 ms.
const RISES: usize = RATE / 100;

/// Frames before an onset from which the level is looked at: an onset is where it is heard first.
const BEFORE: usize = 48;

/// Measures a series of steps of a tone's gain, from silence to full.
pub fn measure(room: &Room, settings: &Settings, name: &str) -> Result<Row> {
    let mut client = V1Client::connect(&room.url, "composer", ClientKind::Remote)?;
    let variables = serde_json::from_value(json!([{
        "name": VARIABLE, "type": "float", "min": -60, "max": 0, "default": -60,
        "bind": [{"parameter": "gain_db", "sound": TONE}],
    }]))?;
    client.send(&ClientToRelay::Declare(DeclareRequest { variables, ack: Some(1) }))?;
    client.wait_for(|message| matches!(message, RelayToClient::Ack(_)).then_some(()))?;
    let tone =
        Some(Tone { frequency: Some(HERTZ), duration_micros: 600_000_000, shape: Shape::Square });
    let sound = Some(TONE.to_owned());
    client.send(&ClientToRelay::Trigger(TriggerRequest {
        sound,
        tone,
        ..TriggerRequest::default()
    }))?;
    sleep(SILENT);
    let take = room.lab.record();
    for _ in 0..settings.bangs {
        for (value, pause) in [(0, SOUNDS), (-60, SILENT)] {
            client.send(&ClientToRelay::Set(SetRequest {
                name: VARIABLE.to_owned(),
                value: value.into(),
                over_micros: 0,
                when: When::Together,
                target: None,
                ack: None,
            }))?;
            sleep(pause);
        }
    }
    client.send(&ClientToRelay::Stop(StopRequest::default()))?;
    sleep(SILENT);
    let recording = take.stop()?;

    let onsets: Vec<_> = (0..settings.players).map(|machine| recording.onsets(machine)).collect();
    let first = onsets.first().context("there are no players")?;
    ensure!(!first.is_empty(), "no step is heard");
    let reach = SILENT.as_secs_f64() * RATE as f64 / 2.0;
    let steps: Vec<Bang> = first
        .iter()
        .map(|&at| {
            let heard = onsets.iter().zip(&recording.channels).map(|(onsets, values)| {
                let onset = within(onsets, at as f64 - reach, at as f64 + reach)?;
                half_risen(values, onset)
            });
            // Without a press, there is no latency to measure.
            Bang { pressed_micros: u64::MAX, pressed: f64::NAN, sounded: heard.collect() }
        })
        .collect();
    let mut row = room::row(name, settings.bangs.max(steps.len()), &steps, &HashMap::new());
    row.presses.clear();
    row.notes.push(server_note(&recording));
    Ok(row)
}

/// Where the level first reaches half of what it rises to after an onset, in fractional frames.
fn half_risen(values: &[f32], onset: usize) -> Option<f64> {
    let from = onset.saturating_sub(BEFORE);
    let rise = values.get(from..onset + RISES)?;
    let half = rise.iter().fold(0.0, |peak: f32, value| peak.max(value.abs())) / 2.0;
    let reached = rise.iter().position(|value| value.abs() >= half)?;
    let (before, after) = (rise[reached.checked_sub(1)?].abs(), rise[reached].abs());
    Some((from + reached - 1) as f64 + f64::from((half - before) / (after - before)))
}

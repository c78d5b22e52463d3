//! A variable that steps: how far apart the machines' sounds change.

use std::{collections::HashMap, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    ClientKind, ClientToRelay, DeclareRequest, RelayToClient, SetRequest, StopRequest, TONE, Tone,
    TriggerRequest, When,
};
use downbeat_tests::{
    client::V1Client,
    figures::{later, within},
    recorder::RATE,
};
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

/// Frames compared from an onset on.
const WINDOW: usize = RATE / 40;

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
        Some(Tone { frequency: Some(620.0), duration_micros: 600_000_000, ..Tone::default() });
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
            let reference = (recording.channels[0].as_slice(), at);
            let heard = onsets.iter().zip(&recording.channels).map(|(onsets, values)| {
                let onset = within(onsets, at as f64 - reach, at as f64 + reach)?;
                Some(at as f64 + later((values, onset), reference, WINDOW)?)
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

//! The example client of `docs/examples`, written in Python from `docs/PROTOCOL.md`: it receives
//! triggers, converts their instants to local time, and bangs.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, Trigger, TriggerRequest};
use downbeat_tests::{
    client::V1Client,
    process::Process,
    relay::Relay,
    tools::{tool, workspace_folder},
};

/// Permitted error of the median printed instant, in seconds. Both clock estimates err by at most
/// half a round trip over loopback, and the script reads two clocks one after the other.
const TOLERANCE: f64 = 0.003;

/// Number of triggers.
const TRIGGERS: usize = 5;

fn start_script(relay: &Relay, sounds: &[&str]) -> Result<Process> {
    let mut command = Command::new(tool("python3")?);
    command.arg(workspace_folder().join("docs/examples/downbeat.py"));
    command.arg(relay.address().to_string()).args(sounds);
    Process::spawn("downbeat.py", command)
}

fn next_trigger(client: &mut V1Client) -> Result<Trigger> {
    client.wait_for(|message| match message {
        RelayToClient::Trigger(trigger) => Some(trigger),
        _ => None,
    })
}

#[test]
fn the_python_client_prints_the_instant_of_each_trigger() -> Result<()> {
    let relay = Relay::start()?;
    let mut client = V1Client::connect(&relay.ws_url(), "observer", ClientKind::Remote)?;
    let script = start_script(&relay, &["kick"])?;
    // It bangs once it has measured the clock.
    assert_eq!(next_trigger(&mut client)?.by.name, "python");
    let offset = client.measure_unix_offset()?;
    let mut errors = Vec::new();
    for _ in 0..TRIGGERS {
        let mark = script.mark();
        let bell = TriggerRequest { sound: Some("bell".to_owned()), ..TriggerRequest::default() };
        client.send(&ClientToRelay::Trigger(bell))?;
        let trigger = next_trigger(&mut client)?;
        let expected = i64::try_from(trigger.play_at.as_micros())? + offset;
        let line = script.wait_for_after(mark, "bell by observer at ")?;
        let printed: f64 = line.rsplit(' ').next().context("an empty line")?.parse()?;
        #[allow(clippy::cast_precision_loss)] // Unix time in microseconds is exact in an f64.
        errors.push((printed - expected as f64 / 1e6).abs());
    }
    errors.sort_by(f64::total_cmp);
    ensure!(errors[TRIGGERS / 2] < TOLERANCE, "off by {errors:?} s");
    Ok(())
}

#[test]
fn a_bang_of_the_python_client_reaches_the_others() -> Result<()> {
    let relay = Relay::start()?;
    let mut client = V1Client::connect(&relay.ws_url(), "observer", ClientKind::Remote)?;
    let script = start_script(&relay, &["bell", "no-such-sound"])?;
    let trigger = next_trigger(&mut client)?;
    assert_eq!((trigger.sound.as_str(), trigger.by.name.as_str()), ("bell", "python"));
    script.wait_for("bell by python at ")?;
    script.wait_for("error unknown_sound")?;
    Ok(())
}

#[test]
fn the_python_client_sets_a_variable_and_prints_its_values() -> Result<()> {
    let relay = Relay::start()?;
    let mut client = V1Client::connect(&relay.ws_url(), "observer", ClientKind::Remote)?;
    let declaration = serde_json::json!({
        "variables": [{"name": "pitch", "type": "float", "min": -12, "max": 12, "default": 0}],
        "ack": 1,
    });
    client.send(&ClientToRelay::Declare(serde_json::from_value(declaration)?))?;
    client.wait_for(|message| matches!(message, RelayToClient::Ack(_)).then_some(()))?;
    let script = start_script(&relay, &["pitch=-3.5", "pitch=99"])?;
    let change = client.wait_for(|message| match message {
        RelayToClient::Value(change) => Some(change),
        _ => None,
    })?;
    assert_eq!((change.name.as_str(), change.value.as_f64()), ("pitch", Some(-3.5)));
    script.wait_for("pitch = -3.5 by python at ")?;
    script.wait_for("error invalid_value")?;
    Ok(())
}

//! Targets, heard: one machine after the other in the order of their seats, and those with a tag alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use downbeat_protocol::{
    AssignRequest, ClientId, ClientKind, ClientToRelay, RelayToClient, TargetRequest,
    TriggerRequest,
};
use downbeat_tests::{
    client::V1Client,
    lab::{Lab, Rig},
    recorder::RATE,
    relay::Relay,
    room::{wait_for_silence, wait_until_ready},
};

const MACHINES: [usize; 3] = [0, 1, 2];

/// The machines in the order of their seats, which is not that in which they connect.
const IN_ORDER: [usize; 3] = [2, 0, 1];

/// Between two machines.
const STAGGER_MILLIS: u64 = 150;

/// A machine starts this close to its instant, also on one that is busy with the other tests.
const MAX_ERROR_MILLIS: f64 = 5.0;

fn id_of(client: &V1Client, machine: usize) -> Result<ClientId> {
    let name = Lab::machine_name(machine);
    let entry = client.roster.clients.iter().find(|entry| entry.name == name);
    Ok(entry.with_context(|| format!("{name} is not in the roster"))?.id)
}

fn assign(client: &mut V1Client, request: AssignRequest) -> Result<()> {
    client.send(&ClientToRelay::Assign(AssignRequest { ack: Some(1), ..request }))?;
    client.wait_for(|message| matches!(message, RelayToClient::Ack(_)).then_some(()))
}

#[test]
fn machines_sound_one_after_the_other_and_by_their_tags() -> Result<()> {
    let lab = Lab::open_on(Rig::Stock, MACHINES.len())?;
    let relay = Relay::start()?;
    let url = relay.ws_url();
    let _players = MACHINES.iter().map(|m| lab.play(*m, &url)).collect::<Result<Vec<_>>>()?;
    wait_until_ready(&lab, &relay, &MACHINES)?;
    let mut client = V1Client::connect(&url, "conductor", ClientKind::Remote)?;
    for (seat, machine) in (1..).zip(IN_ORDER) {
        let clients = vec![id_of(&client, machine)?];
        let seat = Some(seat);
        assign(&mut client, AssignRequest { clients, seat, ..AssignRequest::default() })?;
    }
    let clients = vec![id_of(&client, 0)?, id_of(&client, 2)?];
    let tags = Some(vec!["left".to_owned()]);
    assign(&mut client, AssignRequest { clients, tags, ..AssignRequest::default() })?;

    let take = lab.record();
    client.send(&ClientToRelay::Trigger(TriggerRequest {
        stagger_micros: STAGGER_MILLIS * 1000,
        ..TriggerRequest::default()
    }))?;
    take.wait_for_onsets(&MACHINES, 1)?;
    let recording = take.stop()?;
    let onsets = IN_ORDER.map(|machine| recording.onsets(machine)[0] as f64);
    let distances = [onsets[1] - onsets[0], onsets[2] - onsets[1]];
    let millis = distances.map(|frames| frames * 1e3 / RATE as f64);
    println!("machines that are {STAGGER_MILLIS} ms apart sound {millis:.3?} ms apart");
    for millis in millis {
        ensure!((millis - STAGGER_MILLIS as f64).abs() < MAX_ERROR_MILLIS, "{millis:.2} ms apart");
    }

    wait_for_silence(&lab, &MACHINES)?;
    let take = lab.record();
    let tags = vec!["left".to_owned()];
    let target = Some(TargetRequest { tags, ..TargetRequest::default() });
    client.send(&ClientToRelay::Trigger(TriggerRequest { target, ..TriggerRequest::default() }))?;
    take.wait_for_onsets(&[0, 2], 1)?;
    take.wait(Duration::from_millis(300))?;
    assert_eq!(take.stop()?.onset_counts(), [1, 0, 1]);
    Ok(())
}

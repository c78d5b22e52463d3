//! The tutorial wire over real sockets: tutorial clients on the relay, and Downbeat's clients on
//! the tutorial's server.

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, TargetRequest, TriggerRequest};
use downbeat_tests::{
    client::{Socket, V1Client, connect_tutorial},
    lab::{Lab, wait_until_ready},
    process::PATIENCE,
    relay::Relay,
    tutorial::TutorialServer,
};
use tungstenite::Message;

const INPUT: &str = "trigger-input";

/// Asserts that `client` receives `trigger-output` exactly `count` times and nothing else.
fn expect_outputs(client: &mut Socket, count: usize) -> Result<()> {
    for number in 1..=count {
        let message = client.expect().with_context(|| format!("output {number} of {count}"))?;
        assert_eq!(message, Message::text("trigger-output"), "output {number} of {count}");
    }
    assert_eq!(client.drain()?, [], "after {count} outputs");
    Ok(())
}

/// Number of triggers that the relay has counted.
fn triggers(relay: &Relay) -> Result<u64> {
    relay.health()?["triggers"].as_u64().context("/healthz counts the triggers")
}

#[test]
fn a_thousand_bangs_reach_every_client_exactly_once() -> Result<()> {
    let relay = Relay::start()?;
    let mut sender = connect_tutorial(&relay.ws_url())?;
    let mut others =
        (0..3).map(|_| connect_tutorial(&relay.ws_url())).collect::<Result<Vec<_>>>()?;
    for _ in 0..1000 {
        sender.send_text(INPUT)?;
    }
    expect_outputs(&mut sender, 1000)?;
    for other in &mut others {
        expect_outputs(other, 1000)?;
    }
    assert_eq!(triggers(&relay)?, 1000);
    Ok(())
}

#[test]
fn messages_other_than_the_exact_bang_are_ignored() -> Result<()> {
    let relay = Relay::start()?;
    let mut client = connect_tutorial(&relay.ws_url())?;
    let ignored = [
        Message::binary(INPUT.as_bytes()),
        Message::binary(b"".as_slice()),
        Message::text(""),
        Message::text("trigger-input\n"),
        Message::text(" trigger-input"),
        Message::text("Trigger-Input"),
        Message::text("TRIGGER-INPUT"),
        Message::text("trigger-output"),
        Message::text("\"trigger-input\""),
        Message::text(r#"{"type":"trigger"}"#),
        Message::text(r#"{"type":"hello","name":"x","kind":"page","client":"x"}"#),
        Message::text("trigger-input".repeat(100)),
    ];
    for message in ignored {
        client.send(message)?;
    }
    client.send_text(INPUT)?;
    expect_outputs(&mut client, 1)?;
    assert_eq!(triggers(&relay)?, 1);
    Ok(())
}

#[test]
fn clients_on_every_path_share_one_room() -> Result<()> {
    let relay = Relay::start()?;
    let base = relay.ws_url();
    let paths = ["", "index.html", "sounds/", "healthz", "a/b/c?d=e&f", "%20"];
    let mut clients = paths
        .iter()
        .map(|path| connect_tutorial(&format!("{base}{path}")).with_context(|| format!("/{path}")))
        .collect::<Result<Vec<_>>>()?;
    clients[1].send_text(INPUT)?;
    for client in &mut clients {
        expect_outputs(client, 1)?;
    }
    Ok(())
}

#[test]
fn a_late_client_is_not_sent_past_triggers() -> Result<()> {
    let relay = Relay::start()?;
    let mut early = connect_tutorial(&relay.ws_url())?;
    for _ in 0..3 {
        early.send_text(INPUT)?;
    }
    expect_outputs(&mut early, 3)?;
    let mut late = connect_tutorial(&relay.ws_url())?;
    assert_eq!(late.drain()?, []);
    early.send_text(INPUT)?;
    expect_outputs(&mut late, 1)?;
    expect_outputs(&mut early, 1)
}

#[test]
fn bangs_cross_between_the_two_wires() -> Result<()> {
    let relay = Relay::start()?;
    let mut tutorial = connect_tutorial(&relay.ws_url())?;
    let mut v1 = V1Client::connect(&relay.ws_url(), "v1", ClientKind::Remote)?;
    let default_sound = v1.welcome.default_sound.clone();

    // A bang without a target reaches all clients of both wires.
    v1.send(&ClientToRelay::Trigger(TriggerRequest::default()))?;
    expect_outputs(&mut tutorial, 1)?;

    // A bang with a target does not reach tutorial clients, nor does any other v1 message.
    let names = vec!["someone".to_owned()];
    let target = Some(TargetRequest { names, ..TargetRequest::default() });
    v1.send(&ClientToRelay::Trigger(TriggerRequest { target, ..TriggerRequest::default() }))?;
    v1.wait_for_roster(|roster| roster.clients.len() == 2)?;

    tutorial.send_text(INPUT)?;
    let trigger = v1.wait_for(|message| match message {
        RelayToClient::Trigger(trigger) if trigger.by.name != "v1" => Some(trigger),
        _ => None,
    })?;
    assert_eq!(trigger.sound, default_sound);
    assert_eq!(trigger.target, None);
    expect_outputs(&mut tutorial, 1)
}

#[test]
fn a_bang_from_the_command_line_reaches_a_tutorial_relay() -> Result<()> {
    let lab = Lab::open(1)?;
    let server = TutorialServer::start()?;
    let mut page = connect_tutorial(&server.ws_url())?;
    lab.bang(&server.ws_url(), &["--count", "3", "--every", "20"])?;
    expect_outputs(&mut page, 3)?;
    server.process().wait_for("message received trigger-input")?;
    Ok(())
}

#[test]
fn a_player_on_a_tutorial_relay_plays_its_embedded_bank() -> Result<()> {
    let lab = Lab::open(1)?;
    let server = TutorialServer::start()?;
    let player = lab.start_play(0, &server.ws_url())?;
    player.wait_for("Connected to a tutorial relay")?;
    wait_until_ready(&player)?;
    let mut page = connect_tutorial(&server.ws_url())?;
    let take = lab.record();
    for number in 1..=2 {
        page.send_text(INPUT)?;
        take.wait_for_onsets(&[0], number)?;
        take.wait(std::time::Duration::from_millis(250))?;
    }
    assert_eq!(take.stop()?.onset_counts(), [2], "within {PATIENCE:?}");
    Ok(())
}

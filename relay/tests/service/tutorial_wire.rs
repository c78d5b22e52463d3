//! The tutorial wire over real sockets: two fixed texts, and nothing else.

use std::time::{Duration, Instant};

use downbeat_protocol::{
    ClientToRelay, Probe, RelayTime, RelayToClient, Report, TargetRequest, TriggerRequest,
};
use downbeat_relay::config::Config;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::common::{DEADLINE, Player, Raw, TestRelay, bang, within};

fn output() -> Message {
    Message::text("trigger-output")
}

#[tokio::test]
async fn every_trigger_reaches_every_client_once_the_sender_included() {
    let relay = TestRelay::start().await;
    let (mut sender, listener) = (relay.tutorial().await, relay.tutorial().await);
    relay.until_clients(2).await;
    let listener_received = tokio::spawn(listener.receive_all());
    for _ in 0..1000 {
        sender.bang().await;
    }
    relay.until(|health| health["triggers"] == 1000).await;
    let sender_received = tokio::spawn(sender.receive_all());
    relay.end().await;
    for received in [sender_received, listener_received] {
        let (messages, code) = within(received).await.unwrap();
        assert_eq!(messages.len(), 1000);
        assert!(messages.iter().all(|message| *message == output()));
        assert_eq!(code, Some(1001));
    }
}

#[tokio::test]
async fn all_other_messages_are_ignored() {
    let relay = TestRelay::start().await;
    let mut sender = relay.tutorial().await;
    for text in ["", "trigger-input\n", " trigger-input", "Trigger-Input", "trigger-output", "{}"] {
        sender.send(Message::text(text)).await;
    }
    sender.send(Message::text(r#"{"type":"hello","name":"a","kind":"page","client":"b"}"#)).await;
    sender.send(Message::text(r#"{"type":"trigger","sound":"bell"}"#)).await;
    sender.send(Message::binary(&b"trigger-input"[..])).await;
    sender.send(Message::Ping("ping".into())).await;
    sender.bang().await;
    assert_eq!(sender.receive().await, Some(output()));
    relay.end().await;
    assert_eq!(sender.receive_all().await.0, []);
}

#[tokio::test]
async fn any_path_is_accepted_and_a_late_client_receives_nothing_of_the_past() {
    let relay = TestRelay::start().await;
    let mut early = relay.tutorial_at("/some/where?x=1").await;
    early.bang().await;
    assert_eq!(early.receive().await, Some(output()));
    let late = relay.tutorial_at("/sounds/../healthz").await;
    relay.until_clients(2).await;
    early.bang().await;
    assert_eq!(early.receive().await, Some(output()));
    relay.end().await;
    assert_eq!(late.receive_all().await.0, [output()]);
}

#[tokio::test]
async fn a_trigger_on_one_wire_reaches_the_other() {
    let relay = TestRelay::start().await;
    let mut tutorial = relay.tutorial().await;
    relay.until_clients(1).await;
    let (mut player, welcome) = relay.player("v1").await;

    tutorial.bang().await;
    let trigger = player.receive_trigger().await;
    assert_eq!(trigger.sound, welcome.default_sound);
    assert_eq!((trigger.gain, trigger.rate, trigger.pan), (1.0, 1.0, 0.0));
    assert_eq!(trigger.by.name, format!("tutorial client {}", trigger.by.id.0));
    assert_eq!(tutorial.receive().await, Some(output()));

    player.send(bang("bell")).await;
    assert_eq!(player.receive_trigger().await.sound, "bell");
    assert_eq!(tutorial.receive().await, Some(output()));

    // A trigger with targets is not for clients without a name.
    let target = Some(TargetRequest { names: vec!["v1".to_owned()], ..TargetRequest::default() });
    let targeted = TriggerRequest { target, ..TriggerRequest::default() };
    player.send(ClientToRelay::Trigger(targeted)).await;
    player.receive_trigger().await;
    relay.end().await;
    assert_eq!(tutorial.receive_all().await.0, []);
}

/// The lead that the player needs: long enough to be distinguished from none.
const LEAD_MICROS: u32 = 200_000;

/// A player that has reported what lead it needs.
async fn scheduled_player(relay: &TestRelay) -> Player {
    let (mut player, _) = relay.player("v1").await;
    let report = Report { lead_micros: Some(LEAD_MICROS), ..Report::default() };
    player.send(ClientToRelay::Report(report)).await;
    player.settle().await;
    player
}

/// An upper bound of relay time: the arrival of a probe that was sent after `since`.
async fn latest_relay_time(player: &mut Player, since: Instant) -> (RelayTime, Instant) {
    player.send(ClientToRelay::Probe(Probe { sent: 0 })).await;
    match player.receive().await {
        RelayToClient::ProbeReply(reply) => (reply.received, since),
        other => panic!("not a reply: {other:?}"),
    }
}

#[tokio::test]
async fn in_a_room_with_players_tutorial_clients_play_at_the_same_instant() {
    let relay = TestRelay::start().await;
    let mut tutorial = relay.tutorial().await;
    let mut player = scheduled_player(&relay).await;
    let (relay_time, at) = latest_relay_time(&mut player, Instant::now()).await;

    for from_plain in [true, false] {
        if from_plain {
            tutorial.bang().await;
        } else {
            player.send(bang("click")).await;
        }
        let trigger = player.receive_trigger().await;
        let triggered = Instant::now();
        assert_eq!(tutorial.receive().await, Some(output()));
        let received = Instant::now();
        // Relay time now is at most this, because the probe was received after `at`.
        let latest = relay_time.plus_micros((received - at).as_micros() as u64);
        assert!(latest >= trigger.play_at, "{latest:?} is before {:?}", trigger.play_at);
        // The player received it one lead before, less the latency of this machine.
        assert!(received - triggered < DEADLINE / 10, "{:?} later", received - triggered);
    }
}

#[tokio::test]
async fn the_first_client_between_a_trigger_and_its_instant_plays_with_the_others() {
    let relay = TestRelay::start().await;
    let mut player = scheduled_player(&relay).await;
    let (relay_time, at) = latest_relay_time(&mut player, Instant::now()).await;
    // A busy machine may be too late; it then tries again.
    let in_time = async {
        loop {
            player.send(bang("click")).await;
            let trigger = player.receive_trigger().await;
            let mut tutorial = relay.tutorial().await;
            let latest = relay_time.plus_micros(at.elapsed().as_micros() as u64);
            if latest < trigger.play_at {
                break (trigger, tutorial);
            }
            tutorial.0.close(None).await.unwrap();
            relay.until_clients(1).await;
        }
    };
    let (trigger, mut tutorial) = within(in_time).await;
    assert_eq!(tutorial.receive().await, Some(output()));
    let latest = relay_time.plus_micros(at.elapsed().as_micros() as u64);
    assert!(latest >= trigger.play_at, "{latest:?} is before {:?}", trigger.play_at);
    // Once, and a client that connects later receives nothing of it.
    let mut later = relay.tutorial().await;
    tutorial.bang().await;
    assert_eq!(tutorial.receive().await, Some(output()));
    assert_eq!(later.receive().await, Some(output()));
    assert_eq!(player.receive_trigger().await.seq, trigger.seq + 1);
    assert!(tokio::time::timeout(Duration::from_millis(300), tutorial.receive()).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(100), later.receive()).await.is_err());
}

#[tokio::test]
async fn a_burst_in_a_room_with_players_is_complete_and_delays_nothing() {
    let relay = TestRelay::start().await;
    let (mut tutorial, listener) = (relay.tutorial().await, relay.tutorial().await);
    let mut player = scheduled_player(&relay).await;
    for _ in 0..1000 {
        tutorial.bang().await;
    }
    for seq in 1..=1000 {
        assert_eq!(player.receive_trigger().await.seq, seq);
    }
    for _ in 0..1000 {
        assert_eq!(tutorial.receive().await, Some(output()));
    }
    // One more, which is scheduled when the relay shuts down: it is sent before the close frame.
    player.send(bang("click")).await;
    player.receive_trigger().await;
    relay.end().await;
    assert_eq!(tutorial.receive_all().await, (vec![output()], Some(1001)));
    assert_eq!(within(listener.receive_all()).await.0.len(), 1001);
}

#[tokio::test]
async fn clients_without_an_output_do_not_delay_tutorial_clients() {
    // With a lead that is too long to wait for.
    let config = Config { min_lead_ms: 10_000, max_lead_ms: 10_000, ..Config::default() };
    let relay = TestRelay::with(config).await;
    let mut tutorial = relay.tutorial().await;
    let (mut remote, _) = relay.player("remote").await;
    remote.send(ClientToRelay::Report(Report::default())).await;
    let sent_at = Instant::now();
    remote.send(bang("click")).await;
    let trigger = remote.receive_trigger().await;
    assert_eq!(tutorial.receive().await, Some(output()));
    assert!(sent_at.elapsed() < Duration::from_secs(8));
    assert!(trigger.play_at.as_micros() >= 10_000_000);
}

#[tokio::test]
async fn a_client_receives_every_trigger_after_the_answer_to_its_handshake() {
    let relay = TestRelay::start().await;
    let (mut sender, _) = relay.player("sender").await;
    for _ in 0..200 {
        let mut client = Raw::open(relay.address, "", b"").await;
        // It has read the 101 and nothing else, and nothing else was waited for.
        sender.send(bang("click")).await;
        assert_eq!(client.frame().await, (0x81, b"trigger-output".to_vec()));
        sender.receive_trigger().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_during_the_handshake_is_forgotten() {
    let relay = TestRelay::start().await;
    for _ in 0..50 {
        let mut socket = within(TcpStream::connect(relay.address)).await.unwrap();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            relay.address
        );
        within(socket.write_all(head.as_bytes())).await.unwrap();
        // A reset instead of a close.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    relay.until(|health| health["total"] == 0).await;
    let mut tutorial = relay.tutorial().await;
    tutorial.bang().await;
    assert_eq!(tutorial.receive().await, Some(output()));
}

#[tokio::test]
async fn the_roster_lists_tutorial_clients() {
    let relay = TestRelay::start().await;
    let _plain = relay.tutorial().await;
    relay.until_clients(1).await;
    let health = relay.health().await;
    assert_eq!(health["clients"][0]["kind"], "tutorial");
    assert_eq!(health["clients"][0]["name"], "tutorial client 1");
}

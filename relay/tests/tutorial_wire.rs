//! The seed's wire over real sockets: two fixed texts, and nothing else to anyone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::{DEADLINE, Player, Raw, Running, bang, within};
use downbeat_protocol::{ClientToRelay, Probe, RelayTime, RelayToClient, Report, TriggerRequest};
use downbeat_relay::config::Config;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_tungstenite::tungstenite::Message;

fn output() -> Message {
    Message::text("trigger-output")
}

#[tokio::test]
async fn every_press_sounds_once_at_everyone_the_sender_included() {
    let relay = Running::start().await;
    let (mut sender, listener) = (relay.plain().await, relay.plain().await);
    relay.until_here(2).await;
    let heard_by_listener = tokio::spawn(listener.hear_all());
    for _ in 0..1000 {
        sender.bang().await;
    }
    relay.until(|health| health["triggers"] == 1000).await;
    let heard_by_sender = tokio::spawn(sender.hear_all());
    relay.end().await;
    for heard in [heard_by_sender, heard_by_listener] {
        let (heard, code) = within(heard).await.unwrap();
        assert_eq!(heard.len(), 1000);
        assert!(heard.iter().all(|message| *message == output()));
        assert_eq!(code, Some(1001));
    }
}

#[tokio::test]
async fn everything_else_that_is_sent_is_ignored() {
    let relay = Running::start().await;
    let mut sender = relay.plain().await;
    for text in ["", "trigger-input\n", " trigger-input", "Trigger-Input", "trigger-output", "{}"] {
        sender.send(Message::text(text)).await;
    }
    sender.send(Message::text(r#"{"type":"hello","name":"a","kind":"page","client":"b"}"#)).await;
    sender.send(Message::text(r#"{"type":"trigger","sound":"bell"}"#)).await;
    sender.send(Message::binary(&b"trigger-input"[..])).await;
    sender.send(Message::Ping("ping".into())).await;
    sender.bang().await;
    assert_eq!(sender.hear().await, Some(output()));
    relay.end().await;
    assert_eq!(sender.hear_all().await.0, []);
}

#[tokio::test]
async fn any_path_will_do_and_a_late_joiner_is_told_nothing_of_the_past() {
    let relay = Running::start().await;
    let mut early = relay.plain_at("/some/where?x=1").await;
    early.bang().await;
    assert_eq!(early.hear().await, Some(output()));
    let late = relay.plain_at("/sounds/../healthz").await;
    relay.until_here(2).await;
    early.bang().await;
    assert_eq!(early.hear().await, Some(output()));
    relay.end().await;
    assert_eq!(late.hear_all().await.0, [output()]);
}

#[tokio::test]
async fn both_wires_hear_each_other() {
    let relay = Running::start().await;
    let mut plain = relay.plain().await;
    relay.until_here(1).await;
    let (mut player, welcome) = relay.player("modern").await;

    plain.bang().await;
    let trigger = player.hear_trigger().await;
    assert_eq!(trigger.sound, welcome.default_sound);
    assert_eq!((trigger.gain, trigger.rate, trigger.pan), (1.0, 1.0, 0.0));
    assert_eq!(trigger.by.name, format!("plain client {}", trigger.by.id.0));
    assert_eq!(plain.hear().await, Some(output()));

    player.say(bang("bell")).await;
    assert_eq!(player.hear_trigger().await.sound, "bell");
    assert_eq!(plain.hear().await, Some(output()));

    // What is aimed at someone by name is not meant for those who have none.
    let target = Some(vec!["modern".to_owned()]);
    let aimed = TriggerRequest { target, ..TriggerRequest::default() };
    player.say(ClientToRelay::Trigger(aimed)).await;
    player.hear_trigger().await;
    relay.end().await;
    assert_eq!(plain.hear_all().await.0, []);
}

/// How long a bang waits in a room whose player needs this: long enough to be told from none.
const LEAD_MICROS: u32 = 200_000;

/// A player that has said what lead it needs, as one does that has an output.
async fn scheduled_player(relay: &Running) -> Player {
    let (mut player, _) = relay.player("modern").await;
    let report = Report { lead_micros: Some(LEAD_MICROS), ..Report::default() };
    player.say(ClientToRelay::Report(report)).await;
    player.settle().await;
    player
}

/// What the relay's clock cannot be beyond now: its answer to a probe sent before `since`, and what
/// has passed since.
async fn latest_relay_time(player: &mut Player, since: Instant) -> (RelayTime, Instant) {
    player.say(ClientToRelay::Probe(Probe { sent: 0 })).await;
    match player.hear().await {
        RelayToClient::ProbeReply(reply) => (reply.received, since),
        other => panic!("not a reply: {other:?}"),
    }
}

#[tokio::test]
async fn in_a_room_with_players_it_sounds_when_they_do() {
    let relay = Running::start().await;
    let mut plain = relay.plain().await;
    let mut player = scheduled_player(&relay).await;
    let (relay_time, at) = latest_relay_time(&mut player, Instant::now()).await;

    for from_plain in [true, false] {
        if from_plain {
            plain.bang().await;
        } else {
            player.say(bang("click")).await;
        }
        let trigger = player.hear_trigger().await;
        let told = Instant::now();
        assert_eq!(plain.hear().await, Some(output()));
        let heard = Instant::now();
        // Relay time now is at most this, because the probe was received after `at`.
        let latest = relay_time.plus_micros((heard - at).as_micros() as u64);
        assert!(latest >= trigger.play_at, "{latest:?} is before {:?}", trigger.play_at);
        // The player was told a lead before, less what this machine needed to get there.
        assert!(heard - told < DEADLINE / 10, "it came {:?} after", heard - told);
    }
}

#[tokio::test]
async fn the_first_to_come_between_a_bang_and_its_instant_sounds_with_the_others() {
    let relay = Running::start().await;
    let mut player = scheduled_player(&relay).await;
    let (relay_time, at) = latest_relay_time(&mut player, Instant::now()).await;
    // A machine that is busy with others may not get there in time; it then tries again.
    let in_time = async {
        loop {
            player.say(bang("click")).await;
            let trigger = player.hear_trigger().await;
            let mut plain = relay.plain().await;
            let latest = relay_time.plus_micros(at.elapsed().as_micros() as u64);
            if latest < trigger.play_at {
                break (trigger, plain);
            }
            plain.0.close(None).await.unwrap();
            relay.until_here(1).await;
        }
    };
    let (trigger, mut plain) = within(in_time).await;
    assert_eq!(plain.hear().await, Some(output()));
    let latest = relay_time.plus_micros(at.elapsed().as_micros() as u64);
    assert!(latest >= trigger.play_at, "{latest:?} is before {:?}", trigger.play_at);
    // Once, and a second one that comes after it hears nothing of it.
    let mut later = relay.plain().await;
    plain.bang().await;
    assert_eq!(plain.hear().await, Some(output()));
    assert_eq!(later.hear().await, Some(output()));
    assert_eq!(player.hear_trigger().await.seq, trigger.seq + 1);
    assert!(tokio::time::timeout(Duration::from_millis(300), plain.hear()).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(100), later.hear()).await.is_err());
}

#[tokio::test]
async fn a_burst_in_a_room_with_players_is_whole_and_nothing_else_waits_for_it() {
    let relay = Running::start().await;
    let (mut plain, listener) = (relay.plain().await, relay.plain().await);
    let mut player = scheduled_player(&relay).await;
    for _ in 0..1000 {
        plain.bang().await;
    }
    for seq in 1..=1000 {
        assert_eq!(player.hear_trigger().await.seq, seq);
    }
    for _ in 0..1000 {
        assert_eq!(plain.hear().await, Some(output()));
    }
    // One more, which the end finds waiting: it is said before the goodbye.
    player.say(bang("click")).await;
    player.hear_trigger().await;
    relay.end().await;
    assert_eq!(plain.hear_all().await, (vec![output()], Some(1001)));
    assert_eq!(within(listener.hear_all()).await.0.len(), 1001);
}

#[tokio::test]
async fn those_who_only_bang_or_have_no_output_put_nothing_off() {
    // With a lead that no test would wait for.
    let config = Config { least_lead_ms: 10_000, most_lead_ms: 10_000, ..Config::default() };
    let relay = Running::with(config).await;
    let mut plain = relay.plain().await;
    let (mut remote, _) = relay.player("remote").await;
    remote.say(ClientToRelay::Report(Report::default())).await;
    let banged = Instant::now();
    remote.say(bang("click")).await;
    let trigger = remote.hear_trigger().await;
    assert_eq!(plain.hear().await, Some(output()));
    assert!(banged.elapsed() < Duration::from_secs(8));
    assert!(trigger.play_at.as_micros() >= 10_000_000);
}

#[tokio::test]
async fn whoever_has_been_answered_hears_the_next_bang_of_anyone() {
    let relay = Running::start().await;
    let (mut sender, _) = relay.player("sender").await;
    for _ in 0..200 {
        let mut comes = Raw::open(relay.address, "", b"").await;
        // It has read the 101 and not a byte more; and nothing else was waited for.
        sender.say(bang("click")).await;
        assert_eq!(comes.frame().await, (0x81, b"trigger-output".to_vec()));
        sender.hear_trigger().await;
    }
}

#[tokio::test]
async fn one_that_leaves_before_it_is_answered_is_forgotten() {
    let relay = Running::start().await;
    for _ in 0..50 {
        let mut socket = within(TcpStream::connect(relay.address)).await.unwrap();
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            relay.address
        );
        within(socket.write_all(head.as_bytes())).await.unwrap();
        // A reset rather than a goodbye.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
    relay.until(|health| health["total"] == 0).await;
    let mut plain = relay.plain().await;
    plain.bang().await;
    assert_eq!(plain.hear().await, Some(output()));
}

#[tokio::test]
async fn a_plain_client_is_in_the_roster() {
    let relay = Running::start().await;
    let _plain = relay.plain().await;
    relay.until_here(1).await;
    let health = relay.health().await;
    assert_eq!(health["clients"][0]["kind"], "plain");
    assert_eq!(health["clients"][0]["name"], "plain client 1");
}

//! The seed's wire over real sockets: two fixed texts, and nothing else to anyone.

mod common;

use common::{Running, bang, within};
use downbeat_protocol::{ClientToRelay, TriggerRequest};
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

#[tokio::test]
async fn a_plain_client_is_in_the_roster() {
    let relay = Running::start().await;
    let _plain = relay.plain().await;
    relay.until_here(1).await;
    let health = relay.health().await;
    assert_eq!(health["clients"][0]["kind"], "plain");
    assert_eq!(health["clients"][0]["name"], "plain client 1");
}

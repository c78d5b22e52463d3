//! Who sounds, and when, over real sockets.

use std::time::Duration;

use downbeat_protocol::{ClientToRelay, ErrorCode, Report, Shape, Trigger};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::{DEADLINE, Player, TestRelay};

/// A player, which has reported what lead it needs, and its number.
async fn player(relay: &TestRelay, name: &str) -> (Player, u32) {
    let (mut player, welcome) = relay.player(name).await;
    let report = Report { lead_micros: Some(20_000), ..Report::default() };
    player.send(ClientToRelay::Report(report)).await;
    player.settle().await;
    (player, welcome.id.0)
}

async fn send(player: &mut Player, more: Value) {
    let mut message = json!({"type": "trigger", "sound": "bell"});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    player.send_text(&message.to_string()).await;
}

async fn trigger(player: &mut Player, more: Value) -> Trigger {
    send(player, more).await;
    player.receive_trigger().await
}

fn clients(trigger: &Trigger) -> Vec<u32> {
    trigger.target.as_ref().unwrap().clients.iter().map(|id| id.0).collect()
}

#[tokio::test]
async fn a_target_names_who_sounds() {
    let relay = TestRelay::start().await;
    let (mut one, first) = player(&relay, "one").await;
    let (mut two, second) = player(&relay, "two").await;
    let everyone = trigger(&mut one, json!({"target": {}})).await;
    assert_eq!((everyone.target, everyone.stagger_micros), (None, 0));
    let others = trigger(&mut one, json!({"target": {"others": true}})).await.target.unwrap();
    assert_eq!((others.except.unwrap().0, others.is_unlisted()), (first, true));
    let staggered = trigger(&mut one, json!({"stagger_micros": 80_000})).await;
    assert_eq!((clients(&staggered), staggered.stagger_micros), (vec![first, second], 80_000));
    let one_of = trigger(&mut one, json!({"target": {"one": true, "others": true}})).await;
    assert_eq!(clients(&one_of), [second]);
    for seq in 1..=4 {
        assert_eq!(two.receive_trigger().await.seq, seq);
    }
    for target in [json!({"one": true, "names": ["three"]}), json!({"one": true, "tags": ["x"]})] {
        send(&mut one, json!({"target": target})).await;
        assert_eq!(one.receive_error().await.code, ErrorCode::NoTarget);
    }
    let (mut remote, _) = relay.player("remote").await;
    let alone = json!({"target": {"names": ["remote"]}, "stagger_micros": 1});
    send(&mut remote, alone).await;
    assert_eq!(remote.receive_error().await.code, ErrorCode::NoTarget);
}

#[tokio::test]
async fn a_trigger_sounds_when_it_is_asked_to() {
    let relay = TestRelay::start().await;
    let (mut one, _) = player(&relay, "one").await;
    let together = trigger(&mut one, json!({})).await;
    let after = trigger(&mut one, json!({"when": {"after_micros": 60_000_000}})).await;
    let now = trigger(&mut one, json!({"when": "now"})).await;
    let again = trigger(&mut one, json!({})).await;
    let ahead = after.play_at.micros_since(together.play_at);
    assert!((60_000_000..60_000_000 + DEADLINE.as_micros() as i64).contains(&ahead), "{ahead}");
    assert!(now.on_arrival && !after.on_arrival && !again.on_arrival);
    assert!(now.play_at < again.play_at && again.play_at < after.play_at, "it delays no other");
    // Newcomers play what waits, unless it was stopped.
    let (_, welcome) = relay.player("late").await;
    assert!(welcome.sounding.iter().any(|sounding| sounding.trigger == after));
    one.send_text(r#"{"type":"stop"}"#).await;
    one.receive().await;
    let (_, welcome) = relay.player("later").await;
    assert!(welcome.sounding.iter().all(|sounding| sounding.trigger.seq != after.seq));
}

#[tokio::test]
async fn the_tone_is_a_sound_that_the_bank_does_not_contain() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    assert!(welcome.sounds.iter().all(|sound| sound.name != "tone"));
    let plain = trigger(&mut player, json!({"sound": "tone"})).await.tone.unwrap();
    assert_eq!((plain.frequency, plain.duration_micros, plain.shape), (None, 500_000, Shape::Sine));
    let tone = json!({"frequency": 220.0, "duration_micros": 600_000_000, "shape": "saw"});
    let saw = trigger(&mut player, json!({"sound": "tone", "rate": 2.0, "tone": tone})).await;
    assert_eq!(saw.tone.unwrap().shape, Shape::Saw);
    let (_, late) = relay.player("late").await;
    assert!(late.sounding.iter().any(|sounding| sounding.trigger == saw));
    send(&mut player, json!({"tone": {}})).await;
    assert_eq!(player.receive_error().await.code, ErrorCode::InvalidValue);
    player.send_text(r#"{"type":"stop","sound":"tone"}"#).await;
    player.receive().await;
    let (_, later) = relay.player("later").await;
    assert!(later.sounding.iter().all(|sounding| sounding.stop_at.is_some()), "{later:?}");
}

#[tokio::test]
async fn tutorial_clients_sound_if_nobody_is_listed_and_at_the_instant() {
    let relay = TestRelay::start().await;
    let mut tutorial = relay.tutorial().await;
    relay.until_clients(1).await;
    let (mut one, id) = player(&relay, "one").await;
    let output = Some(Message::text("trigger-output"));
    for request in [
        json!({}),
        json!({"target": {}}),
        json!({"target": {"others": true}}),
        json!({"when": "now"}),
        json!({"when": {"after_micros": 50_000}}),
    ] {
        trigger(&mut one, request).await;
        assert_eq!(tutorial.receive().await, output);
    }
    // A trigger far ahead delays no other, and a stop cancels it.
    trigger(&mut one, json!({"when": {"after_micros": 1_000_000}})).await;
    trigger(&mut one, json!({})).await;
    assert_eq!(tutorial.receive().await, output);
    one.send_text(r#"{"type":"stop"}"#).await;
    one.receive().await;
    for request in [
        json!({"target": {"clients": [id]}}),
        json!({"target": {"one": true}}),
        json!({"stagger_micros": 1}),
    ] {
        trigger(&mut one, request).await;
    }
    let nothing = tokio::time::timeout(Duration::from_millis(1500), tutorial.receive()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    // What waits for long is not played by a relay that shuts down.
    trigger(&mut one, json!({"when": {"after_micros": 3_000_000_000_u64}})).await;
    one.settle().await;
    relay.end().await;
    assert_eq!(tutorial.receive_all().await, (vec![], Some(1001)));
}

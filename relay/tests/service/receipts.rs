//! Receipts over real sockets: who sounded, who was late, who did not; and what floods do.

use downbeat_protocol::{ErrorCode, Missed, Receipt, RelayToClient};
use serde_json::{Value, json};

use crate::common::{Player, TestRelay, bang, player_on};

async fn watcher(relay: &TestRelay) -> Player {
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    desk.done(json!({"type": "watch", "room": true})).await;
    desk
}

/// The next receipt for which `wanted` holds.
async fn receipt(desk: &mut Player, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
    desk.until(|message| match message {
        RelayToClient::Receipt(receipt) => Some(receipt).filter(&wanted),
        _ => None,
    })
    .await
}

fn outcomes(outcomes: &Value) -> String {
    json!({"type": "outcomes", "outcomes": outcomes}).to_string()
}

#[tokio::test]
async fn who_watches_learns_who_sounded_a_bang() {
    let relay = TestRelay::start().await;
    let mut desk = watcher(&relay).await;
    let mut players = Vec::new();
    for name in ["one", "two", "three", "four"] {
        players.push(relay.player(name).await);
    }
    players[0].0.send(bang("bell")).await;
    let seq = players[0].0.receive_trigger().await.seq;
    let first = receipt(&mut desk, |_| true).await;
    // The desk is a player as well.
    assert_eq!((first.seq, first.sound.as_str(), first.by.name.as_str()), (seq, "bell", "one"));
    assert_eq!((first.expected, first.waiting.len(), first.sounded), (5, 5, 0));
    let answers = [
        json!([{"seq": seq}]),
        json!([{"seq": seq, "lateness_micros": 8200}, {"seq": seq}]),
        json!([{"seq": seq, "missed": "not_ready"}]),
    ];
    for ((player, _), answer) in players.iter_mut().zip(answers) {
        player.send_text(&outcomes(&answer)).await;
    }
    let ids: Vec<_> = players.iter().map(|(_, welcome)| welcome.id).collect();
    drop(players.pop());
    let last = receipt(&mut desk, |receipt| receipt.waiting.len() == 1).await;
    assert_eq!((last.expected, last.sounded), (5, 2));
    assert_eq!((last.late.len(), last.late[0].id, last.late[0].lateness_micros), (1, ids[1], 8200));
    let missed: Vec<_> = last.missed.iter().map(|missed| (missed.id, missed.reason)).collect();
    assert!(missed.contains(&(ids[2], Missed::NotReady)), "{missed:?}");
    assert!(missed.contains(&(ids[3], Missed::Left)), "{missed:?}");
}

#[tokio::test]
async fn joining_comes_first_and_receipts_go_to_nobody_else() {
    let relay = TestRelay::start().await;
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    let (mut other, _) = relay.player("other").await;
    desk.send_text(r#"{"type":"watch","room":true,"ack":5}"#).await;
    assert!(matches!(desk.receive().await, RelayToClient::Joining(_)));
    assert_eq!(desk.receive_ack().await, 5);
    assert!(matches!(desk.receive().await, RelayToClient::Machines(_)));
    // Again, it changes nothing.
    desk.send_text(r#"{"type":"watch","room":true,"ack":6}"#).await;
    assert_eq!(desk.receive_ack().await, 6);
    other.send(bang("bell")).await;
    other.receive_trigger().await;
    receipt(&mut desk, |_| true).await;
    other.send_text(&outcomes(&json!([{"seq": 1}]))).await;
    receipt(&mut desk, |receipt| receipt.sounded == 1).await;
    other.settle().await;
    // No longer.
    desk.done(json!({"type": "watch", "room": false})).await;
    other.send(bang("bell")).await;
    assert_eq!(desk.receive_trigger().await.seq, 2);
    let until = tokio::time::Instant::now() + std::time::Duration::from_millis(600);
    while let Ok(message) = tokio::time::timeout_at(until, desk.receive_any()).await {
        assert!(matches!(message.unwrap(), RelayToClient::Roster(_)));
    }
}

#[tokio::test]
async fn floods_of_outcomes_harm_nobody() {
    let relay = TestRelay::start().await;
    let mut desk = watcher(&relay).await;
    let (mut hostile, welcome) = relay.player("hostile").await;
    desk.send(bang("bell")).await;
    hostile.receive_trigger().await;
    // About what never was, about others, and again and again.
    for round in 0..200_u64 {
        let of = |n: u64| json!({"seq": round * 1000 + n, "lateness_micros": u32::MAX, "missed": "dog_ate_it"});
        let many: Vec<_> = (0..10).map(of).collect();
        hostile.send_text(&outcomes(&json!(many))).await;
    }
    let receipt = receipt(&mut desk, |receipt| receipt.waiting.len() == 1).await;
    assert_eq!((receipt.expected, receipt.sounded, receipt.missed.len()), (2, 0, 1));
    assert_eq!((receipt.missed[0].id, receipt.missed[0].reason), (welcome.id, Missed::Other));
    let too_many: Vec<_> = (0..65).map(|seq| json!({"seq": seq})).collect();
    hostile.send_text(&outcomes(&json!(too_many))).await;
    assert_eq!(hostile.receive_error().await.code, ErrorCode::InvalidValue);
    for wrong in [json!([{"seq": -1}]), json!([{"seq": "1"}]), json!({}), json!([{}])] {
        hostile.send_text(&outcomes(&wrong)).await;
        assert_eq!(hostile.receive_error().await.code, ErrorCode::Malformed);
    }
    hostile.settle().await;
}

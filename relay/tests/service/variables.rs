//! Variables over real sockets.

use downbeat_protocol::{ErrorCode, RelayToClient, VariableState, VariablesChange};
use serde_json::{Value, json};

use crate::common::{Player, TestRelay, player_on};

/// Declares variables, and waits until that is done.
async fn declare(player: &mut Player, variables: Value) {
    let message = json!({"type": "declare", "variables": variables, "ack": 900});
    player.send_text(&message.to_string()).await;
    receive_variables(player).await;
    assert_eq!(player.receive_ack().await, 900);
}

async fn receive_variables(player: &mut Player) -> VariablesChange {
    match player.receive().await {
        RelayToClient::Variables(change) => change,
        other => panic!("not variables: {other:?}"),
    }
}

async fn set(player: &mut Player, name: &str, value: impl Into<Value>, more: Value) {
    let mut message = json!({"type": "set", "name": name, "value": value.into()});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    player.send_text(&message.to_string()).await;
}

fn values(variables: &[VariableState]) -> Vec<(&str, &Value)> {
    variables.iter().map(|state| (state.variable.name.as_str(), &state.value)).collect()
}

fn level() -> Value {
    json!({"name": "level", "type": "float", "min": 0, "max": 1, "default": 0, "clamp": true})
}

fn light() -> Value {
    json!({"name": "light", "type": "color", "default": "#000000", "scope": "machine"})
}

#[tokio::test]
async fn a_value_reaches_everyone_with_a_number_and_an_instant_and_newcomers_too() {
    let relay = TestRelay::start().await;
    let (mut one, welcome) = relay.player("one").await;
    assert_eq!(welcome.variables, []);
    let (mut two, _) = relay.player("two").await;
    declare(&mut one, json!([level(), {"name": "flash", "type": "any", "event": true}])).await;
    let declared = receive_variables(&mut two).await.declared;
    assert_eq!(values(&declared), [("level", &json!(0.0)), ("flash", &Value::Null)]);

    set(&mut one, "level", 7, json!({"over_micros": 200_000, "ack": 1})).await;
    let change = one.receive_value().await;
    assert_eq!(one.receive_ack().await, 1, "after the value");
    assert_eq!(two.receive_value().await, change);
    assert_eq!((change.seq, &change.value, change.over_micros), (1, &json!(1.0), 200_000));
    assert_eq!((change.by.id, change.by.name.as_str()), (welcome.id, "one"));
    assert!(change.apply_at.micros_since(welcome.now) >= i64::from(welcome.lead_micros));
    set(&mut two, "flash", json!({"x": 1}), json!({})).await;
    assert_eq!(two.receive_value().await.seq, 2);
    assert_eq!(one.receive_value().await.value, json!({"x": 1}));

    let (_, welcome) = relay.player("late").await;
    assert_eq!(values(&welcome.variables), [("level", &json!(1.0)), ("flash", &Value::Null)]);
    assert_eq!(welcome.pending, []);
    let health = relay.health().await;
    assert_eq!((&health["values"], &health["variables"]), (&json!(2), &json!(2)));
    let metrics = String::from_utf8(relay.get("/metrics", "").await.body).unwrap();
    assert!(metrics.contains("downbeat_values_total 2\n"), "{metrics}");
    assert!(metrics.contains("downbeat_variables 2\n"), "{metrics}");
    relay.end().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_done_is_answered_by_an_error_with_its_ack() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("clumsy").await;
    declare(&mut player, json!([level(), light()])).await;
    for (request, code) in [
        (json!({"type": "set", "name": "levl", "value": 1}), ErrorCode::UnknownVariable),
        (json!({"type": "set", "name": "level", "value": "1"}), ErrorCode::InvalidValue),
        (json!({"type": "set", "name": "light", "value": "red"}), ErrorCode::InvalidValue),
        (
            json!({"type": "set", "name": "level", "value": 1, "target": {"names": ["clumsy"]}}),
            ErrorCode::InvalidValue,
        ),
        (
            json!({"type": "set", "name": "light", "value": "#ffffff", "target": {"names": ["x"]}}),
            ErrorCode::NoTarget,
        ),
        (
            json!({"type": "set", "name": "level", "value": 1, "over_micros": 60_000_001}),
            ErrorCode::InvalidValue,
        ),
        (
            json!({"type": "declare", "variables": [{"name": "level", "type": "bool"}]}),
            ErrorCode::Conflict,
        ),
        (
            json!({"type": "declare", "variables": [{"name": "", "type": "bool"}]}),
            ErrorCode::InvalidValue,
        ),
        (json!({"type": "declare", "variables": [{"name": "x"}]}), ErrorCode::Malformed),
    ] {
        let mut with_ack = request.clone();
        with_ack["ack"] = 5.into();
        player.send_text(&with_ack.to_string()).await;
        let refusal = player.receive_error().await;
        assert_eq!(refusal.code, code, "{request}");
        // What is not a message has no `ack` that could be read.
        assert_eq!(refusal.ack, (code != ErrorCode::Malformed).then_some(5), "{request}");
    }
    set(&mut player, "level", 0.5, json!({})).await;
    assert_eq!(player.receive_value().await.seq, 1, "none of them was numbered");
}

#[tokio::test]
async fn a_stream_is_thinned_and_its_last_value_arrives_though_the_sender_leaves() {
    let relay = TestRelay::start().await;
    let (mut sender, _) = relay.player("sender").await;
    declare(&mut sender, json!([level()])).await;
    let (mut listener, _) = relay.player("listener").await;
    for index in 1..=500 {
        set(&mut sender, "level", f64::from(index) / 500.0, json!({"ack": index})).await;
    }
    // Every request is acknowledged once, in order.
    let mut acked = 0;
    let mut received = 0;
    while acked < 500 {
        match sender.receive().await {
            RelayToClient::Ack(ack) => {
                acked += 1;
                assert_eq!(ack.ack, acked);
            }
            RelayToClient::Value(_) => received += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(received < 250, "{received} of 500 were broadcast");
    for value in [0.25, 0.5, 0.75] {
        set(&mut sender, "level", value, json!({})).await;
    }
    drop(sender);
    while listener.receive_value().await.value != json!(0.75) {}
}

#[tokio::test]
async fn a_value_that_waits_is_told_to_newcomers() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("player").await;
    declare(&mut player, json!([level()])).await;
    set(&mut player, "level", 0.5, json!({"when": {"after_micros": 3_000_000_000_u64}})).await;
    let waiting = player.receive_value().await;
    let (_, welcome) = relay.player("late").await;
    assert_eq!(values(&welcome.variables), [("level", &json!(0.0))]);
    assert_eq!(welcome.pending, [waiting]);
    set(&mut player, "level", 0.25, json!({"when": "now"})).await;
    let at_once = player.receive_value().await;
    assert!(at_once.apply_at < welcome.now.plus_micros(60_000_000));
    let (_, welcome) = relay.player("later").await;
    assert_eq!(values(&welcome.variables), [("level", &json!(0.25))]);
}

#[tokio::test]
async fn each_machine_has_its_value_over_connections() {
    let relay = TestRelay::start().await;
    let (mut one, _) = relay.player("one").await;
    declare(&mut one, json!([light()])).await;
    let (two, id) = {
        let (two, welcome) = player_on(relay.address, "two", 2).await;
        (two, welcome.id.0)
    };
    let target = json!({"target": {"clients": [id]}, "ack": 1});
    set(&mut one, "light", "#FF0000", target).await;
    let change = one.receive_value().await;
    assert_eq!(change.value, json!("#ff0000"));
    assert_eq!(change.target.unwrap().clients[0].0, id);
    assert_eq!(one.receive_ack().await, 1);
    drop(two);
    let (_, again) = player_on(relay.address, "two again", 2).await;
    assert_eq!(values(&again.variables), [("light", &json!("#ff0000"))]);
    let (_, other) = player_on(relay.address, "three", 3).await;
    assert_eq!(values(&other.variables), [("light", &json!("#000000"))]);
    // A value for all replaces that of each.
    set(&mut one, "light", "#00ff00", json!({})).await;
    assert_eq!(one.receive_value().await.target, None);
    let (_, again) = player_on(relay.address, "two", 2).await;
    assert_eq!(values(&again.variables), [("light", &json!("#00ff00"))]);
}

#[tokio::test]
async fn a_removed_variable_can_be_declared_again() {
    let relay = TestRelay::start().await;
    let (mut one, _) = relay.player("one").await;
    let (mut two, _) = relay.player("two").await;
    declare(&mut one, json!([level()])).await;
    receive_variables(&mut two).await;
    one.send_text(r#"{"type":"remove","names":["level","unknown"],"ack":2}"#).await;
    assert_eq!(receive_variables(&mut one).await.removed, ["level"]);
    assert_eq!(one.receive_ack().await, 2);
    assert_eq!(receive_variables(&mut two).await.removed, ["level"]);
    set(&mut one, "level", 1, json!({})).await;
    assert_eq!(one.receive_error().await.code, ErrorCode::UnknownVariable);
    declare(&mut two, json!([{"name": "level", "type": "bool", "default": true}])).await;
    assert_eq!(values(&receive_variables(&mut one).await.declared), [("level", &json!(true))]);
}

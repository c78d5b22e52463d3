//! What survives a relay with a data folder: variables, values, seats and tags.

use std::path::Path;

use downbeat_protocol::{ErrorCode, RelayToClient, Roster, Welcome};
use downbeat_relay::config::Config;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::{Player, TestRelay, player_on};

async fn relay_in(folder: &Path, variables: Value) -> TestRelay {
    let variable = serde_json::from_value(variables).unwrap();
    let data = Some(folder.to_owned());
    TestRelay::with(Config { data, variable, ..Config::default() }).await
}

/// Sends a request, and waits until it is done.
async fn done(player: &mut Player, request: Value) {
    let mut request = request;
    request["ack"] = 77.into();
    player.send_text(&request.to_string()).await;
    loop {
        match player.receive_any().await.expect("the connection ended") {
            RelayToClient::Ack(ack) => return assert_eq!(ack.ack, 77),
            RelayToClient::Error(refusal) => panic!("{refusal:?}"),
            _ => {}
        }
    }
}

fn values(welcome: &Welcome) -> Vec<(&str, Value)> {
    let states = welcome.variables.iter();
    states.map(|state| (state.variable.name.as_str(), state.value.clone())).collect()
}

fn own(welcome: &Welcome) -> (Option<u16>, Vec<String>) {
    let entry = welcome.roster().get(welcome.id).unwrap().clone();
    (entry.seat, entry.tags)
}

#[tokio::test]
async fn variables_values_seats_and_tags_survive_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let relay = relay_in(home.path(), json!([])).await;
    let (mut one, welcome) = player_on(relay.address, "one", 1).await;
    let (mut two, _) = player_on(relay.address, "two", 2).await;
    let declared = json!([
        {"name": "zeta", "type": "int", "min": 0, "max": 9, "default": 1},
        {"name": "light", "type": "color", "default": "#000000", "scope": "machine"},
        {"name": "gone", "type": "bool"},
    ]);
    done(&mut one, json!({"type": "declare", "variables": declared})).await;
    done(&mut two, json!({"type": "set", "name": "zeta", "value": 5})).await;
    done(&mut one, json!({"type": "set", "name": "light", "value": "#00ff00"})).await;
    let target = json!({"clients": [welcome.id]});
    done(&mut one, json!({"type": "set", "name": "light", "value": "#ff0000", "target": target}))
        .await;
    // A value that waits has taken effect when the next relay starts.
    let after = json!({"after_micros": 3_000_000_000_u64});
    done(&mut one, json!({"type": "set", "name": "zeta", "value": 7, "when": after})).await;
    done(&mut one, json!({"type": "remove", "names": ["gone"]})).await;
    let tags = json!(["left", " left ", "brass"]);
    let assign = json!({"type": "assign", "clients": [welcome.id, 999], "seat": 3, "tags": tags});
    done(&mut one, assign).await;
    relay.end().await;

    let relay = relay_in(home.path(), json!([])).await;
    let (_, one) = player_on(relay.address, "one again", 1).await;
    assert_eq!(values(&one), [("zeta", json!(7)), ("light", json!("#ff0000"))]);
    assert_eq!(own(&one), (Some(3), vec!["left".into(), "brass".into()]));
    let (_, two) = player_on(relay.address, "two", 2).await;
    assert_eq!(values(&two), [("zeta", json!(7)), ("light", json!("#00ff00"))]);
    assert_eq!(own(&two), (None, Vec::new()));
    relay.end().await;
}

#[tokio::test]
async fn a_variable_of_the_settings_replaces_a_stored_one_and_its_value_stays_if_it_fits() {
    let home = tempfile::tempdir().unwrap();
    let int = |name: &str, max: u32| json!({"name": name, "type": "int", "min": 0, "max": max, "default": 1});
    let relay = relay_in(home.path(), json!([int("a", 9), int("b", 9)])).await;
    let (mut player, _) = relay.player("one").await;
    done(&mut player, json!({"type": "declare", "variables": [int("c", 9), int("a", 9)]})).await;
    for name in ["a", "b", "c"] {
        done(&mut player, json!({"type": "set", "name": name, "value": 8})).await;
    }
    relay.end().await;
    let relay = relay_in(home.path(), json!([int("c", 5), int("a", 20)])).await;
    let (_, welcome) = relay.player("one").await;
    assert_eq!(values(&welcome), [("c", json!(1)), ("a", json!(8)), ("b", json!(8))]);
    relay.end().await;
    let relay = relay_in(home.path(), json!([])).await;
    let (_, welcome) = relay.player("one").await;
    assert_eq!(values(&welcome), [("c", json!(1)), ("a", json!(8)), ("b", json!(8))]);
    relay.end().await;
}

#[tokio::test]
async fn a_seat_and_tags_are_told_to_everyone_and_hold_for_the_next_trigger() {
    let relay = TestRelay::start().await;
    let (mut one, _) = relay.player("one").await;
    let (mut two, welcome) = player_on(relay.address, "two", 2).await;
    let (mut again, second) = player_on(relay.address, "two's other window", 2).await;
    let assign = json!({"type": "assign", "clients": [welcome.id], "seat": 9, "tags": ["left"]});
    // In one write: the relay processes both before it sends anything.
    one.0.feed(Message::text(assign.to_string())).await.unwrap();
    one.send_text(r#"{"type":"trigger","target":{"tags":["left"]}}"#).await;
    // Each client of the machine knows its tags before the trigger arrives.
    for (player, welcome) in [(&mut two, welcome), (&mut again, second)] {
        let mut known = welcome.roster();
        loop {
            match player.receive_any().await.unwrap() {
                RelayToClient::Roster(change) => known.update(change),
                RelayToClient::Machine(_) => {}
                RelayToClient::Trigger(_) => break,
                other => panic!("{other:?}"),
            }
        }
        let entry = known.get(welcome.id).unwrap();
        assert_eq!((entry.seat, entry.tags.as_slice()), (Some(9), &["left".to_owned()][..]));
    }
    let everyone =
        |roster: &Roster| roster.clients.iter().filter(|c| c.seat == Some(9)).count() == 2;
    let mut known = relay.player("late").await.1.roster();
    while !everyone(&known) {
        if let RelayToClient::Roster(change) = one.receive_any().await.unwrap() {
            known.update(change);
        }
    }
    // Absent fields stay, and seat 0 is none.
    let id = known.clients.iter().find(|client| client.name == "two").unwrap().id;
    done(&mut one, json!({"type": "assign", "clients": [id], "seat": 0})).await;
    let (_, third) = player_on(relay.address, "two, a third time", 2).await;
    assert_eq!(own(&third), (None, vec!["left".into()]));
    for (request, code) in [
        (json!({"type": "assign", "clients": [999], "seat": 1}), ErrorCode::NoTarget),
        (json!({"type": "assign", "clients": [], "seat": 1}), ErrorCode::NoTarget),
        (json!({"type": "assign", "clients": [id], "seat": 10_000}), ErrorCode::InvalidValue),
        (json!({"type": "assign", "clients": [id], "tags": [""]}), ErrorCode::InvalidValue),
        (json!({"type": "assign", "clients": [id], "tags": "left"}), ErrorCode::Malformed),
    ] {
        one.send_text(&request.to_string()).await;
        let refusal = loop {
            match one.receive().await {
                RelayToClient::Error(refusal) => break refusal,
                RelayToClient::Trigger(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refusal.code, code, "{request}");
    }
    relay.end().await;
}

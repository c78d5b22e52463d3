//! Rights over real sockets: by token and by machine, while connected, and in a locked room.

use downbeat_protocol::{ErrorCode, MachineRecord, RelayToClient, Rights};
use downbeat_relay::config::Config;
use serde_json::{Value, json};

use crate::common::{self, Player, Raw, TestRelay, bang, masked, player_on, player_with, put};

/// A relay with a token for each kind of rights: `t` and `p` for players, `c` and `l`.
fn config() -> Config {
    Config {
        token: "t".parse().ok(),
        conductor_token: "c".parse().ok(),
        player_token: "p".parse().ok(),
        listen_token: "l".parse().ok(),
        variable: vec![variable("open", true), variable("closed", false)],
        ..Config::default()
    }
}

fn variable(name: &str, open: bool) -> downbeat_protocol::Variable {
    serde_json::from_value(json!({"name": name, "type": "any", "open": open})).unwrap()
}

fn set(name: &str) -> Value {
    json!({"type": "set", "name": name, "value": 1})
}

fn assign_rights(id: impl serde::Serialize, rights: &str) -> Value {
    json!({"type": "assign", "clients": [id], "rights": rights})
}

/// The next `machine` message.
async fn record(player: &mut Player) -> MachineRecord {
    player
        .until(|message| match message {
            RelayToClient::Machine(record) => Some(record),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn each_token_gives_its_rights() {
    let relay = TestRelay::with(config()).await;
    for (token, rights) in [
        ("l", Rights::Listener),
        ("p", Rights::Player),
        ("t", Rights::Player),
        ("c", Rights::Conductor),
    ] {
        let (mut player, welcome) = player_with(relay.address, token, "one", 1).await;
        assert_eq!(welcome.machine.rights, rights, "{token}");
        player.send(bang("click")).await;
        match player.receive().await {
            RelayToClient::Trigger(_) => assert!(rights >= Rights::Player),
            RelayToClient::Error(refusal) => {
                assert_eq!((refusal.code, rights), (ErrorCode::NotAllowed, Rights::Listener));
                assert!(refusal.message.contains("player"), "{}", refusal.message);
            }
            other => panic!("{other:?}"),
        }
        if rights == Rights::Listener {
            assert_eq!(player.refused(set("open")).await, ErrorCode::NotAllowed);
        } else {
            player.done(set("open")).await;
        }
        let for_conductors = [
            set("closed"),
            json!({"type": "declare", "variables": []}),
            json!({"type": "remove", "names": []}),
            json!({"type": "assign", "clients": [welcome.id], "tags": ["x"]}),
            json!({"type": "forget", "machines": []}),
            json!({"type": "command", "clients": [welcome.id], "command": "restart_output"}),
            json!({"type": "lock", "locked": false}),
            json!({"type": "watch", "room": true}),
        ];
        for request in for_conductors {
            if rights == Rights::Conductor {
                player.done(request).await;
            } else {
                assert_eq!(player.refused(request).await, ErrorCode::NotAllowed);
            }
        }
    }
    // What does not exist is not told to who may not set it.
    let (mut player, _) = player_with(relay.address, "p", "one", 1).await;
    assert_eq!(player.refused(set("none")).await, ErrorCode::NotAllowed);
}

#[tokio::test]
async fn where_only_conductors_have_a_token_everyone_else_plays() {
    let conductor_token = "c".parse().ok();
    let relay = TestRelay::with(Config { conductor_token, ..Config::default() }).await;
    let (mut player, welcome) = relay.player("one").await;
    assert_eq!(welcome.machine.rights, Rights::Player);
    let lock = json!({"type": "lock", "locked": true});
    assert_eq!(player.refused(lock.clone()).await, ErrorCode::NotAllowed);
    let (_, welcome) = player_with(relay.address, "wrong", "two", 2).await;
    assert_eq!(welcome.machine.rights, Rights::Player);
    let (mut conductor, welcome) = player_with(relay.address, "c", "three", 3).await;
    assert_eq!(welcome.machine.rights, Rights::Conductor);
    conductor.done(lock).await;
}

#[tokio::test]
async fn assigned_rights_hold_from_the_next_message_on() {
    let relay = TestRelay::with(config()).await;
    let (mut desk, _) = player_with(relay.address, "c", "desk", 1).await;
    let (mut pupil, welcome) = player_with(relay.address, "p", "pupil", 2).await;
    desk.done(assign_rights(welcome.id, "conductor")).await;
    assert_eq!(record(&mut pupil).await.rights, Rights::Conductor);
    pupil.done(set("closed")).await;
    pupil.done(json!({"type": "watch", "room": true})).await;
    let machines = |message| matches!(message, RelayToClient::Machines(_)).then_some(());
    pupil.until(machines).await;

    desk.done(assign_rights(welcome.id, "listener")).await;
    assert_eq!(record(&mut pupil).await.rights, Rights::Listener);
    assert_eq!(
        pupil.refused(json!({"type": "set", "name": "open", "value": 2})).await,
        ErrorCode::NotAllowed
    );
    pupil.send(bang("click")).await;
    let refused = |message| match message {
        RelayToClient::Error(refusal) => Some(refusal.code),
        RelayToClient::Trigger(_) => panic!("it was broadcast"),
        _ => None,
    };
    assert_eq!(pupil.until(refused).await, ErrorCode::NotAllowed);
    // It is told about the room no more. The desk is told of a newcomer, and by then the pupil would be.
    desk.done(json!({"type": "watch", "room": true})).await;
    let (_newcomer, _) = player_with(relay.address, "p", "newcomer", 3).await;
    desk.until(|message| match message {
        RelayToClient::Machines(change) => {
            change.clients.iter().any(|entry| entry.name == "newcomer").then_some(())
        }
        _ => None,
    })
    .await;
    pupil.send_text(r#"{"type":"probe","sent":1}"#).await;
    pupil
        .until(|message| match message {
            RelayToClient::Machines(_) | RelayToClient::Receipt(_) => panic!("it still watches"),
            RelayToClient::ProbeReply(_) => Some(()),
            _ => None,
        })
        .await;
    // One may give them away oneself, and is then without.
    let (mut deputy, welcome) = player_with(relay.address, "c", "deputy", 4).await;
    deputy.done(assign_rights(welcome.id, "player")).await;
    let again = assign_rights(welcome.id, "conductor");
    assert_eq!(deputy.refused(again).await, ErrorCode::NotAllowed);
}

#[tokio::test]
async fn who_is_a_conductor_by_assignment_alone_keeps_nothing_when_that_is_taken_away() {
    let relay = TestRelay::with(config()).await;
    let (mut desk, _) = player_with(relay.address, "c", "desk", 1).await;
    let (mut pupil, welcome) = player_with(relay.address, "p", "pupil", 2).await;
    desk.done(assign_rights(welcome.id, "conductor")).await;
    assert_eq!(record(&mut pupil).await.rights, Rights::Conductor);
    let file = downbeat_samples::EMBEDDED[0].wav;
    let path = pupil.ticket("mine", file.len()).await.unwrap();
    pupil.send_text(r#"{"type":"watch","room":true}"#).await;
    let joining = pupil.until(|message| match message {
        RelayToClient::Joining(joining) => Some(joining),
        _ => None,
    });
    let links = joining.await.links;
    assert!(
        !links.is_empty() && links.iter().all(|link| link.rights <= Rights::Player),
        "{links:?}"
    );
    desk.done(assign_rights(welcome.id, "player")).await;
    assert_eq!(put(relay.address, &path, file).await.status, 404);
}

#[tokio::test]
async fn rights_of_a_machine_replace_those_of_its_token_and_survive_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let in_home = || Config { data: Some(home.path().to_owned()), ..config() };
    let relay = TestRelay::with(in_home()).await;
    let (mut desk, _) = player_with(relay.address, "c", "desk", 1).await;
    let (_, welcome) = player_with(relay.address, "p", "pupil", 2).await;
    relay.until_by("l", |health| health["total"] == 1).await;
    let (_pupil, again) = player_with(relay.address, "p", "pupil", 2).await;
    // That connection is gone, and nothing was kept of it.
    assert_eq!(desk.refused(assign_rights(welcome.id, "conductor")).await, ErrorCode::NoTarget);
    assert_eq!(again.machine.rights, Rights::Player);
    desk.done(assign_rights(again.id, "conductor")).await;
    let (_, other_window) = player_with(relay.address, "l", "pupil", 2).await;
    assert_eq!(other_window.machine.rights, Rights::Conductor);
    relay.end().await;
    let relay = TestRelay::with(in_home()).await;
    let (mut pupil, welcome) = player_with(relay.address, "l", "pupil", 2).await;
    assert_eq!(welcome.machine.rights, Rights::Conductor);
    pupil.done(set("closed")).await;
    // A token is needed all the same.
    let answer = common::request(relay.address, "POST /access HTTP/1.1\r\n").await;
    assert_eq!(answer.status, 401);
    relay.end().await;
}

#[tokio::test]
async fn in_a_locked_room_only_conductors_bang_stop_and_set() {
    let home = tempfile::tempdir().unwrap();
    let in_home = || Config { data: Some(home.path().to_owned()), ..config() };
    let relay = TestRelay::with(in_home()).await;
    let (mut desk, welcome) = player_with(relay.address, "c", "desk", 1).await;
    assert!(!welcome.locked);
    let (mut pupil, _) = player_with(relay.address, "p", "pupil", 2).await;
    let player = "Authorization: Bearer p\r\n";
    let mut tutorial = Raw::open(relay.address, player, b"").await;

    desk.done(json!({"type": "lock", "locked": true})).await;
    let lock = |message| match message {
        RelayToClient::Lock(lock) => Some((lock.locked, lock.by.name)),
        _ => None,
    };
    assert_eq!(pupil.until(lock).await, (true, "desk".to_owned()));
    for request in [json!({"type": "trigger"}), json!({"type": "stop"}), set("open")] {
        pupil.send_text(&request.to_string()).await;
        assert_eq!(pupil.receive_error().await.code, ErrorCode::Locked, "{request}");
    }
    // What is not allowed at all is not said to be locked; one's own volume is not locked.
    assert_eq!(pupil.refused(set("closed")).await, ErrorCode::NotAllowed);
    let refused = relay.health_by("l").await["messages_refused"].as_u64().unwrap();
    tutorial.write(&masked(0x81, b"trigger-input")).await;
    relay.until_by("l", |health| health["messages_refused"] == refused + 1).await;
    assert_eq!(relay.health_by("l").await["triggers"], 0);
    desk.send(bang("click")).await;
    assert_eq!(pupil.until(|m| matches!(m, RelayToClient::Trigger(_)).then_some(())).await, ());
    assert_eq!(tutorial.frame().await, (0x81, b"trigger-output".to_vec()));

    // It is locked for who comes later, and after a restart.
    let (_, late) = player_with(relay.address, "l", "late", 3).await;
    assert!(late.locked);
    relay.end().await;
    let relay = TestRelay::with(in_home()).await;
    let (mut pupil, welcome) = player_with(relay.address, "p", "pupil", 2).await;
    assert!(welcome.locked);
    let (mut desk, _) = player_with(relay.address, "c", "desk", 1).await;
    desk.done(json!({"type": "lock", "locked": false})).await;
    assert_eq!(pupil.until(lock).await, (false, "desk".to_owned()));
    pupil.send(bang("click")).await;
    pupil.receive_trigger().await;
    // What changes nothing is told to nobody.
    desk.done(json!({"type": "lock", "locked": false})).await;
    pupil.settle().await;
    relay.end().await;
    let relay = TestRelay::with(in_home()).await;
    assert!(!player_on_any(&relay).await);
    relay.end().await;
}

async fn player_on_any(relay: &TestRelay) -> bool {
    player_with(relay.address, "l", "any", 9).await.1.locked
}

#[tokio::test]
async fn a_client_of_the_tutorial_wire_can_be_made_a_listener() {
    let relay = TestRelay::start().await;
    let (mut desk, _) = player_on(relay.address, "desk", 1).await;
    let mut tutorial = relay.tutorial().await;
    relay.until_clients(2).await;
    let health = relay.health().await;
    let id = health["clients"][1]["id"].as_u64().unwrap();
    desk.done(json!({"type": "assign", "clients": [id], "rights": "listener", "name": "button"}))
        .await;
    tutorial.bang().await;
    relay.until(|health| health["messages_refused"] == 1).await;
    desk.done(assign_rights(id, "player")).await;
    tutorial.bang().await;
    let by = |message| match message {
        RelayToClient::Trigger(trigger) => Some((trigger.seq, trigger.by.name)),
        _ => None,
    };
    assert_eq!(desk.until(by).await, (1, "button".to_owned()));
}

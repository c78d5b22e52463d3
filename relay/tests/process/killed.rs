//! A relay that is killed while values are set: nothing that was acknowledged is lost, and nothing is half
//! there.

use std::{collections::BTreeMap, time::Duration};

use common::{Player, player_on};
use downbeat_protocol::{RelayToClient, VariableState};
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::*;

const ROUNDS: u64 = 100;
const WRITERS: usize = 3;

/// A value whose parts belong together.
fn value(number: u64) -> Value {
    json!({"number": number, "twice": 2 * number, "padding": "x".repeat(number as usize % 700)})
}

fn number_of(value: &Value) -> u64 {
    let number = value["number"].as_u64().unwrap();
    assert_eq!(*value, self::value(number), "half there");
    number
}

/// Sets one variable after the other for as long as there is a relay; returns the last number that was
/// acknowledged.
async fn keep_setting(mut player: Player, name: String, mut number: u64, end: Instant) -> u64 {
    let mut acked = number;
    while Instant::now() < end {
        number += 1;
        let set = json!({"type": "set", "name": name, "value": value(number), "ack": number});
        if player.0.send(Message::text(set.to_string())).await.is_err() {
            break;
        }
        // Sometimes it waits for the acknowledgement, and sometimes it goes on.
        let patience = Instant::now() + Duration::from_millis(number % 4);
        while let Ok(message) = timeout_at(patience, player.receive_any()).await {
            match message {
                Some(RelayToClient::Ack(ack)) => acked = ack.ack,
                Some(_) => {}
                None => return acked,
            }
        }
    }
    // What was acknowledged before the end counts as well.
    while let Some(message) = player.receive_any().await {
        if let RelayToClient::Ack(ack) = message {
            acked = ack.ack;
        }
    }
    acked
}

/// Declares two variables at once; returns whether that was acknowledged.
async fn declare_pair(player: &mut Player, round: u64) -> bool {
    let pair: Vec<_> = ["left", "right"]
        .iter()
        .map(|side| json!({"name": format!("{side} {round}"), "type": "bool"}))
        .collect();
    let request = json!({"type": "declare", "variables": pair, "ack": 1});
    if player.0.send(Message::text(request.to_string())).await.is_err() {
        return false;
    }
    while let Some(message) = player.receive_any().await {
        if matches!(message, RelayToClient::Ack(_)) {
            return true;
        }
    }
    false
}

/// The values of the writers, after a check that the pairs are whole, and that those which were acknowledged
/// are there.
fn check(states: &[VariableState], pairs: &[u64], numbers: &[u64; WRITERS]) -> [u64; WRITERS] {
    let values: BTreeMap<_, _> =
        states.iter().map(|state| (state.variable.name.as_str(), &state.value)).collect();
    let mut there = [Vec::new(), Vec::new()];
    for name in values.keys() {
        for (side, found) in ["left ", "right "].iter().zip(&mut there) {
            found.extend(name.strip_prefix(side).map(|round| round.parse::<u64>().unwrap()));
        }
    }
    let [mut left, mut right] = there;
    left.sort_unstable();
    right.sort_unstable();
    assert_eq!(left, right, "half of a declaration is there");
    assert!(pairs.iter().all(|round| left.contains(round)), "an acknowledged declaration is lost");
    let mut read = [0; WRITERS];
    for (index, (number, acked)) in read.iter_mut().zip(numbers).enumerate() {
        let value = values.get(format!("value {index}").as_str()).expect("a variable is lost");
        *number = number_of(value);
        assert!(*number >= *acked, "{acked} was acknowledged, and {number} is there");
    }
    read
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_when_it_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let start = || async {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--log", "error", "--data"]).arg(home.path());
        for index in 0..WRITERS {
            let name = format!("value {index}");
            let variable = json!({"name": name, "type": "any", "default": value(0)});
            command.args(["--variable", &variable.to_string()]);
        }
        Relay::start(command).await
    };
    let (mut acked, mut pairs) = ([0; WRITERS], Vec::new());
    for round in 0..ROUNDS {
        let (mut relay, address) = start().await;
        let (mut player, welcome) = player_on(address, "declares", 99).await;
        let numbers = check(&welcome.variables, &pairs, &acked);
        let end = Instant::now() + Duration::from_millis(fastrand::u64(1..90));
        let mut writers = Vec::new();
        for (index, number) in numbers.into_iter().enumerate() {
            let (player, _) = player_on(address, "writes", index as u128).await;
            writers.push(tokio::spawn(keep_setting(player, format!("value {index}"), number, end)));
        }
        let declaring = tokio::spawn(async move { declare_pair(&mut player, round).await });
        sleep(end - Instant::now()).await;
        // SIGKILL: it gets no chance to finish anything.
        relay.0.kill().unwrap();
        relay.0.wait().unwrap();
        if within(declaring).await.unwrap() {
            pairs.push(round);
        }
        for (acked, writer) in acked.iter_mut().zip(writers) {
            *acked = within(writer).await.unwrap();
        }
    }
    assert!(acked.iter().all(|number| *number > ROUNDS), "too little was acknowledged: {acked:?}");
    assert!(pairs.len() as u64 > ROUNDS / 4, "{} declarations", pairs.len());
    let (relay, address) = start().await;
    let (_, welcome) = player_on(address, "reads", 98).await;
    check(&welcome.variables, &pairs, &acked);
    drop(relay);

    let path = home.path().join("downbeat.sqlite3");
    let database = rusqlite::Connection::open(path).unwrap();
    let checked = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(checked.unwrap(), "ok");
}

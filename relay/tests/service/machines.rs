//! Machines over real sockets: what is kept of them, who is told, and who runs them from afar.

use std::collections::BTreeMap;

use downbeat_protocol::{
    AwayEntry, ClientId, Command, ErrorCode, MachineEntry, MachineNumber, MachineRecord,
    RelayToClient, Rights,
};
use downbeat_relay::config::Config;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::common::{Player, TestRelay, player_on, player_with, within};

/// What a machine sends of itself, and nobody else is told.
const SECRET: u128 = 0x5b1e_0c4f_9a7d_4e32_b6c8_1d20_f3a9_4e57;

/// A client that watches, and what it knows.
struct Watcher {
    player: Player,
    clients: BTreeMap<ClientId, MachineEntry>,
    away: BTreeMap<MachineNumber, AwayEntry>,
}

impl Watcher {
    async fn join(relay: &TestRelay) -> Self {
        let (player, _) = player_on(relay.address, "desk", 1000).await;
        Self::with(player).await
    }

    async fn with(mut player: Player) -> Self {
        player.done(json!({"type": "watch", "room": true})).await;
        Self { player, clients: BTreeMap::new(), away: BTreeMap::new() }
    }

    /// Sends a request, and waits until it is done.
    async fn done(&mut self, mut request: serde_json::Value) {
        request["ack"] = 78.into();
        self.player.send_text(&request.to_string()).await;
        within(async {
            loop {
                match self.player.receive_any().await.unwrap() {
                    RelayToClient::Ack(ack) => return assert_eq!(ack.ack, 78),
                    RelayToClient::Error(refusal) => panic!("{refusal:?}"),
                    message => self.note(message),
                }
            }
        })
        .await;
    }

    /// Reads until it knows what is wanted.
    async fn until<T>(&mut self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        within(async {
            loop {
                if let Some(found) = wanted(self) {
                    return found;
                }
                let message = self.player.receive_any().await.unwrap();
                self.note(message);
            }
        })
        .await
    }

    fn note(&mut self, message: RelayToClient) {
        let RelayToClient::Machines(change) = message else { return };
        self.clients.extend(change.clients.into_iter().map(|entry| (entry.id, entry)));
        self.clients.retain(|id, _| !change.left.contains(id));
        self.away.extend(change.away.into_iter().map(|entry| (entry.machine, entry)));
        self.away.retain(|number, _| !change.returned.contains(number));
    }

    async fn entry(
        &mut self,
        id: ClientId,
        wanted: impl Fn(&MachineEntry) -> bool,
    ) -> MachineEntry {
        self.until(|known| known.clients.get(&id).filter(|entry| wanted(entry)).cloned()).await
    }
}

async fn record(player: &mut Player) -> MachineRecord {
    let record = |message| match message {
        RelayToClient::Machine(record) => Some(record),
        _ => None,
    };
    player.until(record).await
}

/// The report of a player with an output.
fn report(output: &str) -> String {
    json!({"type": "report", "lead_micros": 14_000, "triggers": 0, "late": 0, "xruns": 0, "output": output})
        .to_string()
}

#[tokio::test]
async fn two_machines_of_one_name_are_told_apart() {
    let relay = TestRelay::start().await;
    let mut desk = Watcher::join(&relay).await;
    let (mut one, first) = player_on(relay.address, "twin", 1).await;
    let (mut two, second) = player_on(relay.address, "twin", 2).await;
    for id in [first.id, second.id] {
        let entry = desk.entry(id, |_| true).await;
        assert_eq!((entry.name.as_str(), entry.machine), ("twin", None), "nothing is kept so far");
        desk.done(json!({"type": "assign", "clients": [id], "seat": id.0})).await;
    }
    let numbers = [first.id, second.id].map(|id| id);
    let mut machines = Vec::new();
    for id in numbers {
        machines
            .push(desk.entry(id, |entry| entry.seat == Some(id.0 as u16)).await.machine.unwrap());
    }
    assert_ne!(machines[0], machines[1]);
    record(&mut one).await;
    // By its number, one is changed, and the other is not.
    desk.done(json!({"type": "assign", "machines": [machines[0]], "muted": true})).await;
    assert_eq!(record(&mut one).await.muted, Some(true));
    assert_eq!(record(&mut two).await.muted, None, "that was its seat");
    two.settle().await;
    // While one is away, too.
    drop(one);
    let away = desk.until(|known| known.away.get(&machines[0]).cloned()).await;
    assert_eq!((away.name.as_str(), away.seat), ("twin", Some(first.id.0 as u16)));
    let assign = json!({"type": "assign", "machines": [machines[0]], "name": "harp", "seat": 9});
    desk.done(assign).await;
    desk.until(|known| known.away.get(&machines[0]).filter(|away| away.name == "harp").cloned())
        .await;
    let (_twin, back) = player_on(relay.address, "twin", 1).await;
    assert_eq!((back.machine.name.as_deref(), back.machine.muted), (Some("harp"), Some(true)));
    assert_eq!(back.roster().get(back.id).unwrap().seat, Some(9));
    desk.until(|known| known.away.is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_assigned_name_wins_for_everyone_and_for_targets() {
    let relay = TestRelay::start().await;
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    let (mut harp, welcome) = player_on(relay.address, "lab-3", 1).await;
    desk.done(json!({"type": "assign", "clients": [welcome.id], "name": " ha\u{7}rp "})).await;
    assert_eq!(record(&mut harp).await.name.as_deref(), Some("harp"));
    harp.send_text(r#"{"type":"trigger"}"#).await;
    assert_eq!(harp.receive_trigger().await.by.name, "harp");
    relay.until(|health| health["clients"][1]["name"] == "harp").await;
    for (name, code) in [("", ErrorCode::InvalidValue), (" \u{7} ", ErrorCode::InvalidValue)] {
        let assign = json!({"type": "assign", "clients": [welcome.id], "name": name});
        assert_eq!(desk.refused(assign).await, code);
    }
    // A value for machines of that name finds it.
    let declare = json!({"type": "declare", "variables": [
        {"name": "light", "type": "any", "scope": "machine"}]});
    desk.done(declare).await;
    let set =
        |name| json!({"type": "set", "name": "light", "value": 1, "target": {"names": [name]}});
    desk.done(set("harp")).await;
    assert_eq!(desk.refused(set("lab-3")).await, ErrorCode::NoTarget);
    // Its own name is known again when it is forgotten.
    let (_, again) = player_on(relay.address, "lab-3", 1).await;
    assert_eq!(again.roster().get(again.id).unwrap().name, "harp");
}

#[tokio::test]
async fn a_machine_tells_what_was_changed_on_it_whatever_its_rights() {
    let tokens =
        Config { token: "c".parse().ok(), listen_token: "l".parse().ok(), ..Config::default() };
    let relay = TestRelay::with(tokens).await;
    let (mut hall, welcome) = player_with(relay.address, "l", "hall", 1).await;
    let (mut window, _) = player_with(relay.address, "l", "hall's other window", 1).await;
    hall.send_text(&report("HDA Intel PCH")).await;
    hall.done(json!({"type": "assign", "clients": [welcome.id], "name": "balcony",
        "volume_db": -6.5, "muted": true, "extra_latency_micros": 12_000}))
        .await;
    let told = record(&mut window).await;
    assert_eq!((told.rights, told.name.as_deref()), (Rights::Listener, Some("balcony")));
    drop((hall, window));
    let (_, back) = player_with(relay.address, "l", "hall", 1).await;
    let kept = back.machine;
    assert_eq!(
        (kept.volume_db, kept.muted, kept.rights),
        (Some(-6.5), Some(true), Rights::Listener)
    );
    assert_eq!(kept.extra_latency[0].output, "HDA Intel PCH");
    assert_eq!(kept.extra_latency[0].micros, 12_000);
    // A client without a machine keeps it as long as it stays.
    let (mut desk, _) = player_with(relay.address, "c", "desk", 1000).await;
    for (value, code) in [
        (json!({"volume_db": 0.1}), ErrorCode::InvalidValue),
        (json!({"volume_db": -60.5}), ErrorCode::InvalidValue),
        (json!({"extra_latency_micros": 500_001}), ErrorCode::InvalidValue),
        (json!({"place": {"x": 1.1, "y": 0}}), ErrorCode::InvalidValue),
        (json!({"rights": "king"}), ErrorCode::Malformed),
        (json!({"muted": 1}), ErrorCode::Malformed),
    ] {
        let mut assign = json!({"type": "assign", "clients": [back.id]});
        assign.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        desk.send_text(&assign.to_string()).await;
        assert_eq!(desk.receive_error().await.code, code, "{assign}");
    }
}

#[tokio::test]
async fn an_extra_latency_is_that_of_the_output_that_is_reported() {
    let relay = TestRelay::start().await;
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    let (mut one, first) = player_on(relay.address, "one", 1).await;
    let (two, second) = player_on(relay.address, "two", 2).await;
    let both = |micros| {
        json!({"type": "assign", "clients": [first.id, second.id], "seat": 5,
               "extra_latency_micros": micros})
    };
    assert_eq!(desk.refused(both(1)).await, ErrorCode::InvalidValue);
    let (_, welcome) = player_on(relay.address, "one too", 1).await;
    assert_eq!(welcome.roster().get(welcome.id).unwrap().seat, None, "nothing was changed");
    for (output, micros) in [("hdmi", 20_000), ("usb", -3000), ("hdmi", 21_000)] {
        one.send_text(&report(output)).await;
        one.settle().await;
        desk.done(both(micros)).await;
        let latency = record(&mut one).await.extra_latency;
        assert_eq!(
            (latency.last().unwrap().output.as_str(), latency.last().unwrap().micros),
            (output, micros)
        );
    }
    drop(two);
    let (_, two) = player_on(relay.address, "two", 2).await;
    assert_eq!(two.machine.extra_latency, [], "it has reported none");
    let (_, one) = player_on(relay.address, "one", 1).await;
    let kept: Vec<_> =
        one.machine.extra_latency.iter().map(|l| (l.output.as_str(), l.micros)).collect();
    assert_eq!(kept, [("usb", -3000), ("hdmi", 21_000)]);
}

#[tokio::test]
async fn a_machine_that_is_forgotten_begins_anew() {
    let home = tempfile::tempdir().unwrap();
    let in_home = || Config { data: Some(home.path().to_owned()), ..Config::default() };
    let relay = TestRelay::with(in_home()).await;
    let mut desk = Watcher::join(&relay).await;
    let declare = json!({"type": "declare", "variables": [
        {"name": "light", "type": "any", "scope": "machine", "default": 0}]});
    desk.done(declare).await;
    let mut here = Vec::new();
    for machine in 1..=2 {
        let (player, welcome) = player_on(relay.address, &format!("m{machine}"), machine).await;
        let assign = json!({"type": "assign", "clients": [welcome.id], "name": "named", "seat": 3,
                            "volume_db": -6, "rights": "listener"});
        desk.done(assign).await;
        let target = json!({"clients": [welcome.id]});
        desk.player
            .done(json!({"type": "set", "name": "light", "value": 7, "target": target}))
            .await;
        here.push((player, welcome.id));
    }
    let mut numbers = Vec::new();
    for (_, id) in &here {
        numbers.push(desk.entry(*id, |entry| entry.machine.is_some()).await.machine.unwrap());
    }
    // One is away, the other here.
    drop(here.pop());
    desk.until(|known| known.away.get(&numbers[1]).cloned()).await;
    desk.done(json!({"type": "forget", "machines": [numbers[0], numbers[1], 999]})).await;
    desk.until(|known| known.away.is_empty().then_some(())).await;
    let (mut stays, id) = here.pop().unwrap();
    record(&mut stays).await;
    assert_eq!(record(&mut stays).await, MachineRecord::default(), "a conductor again");
    let entry = desk.entry(id, |entry| entry.machine.is_none()).await;
    assert_eq!((entry.name.as_str(), entry.seat, entry.rights), ("m1", None, Rights::Conductor));
    relay.end().await;
    let relay = TestRelay::with(in_home()).await;
    for machine in 1..=2 {
        let (_, welcome) = player_on(relay.address, "again", machine).await;
        assert_eq!(welcome.machine, MachineRecord::default());
        assert_eq!(welcome.variables[0].value, 0);
    }
    let mut desk = Watcher::join(&relay).await;
    desk.until(|known| (!known.clients.is_empty()).then_some(())).await;
    assert!(desk.away.is_empty());
    relay.end().await;
}

#[tokio::test]
async fn all_that_was_assigned_survives_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let in_home = || Config { data: Some(home.path().to_owned()), ..Config::default() };
    let relay = TestRelay::with(in_home()).await;
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    let (mut one, welcome) = player_on(relay.address, "one", 1).await;
    one.send_text(&report("hdmi")).await;
    one.settle().await;
    desk.done(json!({"type": "assign", "clients": [welcome.id], "name": "harp", "seat": 9999,
        "place": {"x": 0.1, "y": 1}, "tags": ["left"], "volume_db": -60, "muted": false,
        "extra_latency_micros": -500_000, "rights": "player"}))
        .await;
    let before = record(&mut one).await;
    relay.end().await;
    let relay = TestRelay::with(in_home()).await;
    let (_, welcome) = player_on(relay.address, "one", 1).await;
    assert_eq!(welcome.machine, before);
    let mut desk = Watcher::join(&relay).await;
    let away = desk.until(|known| known.away.values().next().cloned()).await;
    let place = away.place.unwrap();
    assert_eq!((away.name.as_str(), away.seat, place.x, place.y), ("harp", Some(9999), 0.1, 1.0));
    assert_eq!(away.tags, ["left"]);
    relay.end().await;
}

#[tokio::test]
async fn a_machine_flashes_and_ticks_and_restarts_its_output_from_afar() {
    let relay = TestRelay::start().await;
    let (mut desk, _) = player_on(relay.address, "desk", 1000).await;
    let (mut one, first) = relay.player("one").await;
    let (mut two, second) = relay.player("two").await;
    let command = |clients: &[u32], command| json!({"type": "command", "clients": clients, "command": command});
    desk.done(command(&[second.id.0, second.id.0, 999], "identify")).await;
    let (mut ticks, mut commands) = (Vec::new(), Vec::new());
    while ticks.len() < 4 || commands.is_empty() {
        match two.receive().await {
            RelayToClient::Trigger(trigger) => ticks.push(trigger),
            RelayToClient::Command(command) => commands.push(command),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((commands[0].command, commands[0].by.name.as_str()), (Command::Identify, "desk"));
    for (index, tick) in ticks.iter().enumerate() {
        assert_eq!((tick.sound.as_str(), tick.tone.unwrap().duration_micros), ("tone", 40_000));
        assert_eq!(tick.target.as_ref().unwrap().clients, [second.id]);
        let later = tick.play_at.micros_since(ticks[0].play_at) - 500_000 * index as i64;
        assert!((0..100_000).contains(&later), "{later}");
        assert_eq!(one.receive_trigger().await.seq, tick.seq, "numbered for everyone");
    }
    desk.done(command(&[first.id.0, second.id.0], "restart_output")).await;
    for player in [&mut one, &mut two] {
        match player.receive().await {
            RelayToClient::Command(now) => assert_eq!(now.command, Command::RestartOutput),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(desk.refused(command(&[second.id.0], "explode")).await, ErrorCode::InvalidValue);
    assert_eq!(desk.refused(command(&[999], "identify")).await, ErrorCode::NoTarget);
    assert_eq!(desk.refused(command(&[], "identify")).await, ErrorCode::NoTarget);
    let many: Vec<_> = (0..257).collect();
    assert_eq!(desk.refused(command(&many, "identify")).await, ErrorCode::InvalidValue);
}

#[tokio::test]
async fn who_knows_the_secret_number_of_a_machine_is_that_machine_and_nobody_is_told_it() {
    let tokens =
        Config { token: "c".parse().ok(), listen_token: "l".parse().ok(), ..Config::default() };
    let relay = TestRelay::with(tokens).await;
    let (mut desk, welcome) = player_with(relay.address, "c", "desk", SECRET).await;
    desk.done(json!({"type": "assign", "clients": [welcome.id], "seat": 3, "rights": "conductor"}))
        .await;
    // A thief with the token of a listener.
    let (mut thief, stolen) = player_with(relay.address, "l", "thief", SECRET).await;
    assert_eq!(stolen.machine.rights, Rights::Conductor);
    assert_eq!(stolen.roster().get(stolen.id).unwrap().seat, Some(3));
    // Everything that a conductor is told, with the number of nobody.
    thief.send_text(r#"{"type":"watch","room":true}"#).await;
    thief.send_text(r#"{"type":"trigger"}"#).await;
    thief.send_text(r#"{"type":"command","clients":[1,2],"command":"restart_output"}"#).await;
    let secret = format!("{SECRET:032x}");
    let mut kinds = std::collections::BTreeSet::new();
    while !["machines", "receipt", "roster", "command", "joining"]
        .iter()
        .all(|k| kinds.contains(*k))
    {
        let next = within(futures_util::StreamExt::next(&mut thief.0)).await;
        let Some(Ok(Message::Text(text))) = next else { panic!("{next:?}") };
        assert!(!text.contains(&secret) && !text.contains(&SECRET.to_string()), "{text}");
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        kinds.insert(message["type"].as_str().unwrap().to_owned());
    }
    let health = relay.get("/healthz", "Authorization: Bearer l\r\n").await;
    assert!(!String::from_utf8(health.body).unwrap().contains(&secret));
    // Another number, however similar, is another machine.
    let (_, other) = player_with(relay.address, "l", "other", SECRET + 1).await;
    assert_eq!(other.machine.rights, Rights::Listener);
}

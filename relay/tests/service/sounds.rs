//! Sounds are edited, removed and put back, and what was changed survives: a folder that changes, and a restart.

use std::{fs, path::Path};

use downbeat_protocol::{BankNow, ErrorCode, RelayToClient, SoundInfo, Welcome};
use downbeat_relay::config::Config;
use serde_json::{Value, json};

use crate::common::{Player, TestRelay, bang, player_at, put};

async fn relay_in(data: &Path) -> TestRelay {
    TestRelay::with(Config { data: Some(data.to_owned()), ..Config::default() }).await
}

fn embedded(name: &str) -> &'static [u8] {
    downbeat_samples::EMBEDDED.iter().find(|sound| sound.name == name).unwrap().wav
}

/// A WAV file with this content.
fn wav(content: u8) -> Vec<u8> {
    let mut file = embedded("click").to_vec();
    let middle = file.len() / 2;
    file[middle] = content;
    file
}

fn hash(sounds: &[SoundInfo], name: &str) -> String {
    sounds.iter().find(|sound| sound.name == name).expect(name).hash.clone()
}

fn names(sounds: &[SoundInfo]) -> Vec<&str> {
    sounds.iter().map(|sound| sound.name.as_str()).collect()
}

/// Sends an edit; returns the bank that follows, and waits for the acknowledgement.
async fn edit(player: &mut Player, sounds: Value) -> BankNow {
    send(player, sounds).await;
    let bank = player.receive_bank().await;
    assert_eq!(player.receive_ack().await, 77);
    bank
}

async fn send(player: &mut Player, sounds: Value) {
    let request = json!({"type": "edit_sounds", "sounds": sounds, "ack": 77});
    player.send_text(&request.to_string()).await;
}

async fn upload(relay: &TestRelay, player: &mut Player, name: &str, file: &[u8]) -> String {
    let path = player.ticket(name, file.len()).await.unwrap();
    let answer = put(relay.address, &path, file).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    while !matches!(player.receive().await, RelayToClient::Bank(_)) {}
    answer.json()["hash"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_edit_changes_the_bank_for_everyone() {
    let relay = TestRelay::start().await;
    let (mut one, welcome) = relay.player("one").await;
    let (mut two, _) = relay.player("two").await;
    assert_eq!(names(&welcome.sounds), ["click", "kick", "clap", "bell", "chord", "texture"]);
    let (bell, kick) = (hash(&welcome.sounds, "bell"), hash(&welcome.sounds, "kick"));
    let changed = json!([
        {"hash": bell, "name": "go\u{200b}ng", "gain_db": -6, "loop": true, "position": 0},
        {"hash": kick, "removed": true},
    ]);
    let bank = edit(&mut one, changed).await;
    assert_eq!(two.receive_bank().await, bank);
    assert_eq!(bank.bank, welcome.bank + 1);
    assert_eq!(names(&bank.sounds), ["gong", "click", "clap", "chord", "texture"]);
    let gong = &bank.sounds[0];
    assert_eq!(
        (gong.gain_db, gong.looped.map(|l| (l.start, l.end))),
        (-6.0, Some((0, gong.frames)))
    );
    assert_eq!(bank.removed.iter().map(|sound| sound.name.as_str()).collect::<Vec<_>>(), ["kick"]);

    // A newcomer has the same, and a removed file can still be fetched.
    let (_, late) = relay.player("late").await;
    assert_eq!((late.sounds, late.bank, late.removed), (bank.sounds, bank.bank, bank.removed));
    assert_eq!(relay.get(&format!("/sounds/{kick}"), "").await.body, embedded("kick"));
    one.send(bang("kick")).await;
    assert_eq!(one.receive_error().await.code, ErrorCode::UnknownSound);

    let bank = edit(&mut one, json!([{"hash": kick, "removed": false}])).await;
    assert_eq!(names(&bank.sounds), ["gong", "click", "kick", "clap", "chord", "texture"]);
    assert!(bank.removed.is_empty());
    // The same again is acknowledged, and nobody is told.
    send(&mut one, json!([{"hash": kick, "removed": false}])).await;
    assert_eq!(one.receive_ack().await, 77);
}

#[tokio::test]
async fn an_edit_is_refused_as_a_whole() {
    let relay = TestRelay::start().await;
    let (mut one, welcome) = relay.player("one").await;
    let (bell, kick) = (hash(&welcome.sounds, "bell"), hash(&welcome.sounds, "kick"));
    for (request, code) in [
        (
            json!({"sounds": [{"hash": kick, "removed": true}, {"hash": "00"}]}),
            ErrorCode::UnknownSound,
        ),
        (
            json!({"sounds": [{"hash": kick, "removed": true}], "default_sound": kick}),
            ErrorCode::UnknownSound,
        ),
        (json!({"sounds": [{"hash": kick, "name": "bell"}]}), ErrorCode::Conflict),
        (json!({"sounds": [{"hash": kick, "name": "tone"}]}), ErrorCode::Conflict),
        (json!({"sounds": [{"hash": kick, "name": ""}]}), ErrorCode::InvalidValue),
        (json!({"sounds": [{"hash": kick, "gain_db": 12.1}]}), ErrorCode::InvalidValue),
        (json!({"sounds": [{"hash": kick, "gain_db": -61}]}), ErrorCode::InvalidValue),
        (json!({"sounds": vec![json!({"hash": "0"}); 257]}), ErrorCode::InvalidValue),
        (json!({"sounds": [{"hash": kick, "position": -1}]}), ErrorCode::Malformed),
        (json!({"sounds": [{"name": "x"}]}), ErrorCode::Malformed),
    ] {
        let mut request = request;
        request["type"] = "edit_sounds".into();
        request["ack"] = 5.into();
        one.send_text(&request.to_string()).await;
        let refusal = one.receive_error().await;
        assert_eq!(refusal.code, code, "{request}");
        // What is malformed has no fields.
        assert_eq!(refusal.ack, (code != ErrorCode::Malformed).then_some(5));
    }
    let (_, late) = relay.player("late").await;
    assert_eq!((late.sounds, late.bank), (welcome.sounds, welcome.bank));
    // Names can be swapped.
    let swapped = json!([{"hash": kick, "name": "bell"}, {"hash": bell, "name": "kick"}]);
    let bank = edit(&mut one, swapped).await;
    assert_eq!((hash(&bank.sounds, "kick"), hash(&bank.sounds, "bell")), (bell, kick));
}

#[tokio::test]
async fn the_gain_of_a_sound_is_in_each_trigger_and_its_name_is_the_new_one() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    let mut tutorial = relay.tutorial().await;
    relay.until_clients(2).await;
    let (click, bell) = (hash(&welcome.sounds, "click"), hash(&welcome.sounds, "bell"));
    let louder =
        json!([{"hash": bell, "gain_db": 12}, {"hash": click, "gain_db": -20, "name": "tick"}]);
    let bank = edit(&mut player, louder).await;
    assert_eq!(bank.default_sound, "tick");
    for (gain, expected) in [(0.5, 1.99), (1.0, 3.981), (2.0, 4.0), (0.0, 0.0)] {
        let request =
            json!({"type": "trigger", "sound": "bell", "gain": gain, "rate": 1, "pan": 0});
        player.send_text(&request.to_string()).await;
        let trigger = player.receive_trigger().await;
        assert!((trigger.gain - expected).abs() < 0.01, "{gain}: {}", trigger.gain);
    }
    // Also where the tutorial wire bangs: its sound is the default one.
    tutorial.bang().await;
    let trigger = player.receive_trigger().await;
    assert_eq!(trigger.sound, "tick");
    assert!((trigger.gain - 0.1).abs() < 1e-4, "{}", trigger.gain);
    let request = json!({"type": "edit_sounds", "default_sound": bell, "ack": 1});
    player.send_text(&request.to_string()).await;
    assert_eq!(player.receive_bank().await.default_sound, "bell");
    player.receive_ack().await;
    tutorial.bang().await;
    assert_eq!(player.receive_trigger().await.sound, "bell");
    // The tone has no gain of its own.
    player.send_text(r#"{"type":"trigger","sound":"tone","gain":0.5}"#).await;
    assert!((player.receive_trigger().await.gain - 0.5).abs() < 1e-6);
}

#[tokio::test]
async fn what_sounds_goes_on_when_its_sound_is_removed_and_can_be_stopped() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    player.send(bang("texture")).await;
    player.receive_trigger().await;
    let texture = hash(&welcome.sounds, "texture");
    edit(&mut player, json!([{"hash": texture, "removed": true}])).await;
    let (_, late) = relay.player("late").await;
    assert_eq!(late.sounding[0].trigger.sound, "texture");
    player.send_text(r#"{"type":"stop","sound":"texture"}"#).await;
    assert!(matches!(player.receive().await, RelayToClient::Stop(_)));
}

#[tokio::test]
async fn uploads_and_edits_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let relay = relay_in(data.path()).await;
    let (mut player, welcome) = relay.player("one").await;
    let first = upload(&relay, &mut player, "first", &wav(1)).await;
    let second = upload(&relay, &mut player, "second", &wav(2)).await;
    let third = upload(&relay, &mut player, "third", &wav(3)).await;
    let kick = hash(&welcome.sounds, "kick");
    let changed = json!([
        {"hash": second, "name": "renamed", "gain_db": -3.5, "position": 0},
        {"hash": kick, "name": "thud", "loop": true},
        {"hash": third, "removed": true},
        {"hash": hash(&welcome.sounds, "bell"), "removed": true},
    ]);
    let before = edit(&mut player, changed).await;
    let request = json!({"type": "edit_sounds", "default_sound": first, "ack": 1});
    player.send_text(&request.to_string()).await;
    player.receive_bank().await;
    player.receive_ack().await;
    relay.end().await;

    let relay = relay_in(data.path()).await;
    let (mut player, welcome) = relay.player("one").await;
    assert_eq!(welcome.sounds, before.sounds);
    assert_eq!(welcome.removed, before.removed);
    assert_eq!(welcome.default_sound, "first");
    for hash in [&first, &second, &third] {
        assert_eq!(relay.get(&format!("/sounds/{hash}"), "").await.status, 200);
    }
    // An undo after the restart, and a name that is taken.
    let bank = edit(&mut player, json!([{"hash": third, "removed": false}])).await;
    assert_eq!(bank.sounds.last().unwrap().name, "third");
    upload(&relay, &mut player, "renamed", &wav(4)).await;
    let (_, late) = relay.player("late").await;
    assert!(names(&late.sounds).contains(&"renamed 2"));
    relay.end().await;
}

#[tokio::test]
async fn a_removed_upload_is_deleted_when_it_can_no_longer_be_put_back() {
    let data = tempfile::tempdir().unwrap();
    let files = || fs::read_dir(data.path().join("sounds")).unwrap().count();
    let relay = relay_in(data.path()).await;
    let (mut player, _) = relay.player("one").await;
    let mut hashes = Vec::new();
    for content in 0..18 {
        hashes.push(upload(&relay, &mut player, "s", &wav(content)).await);
    }
    for hash in &hashes {
        edit(&mut player, json!([{"hash": hash, "removed": true}])).await;
    }
    relay.until(|_| files() == 16).await;
    assert_eq!(relay.get(&format!("/sounds/{}", hashes[0]), "").await.status, 404);
    assert_eq!(relay.get(&format!("/sounds/{}", hashes[2]), "").await.status, 200);
    send(&mut player, json!([{"hash": hashes[1], "removed": false}])).await;
    assert_eq!(player.receive_error().await.code, ErrorCode::UnknownSound);
    relay.end().await;
    let relay = relay_in(data.path()).await;
    let (_, welcome) = relay.player("one").await;
    let removed: Vec<_> = welcome.removed.iter().map(|sound| &sound.hash).collect();
    assert_eq!(removed, hashes[2..].iter().rev().collect::<Vec<_>>());
    assert_eq!(files(), 16);
}

#[tokio::test]
async fn a_file_that_is_missing_or_damaged_loses_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let relay = relay_in(data.path()).await;
    let (mut player, _) = relay.player("one").await;
    let mut hashes = Vec::new();
    for content in 0..3 {
        hashes.push(upload(&relay, &mut player, &format!("s{content}"), &wav(content)).await);
    }
    relay.end().await;
    let path = |index: usize| data.path().join(format!("sounds/{}.wav", hashes[index]));
    fs::remove_file(path(0)).unwrap();
    fs::write(path(1), wav(99)).unwrap();
    let relay = relay_in(data.path()).await;
    let (mut player, welcome) = relay.player("one").await;
    let uploaded = |welcome: &Welcome| names(&welcome.sounds[6..]).join(" ");
    assert_eq!(uploaded(&welcome), "s2");
    // The same content again puts it right.
    upload(&relay, &mut player, "s0", &wav(0)).await;
    upload(&relay, &mut player, "s1", &wav(1)).await;
    relay.end().await;
    let relay = relay_in(data.path()).await;
    let (_, welcome) = player_at(relay.address, "two").await;
    assert_eq!(uploaded(&welcome), "s2 s0 s1");
}

#[tokio::test]
async fn a_folder_that_changes_keeps_the_edits() {
    let (data, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |name: &str, content: u8| fs::write(home.path().join(name), wav(content)).unwrap();
    write("a.wav", 1);
    write("b.wav", 2);
    let samples = Some(home.path().to_owned());
    let config = Config { samples, data: Some(data.path().to_owned()), ..Config::default() };
    let relay = TestRelay::with(config.clone()).await;
    let (mut player, welcome) = relay.player("one").await;
    let (a, b) = (hash(&welcome.sounds, "a"), hash(&welcome.sounds, "b"));
    let changed = json!([{"hash": a, "name": "alpha", "gain_db": 3}, {"hash": b, "removed": true}]);
    edit(&mut player, changed).await;
    upload(&relay, &mut player, "c", &wav(9)).await;
    write("c.wav", 3);
    let bank = player.receive_bank().await;
    assert_eq!(names(&bank.sounds), ["alpha", "c 2", "c"], "the uploaded one has its name");
    assert_eq!((bank.sounds[0].gain_db, bank.removed.len()), (3.0, 1));
    // A file that is gone can be fetched for a while, and has its edits when it is back.
    fs::remove_file(home.path().join("a.wav")).unwrap();
    assert_eq!(names(&player.receive_bank().await.sounds), ["c 2", "c"]);
    assert_eq!(relay.get(&format!("/sounds/{a}"), "").await.status, 200);
    edit(&mut player, json!([{"hash": b, "removed": false}])).await;
    assert_eq!(relay.get(&format!("/sounds/{a}"), "").await.status, 200, "also after an edit");
    write("back.wav", 1);
    let bank = player.receive_bank().await;
    assert_eq!(names(&bank.sounds), ["b", "alpha", "c 2", "c"]);
    relay.end().await;
    let relay = TestRelay::with(config).await;
    let (_, welcome) = relay.player("one").await;
    assert_eq!(welcome.sounds, bank.sounds);
}

//! The samples folder: broken files, changes, reloads.

use downbeat_protocol::{BankNow, ClientToRelay, RelayToClient, StopRequest};

use super::{
    common::{Player, bang, player_at, request},
    *,
};

#[tokio::test]
async fn too_many_sounds_are_logged_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2050 {
        let path = folder.path().join(format!("{number:04}.wav"));
        std::fs::write(path, downbeat_samples::EMBEDDED[0].wav).unwrap();
    }
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
    let (mut relay, _) = Relay::start(command).await;
    let log = relay.log_to_the_end().await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("skipped")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("files=2 ") && lines[0].contains("2048.wav"), "{log}");
}

#[tokio::test]
async fn broken_files_are_logged_and_the_rest_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let click = downbeat_samples::EMBEDDED[0].wav;
    std::fs::write(folder.path().join("good.wav"), click).unwrap();
    std::fs::write(folder.path().join("bad.wav"), b"RIFF").unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
    let (mut relay, address) = Relay::start(command).await;
    let health = request(address, "GET /healthz HTTP/1.1\r\n").await;
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&health.body).unwrap()["sounds"], 1);
    let log = relay.log_to_the_end().await;
    let line = log.lines().find(|line| line.contains("bad.wav")).expect(&log);
    assert!(line.contains("cannot be played"), "{line}");
    assert!(!log.contains("good.wav"));
}

/// The next bank that a player receives, and its names.
async fn receive_bank(player: &mut Player) -> (BankNow, Vec<String>) {
    match player.receive().await {
        RelayToClient::Bank(bank) => {
            let names = bank.sounds.iter().map(|sound| sound.name.clone()).collect();
            (bank, names)
        }
        other => panic!("not a bank: {other:?}"),
    }
}

#[tokio::test]
async fn a_changed_folder_is_reloaded_and_broadcast() {
    let wav = |name: &str| {
        let sound = downbeat_samples::EMBEDDED.iter().find(|sound| sound.name == name);
        sound.unwrap().wav
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("long.wav"), wav("texture")).unwrap();
    std::fs::write(path("other.wav"), wav("click")).unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
    let (mut relay, address) = Relay::start(command).await;
    let (mut player, welcome) = player_at(address, "player").await;
    assert_eq!(welcome.default_sound, "long");
    let long = welcome.sounds[0].clone();
    player.send(bang("long")).await;
    let sounding = player.receive_trigger().await;

    // A requested reload does not wait for the next poll.
    std::fs::remove_file(path("long.wav")).unwrap();
    std::fs::write(path("other.wav"), wav("bell")).unwrap();
    std::fs::write(path("bad.wav"), b"RIFF").unwrap();
    std::fs::write(path("new.wav"), wav("click")).unwrap();
    signal(&relay, Signal::HUP);
    let (bank, names) = receive_bank(&mut player).await;
    assert_eq!(
        (names.as_slice(), bank.default_sound.as_str()),
        (&["new".into(), "other".into()][..], "new")
    );
    assert_eq!(bank.sounds[0].hash, welcome.sounds[1].hash, "the same file under another name");
    assert_ne!(bank.sounds[1].hash, welcome.sounds[1].hash);

    // What sounds is in the welcome of a new client, and can be stopped by name.
    let (mut late, welcome) = player_at(address, "late").await;
    assert_eq!(welcome.sounds, bank.sounds);
    assert_eq!(welcome.sounding[0].trigger, sounding);
    player.send(bang("long")).await;
    assert!(matches!(player.receive().await, RelayToClient::Error(_)), "no longer in the bank");
    player.send(bang("new")).await;
    assert_eq!(late.receive_trigger().await.sound, "new");
    player.receive_trigger().await;
    let stop = StopRequest { sound: Some("long".into()), trigger: None };
    player.send(ClientToRelay::Stop(stop)).await;
    assert!(matches!(player.receive().await, RelayToClient::Stop(_)));
    assert!(matches!(late.receive().await, RelayToClient::Stop(_)));

    // The old file can still be fetched.
    let get = |hash: &str, more: &str| {
        let head = format!("GET /sounds/{hash} HTTP/1.1\r\n{more}");
        async move { request(address, &head).await }
    };
    let old = get(&long.hash, "").await;
    assert_eq!((old.status, old.body.as_slice()), (200, wav("texture")));
    let part = get(&long.hash, "Range: bytes=4-7\r\n").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &wav("texture")[4..8]));
    let new = get(&bank.sounds[1].hash, "").await;
    assert_eq!(new.body, wav("bell"));
    let tag = format!("\"{}\"", bank.sounds[1].hash);
    assert_eq!(new.header("ETag"), Some(tag.as_str()));
    assert_eq!(get(&bank.sounds[1].hash, &format!("If-None-Match: {tag}\r\n")).await.status, 304);

    // A change without a request is found.
    std::fs::remove_file(path("bad.wav")).unwrap();
    std::fs::rename(path("new.wav"), path("renamed.wav")).unwrap();
    let (_, names) = receive_bank(&mut player).await;
    assert_eq!(names, ["other", "renamed"]);
    receive_bank(&mut late).await;

    let stderr = relay.log_to_the_end().await;
    let about_bad = stderr.lines().find(|line| line.contains("bad.wav"));
    assert!(about_bad.is_some_and(|line| line.contains("cannot be played")), "{stderr}");
}

#[tokio::test]
async fn the_built_in_bank_is_not_reloaded() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]);
    let (mut relay, address) = Relay::start(command).await;
    signal(&relay, Signal::HUP);
    let stderr = relay.0.stderr.take().unwrap();
    line_where(stderr, |line| line.contains("is not reloaded")).await;
    player_at(address, "player").await;
}

//! Uploads: from the ticket to a sound that everyone has, and what strangers send instead.

use std::{collections::BTreeSet, path::Path, time::Instant};

use downbeat_protocol::{ErrorCode, MAX_UPLOAD_BYTES, RelayToClient};
use downbeat_relay::config::Config;
use downbeat_samples::wav;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest as _};

use crate::common::{self, Player, TestRelay, bang, hello, put, read_answer, send, within};

fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/audio").join(name);
    std::fs::read(path).unwrap()
}

/// Uploads a file; returns the name and the hash of the sound.
async fn upload(
    relay: &TestRelay,
    player: &mut Player,
    name: &str,
    file: &[u8],
) -> (String, String) {
    let path = player.ticket(name, file.len()).await.unwrap();
    let answer = put(relay.address, &path, file).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let text = |field: &str| answer.json()[field].as_str().unwrap().to_owned();
    (text("name"), text("hash"))
}

/// A connection on which the relay waits for a file.
async fn begin(relay: &TestRelay, path: &str, length: usize) -> TcpStream {
    let mut socket = within(TcpStream::connect(relay.address)).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    within(socket.write_all(head.as_bytes())).await.unwrap();
    let mut answer = [0; 25];
    within(socket.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket
}

#[tokio::test]
async fn a_file_of_each_format_becomes_a_sound_that_everyone_has() {
    let relay = TestRelay::start().await;
    let (mut one, welcome) = relay.player("one").await;
    let (mut two, _) = relay.player("two").await;
    let (mut sounds, mut number) = (welcome.sounds.len(), welcome.bank);
    for (ending, frames) in
        [("wav", 7000), ("flac", 7000), ("ogg", 7000), ("mp3", 7000), ("aiff", 7000)]
    {
        let file = vector(&format!("pluck.{ending}"));
        let (name, hash) = upload(&relay, &mut one, ending, &file).await;
        let fetched = relay.get(&format!("/sounds/{hash}"), "").await;
        assert_eq!((fetched.status, fetched.header("Content-Type")), (200, Some("audio/wav")));
        let decoded = wav::inspect(&fetched.body).unwrap();
        assert_eq!(
            (decoded.frames, decoded.rate, decoded.channels),
            (frames, 44_100, 1),
            "{ending}"
        );
        assert_eq!(fetched.body == file, ending == "wav", "only a WAV file is kept as it is");
        if ending == "aiff" {
            // It has the same content as the FLAC file, and is that sound.
            assert_eq!(name, "flac");
            continue;
        }
        assert_eq!(name, ending);
        sounds += 1;
        for player in [&mut one, &mut two] {
            let bank = player.receive_bank().await;
            assert!(bank.bank > number, "a larger number");
            assert_eq!(bank.sounds.len(), sounds);
            let sound = bank.sounds.last().unwrap();
            assert_eq!((sound.name.as_str(), &sound.hash), (ending, &hash));
            assert_eq!((sound.bytes, sound.frames), (fetched.body.len() as u64, frames));
        }
        number += 1;
        two.send(bang(ending)).await;
        for player in [&mut one, &mut two] {
            assert_eq!(player.receive_trigger().await.sound, ending);
        }
    }
    let (_, welcome) = relay.player("three").await;
    assert_eq!((welcome.sounds.len(), welcome.bank), (sounds, number));
    let health = relay.health().await;
    assert_eq!((&health["uploads"], &health["sounds"]), (&5.into(), &sounds.into()));
    let metrics = relay.get("/metrics", "").await;
    for line in [
        "downbeat_uploads_total 5".to_owned(),
        format!("downbeat_sounds {sounds}"),
        "downbeat_uploads_refused_total{reason=\"full\"} 0".to_owned(),
    ] {
        assert!(metrics.text().lines().any(|other| other == line), "{line}");
    }
}

#[tokio::test]
async fn names_are_different_and_the_same_content_is_one_sound() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    let click = downbeat_samples::EMBEDDED[0].wav;
    let hash = welcome.sounds[0].hash.clone();
    assert_eq!(upload(&relay, &mut player, "mine", click).await, ("click".to_owned(), hash));
    let pluck = upload(&relay, &mut player, "click", &vector("pluck.wav")).await;
    assert_eq!(pluck.0, "click 2");
    assert_eq!(upload(&relay, &mut player, "again", &vector("pluck.wav")).await, pluck);
    let (tone, _) = upload(&relay, &mut player, " to\u{200b}ne ", &vector("pluck.ogg")).await;
    assert_eq!(tone, "tone 2");
    let (_, late) = relay.player("late").await;
    assert_eq!(late.sounds.len(), welcome.sounds.len() + 2);
}

#[tokio::test]
async fn many_files_at_once_are_announced_together() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    let (mut paths, mut sent) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for index in 0..8 {
        let mut file = vector("pluck.wav");
        file[1000] = index;
        paths.push((player.ticket("pluck", file.len()).await.unwrap(), file));
    }
    for (path, file) in paths {
        let address = relay.address;
        sent.push(tokio::spawn(async move { put(address, &path, &file).await.status }));
    }
    for status in sent {
        assert_eq!(within(status).await.unwrap(), 201);
    }
    let mut announced = 1;
    while player.receive_bank().await.sounds.len() < welcome.sounds.len() + 8 {
        announced += 1;
    }
    let most = begun.elapsed().as_millis() / 250 + 1;
    assert!(announced <= most, "{announced} in {:?}", begun.elapsed());
}

#[tokio::test]
async fn an_interrupted_file_is_sent_again_from_its_start() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    let file = vector("pluck.wav");
    let path = player.ticket("pluck", file.len()).await.unwrap();
    for length in [0, 1, file.len() / 2, file.len() - 1] {
        let mut socket = begin(&relay, &path, file.len()).await;
        within(socket.write_all(&file[..length])).await.unwrap();
    }
    // One whose connection is lost without a sign: the next attempt takes its place.
    let mut lost = begin(&relay, &path, file.len()).await;
    within(lost.write_all(&file[..100])).await.unwrap();
    assert_eq!(relay.health().await["sounds"], welcome.sounds.len());
    assert_eq!(put(relay.address, &path, &file).await.status, 201);
    let mut first = [0; 12];
    within(lost.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 409", "it learns that it was replaced");
    assert_eq!(relay.health().await["sounds"], welcome.sounds.len() + 1);
    // The path is used up.
    let again = put(relay.address, &path, &file).await;
    assert_eq!(again.status, 404);
    assert!(again.text().contains("ask for another one"), "{}", again.text());
}

#[tokio::test]
async fn tickets_end_with_the_connection_of_their_client() {
    let relay = TestRelay::start().await;
    let file = vector("pluck.wav");
    let (mut player, _) = relay.player("one").await;
    let path = player.ticket("pluck", file.len()).await.unwrap();
    drop(player);
    relay.until_clients(0).await;
    assert_eq!(put(relay.address, &path, &file).await.status, 404);
    assert_eq!(relay.health().await["uploads_refused"]["unannounced"], 1);
}

#[tokio::test]
async fn what_would_not_fit_is_refused_before_it_is_sent() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("one").await;
    let largest = MAX_UPLOAD_BYTES as usize;
    for (name, bytes) in [("x", 0), ("x", largest + 1), ("", 10), (&*"x".repeat(65), 10)] {
        let refusal = player.ticket(name, bytes).await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.ack),
            (ErrorCode::InvalidValue, Some(5)),
            "{name} {bytes}"
        );
    }
    for _ in 0..5 {
        player.ticket("large", largest).await.unwrap();
    }
    let refusal = player.ticket("large", largest).await.unwrap_err();
    assert_eq!((refusal.code, refusal.ack), (ErrorCode::Full, Some(5)));
    assert!(refusal.message.contains("remove sounds first"), "{}", refusal.message);
    assert_eq!(relay.health().await["uploads_refused"]["full"], 1);
}

#[tokio::test]
async fn ten_thousand_uploads_that_are_begun_and_never_ended_harm_nobody() {
    let relay = TestRelay::with(Config { messages: 60_000, ..Config::default() }).await;
    let (mut other, _) = relay.player("other").await;
    let (mut hostile, _) = relay.player("hostile").await;
    let mut paths = Vec::new();
    for _ in 0..10_000 {
        match hostile.ticket("x", 1 << 20).await {
            Ok(path) => paths.push(path),
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Full),
        }
    }
    assert_eq!(paths.len(), 8);
    // Some bytes of each, on connections that stay open.
    let mut sockets = Vec::new();
    for path in paths.iter().cycle().take(100) {
        let mut socket = within(TcpStream::connect(relay.address)).await.unwrap();
        let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\nRIFF");
        within(socket.write_all(head.as_bytes())).await.unwrap();
        sockets.push(socket);
    }
    upload(&relay, &mut other, "pluck", &vector("pluck.wav")).await;
    other.receive_bank().await;
    other.send(bang("pluck")).await;
    assert_eq!(other.receive_trigger().await.sound, "pluck");
    drop(hostile);
    relay.until_clients(1).await;
    // Their connections are told, and there are tickets again.
    let answer = read_answer(sockets.pop().unwrap());
    drop(sockets);
    assert!([404, 409].contains(&answer.await.status));
    for _ in 0..8 {
        other.ticket("x", 1 << 20).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_stalls_times_out_and_can_be_sent_again() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("one").await;
    let file = vector("pluck.wav");
    let path = player.ticket("pluck", file.len()).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nContent-Length: {}\r\n", file.len());
    let answer = send(relay.address, &head, &file[..100]).await;
    assert_eq!(answer.status, 408);
    assert!(answer.text().contains("send the file again"), "{}", answer.text());
    assert_eq!(relay.health().await["uploads_refused"]["interrupted"], 1);
    assert_eq!(put(relay.address, &path, &file).await.status, 201);
}

/// A client with a token.
async fn player_with(relay: &TestRelay, token: &str) -> Player {
    let mut request = format!("ws://{}/", relay.address).into_client_request().unwrap();
    let offer = format!("downbeat.v1, downbeat.token.{token}").parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", offer);
    let mut player = Player(within(Box::pin(connect_async(request))).await.unwrap().0);
    player.send(hello("one")).await;
    player.receive().await;
    player
}

#[tokio::test]
async fn a_listener_may_not_upload_and_a_file_needs_no_token() {
    let token = |text: &str| text.parse().ok();
    let (token, listen_token) = (token("sesame"), token("keyhole"));
    let relay = TestRelay::with(Config { token, listen_token, ..Config::default() }).await;
    let mut listener = player_with(&relay, "keyhole").await;
    let refusal = listener.ticket("pluck", 100).await.unwrap_err();
    assert_eq!((refusal.code, refusal.ack), (ErrorCode::NotAllowed, Some(5)));
    listener.send_text(r#"{"type":"edit_sounds","sounds":[],"ack":6}"#).await;
    assert_eq!(listener.receive_error().await.code, ErrorCode::NotAllowed);
    let mut player = player_with(&relay, "sesame").await;
    assert_eq!(upload(&relay, &mut player, "pluck", &vector("pluck.wav")).await.0, "pluck");
}

#[tokio::test]
async fn what_strangers_send_is_answered_as_documented() {
    let relay = TestRelay::start().await;
    let (mut player, welcome) = relay.player("one").await;
    let address = relay.address;
    let pluck = vector("pluck.wav");
    let length = pluck.len();
    let mut documented = documented_rows();
    let mut expect = |what: &str, status: u16, answer: &common::Answer| {
        let row = format!("| {what} | {status} |");
        assert!(documented.contains(&row), "docs/PROTOCOL.md does not have the row {row}");
        documented.remove(&row);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    };

    for id in [
        "00000000000000000000000000000000",
        "",
        "x",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "%00",
        "C:\\windows",
    ] {
        let answer = put(address, &format!("/uploads/{id}"), &pluck).await;
        assert_eq!(answer.status, 404, "{id}");
        if id == "x" {
            expect(
                "a file to a path that is no ticket, such as `../../etc/passwd`, plain or encoded",
                404,
                &answer,
            );
        }
    }
    let path = player.ticket("pluck", length).await.unwrap();
    assert_eq!(put(address, &path, &pluck).await.status, 201);
    expect("a file to a ticket that was used", 404, &put(address, &path, &pluck).await);

    let path = player.ticket("pluck", length).await.unwrap();
    let larger = [&pluck[..], &vec![0; 100_000]].concat();
    expect("a file that is larger than announced", 413, &put(address, &path, &larger).await);
    let answer = put(address, &path, &pluck[..100]).await;
    expect("a file that is smaller than announced", 400, &answer);
    let head = format!("PUT {path} HTTP/1.1\r\n");
    let answer = send(address, &head, &pluck).await;
    expect("a file without `Content-Length`", 411, &answer);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n");
    let body = [b"36f4\r\n", &pluck[..], b"\r\n0\r\n\r\n"].concat();
    expect("a file in chunks", 411, &send(address, &chunked, &body).await);
    let foreign = format!("{head}Content-Length: {length}\r\nOrigin: http://evil.example\r\n");
    let answer = send(address, &foreign, &pluck).await;
    expect("a file from a page of another origin", 403, &answer);
    let host = format!("{head}Content-Length: {length}\r\nHost: evil.example\r\n");
    expect("a file for another `Host`", 421, &send(address, &host, &pluck).await);
    let mut half = begin(&relay, &path, length).await;
    within(half.write_all(&pluck[..500])).await.unwrap();
    drop(half);
    assert_eq!(put(address, &path, &pluck).await.status, 201, "it was left to another attempt");

    let mut flac = vector("pluck.flac");
    flac[21] |= 0x0f;
    flac[22..26].fill(0xff);
    let mut riff = pluck.clone();
    riff[64..68].copy_from_slice(&0x7ffe_0000_u32.to_le_bytes());
    for (what, file, reason) in [
        ("a FLAC file whose header promises gigabytes", &flac[..], "too long"),
        ("a WAV file whose header promises gigabytes", &riff[..], "cut off"),
        ("a file that is no sound", b"hello, this is a text", "no sound file"),
        ("half a FLAC file", &vector("pluck.flac")[..1000], "cut off"),
    ] {
        let path = player.ticket("bad", file.len()).await.unwrap();
        let answer = put(address, &path, file).await;
        expect(what, 415, &answer);
        assert!(answer.text().contains(reason), "{}", answer.text());
    }
    assert!(documented.is_empty(), "documented but not tested: {documented:?}");

    let health = relay.health().await;
    let refused = &health["uploads_refused"];
    assert_eq!((&refused["unreadable"], &health["uploads"]), (&4.into(), &2.into()));
    assert_eq!(health["sounds"], welcome.sounds.len() + 1, "nothing is left of the others");
    player.send(bang("pluck")).await;
    loop {
        match player.receive().await {
            RelayToClient::Trigger(trigger) => break assert_eq!(trigger.sound, "pluck"),
            RelayToClient::Bank(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The rows of the table of hostile uploads.
fn documented_rows() -> BTreeSet<String> {
    let protocol = include_str!("../../../docs/PROTOCOL.md");
    let (_, table) = protocol.split_once("| a client uploads | status |\n|---|---|\n").unwrap();
    table.lines().take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

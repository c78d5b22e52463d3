//! A relay that is killed while files are uploaded: every sound that was acknowledged is there, and nothing is
//! half there.

use std::{collections::BTreeMap, path::Path, time::Duration};

use common::{Player, player_at, request};
use downbeat_protocol::{RelayToClient, Welcome};
use downbeat_samples::{EMBEDDED, wav};
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};
use tokio_tungstenite::tungstenite::Message;

use super::*;

const ROUNDS: u64 = 40;
const UPLOADERS: u64 = 3;

/// Hashes and names of sounds.
type Sounds = BTreeMap<String, String>;

/// A WAV file of its own, some kilobytes large.
fn file(number: u64) -> Vec<u8> {
    let mut file = EMBEDDED[number as usize % EMBEDDED.len()].wav.to_vec();
    let middle = file.len() / 2;
    file[middle..middle + 8].copy_from_slice(&number.to_le_bytes());
    file
}

/// Uploads one file after the other for as long as there is a relay; returns those that were acknowledged.
async fn keep_uploading(
    mut player: Player,
    address: SocketAddr,
    first: u64,
    end: Instant,
) -> Sounds {
    let mut acknowledged = Sounds::new();
    for number in first.. {
        let file = file(number);
        let name = format!("s{number}");
        let ask = json!({"type": "upload", "name": name, "bytes": file.len(), "ack": number});
        if player.0.send(Message::text(ask.to_string())).await.is_err() {
            break;
        }
        let path = loop {
            match timeout_at(end + Duration::from_secs(30), player.receive_any()).await.unwrap() {
                Some(RelayToClient::UploadReady(ready)) => break ready.path,
                Some(RelayToClient::Error(refusal)) => panic!("{refusal:?}"),
                Some(_) => {}
                None => return acknowledged,
            }
        };
        let Some(answer) = put(address, &path, &file).await else { break };
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        acknowledged.insert(text("hash"), text("name"));
    }
    acknowledged
}

/// Sends a file; returns the answer to one that was accepted, if the relay lived for as long.
async fn put(address: SocketAddr, path: &str, file: &[u8]) -> Option<Value> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    let length = file.len();
    let head = format!(
        "PUT /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.ok()?;
    socket.write_all(file).await.ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer[end + 4..]).ok()
}

/// Checks that all acknowledged sounds are there, and that each one that is there is whole.
async fn check(address: SocketAddr, welcome: &Welcome, acknowledged: &Sounds, data: &Path) {
    let there: Sounds =
        welcome.sounds.iter().map(|sound| (sound.hash.clone(), sound.name.clone())).collect();
    for (hash, name) in acknowledged {
        assert_eq!(there.get(hash), Some(name), "an acknowledged sound is lost");
    }
    for sound in &welcome.sounds {
        let answer = request(address, &format!("GET /sounds/{} HTTP/1.1\r\n", sound.hash)).await;
        assert_eq!((answer.status, answer.body.len() as u64), (200, sound.bytes));
        assert_eq!(wav::inspect(&answer.body).unwrap().frames, sound.frames);
    }
    let Ok(entries) = std::fs::read_dir(data.join("sounds")) else { return };
    let uploaded = welcome.sounds.len() - EMBEDDED.len();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let with_ending = |ending: &str| {
        files.iter().filter(|path| path.extension().is_some_and(|found| found == ending)).count()
    };
    // What was written and has no row is put aside.
    assert_eq!((with_ending("wav"), with_ending("part")), (uploaded, 0), "{files:?}");
}

#[tokio::test]
async fn no_acknowledged_sound_is_lost_when_it_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let start = || async {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--log", "off", "--data"]).arg(data.path());
        Relay::start(command).await
    };
    let mut acknowledged = Sounds::new();
    for round in 0..ROUNDS {
        let (mut relay, address) = start().await;
        let (_, welcome) = player_at(address, "checks").await;
        check(address, &welcome, &acknowledged, data.path()).await;
        let end = Instant::now() + Duration::from_millis(fastrand::u64(1..400));
        let mut uploaders = Vec::new();
        for uploader in 0..UPLOADERS {
            let (player, _) = player_at(address, "uploads").await;
            let first = (round * UPLOADERS + uploader) * 1000;
            uploaders.push(tokio::spawn(keep_uploading(player, address, first, end)));
        }
        sleep(end - Instant::now()).await;
        // SIGKILL: it gets no chance to finish anything.
        relay.0.kill().unwrap();
        relay.0.wait().unwrap();
        for uploader in uploaders {
            acknowledged.extend(within(uploader).await.unwrap());
        }
    }
    assert!(acknowledged.len() as u64 > ROUNDS / 2, "too few: {}", acknowledged.len());
    let (relay, address) = start().await;
    let (_, welcome) = player_at(address, "reads").await;
    check(address, &welcome, &acknowledged, data.path()).await;
    drop(relay);
}

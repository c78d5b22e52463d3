//! A folder with more sounds than the limit.

use downbeat_protocol::{
    ClientToRelay, LoopFrames, MAX_UPLOAD_BYTES, Probe, RelayToClient, RemovedSound, SoundInfo,
};
use downbeat_relay::{bank::MAX_SOUNDS, config::Config, websocket::outbox::MAX_OUTBOX_BYTES};
use downbeat_samples::wav::MAX_VALUES;
use tokio::net::TcpSocket;
use tokio_tungstenite::{
    MaybeTlsStream, client_async, tungstenite::client::IntoClientRequest as _,
};

use crate::common::{Player, TestRelay, bang, hello, player_at, within};

/// A folder with `count` sounds of two frames each.
fn folder_of(count: usize) -> tempfile::TempDir {
    let wav =
        b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\x77\x01\0\x02\0\x10\0data\
                \x04\0\0\0\x10\x20\x30\x40";
    let folder = tempfile::tempdir().unwrap();
    for number in 0..count {
        std::fs::write(folder.path().join(format!("one shot {number:05}.wav")), wav).unwrap();
    }
    folder
}

/// A player with a small receive buffer.
async fn slow_player(relay: &TestRelay) -> Player {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = within(socket.connect(relay.address)).await.unwrap();
    let mut request = format!("ws://{}/", relay.address).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "downbeat.v1".parse().unwrap());
    let stream = MaybeTlsStream::Plain(stream);
    Player(within(Box::pin(client_async(request, stream))).await.unwrap().0)
}

#[tokio::test]
async fn a_slow_client_receives_the_welcome_of_a_folder_of_twelve_thousand() {
    let folder = folder_of(12_000);
    let samples = Some(folder.path().to_owned());
    let relay = TestRelay::with(Config { samples, ..Config::default() }).await;
    let mut slow = slow_player(&relay).await;
    slow.send(hello("slow")).await;
    relay.until_clients(1).await;
    // Much is broadcast before it reads anything.
    let (mut player, _) = player_at(relay.address, "quick").await;
    for seq in 1..=200 {
        player.send(bang("one shot 00007")).await;
        assert_eq!(player.receive_trigger().await.seq, seq);
    }
    let RelayToClient::Welcome(welcome) = slow.receive().await else { panic!("not a welcome") };
    assert_eq!(welcome.sounds.len(), MAX_SOUNDS);
    assert_eq!(welcome.sounds[7].name, "one shot 00007");
    for seq in 1..=200 {
        assert_eq!(slow.receive_trigger().await.seq, seq);
    }
    slow.send(ClientToRelay::Probe(Probe { sent: 7 })).await;
    assert!(matches!(slow.receive().await, RelayToClient::ProbeReply(_)));
}

#[test]
fn the_largest_list_of_sounds_fits_an_outbox() {
    let sound = SoundInfo {
        name: "\u{1d11e}".repeat(64),
        hash: "0".repeat(64),
        bytes: MAX_UPLOAD_BYTES,
        frames: MAX_VALUES,
        rate: 768_000,
        channels: 8,
        gain_db: -59.99,
        looped: Some(LoopFrames { start: MAX_VALUES - 16, end: MAX_VALUES }),
    };
    let removed = RemovedSound { name: sound.name.clone(), hash: sound.hash.clone() };
    let bytes = serde_json::to_string(&sound).unwrap().len() + 1;
    assert!(bytes <= 470, "{bytes}");
    let removed = 16 * (serde_json::to_string(&removed).unwrap().len() + 1);
    let left = MAX_OUTBOX_BYTES - MAX_SOUNDS * bytes - removed;
    assert!(left > 64 * 1024, "{left} bytes are left for all else");
}

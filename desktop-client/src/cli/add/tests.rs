//! Adding files to a scripted relay, over real sockets.

use downbeat_protocol::{
    ClientId, Epoch, ErrorCode, Limits, MachineRecord, Refusal, RelayTime, RelayToClient,
    SUBPROTOCOL, SoundInfo, Welcome, decode_from_client, encode,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

use super::*;

/// A welcome by the relay of this epoch, with a bank of these sounds.
pub(super) fn welcome(epoch: u64, bank: u64, hashes: &[&str]) -> Welcome {
    let sound = |hash: &&str| SoundInfo {
        name: (*hash).to_owned(),
        hash: (*hash).to_owned(),
        bytes: 44,
        frames: 0,
        rate: 48_000,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    };
    Welcome {
        id: ClientId(7),
        epoch: Epoch(epoch),
        now: RelayTime::from_micros(1),
        relay: "test".into(),
        limits: Limits { message_bytes: 1, min_lead_micros: 1, max_lead_micros: 1 },
        sounds: hashes.iter().map(sound).collect(),
        default_sound: "click".into(),
        bank,
        removed: vec![],
        machine: MachineRecord::default(),
        locked: false,
        sounding: vec![],
        sounding_from: None,
        variables: vec![],
        pending: vec![],
        total: 1,
        clients: vec![],
        lead_micros: 1,
    }
}

/// Accepts a client, and welcomes it.
async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (socket, _) = listener.accept().await.unwrap();
    #[expect(clippy::result_large_err, reason = "the library's own")]
    let grant = |_: &Request, mut response: Response| {
        let name = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert("Sec-WebSocket-Protocol", name);
        Ok(response)
    };
    let mut socket = accept_hdr_async(socket, grant).await.unwrap();
    read(&mut socket).await;
    send(&mut socket, &RelayToClient::Welcome(welcome(1, 1, &[]))).await;
    socket
}

async fn read(socket: &mut WebSocketStream<TcpStream>) -> ClientToRelay {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return decode_from_client(&text).unwrap();
        }
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, message: &RelayToClient) {
    socket.send(Message::text(encode(message))).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_does_not_say_where_to_send_a_file_counts_as_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = listener.local_addr().unwrap().to_string().parse().unwrap();
    let scripted = async {
        let mut silent = accept(&listener).await;
        assert!(matches!(read(&mut silent).await, ClientToRelay::Upload(_)));
        // The first connection stays open, as one to a relay that has lost its power.
        let mut second = accept(&listener).await;
        let ClientToRelay::Upload(UploadRequest { ack, .. }) = read(&mut second).await else {
            panic!("no request")
        };
        let message = "the bank is full".to_owned();
        let refusal = Refusal { code: ErrorCode::Full, message, ack: Some(ack) };
        send(&mut second, &RelayToClient::Error(refusal)).await;
        (silent, second)
    };
    let file = tempfile::Builder::new().suffix(".wav").tempfile().unwrap();
    std::fs::write(file.path(), "12345").unwrap();
    let adding = async {
        let mut client = Client::connect(relay, "test".to_owned()).await.unwrap();
        client.answer_timeout = Duration::from_millis(200);
        client.upload(file.path(), &Progress { file: None }).await.unwrap()
    };
    let both = Box::pin(async { tokio::join!(scripted, adding) });
    let (_, outcome) = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    assert!(outcome.unwrap_err().contains("the bank is full"));
}

#[test]
fn the_line_of_a_sound_says_where_it_is_ready() {
    let line = |ready, players| line("kick", ReadyOn { ready, players });
    assert_eq!(line(12, 12), "added kick: ready on 12 of 12");
    assert_eq!(line(9, 12), "added kick: ready on 9 of 12");
    assert_eq!(line(0, 0), "added kick: no player is known yet");
}

//! A relay in the test's process, and the clients that connect to it.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

use std::{future::Future, net::SocketAddr, time::Duration};

use downbeat_protocol::{
    Ack, BankNow, ClientKind, ClientToRelay, ErrorCode, Hello, MachineId, Probe, Refusal,
    RelayToClient, SUBPROTOCOL, Trigger, TriggerRequest, UploadRequest, ValueChange, Welcome,
    decode_from_relay, encode,
};
use downbeat_relay::{config::Config, server::Server, supervise::PartPanicked};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// How long anything may take before a test fails: long, because other tests may keep the machine busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The output of `future`, within the deadline.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("timed out")
}

/// A running relay on a port of its own.
pub struct TestRelay {
    pub address: SocketAddr,
    end: oneshot::Sender<()>,
    served: JoinHandle<Result<(), PartPanicked>>,
}

impl TestRelay {
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(mut config: Config) -> Self {
        config.listen = "127.0.0.1:0".parse().unwrap();
        let relay = Server::bind(&config).await.unwrap();
        let address = relay.address();
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(relay.run(async {
            let _ = ended.await;
        }));
        Self { address, end, served }
    }

    /// Shuts it down and waits for the end.
    pub async fn end(self) {
        self.end.send(()).unwrap();
        within(self.served).await.unwrap().unwrap();
    }

    pub async fn get(&self, path: &str, headers: &str) -> Answer {
        request(self.address, &format!("GET {path} HTTP/1.1\r\n{headers}")).await
    }

    pub async fn health(&self) -> serde_json::Value {
        self.health_by("").await
    }

    /// The health report for who presents a token.
    pub async fn health_by(&self, token: &str) -> serde_json::Value {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        serde_json::from_slice(&self.get("/healthz", &bearer).await.body).unwrap()
    }

    /// Waits until `what` holds for the health report.
    pub async fn until(&self, what: impl Fn(&serde_json::Value) -> bool) {
        self.until_by("", what).await;
    }

    /// The same for who presents a token.
    pub async fn until_by(&self, token: &str, what: impl Fn(&serde_json::Value) -> bool) {
        within(async {
            while !what(&self.health_by(token).await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Waits until the room has `count` clients.
    pub async fn until_clients(&self, count: usize) {
        self.until(|health| health["total"] == count).await;
    }

    pub async fn tutorial(&self) -> TutorialClient {
        self.tutorial_at("/").await
    }

    pub async fn tutorial_at(&self, path: &str) -> TutorialClient {
        let url = format!("ws://{}{path}", self.address);
        TutorialClient(within(Box::pin(connect_async(url))).await.unwrap().0)
    }

    /// A client of `downbeat.v1` without a hello.
    pub async fn unadmitted(&self) -> Player {
        unadmitted_at(self.address).await
    }

    pub async fn player(&self, name: &str) -> (Player, Welcome) {
        player_at(self.address, name).await
    }
}

/// A client of `downbeat.v1` without a hello.
pub async fn unadmitted_at(address: SocketAddr) -> Player {
    unadmitted_with(address, None).await
}

/// The same, which presents a token.
async fn unadmitted_with(address: SocketAddr, token: Option<&str>) -> Player {
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    let offer = SUBPROTOCOL.parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", offer);
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("Authorization", bearer);
    }
    let (socket, answer) = within(Box::pin(connect_async(request))).await.unwrap();
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], SUBPROTOCOL);
    Player(socket)
}

/// An admitted client of `downbeat.v1`, and its welcome.
pub async fn player_at(address: SocketAddr, name: &str) -> (Player, Welcome) {
    admitted_at(address, hello(name)).await
}

/// The same on a machine.
pub async fn player_on(address: SocketAddr, name: &str, machine: u128) -> (Player, Welcome) {
    admitted_at(address, hello_on(name, machine)).await
}

/// The same, which presents a token.
pub async fn player_with(
    address: SocketAddr,
    token: &str,
    name: &str,
    machine: u128,
) -> (Player, Welcome) {
    admit(unadmitted_with(address, Some(token)).await, hello_on(name, machine)).await
}

async fn admitted_at(address: SocketAddr, hello: ClientToRelay) -> (Player, Welcome) {
    admit(unadmitted_at(address).await, hello).await
}

async fn admit(mut player: Player, hello: ClientToRelay) -> (Player, Welcome) {
    player.send(hello).await;
    match player.receive().await {
        RelayToClient::Welcome(welcome) => (player, welcome),
        other => panic!("not a welcome: {other:?}"),
    }
}

pub fn hello(name: &str) -> ClientToRelay {
    let (kind, client) = (ClientKind::Headless, "test/1".into());
    ClientToRelay::Hello(Hello { name: name.into(), kind, client, machine: None })
}

fn hello_on(name: &str, machine: u128) -> ClientToRelay {
    let mut message = hello(name);
    if let ClientToRelay::Hello(hello) = &mut message {
        hello.machine = Some(MachineId(machine));
    }
    message
}

pub fn bang(sound: &str) -> ClientToRelay {
    let sound = Some(sound.to_owned());
    ClientToRelay::Trigger(TriggerRequest { sound, ..TriggerRequest::default() })
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client of the tutorial wire.
pub struct TutorialClient(pub Socket);

impl TutorialClient {
    pub async fn send(&mut self, message: Message) {
        within(self.0.send(message)).await.unwrap();
    }

    pub async fn bang(&mut self) {
        self.send(Message::text("trigger-input")).await;
    }

    /// The next message that is not a control frame.
    pub async fn receive(&mut self) -> Option<Message> {
        next(&mut self.0).await.0
    }

    /// All messages until the connection is closed, and the close code.
    pub async fn receive_all(mut self) -> (Vec<Message>, Option<u16>) {
        let mut received = Vec::new();
        loop {
            match next(&mut self.0).await {
                (Some(message), _) => received.push(message),
                (None, code) => return (received, code),
            }
        }
    }
}

/// A client of `downbeat.v1`.
pub struct Player(pub Socket);

impl Player {
    pub async fn send(&mut self, message: ClientToRelay) {
        self.send_text(&encode(&message)).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        within(self.0.send(Message::text(text))).await.unwrap();
    }

    /// The next message that is not a roster, which may arrive at any time.
    pub async fn receive(&mut self) -> RelayToClient {
        loop {
            match self.receive_any().await.expect("the connection ended") {
                RelayToClient::Roster(_) => {}
                message => return message,
            }
        }
    }

    pub async fn receive_any(&mut self) -> Option<RelayToClient> {
        match next(&mut self.0).await.0? {
            Message::Text(text) => Some(decode_from_relay(&text).unwrap()),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    pub async fn receive_value(&mut self) -> ValueChange {
        match self.receive().await {
            RelayToClient::Value(value) => value,
            other => panic!("not a value: {other:?}"),
        }
    }

    pub async fn receive_ack(&mut self) -> u64 {
        match self.receive().await {
            RelayToClient::Ack(Ack { ack }) => ack,
            other => panic!("not an acknowledgement: {other:?}"),
        }
    }

    pub async fn receive_bank(&mut self) -> BankNow {
        match self.receive().await {
            RelayToClient::Bank(bank) => bank,
            other => panic!("not a bank: {other:?}"),
        }
    }

    /// Asks for a ticket; returns the path of the file.
    pub async fn ticket(&mut self, name: &str, bytes: usize) -> Result<String, Refusal> {
        let request = UploadRequest { name: name.into(), bytes: bytes as u64, ack: 5 };
        self.send(ClientToRelay::Upload(request)).await;
        loop {
            match self.receive().await {
                RelayToClient::UploadReady(ready) => {
                    assert_eq!(ready.ack, 5);
                    return Ok(format!("/{}", ready.path));
                }
                RelayToClient::Error(refusal) => return Err(refusal),
                RelayToClient::Bank(_) => {}
                other => panic!("not a ticket: {other:?}"),
            }
        }
    }

    pub async fn receive_error(&mut self) -> Refusal {
        match self.receive().await {
            RelayToClient::Error(refusal) => refusal,
            other => panic!("not an error: {other:?}"),
        }
    }

    pub async fn receive_trigger(&mut self) -> Trigger {
        match self.receive().await {
            RelayToClient::Trigger(trigger) => trigger,
            other => panic!("not a trigger: {other:?}"),
        }
    }

    /// Sends a request, and waits until it is done. Other messages are skipped.
    pub async fn done(&mut self, request: serde_json::Value) {
        self.asked(request).await.unwrap();
    }

    /// Sends a request, and returns why it is refused. Other messages are skipped.
    pub async fn refused(&mut self, request: serde_json::Value) -> ErrorCode {
        self.asked(request).await.unwrap_err().code
    }

    async fn asked(&mut self, mut request: serde_json::Value) -> Result<(), Refusal> {
        request["ack"] = 77.into();
        self.send_text(&request.to_string()).await;
        self.until(|message| match message {
            RelayToClient::Ack(Ack { ack: 77 }) => Some(Ok(())),
            RelayToClient::Error(refusal) => Some(Err(refusal)),
            _ => None,
        })
        .await
    }

    /// Skips messages until `wanted` returns a value for one.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(RelayToClient) -> Option<T>) -> T {
        within(async {
            loop {
                let message = self.receive_any().await.expect("the connection ended");
                if let Some(found) = wanted(message) {
                    return found;
                }
            }
        })
        .await
    }

    /// Returns when the relay has processed everything that was sent before.
    pub async fn settle(&mut self) {
        self.send(ClientToRelay::Probe(Probe { sent: -1 })).await;
        match self.receive().await {
            RelayToClient::ProbeReply(_) => {}
            other => panic!("not a probe's reply: {other:?}"),
        }
    }
}

/// The next message; at the end none, and the close code if there was one.
async fn next(socket: &mut Socket) -> (Option<Message>, Option<u16>) {
    let mut code = None;
    loop {
        match within(socket.next()).await {
            Some(Ok(Message::Close(close))) => code = close.map(|close| close.code.into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message)) => return (Some(message), None),
            Some(Err(_)) | None => return (None, code),
        }
    }
}

/// An HTTP response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Sends a request, whose head is completed here, and reads the response.
pub async fn request(address: SocketAddr, head: &str) -> Answer {
    let host = format!("Host: {address}\r\n");
    exchange(address, format!("{head}{host}Connection: close\r\n\r\n").as_bytes()).await
}

/// The same for a POST with a body.
pub async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\n{headers}Host: {address}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    exchange(address, &[head.as_bytes(), body].concat()).await
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut socket = within(TcpStream::connect(address)).await.unwrap();
    // It may be answered before it was read.
    let _ = within(socket.write_all(request)).await;
    read_answer(socket).await
}

/// Sends a file, and reads the response.
pub async fn put(address: SocketAddr, path: &str, file: &[u8]) -> Answer {
    let head = format!("PUT {path} HTTP/1.1\r\nContent-Length: {}\r\n", file.len());
    send(address, &head, file).await
}

/// Sends a request with a body that may be another than its head says, and reads the response. The rest of the
/// body is not sent once the relay has closed the connection.
pub async fn send(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let host = if head.contains("Host: ") { String::new() } else { format!("Host: {address}\r\n") };
    let head = format!("{head}{host}Connection: close\r\n\r\n");
    exchange(address, &[head.as_bytes(), body].concat()).await
}

/// Reads a response to the end of its connection.
pub async fn read_answer(mut socket: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    within(socket.read_to_end(&mut bytes)).await.unwrap();
    Answer::parse(&bytes)
}

/// A WebSocket whose bytes are all the test's own.
pub struct Raw(pub TcpStream);

impl Raw {
    /// Opens one; `early` is sent in one write with the handshake.
    pub async fn open(address: SocketAddr, headers: &str, early: &[u8]) -> Self {
        let mut socket = within(TcpStream::connect(address)).await.unwrap();
        let mut bytes = format!(
            "GET /any HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {headers}\r\n"
        )
        .into_bytes();
        bytes.extend(early);
        within(socket.write_all(&bytes)).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(socket.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self(socket)
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    /// The next short frame: its first byte and its payload.
    pub async fn frame(&mut self) -> (u8, Vec<u8>) {
        let first = within(self.0.read_u8()).await.unwrap();
        let length = within(self.0.read_u8()).await.unwrap();
        let length = match length {
            126 => usize::from(within(self.0.read_u16()).await.unwrap()),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        within(self.0.read_exact(&mut payload)).await.unwrap();
        (first, payload)
    }

    /// The code of the close frame, which must come next, followed by the end of the socket.
    pub async fn closed_with(mut self) -> u16 {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x88, "not a close frame");
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty(), "data after the close frame");
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

/// A frame from a client, masked with zeros.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        length => {
            frame.push(0xfe);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

//! A session with a scripted relay, over real sockets.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use downbeat_audio::OutputContext;
use downbeat_protocol::{
    Ack, AssignRequest, By, ClientId, ClientKind, ClientToRelay, Command, CommandNow, Epoch,
    ErrorCode, Hello, Limits, MachineId, MachineRecord, Refusal, RelayTime, RelayToClient, Rights,
    SUBPROTOCOL, Target, Trigger, UploadReady, UploadRequest, WatchRequest, Welcome,
    decode_from_client, encode,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

mod room_code;

use super::{SessionOptions, handle, handle::SessionHandle};
use crate::{
    action::Action,
    event::{SessionEvent, UploadProgress},
    settings::{OutputChoice, SettingsFile},
    sounds::Cache,
    time::LocalClock,
};

/// Far more than any step takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

const OWN: ClientId = ClientId(7);

/// A session, and the relay that it is connected to.
struct Rig {
    session: SessionHandle,
    events: Receiver<SessionEvent>,
    listener: TcpListener,
    socket: WebSocketStream<TcpStream>,
    hello: Hello,
}

impl Rig {
    /// A session that a relay has welcomed, which keeps this of its machine.
    async fn welcomed(machine: MachineRecord) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = listener.local_addr().unwrap().to_string().parse().unwrap();
        let (send, events) = channel();
        let session = handle::start(options(relay), move |event| drop(send.send(event))).unwrap();
        let mut socket = accept(&listener).await;
        let hello = read_hello(&mut socket).await;
        let mut rig = Self { session, events, listener, socket, hello };
        rig.welcome(machine).await;
        rig
    }

    /// Welcomes the session. Before it knows that, it drops most of what it is asked for.
    async fn welcome(&mut self, machine: MachineRecord) {
        self.send(&welcome(machine)).await;
        self.event(|event| matches!(event, SessionEvent::Connected { .. }).then_some(()));
    }

    async fn send(&mut self, message: &RelayToClient) {
        self.socket.send(Message::text(encode(message))).await.unwrap();
    }

    /// The next message of the session that is neither a probe nor a report.
    async fn next(&mut self) -> ClientToRelay {
        let message = async {
            loop {
                match read(&mut self.socket).await {
                    ClientToRelay::Probe(_) | ClientToRelay::Report(_) => {}
                    message => return message,
                }
            }
        };
        timeout(DEADLINE, message).await.unwrap()
    }

    /// Waits for an event.
    fn event<T>(&self, find: impl Fn(SessionEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(self.events.recv_timeout(DEADLINE).unwrap()) {
                return found;
            }
        }
    }

    /// Loses the connection, and welcomes the session again.
    async fn reconnect(&mut self, machine: MachineRecord) {
        self.socket.close(None).await.unwrap();
        self.socket = accept(&self.listener).await;
        self.hello = read_hello(&mut self.socket).await;
        self.welcome(machine).await;
    }
}

fn options(relay: crate::net::address::RelayAddress) -> SessionOptions {
    SessionOptions {
        relay,
        is_relay_given: true,
        own_name: "lab-3".to_owned(),
        name: "lab-3".to_owned(),
        machine: MachineId(1),
        kind: ClientKind::Headless,
        output: OutputChoice::SystemDefault,
        volume: 1.0,
        muted: false,
        extra_latency: None,
        extra_latencies: BTreeMap::new(),
        settings: SettingsFile::none(),
        outputs: OutputContext { clock: LocalClock::start(), trace: None, latency_millis: None },
        cache: Cache::none(),
        sound_memory: 1 << 20,
    }
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (socket, _) = timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
    #[expect(clippy::result_large_err, reason = "the library's own")]
    let grant = |_: &Request, mut response: Response| {
        let name = HeaderValue::from_static(SUBPROTOCOL);
        response.headers_mut().insert("Sec-WebSocket-Protocol", name);
        Ok(response)
    };
    accept_hdr_async(socket, grant).await.unwrap()
}

async fn read(socket: &mut WebSocketStream<TcpStream>) -> ClientToRelay {
    loop {
        let message = timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Text(text) = message {
            return decode_from_client(&text).unwrap();
        }
    }
}

async fn read_hello(socket: &mut WebSocketStream<TcpStream>) -> Hello {
    match read(socket).await {
        ClientToRelay::Hello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

fn welcome(machine: MachineRecord) -> RelayToClient {
    RelayToClient::Welcome(Welcome {
        id: OWN,
        epoch: Epoch(1),
        now: RelayTime::from_micros(1),
        relay: "test".into(),
        limits: Limits { message_bytes: 1, min_lead_micros: 1, max_lead_micros: 1 },
        sounds: vec![],
        default_sound: "click".into(),
        bank: 3,
        removed: vec![],
        machine,
        locked: false,
        sounding: vec![],
        sounding_from: None,
        variables: vec![],
        pending: vec![],
        total: 1,
        clients: vec![],
        lead_micros: 1,
    })
}

fn with_rights(rights: Rights) -> MachineRecord {
    MachineRecord { rights, ..MachineRecord::default() }
}

fn trigger(seq: u64, target: Option<Target>) -> RelayToClient {
    RelayToClient::Trigger(Trigger {
        seq,
        play_at: RelayTime::from_micros(1),
        sound: "tone".into(),
        gain: 1.0,
        rate: 1.0,
        pan: 0.0,
        tone: Some(downbeat_protocol::Tone::default()),
        target,
        stagger_micros: 0,
        on_arrival: false,
        data: None,
        by: By { id: ClientId(2), name: "stage".into() },
    })
}

#[tokio::test]
async fn what_the_relay_keeps_is_applied_and_only_a_persons_change_is_sent() {
    let record = MachineRecord {
        name: Some("harp".to_owned()),
        volume_db: Some(-20.0),
        muted: Some(true),
        ..with_rights(Rights::Player)
    };
    let mut rig = Rig::welcomed(record.clone()).await;
    let name = rig.event(|event| match event {
        SessionEvent::NameChanged { name } => Some(name),
        _ => None,
    });
    assert_eq!(name, "harp");
    let volume = rig.event(|event| match event {
        SessionEvent::VolumeChanged { volume } => Some(volume),
        _ => None,
    });
    assert!((volume - 0.1).abs() < 1e-4);
    rig.event(|event| (event == SessionEvent::MuteChanged { muted: true }).then_some(()));
    rig.event(|event| (event == SessionEvent::Machine(record.clone())).then_some(()));

    rig.session.send(Action::SetVolume(1.0));
    let ClientToRelay::Assign(request) = rig.next().await else { panic!() };
    let assigned = AssignRequest {
        clients: vec![OWN],
        volume_db: Some(0.0),
        ack: request.ack,
        ..AssignRequest::default()
    };
    assert_eq!(request, assigned, "nothing was sent before");
    let Some(ack) = request.ack else { panic!("it wants an answer") };
    rig.send(&RelayToClient::Ack(Ack { ack })).await;
    rig.session.send(Action::SetName("viola".to_owned()));
    let ClientToRelay::Assign(request) = rig.next().await else { panic!() };
    assert_eq!((request.name.as_deref(), request.volume_db), (Some("viola"), None));
    // The relay has answered the volume only. The name may be lost.
    rig.reconnect(MachineRecord::default()).await;
    assert_eq!(rig.hello.name, "viola");
    let ClientToRelay::Assign(request) = rig.next().await else { panic!() };
    assert_eq!((request.name.as_deref(), request.volume_db), (Some("viola"), None));
}

#[tokio::test]
async fn each_trigger_for_this_machine_has_an_outcome() {
    let mut rig = Rig::welcomed(MachineRecord::default()).await;
    let elsewhere = Target { clients: vec![ClientId(9)], ..Target::default() };
    rig.send(&trigger(1, Some(elsewhere))).await;
    rig.send(&trigger(2, None)).await;
    let ClientToRelay::Outcomes(outcomes) = rig.next().await else { panic!() };
    // It has no output, or does not know relay time: this relay answers no probe.
    let [outcome] = outcomes.outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((outcome.seq, outcome.missed.is_some()), (2, true));
}

#[tokio::test]
async fn the_room_is_watched_as_soon_as_it_may_be_and_after_each_reconnection() {
    let mut rig = Rig::welcomed(with_rights(Rights::Player)).await;
    rig.session.send(Action::Watch(true));
    let watch = |room| ClientToRelay::Watch(WatchRequest { room, ack: None });
    rig.send(&RelayToClient::Machine(with_rights(Rights::Conductor))).await;
    assert_eq!(rig.next().await, watch(true));
    rig.event(|event| (event == SessionEvent::Watching(true)).then_some(()));
    rig.reconnect(with_rights(Rights::Conductor)).await;
    assert_eq!(rig.next().await, watch(true));
    rig.session.send(Action::Watch(false));
    assert_eq!(rig.next().await, watch(false));
}

#[tokio::test]
async fn a_request_for_very_many_machines_is_several() {
    let mut rig = Rig::welcomed(MachineRecord::default()).await;
    let clients: Vec<_> = (0..300).map(ClientId).collect();
    rig.session.send(Action::Command { clients: clients.clone(), command: Command::Identify });
    let mut asked = Vec::new();
    while asked.len() < clients.len() {
        let ClientToRelay::Command(request) = rig.next().await else { panic!() };
        assert!(request.clients.len() <= 256);
        asked.extend(request.clients);
    }
    assert_eq!(asked, clients);
    let by = By { id: ClientId(2), name: "stage".into() };
    let command = CommandNow { command: Command::Identify, by };
    rig.send(&RelayToClient::Command(command)).await;
    let by = rig.event(|event| match event {
        SessionEvent::Identify { by, .. } => Some(by),
        _ => None,
    });
    assert_eq!(by, "stage");
}

#[tokio::test]
async fn the_machines_of_a_whole_room_are_seated_one_request_each() {
    let mut rig = Rig::welcomed(with_rights(Rights::Conductor)).await;
    let seat = |number: u16| AssignRequest {
        clients: vec![ClientId(number.into())],
        seat: Some(number),
        ..AssignRequest::default()
    };
    rig.session.send(Action::AssignEach((1..=1000).map(seat).collect()));
    for number in 1..=1000 {
        let ClientToRelay::Assign(request) = rig.next().await else { panic!() };
        assert_eq!(AssignRequest { ack: None, ..request }, seat(number));
    }
}

#[tokio::test]
async fn a_file_is_uploaded_where_the_relay_says_and_a_refusal_is_about_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.wav", "second.wav"].map(|name| folder.path().join(name));
    std::fs::write(&first, "12345").unwrap();
    std::fs::write(&second, "123").unwrap();
    let mut rig = Rig::welcomed(MachineRecord::default()).await;
    rig.session.send(Action::Upload(vec![first, second]));
    let ClientToRelay::Upload(request) = rig.next().await else { panic!() };
    assert_eq!((request.name.as_str(), request.bytes), ("first", 5));
    let ack = Some(request.ack);
    let message = "the bank is full".to_owned();
    rig.send(&RelayToClient::Error(Refusal { code: ErrorCode::Full, message, ack })).await;

    let ClientToRelay::Upload(UploadRequest { name, ack, .. }) = rig.next().await else { panic!() };
    assert_eq!(name, "second");
    rig.send(&RelayToClient::UploadReady(UploadReady { ack, path: "uploads/6f1e".into() })).await;
    let (socket, _) = timeout(DEADLINE, rig.listener.accept()).await.unwrap().unwrap();
    let socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    assert_eq!(serve_upload(socket), "123");
    let mut ends = Vec::new();
    while ends.len() < 2 {
        ends.push(rig.event(|event| match event {
            SessionEvent::Upload(update) => match update.progress {
                UploadProgress::Failed { reason } => Some((update.file, reason)),
                UploadProgress::Added { sound, .. } => Some((update.file, sound)),
                _ => None,
            },
            SessionEvent::Refused { reason } => panic!("{reason}"),
            _ => None,
        }));
    }
    let own = |text: &str| text.to_owned();
    let expected =
        [(own("first.wav"), own("the bank is full")), (own("second.wav"), own("second 2"))];
    assert_eq!(ends, expected);
}

/// Answers a request that uploads a file. Returns the file.
fn serve_upload(mut socket: std::net::TcpStream) -> String {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("PUT /uploads/6f1e "), "{line}");
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut file = String::new();
    reader.take(length).read_to_string(&mut file).unwrap();
    let body = r#"{"name":"second 2","hash":"ab"}"#;
    let head = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n", body.len());
    write!(socket, "{head}{body}").unwrap();
    file
}

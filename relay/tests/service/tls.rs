//! TLS: the same wires, limits and close frames, and what happens to clients that speak something else.

use std::{sync::Arc, time::Duration};

use downbeat_protocol::{ClientToRelay, Probe, RelayToClient, decode_from_relay, encode};
use downbeat_relay::config::Config;
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use crate::common::{TestRelay, bang, hello, masked, within};

/// A relay with TLS, and a client configuration that trusts it.
struct Secure {
    relay: TestRelay,
    connector: TlsConnector,
    _folder: tempfile::TempDir,
}

impl Secure {
    async fn start() -> Self {
        Self::with(Config::default()).await
    }

    async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let pair = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let pem = params.self_signed(&pair).unwrap().pem();
        std::fs::write(&cert, &pem).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        let (tls_cert, tls_key) = (Some(cert), Some(key));
        let relay = TestRelay::with(Config { tls_cert, tls_key, ..config }).await;

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { relay, connector: Arc::new(client).into(), _folder: folder }
    }

    async fn tcp(&self) -> TcpStream {
        within(TcpStream::connect(self.relay.address)).await.unwrap()
    }

    async fn stream(&self) -> Box<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = Box::pin(self.connector.connect(name, self.tcp().await));
        Box::new(within(connecting).await.unwrap())
    }

    async fn socket(&self, subprotocol: Option<&str>) -> Client {
        let mut request = format!("wss://{}/", self.relay.address).into_client_request().unwrap();
        if let Some(offer) = subprotocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", offer.parse().unwrap());
        }
        Client(within(client_async(request, self.stream().await)).await.unwrap().0)
    }

    async fn player(&self, name: &str) -> Client {
        let mut client = self.socket(Some("downbeat.v1")).await;
        client.send(&hello(name)).await;
        assert!(matches!(client.receive().await, RelayToClient::Welcome(_)));
        client
    }

    /// The headers and the body of an answer.
    async fn get(&self, path: &str) -> (String, String) {
        let mut stream = self.stream().await;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        within(stream.write_all(head.as_bytes())).await.unwrap();
        let mut answer = String::new();
        // Ends without an error only after close_notify.
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
        (headers.to_lowercase(), body.to_owned())
    }

    async fn health(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/healthz").await.1).unwrap()
    }

    async fn until(&self, what: impl Fn(&serde_json::Value) -> bool) {
        within(async {
            while !what(&self.health().await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

struct Client(WebSocketStream<Box<TlsStream<TcpStream>>>);

impl Client {
    async fn send(&mut self, message: &ClientToRelay) {
        within(self.0.send(Message::text(encode(message)))).await.unwrap();
    }

    async fn next(&mut self) -> Message {
        loop {
            match within(self.0.next()).await.unwrap().unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn receive(&mut self) -> RelayToClient {
        loop {
            match decode_from_relay(self.next().await.to_text().unwrap()).unwrap() {
                RelayToClient::Roster(_) => {}
                message => return message,
            }
        }
    }

    async fn receive_trigger(&mut self) -> u64 {
        match self.receive().await {
            RelayToClient::Trigger(trigger) => trigger.seq,
            other => panic!("not a trigger: {other:?}"),
        }
    }
}

/// Everything that is read until the socket ends, however it ends.
async fn rest(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = within(socket.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn both_wires_work_over_tls() {
    let relay = Secure::start().await;
    let mut stage = relay.player("stage").await;
    let mut hall = relay.player("hall").await;
    let mut tutorial = relay.socket(None).await;
    relay.until(|health| health["total"] == 3).await;
    for _ in 0..300 {
        stage.send(&bang("click")).await;
    }
    for seq in 1..=300 {
        assert_eq!(stage.receive_trigger().await, seq);
        assert_eq!(hall.receive_trigger().await, seq);
        assert_eq!(tutorial.next().await, Message::text("trigger-output"));
    }
    hall.send(&ClientToRelay::Probe(Probe { sent: 77 })).await;
    match hall.receive().await {
        RelayToClient::ProbeReply(reply) => assert_eq!(reply.sent, 77),
        other => panic!("not a reply: {other:?}"),
    }
    within(tutorial.0.send(Message::text("trigger-input"))).await.unwrap();
    assert_eq!(hall.receive_trigger().await, 301);
}

/// A browser gives the finest clock only to a page that it can isolate.
#[tokio::test]
async fn the_page_is_isolated_from_other_origins() {
    let secure = Secure::start().await;
    for path in ["/", "/main.js"] {
        let (headers, _) = secure.get(path).await;
        for header in [
            "cross-origin-opener-policy: same-origin\r\n",
            "cross-origin-embedder-policy: require-corp\r\n",
        ] {
            assert!(headers.contains(header), "{path}: {headers}");
        }
    }
}

#[tokio::test]
async fn a_message_may_span_many_records() {
    let relay = Secure::start().await;
    let mut stage = relay.player("stage").await;
    let data = "x".repeat(4000);
    let text = format!(r#"{{"type":"trigger","data":"{data}"}}"#);
    // A record for each byte.
    let mut stream = relay.stream().await;
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Protocol: downbeat.v1\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend(masked(0x81, encode(&hello("slow")).as_bytes()));
    bytes.extend(masked(0x81, text.as_bytes()));
    for byte in bytes {
        within(stream.write_all(&[byte])).await.unwrap();
        within(stream.flush()).await.unwrap();
    }
    assert_eq!(stage.receive_trigger().await, 1);
}

#[tokio::test]
async fn a_shutdown_closes_connections_with_close_notify() {
    let relay = Secure::start().await;
    let mut player = relay.player("player").await;
    let silent = relay.tcp().await; // without a handshake
    within(relay.relay.end()).await;
    let Message::Close(Some(close)) = player.next().await else { panic!("no close frame") };
    assert_eq!(u16::from(close.code), 1001);
    assert!(matches!(within(player.0.next()).await, None | Some(Err(Error::ConnectionClosed))));
    assert_eq!(rest(silent).await, "");
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected_and_delays_nobody() {
    let relay = Secure::with(Config { messages: 60_000, ..Config::default() }).await;
    let mut stage = relay.player("stage").await;
    let not_reading = relay.player("not-reading").await;
    let data = Some(serde_json::Value::String("x".repeat(4000)));
    let mut sent = 0;
    within(async {
        loop {
            for _ in 0..200 {
                let request = downbeat_protocol::TriggerRequest {
                    data: data.clone(),
                    ..downbeat_protocol::TriggerRequest::default()
                };
                stage.send(&ClientToRelay::Trigger(request)).await;
                sent += 1;
                assert_eq!(stage.receive_trigger().await, sent);
            }
            let health = relay.health().await;
            let reasons = &health["clients_disconnected"];
            if reasons["overflow"].as_u64().unwrap() + reasons["stalled"].as_u64().unwrap() > 0 {
                break;
            }
        }
    })
    .await;
    drop(not_reading);
}

#[tokio::test]
async fn a_request_without_tls_is_redirected_or_refused() {
    let relay = Secure::start().await;
    let get = async |host: &str, more: &str| {
        let mut socket = relay.tcp().await;
        let head = format!("GET /main.js?x=1 HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        within(socket.write_all(head.as_bytes())).await.unwrap();
        rest(socket).await
    };
    let answer = get("lab:3000", "").await;
    assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
    assert!(answer.contains("location: https://lab:3000/main.js?x=1\r\n"), "{answer}");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for (host, more) in [("lab:3000", upgrade), ("evil.example", "")] {
        let answer = get(host, more).await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(answer.contains("upgrade: TLS/1.2, HTTP/1.1\r\n"), "{answer}");
        assert!(answer.ends_with("use https:// or wss://\n"), "{answer}");
        assert!(!answer.contains("evil"), "{answer}");
    }
    relay.until(|health| health["tls_handshake_failures"] == 3).await;
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_counted_and_harms_nobody() {
    let relay = Secure::start().await;
    let mut player = relay.player("player").await;
    let hello_of_nothing = [&[0x16, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
    let endless_hello =
        [&[0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff][..], &vec![0x16; 60_000]].concat();
    let garbage: [&[u8]; 5] =
        [b"\0\0\0", b"get / http/1.1\r\n\r\n", &hello_of_nothing, &endless_hello, b"\x80\x2e\x01"];
    for bytes in garbage {
        let mut socket = relay.tcp().await;
        // The socket may end before all of it is written.
        let _ = within(socket.write_all(bytes)).await;
        let answer = rest(socket).await;
        assert!(answer.len() < 16, "at most an alert: {answer:?}");
    }
    drop(relay.tcp().await);
    relay.until(|health| health["tls_handshake_failures"] == 6).await;

    relay.until(|health| health["total"] == 1).await;
    player.send(&bang("click")).await;
    assert_eq!(player.receive_trigger().await, 1);
}

/// A TLS record that does not decrypt.
const UNDECRYPTABLE: [u8; 37] = {
    let mut record = [7; 37];
    let [kind, major, minor, high, low, ..] = &mut record;
    (*kind, *major, *minor, *high, *low) = (0x17, 3, 3, 0, 32);
    record
};

#[tokio::test]
async fn records_that_do_not_decrypt_get_an_alert() {
    let relay = Secure::start().await;
    // Instead of a request, and after one.
    for request in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = relay.stream().await;
        within(stream.write_all(request.as_bytes())).await.unwrap();
        within(stream.flush()).await.unwrap();
        if !request.is_empty() {
            within(stream.read_exact(&mut [0; 12])).await.unwrap();
        }
        within(stream.get_mut().0.write_all(&UNDECRYPTABLE)).await.unwrap();
        let error = loop {
            if let Err(error) = within(stream.read(&mut [0; 4096])).await {
                break error;
            }
        };
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
    }

    let mut client = relay.player("broken").await;
    within(client.0.get_mut().get_mut().0.write_all(&UNDECRYPTABLE)).await.unwrap();
    let error = within(async {
        loop {
            match client.0.next().await.unwrap() {
                Ok(message) => assert!(!message.is_close(), "nothing may follow the alert"),
                Err(error) => break error,
            }
        }
    })
    .await;
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
    relay.until(|health| health["clients_disconnected"]["violation"] == 1).await;
}

#[tokio::test]
async fn a_client_that_only_updates_keys_is_closed_and_counted() {
    let relay = Secure::start().await;
    let mut client = relay.player("rekeying").await;
    let stream = client.0.get_mut();
    for _ in 0..100 {
        stream.get_mut().1.refresh_traffic_keys().unwrap();
    }
    within(stream.flush()).await.unwrap();
    // The TLS session has failed and encrypts no frames any more. It ends with an alert.
    assert!(within(client.0.next()).await.is_none_or(|message| message.is_err()));
    assert_eq!(within(client.0.get_mut().read(&mut [0])).await.unwrap(), 0, "no close_notify");
    relay
        .until(|health| health["clients_disconnected"]["violation"] == 1 && health["total"] == 0)
        .await;
}

#[tokio::test]
async fn handshakes_are_limited_in_time_and_number() {
    let relay = Secure::with(Config { connections: 3, ..Config::default() }).await;
    let silent = relay.tcp().await;
    let mut stuck = relay.tcp().await;
    within(stuck.write_all(&[0x16, 3, 1])).await.unwrap();
    let player = relay.player("player").await;
    // A fourth connection is rejected by the end of its socket.
    assert_eq!(rest(relay.tcp().await).await, "");
    // Unfinished handshakes time out.
    rest(silent).await;
    rest(stuck).await;
    let health = relay.health().await;
    assert_eq!(
        (&health["tls_handshake_failures"], &health["connections_rejected"]),
        (&2.into(), &1.into())
    );
    drop(player);
}

//! Authorization over real sockets: tokens, host names and origins.

use downbeat_protocol::{ClientToRelay, ErrorCode, RelayToClient, StopRequest};
use downbeat_relay::config::Config;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest as _};

use crate::common::{Player, Raw, TestRelay, bang, hello, masked, request, within};

const UPGRADE: &str = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn relay_with_tokens() -> TestRelay {
    let (token, listen_token) = ("bang-it".parse().ok(), "hear-it".parse().ok());
    TestRelay::with(Config { token, listen_token, ..Config::default() }).await
}

/// Connects as a browser does: with the token among the subprotocols.
async fn player(relay: &TestRelay, token: &str) -> Player {
    let mut request = format!("ws://{}/", relay.address).into_client_request().unwrap();
    let offer = format!("downbeat.v1, downbeat.token.{token}").parse().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", offer);
    let (socket, answer) = within(Box::pin(connect_async(request))).await.unwrap();
    assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "downbeat.v1");
    let mut player = Player(socket);
    player.send(hello(token)).await;
    assert!(matches!(player.receive().await, RelayToClient::Welcome(_)));
    player
}

#[tokio::test]
async fn without_the_token_no_websocket_opens_on_either_wire() {
    let relay = relay_with_tokens().await;
    for headers in [
        "",
        "Sec-WebSocket-Protocol: downbeat.v1\r\n",
        "Sec-WebSocket-Protocol: downbeat.v1, downbeat.token.wrong\r\n",
        "Authorization: Bearer wrong\r\n",
    ] {
        let answer = request(relay.address, &format!("{UPGRADE}{headers}")).await;
        assert_eq!(answer.status, 401, "{headers}");
    }
    assert_eq!(relay.get("/", "").await.status, 200, "the page is no secret");
    assert_eq!(relay.get("/healthz", "").await.body, br#"{"status":"ok"}"#);
    assert_eq!(relay.get("/metrics", "").await.status, 401);
    let health = relay.get("/healthz", "Authorization: Bearer hear-it\r\n").await;
    assert!(String::from_utf8(health.body).unwrap().contains("\"epoch\""));
}

#[tokio::test]
async fn the_listen_token_allows_no_triggers() {
    let relay = relay_with_tokens().await;
    let mut stage = player(&relay, "bang-it").await;
    let mut hall = player(&relay, "hear-it").await;
    let stop = ClientToRelay::Stop(StopRequest { trigger: None, sound: None });
    for request in [bang("click"), stop] {
        hall.send(request).await;
        match hall.receive().await {
            RelayToClient::Error(refusal) => assert_eq!(refusal.code, ErrorCode::NotAllowed),
            other => panic!("not refused: {other:?}"),
        }
    }
    stage.send(bang("click")).await;
    assert_eq!(stage.receive_trigger().await.seq, 1);
    assert_eq!(hall.receive_trigger().await.seq, 1);

    // The same on the tutorial wire, which has no errors.
    let listen = "Authorization: Bearer hear-it\r\n";
    let mut hall = Raw::open(relay.address, listen, &masked(0x81, b"trigger-input")).await;
    let play = "Authorization: Bearer bang-it\r\n";
    let mut stage_too = Raw::open(relay.address, play, b"").await;
    hall.write(&masked(0x89, b"fence")).await;
    assert_eq!(hall.frame().await, (0x8a, b"fence".to_vec()), "its trigger was broadcast");
    stage_too.write(&masked(0x81, b"trigger-input")).await;
    assert_eq!(stage.receive_trigger().await.seq, 2);
    assert_eq!(hall.frame().await, (0x81, b"trigger-output".to_vec()));
}

#[tokio::test]
async fn an_unknown_host_name_is_refused() {
    let allow_origin = vec!["https://bang.example.org".to_owned()];
    let relay = TestRelay::with(Config { allow_origin, ..Config::default() }).await;
    let status_for = async |host: &str| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = within(tokio::net::TcpStream::connect(relay.address)).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(socket.read_to_string(&mut answer)).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(status_for("evil.example:3000").await, 421);
    assert_eq!(status_for("bang.example.org").await, 200);
    assert_eq!(status_for("localhost:3000").await, 200);
    assert_eq!(status_for("stage.lan:3000").await, 200, "on a private address");
    Raw::open(relay.address, "Origin: https://bang.example.org\r\n", b"").await;
}

#[tokio::test]
async fn a_refused_origin_is_told_the_setting_that_allows_it() {
    let relay = TestRelay::start().await;
    let answer = request(relay.address, &format!("{UPGRADE}Origin: file://\r\n")).await;
    assert_eq!(answer.status, 403);
    let body = String::from_utf8(answer.body).unwrap();
    assert!(body.contains("--allow-origin") && body.contains("file://"), "{body}");
    let allow_origin = vec!["file://".to_owned()];
    let relay = TestRelay::with(Config { allow_origin, ..Config::default() }).await;
    Raw::open(relay.address, "Origin: file://\r\n", b"").await;
}

#[tokio::test]
async fn access_gets_the_status_of_the_handshake() {
    let relay = relay_with_tokens().await;
    let access = async |headers: &str| {
        request(relay.address, &format!("POST /access HTTP/1.1\r\n{headers}")).await
    };
    for (headers, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Bearer bang-it\r\n", 200),
        ("Authorization: Bearer hear-it\r\n", 200),
        ("Authorization: Bearer bang-it\r\nOrigin: http://elsewhere.example\r\n", 403),
    ] {
        let answer = access(headers).await;
        assert_eq!(answer.status, status, "{headers}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        if status != 200 {
            let upgrade = request(relay.address, &format!("{UPGRADE}{headers}")).await;
            assert_eq!(upgrade.status, status, "{headers}");
        }
    }
    assert_eq!(
        relay.get("/access", "").await.status,
        404,
        "with GET a browser may omit the Origin"
    );
}

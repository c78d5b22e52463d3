//! How others join, over real sockets: links, the room code, QR codes; and what guessing gets.

use downbeat_protocol::{Joining, RelayToClient, Rights};
use downbeat_relay::config::Config;

use crate::common::{TestRelay, player_with, post, request};

fn config() -> Config {
    Config {
        token: "t".parse().ok(),
        conductor_token: "c0nductor".parse().ok(),
        player_token: "pl4yer".parse().ok(),
        listen_token: "l1stener".parse().ok(),
        ..Config::default()
    }
}

/// What a conductor is told.
async fn joining(relay: &TestRelay) -> Joining {
    let (mut desk, _) = player_with(relay.address, "c0nductor", "desk", 1).await;
    desk.send_text(r#"{"type":"watch","room":true}"#).await;
    desk.until(|message| match message {
        RelayToClient::Joining(joining) => Some(joining),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn each_link_gives_the_rights_that_it_promises() {
    let relay = TestRelay::with(config()).await;
    let links = joining(&relay).await.links;
    let rights: Vec<_> = links.iter().map(|link| link.rights).collect();
    assert_eq!(rights, [Rights::Listener, Rights::Player, Rights::Conductor]);
    for link in links {
        let start = format!("http://{}/#token=", relay.address);
        let token = link.url.strip_prefix(&start).expect(&link.url);
        let (_, welcome) = player_with(relay.address, token, "one", 2).await;
        assert_eq!(welcome.machine.rights, link.rights);
    }
}

#[tokio::test]
async fn the_room_code_gives_the_token_of_a_player_and_guesses_are_limited() {
    let relay = TestRelay::with(config()).await;
    let code = joining(&relay).await.code.unwrap();
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    let join = async |code: &str| post(relay.address, "/join", "", code.as_bytes()).await;
    let answer = join(&format!("{} {}", &code[..4], &code[4..])).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"pl4yer"[..]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (_, welcome) = player_with(relay.address, "pl4yer", "one", 2).await;
    assert_eq!(welcome.machine.rights, Rights::Player);

    // From a page of another origin it is not even a guess.
    let foreign = "Origin: http://evil.example\r\n";
    assert_eq!(post(relay.address, "/join", foreign, code.as_bytes()).await.status, 403);
    assert_eq!(post(relay.address, "/join", "", &[b'1'; 65]).await.status, 413);
    assert_eq!(post(relay.address, "/join", "", b"\xff").await.status, 400);
    assert_eq!(relay.get("/join", "").await.status, 404);
    let wrong = if code == "00000000" { "11111111" } else { "00000000" };
    // They come from the relay's own machine, as those of everyone do behind a proxy.
    for guess in 0..60 {
        let answer = join(wrong).await;
        assert_eq!(answer.status, 403, "{guess}");
        assert!(!String::from_utf8(answer.body).unwrap().contains(&code));
    }
    for code in [wrong, &code] {
        let answer = join(code).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")));
    }
    let health = relay.get("/healthz", "Authorization: Bearer l1stener\r\n").await;
    let health: serde_json::Value = serde_json::from_slice(&health.body).unwrap();
    assert_eq!((&health["wrong_room_codes"], &health["rate_limited"]), (&60.into(), &2.into()));
    // Each start has another one.
    let other = TestRelay::with(config()).await;
    assert_ne!(joining(&other).await.code.unwrap(), code);
}

#[tokio::test]
async fn where_players_need_no_token_there_is_no_code() {
    let conductor_token = "c0nductor".parse().ok();
    let relay = TestRelay::with(Config { conductor_token, ..Config::default() }).await;
    let joining = joining(&relay).await;
    assert_eq!(joining.code, None);
    let rights: Vec<_> = joining.links.iter().map(|link| link.rights).collect();
    assert_eq!(rights, [Rights::Player, Rights::Conductor]);
    assert_eq!(joining.links[0].url, format!("http://{}/", relay.address));
    assert_eq!(post(relay.address, "/join", "", b"12345678").await.status, 404);
}

#[tokio::test]
async fn a_text_becomes_a_qr_code() {
    let relay = TestRelay::with(config()).await;
    let qr = async |headers: &str, text: &[u8]| post(relay.address, "/qr", headers, text).await;
    let answer = qr("", b"http://192.168.1.5:3000/#token=pl4yer").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/svg+xml")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let image = String::from_utf8(answer.body).unwrap();
    assert!(image.starts_with("<?xml") && image.contains("<svg") && !image.contains("token"));
    assert_eq!(qr("", &[b'x'; 512]).await.status, 200);
    for (text, status) in [(&[b'x'; 513][..], 413), (b"", 400), (b"\xff\xfe", 400)] {
        assert_eq!(qr("", text).await.status, status);
    }
    assert_eq!(qr("Origin: http://evil.example\r\n", b"x").await.status, 403);
    assert_eq!(relay.get("/qr", "").await.status, 404);
    let misdirected = "POST /qr HTTP/1.1\r\nHost: evil.example\r\n";
    assert!([400, 421].contains(&request(relay.address, misdirected).await.status));
    // More than a room needs are refused, and the next second has some again.
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(qr("", b"x").await.status);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 200).count() >= 30, "{statuses:?}");
}

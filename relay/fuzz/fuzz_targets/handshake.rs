//! Any head of a request gets an answer, and only an authorized one a WebSocket.

#![no_main]

use std::{net::Ipv4Addr, sync::LazyLock};

use downbeat_protocol::Rights;
use downbeat_relay::{
    config::Config,
    http::{auth::Access, page, ranges, upgrade},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

const TOKEN: &str = "sesame";
const CONDUCTOR_TOKEN: &str = "baton";
const PLAYER_TOKEN: &str = "stick";
const LISTEN_TOKEN: &str = "keyhole";

static OPEN: LazyLock<Access> = LazyLock::new(|| access(&Config::default()));
static GUARDED: LazyLock<Access> = LazyLock::new(|| {
    access(&Config {
        token: TOKEN.parse().ok(),
        conductor_token: CONDUCTOR_TOKEN.parse().ok(),
        player_token: PLAYER_TOKEN.parse().ok(),
        listen_token: LISTEN_TOKEN.parse().ok(),
        allow_origin: vec!["https://friend.example".into()],
        ..Config::default()
    })
});

fn access(config: &Config) -> Access {
    Access::new(config, "stage").expect("the settings are valid")
}

/// Parses the head as the server's HTTP library does; `None` if it would refuse it.
fn parse(head: &[u8]) -> Option<(Method, String, HeaderMap)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?;
    let mut map = HeaderMap::new();
    for header in request.headers.iter().filter(|header| !header.name.is_empty()) {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    let method = request.method?.parse().ok()?;
    Some((method, request.path?.to_owned(), map))
}

fn contains(head: &[u8], text: &str) -> bool {
    head.windows(text.len()).any(|part| part == text.as_bytes())
}

fuzz_target!(|head: &[u8]| {
    let Some((method, path, headers)) = parse(head) else { return };
    let _ = page::file(&path);
    let _ = upgrade::is_requested(&headers);
    if let Some(range) = headers.get("range").and_then(|range| range.to_str().ok()) {
        for length in [0, 1, 1000] {
            if let ranges::Requested::Part(part) = ranges::requested(Some(range), length) {
                assert!(part.start < part.end && part.end <= length);
            }
        }
    }
    for (access, guarded) in [(&*OPEN, false), (&*GUARDED, true)] {
        let _ = access.is_own_host(&headers, Ipv4Addr::LOCALHOST.into());
        let Ok(granted) = upgrade::check(access, &method, &headers) else { continue };
        assert_eq!(method, Method::GET);
        assert!(access.is_own_origin(&headers));
        assert_eq!(granted.accept.len(), 28);
        assert_eq!(headers.get("sec-websocket-version").map(HeaderValue::as_bytes), Some(&b"13"[..]));
        if guarded {
            let needed: &[&str] = match granted.rights {
                Rights::Conductor => &[CONDUCTOR_TOKEN],
                Rights::Player => &[TOKEN, PLAYER_TOKEN],
                Rights::Listener => &[LISTEN_TOKEN],
            };
            assert!(needed.iter().any(|token| contains(head, token)), "granted without its token");
        }
    }
});

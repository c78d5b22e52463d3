//! HTTP over real sockets: the page, the sounds, the health report, the metrics.

use std::io::Read as _;

use downbeat_relay::config::Config;

use crate::common::{self, TestRelay, request};

#[tokio::test]
async fn the_page_is_served_with_protective_headers() {
    let relay = TestRelay::start().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/style/base.css", "text/css; charset=utf-8"),
        ("/main.js?v=1", "text/javascript; charset=utf-8"),
    ] {
        let answer = relay.get(path, "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("Content-Type"), Some(content_type));
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.header("Cache-Control"), Some("no-cache"));
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"));
        let etag = answer.header("ETag").unwrap();
        let again = relay.get(path, &format!("If-None-Match: {etag}\r\n")).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_compressed_where_the_browser_takes_that() {
    let relay = TestRelay::start().await;
    let plain = relay.get("/main.js", "").await;
    for refuses in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0, br\r\n"] {
        let answer = relay.get("/main.js", refuses).await;
        assert_eq!(answer.header("Content-Encoding"), None, "{refuses:?}");
        assert_eq!(answer.body, plain.body);
    }
    let takes = "Accept-Encoding: br, GZIP;q=0.5\r\n";
    let answer = relay.get("/main.js", takes).await;
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    assert_eq!(answer.header("Vary"), Some("Accept-Encoding"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
    let etag = answer.header("ETag").unwrap();
    let again = relay.get("/main.js", &format!("{takes}If-None-Match: {etag}\r\n")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    // Browsers ignore it without TLS, and complain.
    assert_eq!(answer.header("Cross-Origin-Opener-Policy"), None);
}

#[tokio::test]
async fn every_file_of_the_page_is_served() {
    let relay = TestRelay::start().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The tests and `package.json` are for developers and not served.
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if [".html", ".css", ".js", ".svg"].iter().any(|ending| name.ends_with(ending)) {
                let answer = relay.get(&format!("/{name}"), "").await;
                assert_eq!(answer.status, 200, "{name} is not in the table of http/page.rs");
                assert_eq!(answer.body, std::fs::read(&path).unwrap(), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_sound_is_served_whole_in_part_or_as_not_modified() {
    let relay = TestRelay::start().await;
    let (_, welcome) = relay.player("one").await;
    let sound = welcome.sounds.iter().find(|sound| sound.name == "click").unwrap();
    let path = format!("/sounds/{}", sound.hash);
    let etag = format!("\"{}\"", sound.hash);

    let whole = relay.get(&path, "").await;
    assert_eq!((whole.status, whole.body.len() as u64), (200, sound.bytes));
    assert_eq!(whole.header("Content-Type"), Some("audio/wav"));
    assert_eq!(whole.header("ETag"), Some(etag.as_str()));
    assert_eq!(whole.header("Accept-Ranges"), Some("bytes"));
    assert_eq!(whole.header("Cache-Control"), Some("public, max-age=31536000, immutable"));
    assert!(whole.body.starts_with(b"RIFF"));

    let below = relay.get(&format!("/any/path{path}"), "").await;
    assert_eq!(
        (below.status, below.body.len()),
        (200, whole.body.len()),
        "relative to the path of a WebSocket"
    );

    let unchanged = relay.get(&path, &format!("If-None-Match: W/\"x\", {etag}\r\n")).await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("ETag"), Some(etag.as_str()));
    assert_eq!(relay.get(&path, "If-None-Match: \"other\"\r\n").await.status, 200);

    let part = relay.get(&path, "Range: bytes=8-11\r\n").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &b"WAVE"[..]));
    let range = format!("bytes 8-11/{}", sound.bytes);
    assert_eq!(part.header("Content-Range"), Some(range.as_str()));
    let beyond = relay.get(&path, &format!("Range: bytes={}-\r\n", sound.bytes)).await;
    assert_eq!(beyond.status, 416);
    let range = format!("bytes */{}", sound.bytes);
    assert_eq!(beyond.header("Content-Range"), Some(range.as_str()));
    let of_another = relay.get(&path, "Range: bytes=8-11\r\nIf-Range: \"other\"\r\n").await;
    assert_eq!(of_another.status, 200);

    let head = request(relay.address, &format!("HEAD {path} HTTP/1.1\r\n")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("Content-Length"), Some(sound.bytes.to_string().as_str()));
}

#[tokio::test]
async fn no_path_leads_out_of_the_bank() {
    let relay = TestRelay::start().await;
    for path in [
        "/sounds/",
        "/sounds/click",
        "/sounds/click.wav",
        "/sounds/../Cargo.toml",
        "/sounds/..%2f..%2fetc%2fpasswd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/page/index.html",
        "/nothing",
    ] {
        assert_eq!(relay.get(path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let relay = TestRelay::start().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = request(relay.address, &format!("{method} / HTTP/1.1\r\n")).await;
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(relay.health().await["http_errors"], 4);
}

#[tokio::test]
async fn metrics_count_what_has_happened() {
    let relay = TestRelay::start().await;
    let (mut player, _) = relay.player("one").await;
    let mut tutorial = relay.tutorial().await;
    relay.until_clients(2).await;
    tutorial.bang().await;
    player.receive_trigger().await;
    tutorial.receive().await;
    player.settle().await;
    let answer = relay.get("/metrics", "").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "downbeat_websocket_connections_opened_total 2",
        "downbeat_websocket_connections 2",
        "downbeat_tcp_connections 3",
        "downbeat_triggers_total 1",
        "downbeat_clients{wire=\"tutorial\"} 1",
        "downbeat_clients{wire=\"v1\"} 1",
        "downbeat_clients_disconnected_total{reason=\"overflow\"} 0",
        "downbeat_outbox_peak_bytes 0",
        "downbeat_probe_turnaround_seconds_count 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn an_older_scraper_gets_the_older_text_format() {
    let relay = TestRelay::start().await;
    let answer = relay.get("/metrics", "Accept: text/plain; version=0.0.4\r\n").await;
    let content_type = answer.header("content-type").unwrap();
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(answer.body).unwrap();
    for line in ["# TYPE downbeat_triggers_total counter", "downbeat_triggers_total 0"] {
        assert!(text.lines().any(|other| other == line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("# EOF"), "only OpenMetrics has an end marker");
}

#[tokio::test]
async fn the_health_report_is_json() {
    let relay = TestRelay::start().await;
    let (_player, welcome) = relay.player("one").await;
    let health = relay.health().await;
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(health["epoch"], welcome.epoch.to_string());
    assert!(health["uptime_micros"].as_u64().unwrap() >= welcome.now.as_micros());
    assert_eq!(health["total"], 1);
    assert_eq!(health["clients"][0]["name"], "one");
    assert_eq!(health["lead_micros"], welcome.lead_micros);
}

#[tokio::test]
async fn a_folder_of_sounds_is_served_without_its_broken_files() {
    let folder = tempfile::tempdir().unwrap();
    let click = &downbeat_samples::EMBEDDED[0];
    let write = |name: &str, content: &[u8]| {
        std::fs::write(folder.path().join(name), content).unwrap();
    };
    write("b.wav", click.wav);
    write("A loud one.WAV", click.wav);
    write("truncated.wav", &click.wav[..20]);
    write("empty.wav", b"");
    write("notes.txt", b"not a sound");
    std::fs::create_dir(folder.path().join("folder.wav")).unwrap();
    #[cfg(unix)]
    {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.wav"), click.wav).unwrap();
        let link = folder.path().join("link.wav");
        std::os::unix::fs::symlink(outside.path().join("secret.wav"), link).unwrap();
        serve_and_check(folder.path()).await;
    }
    #[cfg(not(unix))]
    serve_and_check(folder.path()).await;
}

async fn serve_and_check(folder: &std::path::Path) {
    let samples = Some(folder.to_owned());
    let relay = TestRelay::with(Config { samples, ..Config::default() }).await;
    let (_, welcome) = relay.player("one").await;
    let names: Vec<_> = welcome.sounds.iter().map(|sound| sound.name.as_str()).collect();
    assert_eq!(names, ["A loud one", "b"]);
    assert_eq!(welcome.default_sound, "A loud one", "there is no click");
    for sound in &welcome.sounds {
        assert_eq!(relay.get(&format!("/sounds/{}", sound.hash), "").await.status, 200);
    }
}

#[tokio::test]
async fn an_empty_bank_still_serves_the_tutorial_wire() {
    let folder = tempfile::tempdir().unwrap();
    let samples = Some(folder.path().to_owned());
    let relay = TestRelay::with(Config { samples, ..Config::default() }).await;
    let mut tutorial = relay.tutorial().await;
    let (mut player, welcome) = relay.player("one").await;
    assert_eq!(welcome.sounds, []);
    tutorial.bang().await;
    assert!(tutorial.receive().await.is_some());
    player.send(common::bang("click")).await;
    assert!(matches!(player.receive().await, downbeat_protocol::RelayToClient::Error(_)));
}

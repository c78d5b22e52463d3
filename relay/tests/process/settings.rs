//! Settings: unusable ones are refused, and what the first lines on stdout say.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
};

use super::*;

#[tokio::test]
async fn an_unusable_setting_is_refused_in_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let message = refusal(&["--listen", &address]).await;
    assert!(
        message.contains(&address) && message.contains("in use") && message.contains("--listen")
    );

    let message = refusal(&["--listen", "nonsense"]).await;
    assert!(message.contains("'nonsense'") && message.contains("ADDR:PORT"), "{message}");
    let message = refusal(&["--listen", "192.0.2.77:0"]).await;
    assert!(message.contains("192.0.2.77") && message.contains("no such address"), "{message}");
    let message = refusal(&["--samples", "no/such/folder", "--listen", "127.0.0.1:0"]).await;
    assert!(message.contains("no/such/folder"), "{message}");
    let message = refusal(&["--samples", file!(), "--listen", "127.0.0.1:0"]).await;
    assert!(message.contains(file!()), "{message}");
    let message = refusal(&["--min-lead-ms", "9", "--max-lead-ms", "8"]).await;
    assert!(message.contains("--min-lead-ms 9"), "{message}");
    assert!(refusal(&["--max-lead-ms", "soon"]).await.contains("'soon'"));
    assert!(refusal(&["--log", "loud"]).await.contains("'loud'"));
    assert!(refusal(&["--louder"]).await.contains("--louder"));
    let message = refusal(&["--tls-cert", "no/such.pem"]).await;
    assert!(message.contains("--tls-key"), "{message}");
    let message = refusal(&["--tls-cert", "no/such.pem", "--tls-key", file!()]).await;
    assert!(message.contains("no/such.pem") && message.contains("--tls-cert"), "{message}");
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let message = refusal(&["--tls-cert", text, "--tls-key", text]).await;
    assert!(message.contains(text) && message.contains("contains no certificate"), "{message}");
    let message = refusal(&["--token", "hid den", "http://x/#token=hidden"]).await;
    assert!(message.contains("#token=…") && !message.contains("hid"), "{message}");
}

#[tokio::test]
async fn tokens_that_contradict_each_other_are_refused_by_the_names_of_their_flags() {
    for (arguments, named) in [
        (&["--player-token", "hush"][..], &["--player-token", "--token"][..]),
        (&["--conductor-token", "c", "--listen-token", "hush"], &["--listen-token", "--token"]),
        (&["--token", "hush", "--conductor-token", "hush"], &["--token", "--conductor-token"]),
        (&["--token", "t", "--player-token", "hu sh"], &["--player-token", "letters"]),
    ] {
        let message = refusal(&[&["--listen", "127.0.0.1:0"], arguments].concat()).await;
        assert!(named.iter().all(|name| message.contains(name)), "{message}");
        assert!(!message.contains("hush") && !message.contains("hu sh"), "{message}");
    }
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]).env("DOWNBEAT_CONDUCTOR_TOKEN", "c");
    command.env("DOWNBEAT_TOKEN", "t").env("DOWNBEAT_PLAYER_TOKEN", "p");
    let (_relay, address) = Relay::start(command).await;
    let (_, welcome) = common::player_with(address, "c", "desk", 1).await;
    assert_eq!(welcome.machine.rights, downbeat_protocol::Rights::Conductor);
}

#[tokio::test]
async fn a_wrong_variable_or_data_folder_is_refused_in_one_line() {
    let listen = ["--listen", "127.0.0.1:0"];
    let with = |more: [&'static str; 2]| [listen, more].concat();
    let message = refusal(&with(["--variable", "pitch"])).await;
    assert!(message.contains("'pitch'") && message.contains("--variable"), "{message}");
    let same = r#"{"name":"a","type":"int","min":3,"max":1,"default":1}"#;
    let message = refusal(&with(["--variable", same])).await;
    assert!(message.contains("min must be less than max"), "{message}");
    let twice =
        [r#"--variable={"name":"a","type":"bool"}"#, r#"--variable={"name":"a","type":"text"}"#];
    let message = refusal(&with(twice)).await;
    assert!(message.contains("\"a\" exists with another declaration"), "{message}");
    let message =
        refusal(&with(["--data", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])).await;
    assert!(message.contains("Cargo.toml") && message.contains("--data"), "{message}");
}

#[tokio::test]
async fn a_damaged_data_folder_ends_the_relay_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("downbeat.sqlite3");
    std::fs::write(&path, "this was a shopping list".repeat(100)).unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(home.path());
    let (code, stdout, stderr) = run(command).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains(path.to_str().unwrap()) && stderr.contains("move it away"), "{stderr}");
}

#[tokio::test]
async fn variables_and_loops_are_read_from_the_settings_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("relay.toml");
    let file = "loop = ['texture']\n[[variable]]\nname = 'pitch'\ntype = 'float'\nmin = -12\n\
                max = 12\ndefault = 0\n[[variable]]\nname = 'light'\ntype = 'color'\n\
                default = '#000000'\nscope = 'machine'\n";
    std::fs::write(&path, file).unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]).env("DOWNBEAT_CONFIG", &path);
    let (_relay, address) = Relay::start(command).await;
    let (_, welcome) = common::player_at(address, "one").await;
    let names: Vec<_> = welcome.variables.iter().map(|v| v.variable.name.as_str()).collect();
    assert_eq!(names, ["pitch", "light"]);
    let looped: Vec<_> =
        welcome.sounds.iter().filter(|s| s.looped.is_some()).map(|s| s.name.as_str()).collect();
    assert_eq!(looped, ["texture"]);
}

#[cfg(target_os = "linux")] // where the data folder can be set
#[tokio::test]
async fn a_self_signed_certificate_keeps_its_fingerprint() {
    let data = tempfile::tempdir().unwrap();
    let mut fingerprints = Vec::new();
    for _ in 0..2 {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--tls"]).env("XDG_DATA_HOME", data.path());
        let mut relay = Relay(command.spawn().unwrap());
        let stdout = BufReader::new(relay.0.stdout.take().unwrap());
        let read = tokio::task::spawn_blocking(move || stdout.lines().take(3).collect());
        let lines: Vec<_> = within(read).await.unwrap();
        let lines: Vec<String> = lines.into_iter().map(Result::unwrap).collect();
        let url = lines[0].strip_prefix("Server started: ").expect(&lines[0]);
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        let fingerprint = lines[1].strip_prefix("Fingerprint (SHA-256): ").expect(&lines[1]);
        assert!(fingerprint.len() == 64 && fingerprint.chars().all(|c| c.is_ascii_hexdigit()));
        let link = lines[2].strip_prefix("Link for players: ").expect(&lines[2]);
        assert_eq!(link, format!("{url}/#fingerprint={fingerprint}"));
        fingerprints.push(fingerprint.to_owned());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);

    std::fs::write(data.path().join("downbeat/relay-certificate.pem"), "").unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--tls"]).env("XDG_DATA_HOME", data.path());
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("relay-certificate.pem") && stderr.contains("remove the file"),
        "{stderr}"
    );
    // No folder to store one.
    let message = refusal(&["--tls", "--listen", "127.0.0.1:0"]).await;
    assert!(message.contains("--tls-cert"), "{message}");
}

#[tokio::test]
async fn settings_are_read_from_the_environment() {
    let mut command = program();
    command.env("DOWNBEAT_LISTEN", "127.0.0.1:0");
    let (_relay, address) = Relay::start(command).await;
    assert!(address.ip().is_loopback() && address.port() != 0);

    let mut command = program();
    command.env("DOWNBEAT_LISTEN", "here");
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("'here'"), "{stderr}");
}

#[tokio::test]
async fn the_first_line_has_a_loopback_address_when_listening_everywhere() {
    let mut command = program();
    command.args(["--listen", "0.0.0.0:0", "--no-announce"]);
    let (_relay, address) = Relay::start(command).await;
    assert_eq!(address.ip().to_string(), "127.0.0.1");
}

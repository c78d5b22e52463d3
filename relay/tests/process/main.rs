//! The program: its first line, its end, and how it says no.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

mod common;

use std::{
    io::{self, BufRead as _, BufReader, Read},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use common::{DEADLINE, request, within};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_downbeat-relay"));
    // What the one who runs the tests has set must not decide them.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DOWNBEAT_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env("XDG_DATA_HOME", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The program, ended when the test is.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Relay {
    /// Starts it and reads its first line.
    async fn start(mut command: Command) -> (Self, SocketAddr) {
        let mut relay = Self(command.spawn().unwrap());
        let stdout = relay.0.stdout.take().unwrap();
        let line = line_where(stdout, |_| true).await;
        let address = line.strip_prefix("Server started: http://").expect(&line);
        (relay, address.parse().unwrap())
    }

    /// Asks it to end, and returns its whole log: a thread of its own writes the log, so only a
    /// program that has ended has certainly written all of it.
    #[cfg(unix)]
    async fn log_to_the_end(&mut self) -> String {
        unix::signal(self, Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
        let mut stderr = self.0.stderr.take().unwrap();
        let read = tokio::task::spawn_blocking(move || io::read_to_string(&mut stderr));
        within(read).await.unwrap().unwrap()
    }

    /// How it ended, within the deadline.
    async fn ended(&mut self) -> std::process::ExitStatus {
        within(async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

/// The first line of `output` of which `what` is true, within the deadline. If there is none, the
/// program is ended with the test, and with it the thread that reads.
async fn line_where(output: impl Read + Send + 'static, what: fn(&str) -> bool) -> String {
    let found = tokio::task::spawn_blocking(move || {
        BufReader::new(output).lines().map(Result::unwrap).find(|line| what(line))
    });
    within(found).await.unwrap().expect("it ended before it said so")
}

/// Runs it to its end, within the deadline: its exit code, and what it printed on stdout and stderr.
async fn run(mut command: Command) -> (Option<i32>, String, String) {
    let mut relay = Relay(command.spawn().unwrap());
    let (stdout, stderr) = (relay.0.stdout.take().unwrap(), relay.0.stderr.take().unwrap());
    let read = tokio::task::spawn_blocking(move || {
        // It says less than a pipe holds, and so never waits for the second.
        [io::read_to_string(stdout), io::read_to_string(stderr)].map(Result::unwrap)
    });
    let [stdout, stderr] = within(read).await.unwrap();
    (relay.ended().await.code(), stdout, stderr)
}

/// What it says on stderr when started like this, where it must refuse.
async fn refusal(arguments: &[&str]) -> String {
    let mut command = program();
    command.args(arguments);
    let (code, stdout, stderr) = run(command).await;
    assert_eq!(code, Some(2), "{stderr}");
    let said: Vec<_> = stderr.lines().filter(|line| line.starts_with("downbeat-relay: ")).collect();
    assert_eq!(said.len(), 1, "one line, please: {stderr}");
    assert_eq!(stdout, "");
    said[0].to_owned()
}

#[tokio::test]
async fn what_it_cannot_do_is_said_in_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refusal(&["--listen", &address]).await;
    assert!(said.contains(&address) && said.contains("in use") && said.contains("--listen"));

    let said = refusal(&["--listen", "nonsense"]).await;
    assert!(said.contains("'nonsense'") && said.contains("ADDR:PORT"), "{said}");
    let said = refusal(&["--listen", "192.0.2.77:0"]).await;
    assert!(said.contains("192.0.2.77") && said.contains("no such address"), "{said}");
    let said = refusal(&["--samples", "no/such/folder", "--listen", "127.0.0.1:0"]).await;
    assert!(said.contains("no/such/folder"), "{said}");
    let said = refusal(&["--samples", file!(), "--listen", "127.0.0.1:0"]).await;
    assert!(said.contains(file!()), "{said}");
    let said = refusal(&["--least-lead-ms", "9", "--most-lead-ms", "8"]).await;
    assert!(said.contains("--least-lead-ms 9"), "{said}");
    assert!(refusal(&["--most-lead-ms", "soon"]).await.contains("'soon'"));
    assert!(refusal(&["--log", "loud"]).await.contains("'loud'"));
    assert!(refusal(&["--louder"]).await.contains("--louder"));
    let said = refusal(&["--tls-cert", "no/such.pem"]).await;
    assert!(said.contains("--tls-key"), "{said}");
    let said = refusal(&["--tls-cert", "no/such.pem", "--tls-key", file!()]).await;
    assert!(said.contains("no/such.pem") && said.contains("--tls-cert"), "{said}");
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let said = refusal(&["--tls-cert", text, "--tls-key", text]).await;
    assert!(said.contains(text) && said.contains("holds no certificate"), "{said}");
    let said = refusal(&["--token", "hid den", "http://x/#token=hidden"]).await;
    assert!(said.contains("#token=…") && !said.contains("hid"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_of_too_many_sounds_is_told_of_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2050 {
        let path = folder.path().join(format!("{number:04}.wav"));
        std::fs::write(path, downbeat_samples::EMBEDDED[0].wav).unwrap();
    }
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
    let (mut relay, _) = Relay::start(command).await;
    let said = relay.log_to_the_end().await;
    let lines: Vec<_> = said.lines().filter(|line| line.contains("left out")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("2 files") && lines[0].contains("2048.wav"), "{said}");
}

#[cfg(target_os = "linux")] // where the folder of an application's data can be chosen
#[tokio::test]
async fn a_certificate_of_its_own_making_is_shown_and_the_same_the_next_time() {
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
        let copied = lines[2].strip_prefix("For players, to copy: ").expect(&lines[2]);
        assert_eq!(copied, format!("{url}/#fingerprint={fingerprint}"));
        fingerprints.push(fingerprint.to_owned());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);

    std::fs::write(data.path().join("downbeat/relay-certificate.pem"), "").unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--tls"]).env("XDG_DATA_HOME", data.path());
    let (code, _, said) = run(command).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("relay-certificate.pem") && said.contains("remove the file"), "{said}");
    // Nowhere to keep one.
    let said = refusal(&["--tls", "--listen", "127.0.0.1:0"]).await;
    assert!(said.contains("--tls-cert"), "{said}");
}

#[tokio::test]
async fn settings_come_from_the_environment_too() {
    let mut command = program();
    command.env("DOWNBEAT_LISTEN", "127.0.0.1:0");
    let (_relay, address) = Relay::start(command).await;
    assert!(address.ip().is_loopback() && address.port() != 0);

    let mut command = program();
    command.env("DOWNBEAT_LISTEN", "here");
    let (code, _, said) = run(command).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("'here'"), "{said}");
}

#[tokio::test]
async fn the_first_line_names_this_machine_when_it_listens_everywhere() {
    let mut command = program();
    command.args(["--listen", "0.0.0.0:0"]);
    let (_relay, address) = Relay::start(command).await;
    assert_eq!(address.ip().to_string(), "127.0.0.1");
}

/// The real-time priority of each thread of a process, by its name; 0 for one that has none.
#[cfg(target_os = "linux")]
fn priorities(pid: u32) -> Vec<(String, u32)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let priority = |thread: std::path::PathBuf| {
        let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
        // The name stands in brackets; the priority is the 40th field, and the 38th after it.
        let (name, fields) = stat.rsplit_once(") ").unwrap();
        let (_, name) = name.split_once('(').unwrap();
        (name.to_owned(), fields.split(' ').nth(37).unwrap().parse().unwrap())
    };
    threads.map(|thread| priority(thread.unwrap().path())).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_writers_go_after_the_main_thread_and_before_all_others() {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0"]);
    let (relay, address) = Relay::start(command).await;
    // The main thread is raised after its first line, and before it answers anyone; the writers by
    // themselves, as soon as they run.
    request(address, "GET /healthz HTTP/1.1\r\n").await;
    let is_raised = |threads: &[(String, u32)]| {
        let of = |prefix: &'static str| {
            threads
                .iter()
                .filter(move |(name, _)| name.starts_with(prefix))
                .map(|(_, level)| *level)
        };
        let main = of("downbeat-relay").max().unwrap();
        // Where the system lets nobody be raised, nobody is.
        of("writer").count() >= 2
            && of("writer").all(|level| level == main.saturating_sub(1))
            && of("log").all(|level| level == 0)
    };
    within(async {
        while !is_raised(&priorities(relay.0.id())) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[cfg(unix)]
mod unix {
    use std::time::Instant;

    use common::{Player, bang, player_at};
    use downbeat_protocol::{BankNow, ClientToRelay, RelayToClient, StopRequest};
    use downbeat_relay::config::ACCEPT_PAUSE;
    use futures_util::StreamExt as _;
    use tokio::net::TcpStream;
    use tokio_tungstenite::{MaybeTlsStream, connect_async, tungstenite::Message};

    use super::*;

    pub fn signal(relay: &Relay, signal: Signal) {
        kill_process(Pid::from_child(&relay.0), signal).unwrap();
    }

    #[tokio::test]
    async fn broken_files_are_named_and_the_rest_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let click = downbeat_samples::EMBEDDED[0].wav;
        std::fs::write(folder.path().join("good.wav"), click).unwrap();
        std::fs::write(folder.path().join("bad.wav"), b"RIFF").unwrap();
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
        let (mut relay, address) = Relay::start(command).await;
        let health = request(address, "GET /healthz HTTP/1.1\r\n").await;
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&health.body).unwrap()["sounds"], 1);
        let said = relay.log_to_the_end().await;
        let line = said.lines().find(|line| line.contains("bad.wav")).expect(&said);
        assert!(line.contains("cannot be played"), "{line}");
        assert!(!said.contains("good.wav"));
    }

    /// How often it warns until it is ended, started like this.
    async fn warnings(arguments: &[&str]) -> usize {
        let mut command = program();
        command.args(arguments);
        let (mut relay, _) = Relay::start(command).await;
        relay.log_to_the_end().await.lines().filter(|line| line.contains(" WARN ")).count()
    }

    #[tokio::test]
    async fn what_others_can_do_is_said_once_and_only_where_they_can() {
        assert_eq!(warnings(&["--listen", "127.0.0.1:0"]).await, 0);
        assert_eq!(warnings(&["--listen", "0.0.0.0:0"]).await, 1);
        assert_eq!(warnings(&["--listen", "0.0.0.0:0", "--token", "lab"]).await, 1);
    }

    #[tokio::test]
    async fn one_who_does_not_read_the_log_keeps_nobody_waiting() {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--log", "debug", "--messages", "100000"]);
        let (mut relay, address) = Relay::start(command).await;
        let mut client = player_at(address, "one").await.0;
        // More than a pipe holds, and more than may wait to be written.
        for burst in 0..6 {
            for _ in 0..1000 {
                client.say(bang("click")).await;
            }
            for seq in 1..=1000 {
                assert_eq!(client.hear_trigger().await.seq, burst * 1000 + seq);
            }
        }
        let started = Instant::now();
        signal(&relay, Signal::TERM);
        assert_eq!(relay.ended().await.code(), Some(0));
        assert!(started.elapsed().as_secs() < 5);
    }

    #[tokio::test]
    async fn told_to_end_it_says_goodbye_to_everyone_and_exits_with_0() {
        for asked in [Signal::TERM, Signal::INT] {
            let mut command = program();
            command.args(["--listen", "127.0.0.1:0"]);
            let (mut relay, address) = Relay::start(command).await;
            let url = format!("ws://{address}/");
            let mut client = within(Box::pin(connect_async(&url))).await.unwrap().0;
            // One that never reads and never answers must not keep it.
            let _deaf = common::Raw::open(address, "", b"").await;
            // Nor one that is in the middle of a request.
            let _slow = within(TcpStream::connect(address)).await.unwrap();

            let started = Instant::now();
            signal(&relay, asked);
            let Some(Ok(Message::Close(Some(close)))) = within(client.next()).await else {
                panic!("not a goodbye");
            };
            assert_eq!(u16::from(close.code), 1001);
            assert_eq!(relay.ended().await.code(), Some(0), "{asked:?}");
            assert!(started.elapsed().as_secs() < 5 && started.elapsed() < DEADLINE);
        }
    }

    /// The next bank that a player is told of, rosters left aside, and the names in it.
    async fn bank_told(player: &mut Player) -> (BankNow, Vec<String>) {
        match player.hear().await {
            RelayToClient::Bank(bank) => {
                let names = bank.sounds.iter().map(|sound| sound.name.clone()).collect();
                (bank, names)
            }
            other => panic!("not a bank: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_folder_that_changes_is_loaded_anew_and_everyone_is_told() {
        let wav = |name: &str| {
            let sound = downbeat_samples::EMBEDDED.iter().find(|sound| sound.name == name);
            sound.unwrap().wav
        };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("long.wav"), wav("texture")).unwrap();
        std::fs::write(path("other.wav"), wav("click")).unwrap();
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--samples"]).arg(folder.path());
        let (mut relay, address) = Relay::start(command).await;
        let (mut player, welcome) = player_at(address, "player").await;
        assert_eq!(welcome.default_sound, "long");
        let long = welcome.sounds[0].clone();
        player.say(bang("long")).await;
        let sounding = player.hear_trigger().await;

        // Asked for, it does not wait until the folder is next looked at.
        std::fs::remove_file(path("long.wav")).unwrap();
        std::fs::write(path("other.wav"), wav("bell")).unwrap();
        std::fs::write(path("bad.wav"), b"RIFF").unwrap();
        std::fs::write(path("new.wav"), wav("click")).unwrap();
        signal(&relay, Signal::HUP);
        let (bank, names) = bank_told(&mut player).await;
        assert_eq!(
            (names.as_slice(), bank.default_sound.as_str()),
            (&["new".into(), "other".into()][..], "new")
        );
        assert_eq!(bank.sounds[0].hash, welcome.sounds[1].hash, "the same click by another name");
        assert_ne!(bank.sounds[1].hash, welcome.sounds[1].hash);

        // What sounds goes on for one who comes now, and can be stopped by its name.
        let (mut late, welcome) = player_at(address, "late").await;
        assert_eq!(welcome.sounds, bank.sounds);
        assert_eq!(welcome.sounding[0].trigger, sounding);
        player.say(bang("long")).await;
        assert!(matches!(player.hear().await, RelayToClient::Error(_)), "it is gone from the list");
        player.say(bang("new")).await;
        assert_eq!(late.hear_trigger().await.sound, "new");
        player.hear_trigger().await;
        let stop = StopRequest { sound: Some("long".into()), trigger: None };
        player.say(ClientToRelay::Stop(stop)).await;
        assert!(matches!(player.hear().await, RelayToClient::Stop(_)));
        assert!(matches!(late.hear().await, RelayToClient::Stop(_)));

        // Whoever is still fetching the old file gets the old file.
        let get = |hash: &str, more: &str| {
            let head = format!("GET /sounds/{hash} HTTP/1.1\r\n{more}");
            async move { request(address, &head).await }
        };
        let old = get(&long.hash, "").await;
        assert_eq!((old.status, old.body.as_slice()), (200, wav("texture")));
        let part = get(&long.hash, "Range: bytes=4-7\r\n").await;
        assert_eq!((part.status, part.body.as_slice()), (206, &wav("texture")[4..8]));
        let new = get(&bank.sounds[1].hash, "").await;
        assert_eq!(new.body, wav("bell"));
        let tag = format!("\"{}\"", bank.sounds[1].hash);
        assert_eq!(new.header("ETag"), Some(tag.as_str()));
        assert_eq!(
            get(&bank.sounds[1].hash, &format!("If-None-Match: {tag}\r\n")).await.status,
            304
        );

        // And a change that nobody tells of is found.
        std::fs::remove_file(path("bad.wav")).unwrap();
        std::fs::rename(path("new.wav"), path("renamed.wav")).unwrap();
        let (_, names) = bank_told(&mut player).await;
        assert_eq!(names, ["other", "renamed"]);
        bank_told(&mut late).await;

        let said = relay.log_to_the_end().await;
        let about_bad = said.lines().find(|line| line.contains("bad.wav"));
        assert!(about_bad.is_some_and(|line| line.contains("cannot be played")), "{said}");
    }

    #[tokio::test]
    async fn a_built_in_bank_survives_being_asked_for_another() {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]);
        let (mut relay, address) = Relay::start(command).await;
        signal(&relay, Signal::HUP);
        let stderr = relay.0.stderr.take().unwrap();
        line_where(stderr, |line| line.contains("not loaded anew")).await;
        player_at(address, "player").await;
    }

    #[tokio::test]
    async fn it_survives_running_out_of_file_descriptors() {
        let mut command = Command::new("sh");
        let relay = env!("CARGO_BIN_EXE_downbeat-relay");
        command.args(["-c", "ulimit -n 40 && exec \"$0\" --listen 127.0.0.1:0", relay]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (mut relay, address) = Relay::start(command).await;
        let mut held = Vec::new();
        for _ in 0..60 {
            held.push(within(TcpStream::connect(address)).await.unwrap());
        }
        // Long enough for several accepts to fail.
        tokio::time::sleep(5 * ACCEPT_PAUSE).await;
        drop(held);
        let answer = request(address, "GET /healthz HTTP/1.1\r\n").await;
        assert_eq!(answer.status, 200);
        let said = relay.log_to_the_end().await;
        assert_eq!(said.matches("cannot accept a connection").count(), 1, "{said}");
    }

    #[tokio::test]
    async fn the_log_says_from_which_address_a_client_connected() {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]);
        let (mut relay, address) = Relay::start(command).await;
        let (client, _) =
            within(Box::pin(connect_async(format!("ws://{address}/")))).await.unwrap();
        let MaybeTlsStream::Plain(socket) = client.get_ref() else { panic!("it speaks no TLS") };
        let peer = format!("peer={}", socket.local_addr().unwrap());
        let said = relay.log_to_the_end().await;
        let line = said.lines().find(|line| line.contains(" connected ")).expect(&said);
        assert!(line.contains(&peer) && line.contains("client=1"), "{line}");
    }

    #[tokio::test]
    async fn what_clients_say_reaches_the_log_without_control_characters() {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--log", "trace"]);
        let (mut relay, address) = Relay::start(command).await;
        let hello = br#"{"type":"hello","name":"a\u001b[2Jb","kind":"page","client":"x\u001b\ny"}"#;
        let protocol = "Sec-WebSocket-Protocol: downbeat.v1\r\n";
        let early = common::masked(0x81, hello);
        let mut raw = common::Raw::open(address, protocol, &early).await;
        raw.frame().await;
        raw.write(&common::masked(0x81, br#"{"type":"\u001b]0;x"}"#)).await;
        raw.frame().await;
        let said = relay.log_to_the_end().await;
        assert!(said.contains("name=a[2Jb"), "{said}");
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
    }
}

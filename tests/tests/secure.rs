//! Who may, and over TLS: the players and the relay as a user starts them. A token is looked for in
//! every line that any of them prints, with everything logged.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use downbeat_tests::{
    browser::Browser,
    process::{From, PATIENCE, Process},
    relay::{Relay, clear_settings},
    tools::binary,
    wav,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

const TOKEN: &str = "s3cret-to-bang";
const LISTEN_TOKEN: &str = "s3cret-to-hear";

/// In every token of these tests, and in nothing else.
const SECRET: &str = "s3cret";

/// A machine without a sound card: its player hears of every bang all the same.
struct Machine {
    home: TempDir,
    processes: Vec<Process>,
}

impl Machine {
    fn new() -> Result<Self> {
        Ok(Self { home: tempfile::tempdir()?, processes: Vec::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn downbeat(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("downbeat")?);
        clear_settings(&mut command);
        for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
            command.env(folder, self.home.path());
        }
        command.env("PULSE_SERVER", "unix:/nonexistent");
        command.args(arguments).args(["--log", "trace"]);
        Ok(command)
    }

    /// Starts a player, which stays until the test is over.
    fn play(&mut self, arguments: &[&str]) -> Result<&Process> {
        self.start(self.downbeat(&[&["play"], arguments].concat())?)
    }

    fn start(&mut self, command: Command) -> Result<&Process> {
        self.processes.push(Process::spawn("downbeat play", command)?);
        self.processes.last().context("one was just started")
    }

    /// Bangs, and says how that ended: all that was printed on stderr but the log.
    fn bang(&mut self, code: i32, arguments: &[&str]) -> Result<String> {
        let command = self.downbeat(&[&["bang"], arguments].concat())?;
        self.run(code, command)
    }

    fn run(&mut self, code: i32, command: Command) -> Result<String> {
        let mut process = Process::spawn("downbeat bang", command)?;
        process.expect_exit(code)?;
        let said = process.lines(From::Stderr).into_iter().filter(|l| l.starts_with("downbeat: "));
        let said: Vec<_> = said.collect();
        ensure!(said.len() == usize::from(code != 0), "{said:#?}");
        self.processes.push(process);
        Ok(said.concat())
    }

    /// Nothing that was started here, nor the relay, printed a token.
    fn expect_no_secret(&self, relay: &mut Relay) {
        let all = self.processes.iter().map(Process::transcript);
        for transcript in all.chain([relay.process().transcript()]) {
            assert!(!transcript.contains(SECRET), "{transcript}");
        }
    }
}

/// The relay's arguments: everything logged, and these.
fn logged<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--log", "trace"], more].concat()
}

fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[test]
fn over_tls_a_bang_is_heard_and_sounds_are_fetched_by_those_who_know_the_fingerprint() -> Result<()>
{
    let mut machine = Machine::new()?;
    let (samples, data) = (machine.path("samples"), machine.path("data"));
    std::fs::create_dir(&samples)?;
    wav::write_good(&samples.join("own.wav"))?;
    let samples = samples.display().to_string();
    let arguments = logged(&["--tls", "--samples", &samples]);
    let mut relay = Relay::start_with_data_folder(&data, &arguments)?;
    let fingerprint = relay.fingerprint()?;
    let url = relay.http_url();
    let copied = format!("{url}/#fingerprint={fingerprint}");
    relay.process().wait_for(&format!("Link for players: {copied}"))?;

    machine.play(&[&copied])?.wait_for("Ready: 1 sounds")?;
    let with_colons = fingerprint.to_uppercase();
    let pairs: Vec<&str> = (0..32).map(|pair| &with_colons[2 * pair..2 * pair + 2]).collect();
    machine.bang(0, &[&url, "--fingerprint", &pairs.join(":"), "--count", "3", "--every", "1"])?;
    // A fingerprint alone asks for TLS.
    let bare = relay.address().to_string();
    machine.bang(0, &[&bare, "--fingerprint", &fingerprint, "--name", "last"])?;
    machine.processes[0].wait_for("Played own by last")?;
    let heard = machine.processes[0].lines(From::Stdout);
    assert_eq!(heard.iter().filter(|line| line.starts_with("Played own")).count(), 4);

    // The relay that comes back is the same one.
    let mark = machine.processes[0].mark();
    relay.kill()?;
    relay.restart()?;
    assert_eq!(relay.fingerprint()?, fingerprint);
    machine.processes[0].wait_for_after(mark, "Connected as client")?;
    machine.bang(0, &[&copied, "--name", "again"])?;
    machine.processes[0].wait_for("Played own by again")?;
    Ok(())
}

#[test]
fn a_certificate_that_is_not_believed_is_named_with_what_to_do() -> Result<()> {
    let mut machine = Machine::new()?;
    let relay = Relay::start_with_data_folder(&machine.path("data"), &["--tls"])?;
    let (url, seen) = (relay.http_url(), relay.fingerprint()?);
    let said = machine.bang(1, &[&url])?;
    expect(
        &said,
        &[
            "cannot bang at https://",
            "not signed by an authority",
            "the relay itself printed",
            &seen,
        ],
    );
    let other = "1a".repeat(32);
    let said = machine.bang(1, &[&url, "--fingerprint", &other])?;
    expect(&said, &[&seen, "not the one that was given", "another relay", "intercepting"]);
    let player = machine.play(&[&format!("{url}#fingerprint={other}")])?;
    let said = player.wait_for("Lost the relay: ")?;
    expect(&said, &[&seen, "another relay"]);

    let place = relay.address().to_string();
    let said = machine.bang(1, &[&place])?;
    expect(&said, &["TLS only", "https://"]);
    let said = machine.bang(2, &[&format!("http://{place}"), "--fingerprint", &seen])?;
    expect(&said, &["https://"]);
    let said = machine.bang(2, &[&place, "--fingerprint", "1a2b"])?;
    expect(&said, &["--fingerprint", "64 hexadecimal digits"]);
    let plain = Relay::start()?;
    let said = machine.bang(1, &[&format!("https://{}", plain.address())])?;
    expect(&said, &["does not speak TLS", "http://"]);
    Ok(())
}

/// A certificate authority, and what it made for relays.
struct Authority {
    file: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let file = folder.join("authority.pem");
        std::fs::write(&file, issuer.pem())?;
        Ok(Self { file, issuer, folder: folder.to_owned() })
    }

    /// Starts a relay with a certificate for `name` that is valid from 2020 to the beginning of
    /// `until`.
    fn relay(&self, name: &str, until: i32) -> Result<Relay> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate()?;
        let files = ["cert", "key"].map(|file| self.folder.join(format!("{name}-{until}.{file}")));
        std::fs::write(&files[0], params.signed_by(&key, &self.issuer)?.pem())?;
        std::fs::write(&files[1], key.serialize_pem())?;
        let [cert, key] = files.map(|file| file.display().to_string());
        Relay::start_with(&["--tls-cert", &cert, "--tls-key", &key])
    }
}

#[test]
fn an_authority_of_this_machine_is_enough_for_its_own_name_and_time() -> Result<()> {
    let mut machine = Machine::new()?;
    let authority = Authority::new(machine.home.path())?;
    let mut bang = |relay: &Relay, code, arguments: &[&str]| {
        let url = relay.http_url();
        let mut command = machine.downbeat(&[&["bang", &url], arguments].concat())?;
        command.env("SSL_CERT_FILE", &authority.file).env("SSL_CERT_DIR", "/nonexistent");
        machine.run(code, command)
    };
    bang(&authority.relay("127.0.0.1", 2049)?, 0, &[])?;
    let expired = authority.relay("127.0.0.1", 2021)?;
    expect(&bang(&expired, 1, &[])?, &["has expired"]);
    let other = authority.relay("elsewhere.example", 2049)?;
    expect(&bang(&other, 1, &[])?, &["another host name"]);
    // Whoever knows it asks for neither.
    bang(&expired, 0, &["--fingerprint", &expired.fingerprint()?])?;
    // One that was asked for is asked for, whoever vouches for another.
    let said = bang(&authority.relay("127.0.0.1", 2048)?, 1, &["--fingerprint", &"1a".repeat(32)])?;
    expect(&said, &["another relay"]);
    Ok(())
}

#[test]
fn a_token_opens_the_door_from_wherever_it_is_set() -> Result<()> {
    let mut machine = Machine::new()?;
    let mut relay =
        Relay::start_with(&logged(&["--token", TOKEN, "--listen-token", LISTEN_TOKEN]))?;
    let url = relay.http_url();
    let listener = format!("{url}/#token={LISTEN_TOKEN}");
    machine.play(&[&listener])?.wait_for("Connected as client")?;

    machine.bang(0, &[&format!("{}#token={TOKEN}", relay.address()), "--name", "fragment"])?;
    machine.bang(0, &[&url, "--token", TOKEN, "--name", "flag"])?;
    let mut command = machine.downbeat(&["bang", &url, "--name", "environment"])?;
    command.env("DOWNBEAT_TOKEN", TOKEN);
    machine.run(0, command)?;
    let settings = machine.path("settings.toml");
    std::fs::write(&settings, format!("token = \"{TOKEN}\"\n"))?;
    let mut command = machine.downbeat(&["bang", &url, "--name", "file"])?;
    command.env("DOWNBEAT_CONFIG", &settings);
    machine.run(0, command)?;
    for name in ["fragment", "flag", "environment", "file"] {
        machine.processes[0].wait_for(&format!("Played click by {name}"))?;
    }
    // What is set in the file is not given away by the help.
    let mut command = machine.downbeat(&["bang", "--help"])?;
    command.env("DOWNBEAT_CONFIG", &settings).env("DOWNBEAT_RELAY", &listener);
    machine.run(0, command)?;
    machine.expect_no_secret(&mut relay);
    Ok(())
}

#[test]
fn without_it_the_door_stays_shut_and_says_why() -> Result<()> {
    let mut machine = Machine::new()?;
    let data = machine.path("data");
    let tokens = ["--token", TOKEN, "--listen-token", LISTEN_TOKEN];
    for tls in [&[][..], &["--tls"]] {
        let arguments = logged(&[&tokens, tls].concat());
        let mut relay = Relay::start_with_data_folder(&data, &arguments)?;
        let mut url = relay.http_url();
        if !tls.is_empty() {
            url = format!("{url}#fingerprint={}", relay.fingerprint()?);
        }
        let said = machine.bang(1, &[&url])?;
        expect(&said, &["requires a token", "#token=", "--token"]);
        let said = machine.bang(1, &[&url, "--token", "s3cret-but-wrong"])?;
        expect(&said, &["does not accept the token"]);
        let said = machine.bang(1, &[&url, "--token", LISTEN_TOKEN])?;
        expect(&said, &["refused", "lets you listen, not bang"]);
        for (token, words) in [(TOKEN, "Connected as"), ("s3cret-but-wrong", "does not accept")] {
            machine.play(&[&url, "--token", token])?.wait_for(words)?;
        }
        machine.expect_no_secret(&mut relay);
    }
    // One that no relay could have is not tried, nor shown.
    let mut relay = Relay::start()?;
    for arguments in [
        &["lab", "--token", "s3cret with spaces"][..],
        &["lab#token=s3cret%20with%20spaces"],
        &["lab:99999/#token=s3cret"],
        &["lab", "lab#token=s3cret"],
    ] {
        machine.bang(2, arguments)?;
    }
    machine.expect_no_secret(&mut relay);
    Ok(())
}

#[test]
fn the_page_comes_over_tls_and_brings_its_token() -> Result<()> {
    let mut machine = Machine::new()?;
    let arguments = logged(&["--tls", "--token", TOKEN]);
    let mut relay = Relay::start_with_data_folder(&machine.path("data"), &arguments)?;
    let key = format!("#token={TOKEN}&fingerprint={}", relay.fingerprint()?);
    let url = format!("{}/{key}", relay.http_url());
    machine.play(&[&url])?.wait_for("Connected as client")?;
    let launch = |program: &Path| {
        let mut command = Command::new(program);
        command.env("HOME", machine.home.path()).env("PULSE_SERVER", "unix:/nonexistent");
        command
    };
    let browser = Browser::open(launch, 390, 844)?;
    // As typed without a scheme: the relay leads it to TLS, and the fragment stays.
    browser.go(&format!("http://{}/{key}", relay.address()))?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    let origin = browser.run("return location.origin")?;
    assert_eq!(origin, relay.http_url().as_str());
    browser.click("#bang")?;
    machine.processes[0].wait_for("Played click by page-")?;
    drop(browser);
    machine.expect_no_secret(&mut relay);
    Ok(())
}

#[test]
fn a_player_at_a_shut_door_knocks_gently_and_sees_it_open() -> Result<()> {
    let mut machine = Machine::new()?;
    let mut relay = Relay::start_with(&logged(&["--token", "s3cret-of-old"]))?;
    let url = relay.http_url();
    let begun = Instant::now();
    let player = machine.play(&[&url, "--token", TOKEN])?;
    player.wait_until(PATIENCE, |lines| {
        let knocks = lines.iter().filter(|line| line.text.starts_with("Connecting to"));
        (knocks.count() >= 3).then_some(())
    })?;
    let between = begun.elapsed() / 2;
    assert!(between > Duration::from_secs(2), "it knocks every {between:?}");
    relay.kill()?;
    relay.replace(&logged(&["--token", TOKEN]))?;
    player.wait_for("Connected as client")?;
    machine.expect_no_secret(&mut relay);
    Ok(())
}

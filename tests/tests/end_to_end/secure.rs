//! Tokens and TLS, with the players and the relay as a user starts them. No line that they print
//! may contain a token, even at the most verbose log level.

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

/// Part of every token of these tests, and of nothing else.
const SECRET: &str = "s3cret";

/// A machine without a sound card. Its player still receives every bang.
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

    /// Starts a player, which runs until the end of the test.
    fn play(&mut self, arguments: &[&str]) -> Result<&Process> {
        self.start(self.downbeat(&[&["play"], arguments].concat())?)
    }

    fn start(&mut self, command: Command) -> Result<&Process> {
        self.processes.push(Process::spawn("downbeat play", command)?);
        self.processes.last().context("a process was just started")
    }

    /// Bangs, requires the exit code `code`, and returns stderr without the log.
    fn bang(&mut self, code: i32, arguments: &[&str]) -> Result<String> {
        let command = self.downbeat(&[&["bang"], arguments].concat())?;
        self.run(code, command)
    }

    fn run(&mut self, code: i32, command: Command) -> Result<String> {
        let mut process = Process::spawn("downbeat bang", command)?;
        process.expect_exit(code)?;
        let stderr =
            process.lines(From::Stderr).into_iter().filter(|l| l.starts_with("downbeat: "));
        let stderr: Vec<_> = stderr.collect();
        ensure!(stderr.len() == usize::from(code != 0), "{stderr:#?}");
        self.processes.push(process);
        Ok(stderr.concat())
    }

    /// Asserts that neither the processes started here nor the relay printed a token.
    fn expect_no_secret(&self, relay: &mut Relay) {
        let all = self.processes.iter().map(Process::transcript);
        for transcript in all.chain([relay.process().transcript()]) {
            assert!(!transcript.contains(SECRET), "{transcript}");
        }
    }
}

/// The relay's arguments: the most verbose log level, and `more`.
fn logged<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--log", "trace"], more].concat()
}

fn expect(stderr: &str, parts: &[&str]) {
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is not in {stderr:?}");
    }
}

#[test]
fn players_that_know_the_fingerprint_fetch_sounds_and_receive_bangs_over_tls() -> Result<()> {
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
    // A fingerprint alone implies TLS.
    let bare = relay.address().to_string();
    machine.bang(0, &[&bare, "--fingerprint", &fingerprint, "--name", "last"])?;
    machine.processes[0].wait_for("Played own by last")?;
    let played = machine.processes[0].lines(From::Stdout);
    assert_eq!(played.iter().filter(|line| line.starts_with("Played own")).count(), 4);

    // A restarted relay has the same certificate.
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
fn an_untrusted_certificate_is_reported_with_a_remedy() -> Result<()> {
    let mut machine = Machine::new()?;
    let relay = Relay::start_with_data_folder(&machine.path("data"), &["--tls"])?;
    let (url, seen) = (relay.http_url(), relay.fingerprint()?);
    let stderr = machine.bang(1, &[&url])?;
    expect(
        &stderr,
        &[
            "cannot bang at https://",
            "not signed by an authority",
            "the relay itself printed",
            &seen,
        ],
    );
    let other = "1a".repeat(32);
    let stderr = machine.bang(1, &[&url, "--fingerprint", &other])?;
    expect(&stderr, &[&seen, "not the one that was given", "another relay", "intercepting"]);
    let player = machine.play(&[&format!("{url}#fingerprint={other}")])?;
    let line = player.wait_for("Lost the relay: ")?;
    expect(&line, &[&seen, "another relay"]);

    let place = relay.address().to_string();
    let stderr = machine.bang(1, &[&place])?;
    expect(&stderr, &["TLS only", "https://"]);
    let stderr = machine.bang(2, &[&format!("http://{place}"), "--fingerprint", &seen])?;
    expect(&stderr, &["https://"]);
    let stderr = machine.bang(2, &[&place, "--fingerprint", "1a2b"])?;
    expect(&stderr, &["--fingerprint", "64 hexadecimal digits"]);
    let without_tls = Relay::start()?;
    let stderr = machine.bang(1, &[&format!("https://{}", without_tls.address())])?;
    expect(&stderr, &["does not speak TLS", "http://"]);
    Ok(())
}

/// A certificate authority, and the certificates it has issued.
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

    /// Starts a relay with a certificate for `name`, valid from 2020 to the beginning of the year
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
fn a_certificate_of_a_trusted_authority_must_match_the_name_and_be_valid() -> Result<()> {
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
    // A known fingerprint overrides both.
    bang(&expired, 0, &["--fingerprint", &expired.fingerprint()?])?;
    // A given fingerprint must match, even if an authority trusts the certificate.
    let stderr =
        bang(&authority.relay("127.0.0.1", 2048)?, 1, &["--fingerprint", &"1a".repeat(32)])?;
    expect(&stderr, &["another relay"]);
    Ok(())
}

#[test]
fn a_token_is_accepted_from_url_flag_environment_and_file() -> Result<()> {
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
    // The help does not print the token of the file.
    let mut command = machine.downbeat(&["bang", "--help"])?;
    command.env("DOWNBEAT_CONFIG", &settings).env("DOWNBEAT_RELAY", &listener);
    machine.run(0, command)?;
    machine.expect_no_secret(&mut relay);
    Ok(())
}

#[test]
fn a_missing_or_wrong_token_is_rejected_with_the_reason() -> Result<()> {
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
        let stderr = machine.bang(1, &[&url])?;
        expect(&stderr, &["requires a token", "#token=", "--token"]);
        let stderr = machine.bang(1, &[&url, "--token", "s3cret-but-wrong"])?;
        expect(&stderr, &["does not accept the token"]);
        let stderr = machine.bang(1, &[&url, "--token", LISTEN_TOKEN])?;
        expect(&stderr, &["not allowed", "rights of a player"]);
        for (token, expected) in [(TOKEN, "Connected as"), ("s3cret-but-wrong", "does not accept")]
        {
            machine.play(&[&url, "--token", token])?.wait_for(expected)?;
        }
        machine.expect_no_secret(&mut relay);
    }
    // A malformed token is neither sent nor printed.
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
fn the_page_is_served_over_tls_and_keeps_its_token() -> Result<()> {
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
    // As typed without a scheme: the relay redirects to TLS, and the fragment is kept.
    browser.go(&format!("http://{}/{key}", relay.address()))?;
    browser.click("#start")?;
    browser.wait_for("#state[data-state=connected]")?;
    let origin = browser.run("return location.origin")?;
    assert_eq!(origin, relay.http_url().as_str());
    // Then its clock is fine enough.
    assert_eq!(browser.run("return self.crossOriginIsolated")?, true);
    browser.click("#bang")?;
    machine.processes[0].wait_for("Played click by page-")?;
    drop(browser);
    machine.expect_no_secret(&mut relay);
    Ok(())
}

#[test]
fn a_rejected_player_retries_slowly_and_connects_once_accepted() -> Result<()> {
    let mut machine = Machine::new()?;
    let mut relay = Relay::start_with(&logged(&["--token", "s3cret-of-old"]))?;
    let url = relay.http_url();
    let begun = Instant::now();
    let player = machine.play(&[&url, "--token", TOKEN])?;
    player.wait_until(PATIENCE, |lines| {
        let attempts = lines.iter().filter(|line| line.text.starts_with("Connecting to"));
        (attempts.count() >= 3).then_some(())
    })?;
    let between = begun.elapsed() / 2;
    assert!(between > Duration::from_secs(2), "it retries every {between:?}");
    relay.kill()?;
    relay.replace(&logged(&["--token", TOKEN]))?;
    player.wait_for("Connected as client")?;
    machine.expect_no_secret(&mut relay);
    Ok(())
}

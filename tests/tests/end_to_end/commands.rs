//! The contract of the commands, on which scripts and service managers rely: output streams, exit
//! codes, and the precedence of settings.

use std::{
    io::{self, Write as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use downbeat_protocol::{ClientKind, ClientToRelay, RelayToClient, TriggerRequest};
use downbeat_tests::{
    client::V1Client,
    lab::Lab,
    process::{From, Process, wait_for_exit},
    relay::{Relay, relay_command},
};

/// Asserts that `command` is refused: exit code 2, nothing on stdout, and one line on stderr that
/// contains each of `named`.
fn expect_refusal(mut command: Command, arguments: &[&str], named: &[&str]) -> Result<()> {
    let what = format!("{arguments:?}");
    command.args(arguments);
    let mut process = Process::spawn(what.as_str(), command)?;
    process.expect_exit(2)?;
    assert_eq!(process.lines(From::Stdout), [""; 0], "{what}");
    let stderr = process.lines(From::Stderr);
    assert_eq!(stderr.len(), 1, "{what} printed {stderr:#?}");
    for part in named {
        assert!(stderr[0].contains(part), "{what} does not name {part:?}: {:?}", stderr[0]);
    }
    Ok(())
}

#[test]
fn an_invalid_value_is_reported_in_one_line_with_exit_code_2() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    // The relay logs before it binds the address; the log is not under test.
    let relay = |arguments: &[&str], named: &[&str]| {
        let mut command = relay_command()?;
        command.args(["--log", "off"]);
        expect_refusal(command, arguments, named)
    };
    relay(&["--listen", &address], &[&address])?;
    drop(taken);
    relay(&["--listen", "nowhere"], &["nowhere", "--listen"])?;
    relay(&["--listen", "127.0.0.1:70000"], &["127.0.0.1:70000"])?;
    relay(&["--listen", "203.0.113.1:0"], &["203.0.113.1"])?; // not an address of this machine
    relay(&["--samples", "/no/such/folder", "--listen", "127.0.0.1:0"], &["/no/such/folder"])?;
    relay(&["--frobnicate"], &["--frobnicate"])?;
    relay(&["surplus"], &["surplus"])?;

    let lab = Lab::open(1)?;
    let downbeat =
        |arguments: &[&str], named: &[&str]| expect_refusal(lab.downbeat()?, arguments, named);
    for command in ["play", "bang"] {
        downbeat(&[command, "ftp://lab"], &["ftp://lab"])?;
        downbeat(&[command, "lab:99999"], &["lab:99999"])?;
        downbeat(&[command, "lab", "--frobnicate"], &["--frobnicate"])?;
        downbeat(&[command, "lab", "--name", ""], &["--name"])?;
    }
    downbeat(&["ht!tp://lab"], &["ht!tp://lab"])?;
    downbeat(&["play", "--volume", "loud"], &["loud", "--volume"])?;
    downbeat(&["bang", "--count", "0"], &["--count"])?;
    downbeat(&["bang", "--gain", "7"], &["gain"])?;
    downbeat(&["bang", "--rate", "0"], &["rate"])?;
    downbeat(&["devices", "--frobnicate"], &["--frobnicate"])
}

#[test]
fn help_and_version_go_to_stdout_with_exit_code_0() -> Result<()> {
    let lab = Lab::open(1)?;
    for argument in ["--help", "--version"] {
        for mut command in [relay_command()?, lab.downbeat()?] {
            command.arg(argument);
            let mut process = Process::spawn(argument, command)?;
            process.expect_exit(0)?;
            assert!(!process.lines(From::Stdout).is_empty());
            assert_eq!(process.lines(From::Stderr), [""; 0]);
        }
    }
    Ok(())
}

#[test]
fn a_bang_without_a_relay_fails_and_names_the_address() -> Result<()> {
    let lab = Lab::open(1)?;
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut command = lab.downbeat()?;
    command.args(["bang", &free]);
    let mut process = Process::spawn("downbeat bang", command)?;
    process.expect_exit(1)?;
    let stderr = process.lines(From::Stderr);
    assert!(stderr.len() == 1 && stderr[0].contains(&free), "{stderr:#?}");
    Ok(())
}

#[test]
fn a_bang_prints_one_line_each_and_an_unknown_sound_is_refused() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let mut command = lab.downbeat()?;
    command.args(["bang", &relay.http_url(), "--count", "3", "--every", "10", "--sound", "kick"]);
    let mut process = Process::spawn("downbeat bang", command)?;
    process.expect_exit(0)?;
    assert_eq!(process.lines(From::Stdout), ["bang 1: kick", "bang 2: kick", "bang 3: kick"]);

    let mut command = lab.downbeat()?;
    command.args(["bang", &relay.http_url(), "--sound", "nosuch"]);
    let mut process = Process::spawn("downbeat bang", command)?;
    process.expect_exit(1)?;
    let stderr = process.lines(From::Stderr);
    assert!(stderr.len() == 1 && stderr[0].contains("nosuch"), "{stderr:#?}");
    Ok(())
}

#[test]
fn devices_lists_the_cards_and_a_player_accepts_id_and_name() -> Result<()> {
    let lab = Lab::open(2)?;
    let relay = Relay::start()?;
    let mut command = lab.downbeat()?;
    command.arg("devices");
    let mut devices = Process::spawn("downbeat devices", command)?;
    devices.expect_exit(0)?;
    let listed = devices.lines(From::Stdout);
    let id_of = |machine: usize| {
        let card = Lab::card(machine);
        let id =
            listed.iter().flat_map(|line| line.split_whitespace()).find(|w| w.ends_with(&card));
        id.map(str::to_owned).with_context(|| format!("no id of {card} in {listed:#?}"))
    };
    for machine in 0..lab.machines() {
        let name = Lab::card_description(machine);
        assert!(listed.iter().any(|line| line.contains(&name)), "no {name} in {listed:#?}");
        for device in [name.clone(), id_of(machine)?] {
            let mut command = lab.downbeat()?;
            command.args(["play", &relay.ws_url(), "--device", &device]);
            let player = Process::spawn(format!("downbeat play --device {device}"), command)?;
            player.wait_for(&format!("Output: {name}"))?;
        }
    }
    Ok(())
}

#[test]
fn signals_end_relay_and_players_with_exit_code_0() -> Result<()> {
    let lab = Lab::open(1)?;
    for interrupt in [false, true] {
        let end = |process: &Process| {
            if interrupt { process.interrupt() } else { process.terminate() }
        };
        let mut relay = Relay::start()?;
        let mut player = lab.play(0, &relay.ws_url())?;
        let mut client = V1Client::connect(&relay.ws_url(), "remote", ClientKind::Remote)?;
        end(&player)?;
        player.expect_exit(0)?;
        end(relay.process())?;
        // The relay announces its shutdown, so that clients reconnect without an error.
        let close = client.socket().expect_close(downbeat_tests::process::PATIENCE)?;
        let code = close.map(|frame| u16::from(frame.code));
        assert_eq!(code, Some(1001));
        drop(client);
        relay.process().expect_exit(0)?;
    }
    Ok(())
}

#[test]
fn a_player_without_a_relay_ends_promptly_on_a_signal() -> Result<()> {
    let lab = Lab::open(1)?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut player = lab.start_play(0, &free)?;
    player.wait_for("Lost the relay")?;
    player.terminate()?;
    player.expect_exit(0)
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "name = \"from the file\"\nvolume = 0.5\n")?;
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    let named = |variable: Option<&str>, flag: Option<&str>| -> Result<Process> {
        let mut command = lab.downbeat()?;
        command.args(["play", &relay.ws_url()]).env("DOWNBEAT_CONFIG", &file);
        command.envs(variable.map(|value| ("DOWNBEAT_NAME", value)));
        command.args(flag.map(|value| format!("--name={value}")));
        Process::spawn("downbeat play", command)
    };
    let cases = [
        (None, None, "from the file"),
        (Some("from the environment"), None, "from the environment"),
        (Some("from the environment"), Some("from the flag"), "from the flag"),
    ];
    for (variable, flag, expected) in cases {
        let player = named(variable, flag)?;
        watcher
            .wait_for_roster(|roster| roster.clients.iter().any(|client| client.name == expected))
            .with_context(|| format!("{expected}: {}", player.transcript()))?;
    }

    // An invalid value or a syntax error in the file is reported like an invalid flag.
    std::fs::write(&file, "volume = \"loud\"\n")?;
    let mut command = lab.downbeat()?;
    command.env("DOWNBEAT_CONFIG", &file);
    expect_refusal(command, &["play"], &["loud"])?;
    std::fs::write(&file, "volume = \n")?;
    let mut command = lab.downbeat()?;
    command.env("DOWNBEAT_CONFIG", &file);
    expect_refusal(command, &["play"], &["settings.toml"])
}

/// A process whose output is not captured. Killed when dropped.
struct Unread(Child);

impl Unread {
    fn start(mut command: Command, stdout: io::PipeWriter) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The writing end of a pipe whose reader is closed.
fn closed_pipe() -> Result<io::PipeWriter> {
    Ok(io::pipe()?.1)
}

/// Waits until a player has sounded what the watcher has banged.
fn expect_sounded(watcher: &mut V1Client) -> Result<()> {
    let id = watcher.welcome.id;
    let seq = watcher.wait_for(|message| match message {
        RelayToClient::Trigger(trigger) if trigger.by.id == id => Some(trigger.seq),
        _ => None,
    })?;
    watcher.wait_for(|message| match message {
        RelayToClient::Receipt(receipt) if receipt.seq == seq => {
            (receipt.sounded > 0).then_some(())
        }
        _ => None,
    })
}

/// Waits until the player `name` has reported the lead it needs.
fn expect_ready(watcher: &mut V1Client, name: &str) -> Result<()> {
    watcher.wait_for_roster(|roster| {
        roster.clients.iter().any(|client| client.name == name && client.plays)
    })
}

#[test]
fn a_closed_stdout_is_not_an_error() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let url = relay.http_url();
    let cases: [(Command, &[&str]); 6] = [
        (relay_command()?, &["--help"]),
        (relay_command()?, &["--version"]),
        (lab.downbeat()?, &["--help"]),
        (lab.downbeat()?, &["--version"]),
        (lab.downbeat()?, &["devices"]),
        (lab.downbeat()?, &["bang", &url, "--count", "8", "--every", "10"]),
    ];
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    for (mut command, arguments) in cases {
        command.args(arguments);
        let mut process = Unread::start(command, closed_pipe()?)?;
        let status = wait_for_exit(&mut process.0)?;
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
    for number in 1..=8 {
        let sent = watcher.wait_for(|message| match message {
            RelayToClient::Trigger(trigger) => Some(trigger.seq),
            _ => None,
        });
        assert_eq!(sent?, number, "every bang is sent");
    }
    Ok(())
}

#[test]
fn a_player_sounds_even_if_its_stdout_is_not_read() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    watcher.watch()?;
    // A full pipe, like that of a paused pager or terminal.
    let (_reader, mut full) = io::pipe()?;
    let size = rustix::pipe::fcntl_getpipe_size(&full)?;
    full.write_all(&vec![b'\n'; size])?;
    for (name, stdout) in [("stuck", full), ("closed", closed_pipe()?)] {
        let mut command = lab.downbeat()?;
        command.args(["play", &relay.ws_url(), "--name", name]);
        let _player = Unread::start(command, stdout)?;
        expect_ready(&mut watcher, name)?;
        // Long enough for a player to join after decoding.
        let sound = Some("texture".to_owned());
        let bang = TriggerRequest { sound, ..TriggerRequest::default() };
        watcher.send(&ClientToRelay::Trigger(bang))?;
        expect_sounded(&mut watcher)?;
    }
    Ok(())
}

/// Runs a command that is to end with this code.
fn run(lab: &Lab, arguments: &[&str], code: i32) -> Result<Process> {
    let mut command = lab.downbeat()?;
    command.args(arguments);
    let mut process = Process::spawn(arguments.join(" ").as_str(), command)?;
    process.expect_exit(code)?;
    Ok(process)
}

#[test]
fn variables_are_set_and_read_from_a_shell_and_watch_prints_what_happens() -> Result<()> {
    const PITCH: &str = r#"{"name":"pitch","type":"float","min":-12,"max":12,"default":0}"#;
    const SCENE: &str = r#"{"name":"scene","type":"text"}"#;
    let lab = Lab::open(1)?;
    let relay = Relay::start_with(&["--variable", PITCH, "--variable", SCENE])?;
    let url = relay.http_url();
    let mut command = lab.downbeat()?;
    command.args(["watch", &url]);
    let watch = Process::spawn("downbeat watch", command)?;
    watch.wait_for(r#""type":"welcome""#)?;

    run(&lab, &["set", "pitch", "-3.5", "--over-ms", "100", "--relay", &url], 0)?;
    run(&lab, &["set", "scene", "the end", "--relay", &url], 0)?;
    let get = |arguments: &[&str]| -> Result<Vec<String>> {
        let arguments = [&["get"], arguments, &["--relay", &url]].concat();
        Ok(run(&lab, &arguments, 0)?.lines(From::Stdout))
    };
    assert_eq!(get(&["pitch"])?, ["-3.5"]);
    assert_eq!(get(&[])?, ["pitch\t-3.5", "scene\t\"the end\""]);
    run(&lab, &["bang", &url, "--set", "frequency=220"], 0)?;
    run(&lab, &["stop", &url], 0)?;
    for line in [
        r#""name":"pitch","value":-3.5,"over_micros":100000"#,
        r#""name":"scene","value":"the end""#,
        r#""sound":"tone""#,
        r#"{"type":"stop""#,
    ] {
        watch.wait_for(line)?;
    }
    let visitor = V1Client::connect(&relay.ws_url(), "visitor", ClientKind::Remote)?;
    watch.wait_for(r#""name":"visitor","kind":"remote"}"#)?;
    drop(visitor);
    watch.wait_for(r#"{"type":"left""#)?;

    for (arguments, named) in [
        (["set", "pitch", "high"], "a number from -12 to 12"),
        (["set", "pitch", "13"], "a number from -12 to 12"),
        (["set", "tempo", "1"], "there are pitch, scene"),
    ] {
        let process = run(&lab, &[&arguments[..], &["--relay", &url]].concat(), 1)?;
        let stderr = process.lines(From::Stderr);
        assert!(stderr.len() == 1 && stderr[0].contains(named), "{stderr:#?}");
    }
    let process = run(&lab, &["bang", &url, "--one"], 1)?;
    assert!(process.lines(From::Stderr)[0].contains("no player"));
    Ok(())
}

//! The commands' contract, which scripts and service managers rely on: what goes to which output,
//! with which exit code, and which setting wins.

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

/// Runs `command`, which is to be refused: exit code 2, nothing on stdout, one line on stderr that
/// names each of `named`.
fn expect_refusal(mut command: Command, arguments: &[&str], named: &[&str]) -> Result<()> {
    let what = format!("{arguments:?}");
    command.args(arguments);
    let mut process = Process::spawn(what.as_str(), command)?;
    process.expect_exit(2)?;
    assert_eq!(process.lines(From::Stdout), [""; 0], "{what}");
    let said = process.lines(From::Stderr);
    assert_eq!(said.len(), 1, "{what} said {said:#?}");
    for part in named {
        assert!(said[0].contains(part), "{what} does not name {part:?}: {:?}", said[0]);
    }
    Ok(())
}

#[test]
fn a_wrong_value_is_one_line_that_names_it() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    // The relay's own log is not what is looked at here, and comes before the address is tried.
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
fn help_and_version_are_answers_not_errors() -> Result<()> {
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
fn a_bang_that_reaches_no_relay_says_so() -> Result<()> {
    let lab = Lab::open(1)?;
    // A port that was free a moment ago; no one is told of it.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut command = lab.downbeat()?;
    command.args(["bang", &free]);
    let mut process = Process::spawn("downbeat bang", command)?;
    process.expect_exit(1)?;
    let said = process.lines(From::Stderr);
    assert!(said.len() == 1 && said[0].contains(&free), "{said:#?}");
    Ok(())
}

#[test]
fn a_bang_prints_a_line_for_each_and_a_wrong_sound_is_refused() -> Result<()> {
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
    let said = process.lines(From::Stderr);
    assert!(said.len() == 1 && said[0].contains("nosuch"), "{said:#?}");
    Ok(())
}

#[test]
fn devices_lists_the_cards_and_a_player_takes_each_form() -> Result<()> {
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
fn a_signal_ends_everything_with_success() -> Result<()> {
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
        // Clients are told that it goes, so that they come back without alarm.
        let farewell = client.socket().expect_close(downbeat_tests::process::PATIENCE)?;
        let code = farewell.map(|frame| u16::from(frame.code));
        assert_eq!(code, Some(1001));
        drop(client);
        relay.process().expect_exit(0)?;
    }
    Ok(())
}

#[test]
fn a_player_that_cannot_reach_its_relay_still_ends_at_once() -> Result<()> {
    let lab = Lab::open(1)?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut player = lab.start_play(0, &free)?;
    player.wait_for("Lost the relay")?;
    player.terminate()?;
    player.expect_exit(0)
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() -> Result<()> {
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

    // A file with a slip in it is named like any other wrong value.
    std::fs::write(&file, "volume = \"loud\"\n")?;
    let mut command = lab.downbeat()?;
    command.env("DOWNBEAT_CONFIG", &file);
    expect_refusal(command, &["play"], &["loud"])?;
    std::fs::write(&file, "volume = \n")?;
    let mut command = lab.downbeat()?;
    command.env("DOWNBEAT_CONFIG", &file);
    expect_refusal(command, &["play"], &["settings.toml"])
}

/// A program whose output nobody takes note of. Killed when dropped.
struct Unread(Child);

impl Unread {
    fn start(mut command: Command, stdout: io::PipeWriter) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The writing end of a pipe whose reader has gone away.
fn closed_pipe() -> Result<io::PipeWriter> {
    Ok(io::pipe()?.1)
}

/// Waits until the player `name` has told the relay of a sound it began.
fn expect_sounded(watcher: &mut V1Client, name: &str) -> Result<()> {
    watcher.wait_for(|message| match message {
        RelayToClient::Roster(roster) => {
            let client = roster.clients.into_iter().find(|client| client.name == name)?;
            (client.report?.triggers > 0).then_some(())
        }
        _ => None,
    })
}

/// Waits until the player `name` has told the relay of the lead it needs.
fn expect_ready(watcher: &mut V1Client, name: &str) -> Result<()> {
    watcher.wait_for(|message| match message {
        RelayToClient::Roster(roster) => {
            let client = roster.clients.into_iter().find(|client| client.name == name)?;
            client.report?.lead_micros.map(|_| ())
        }
        _ => None,
    })
}

#[test]
fn a_reader_that_goes_away_is_no_error_of_any_command() -> Result<()> {
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
        let heard = watcher.wait_for(|message| match message {
            RelayToClient::Trigger(trigger) => Some(trigger.seq),
            _ => None,
        });
        assert_eq!(heard?, number, "every bang of the count is sent");
    }
    Ok(())
}

#[test]
fn a_player_sounds_whether_its_output_is_read_or_not() -> Result<()> {
    let lab = Lab::open(1)?;
    let relay = Relay::start()?;
    let mut watcher = V1Client::connect(&relay.ws_url(), "watcher", ClientKind::Remote)?;
    // As a pager or a terminal that was told to pause leaves it: nothing more fits in.
    let (_reader, mut full) = io::pipe()?;
    let size = rustix::pipe::fcntl_getpipe_size(&full)?;
    full.write_all(&vec![b'\n'; size])?;
    for (name, stdout) in [("stuck", full), ("closed", closed_pipe()?)] {
        let mut command = lab.downbeat()?;
        command.args(["play", &relay.ws_url(), "--name", name]);
        let _player = Unread::start(command, stdout)?;
        expect_ready(&mut watcher, name)?;
        // Long enough to be joined in the middle by a player that is still decoding it.
        let sound = Some("texture".to_owned());
        let bang = TriggerRequest { sound, ..TriggerRequest::default() };
        watcher.send(&ClientToRelay::Trigger(bang))?;
        expect_sounded(&mut watcher, name)?;
    }
    Ok(())
}

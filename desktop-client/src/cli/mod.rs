//! The command line: reads it, and runs the window or a command.

mod add;
mod bang;
mod devices;
mod play;
mod relays;
mod remote;
mod report_lines;
mod start;
mod stop;
mod variables;
mod watch;
mod window;

use std::process::ExitCode;

use downbeat_command_line::{complain, log_to_stderr, parse, refuse};

use crate::config::{Command, Config};

const PROGRAM: &str = "downbeat";

/// Runs the program. Exits with 2 if a setting is wrong, and with 1 if it fails.
#[must_use]
pub fn main() -> ExitCode {
    let config = match parse::<Config>(PROGRAM) {
        Ok(config) => config,
        Err(code) => return code,
    };
    // "off" for the libraries: some log what is no concern of a user.
    let _log = match log_to_stderr(&format!("off,downbeat={}", config.log)) {
        Ok(log) => log,
        Err(error) => return refuse(PROGRAM, format_args!("cannot start the log: {error}")),
    };
    let outcome = match &config.command {
        None => config.window.relay.address().map(|relay| window::run(&config.window, relay)),
        Some(Command::Play(player)) => player.relay.address().map(|relay| play::run(player, relay)),
        Some(Command::Bang(config)) => match config.request() {
            Ok(request) => config.relay.address().map(|relay| bang::run(config, relay, &request)),
            Err(error) => return refuse(PROGRAM, error),
        },
        Some(Command::Stop(config)) => config.relay.address().map(|relay| stop::run(config, relay)),
        Some(Command::Set(config)) => {
            config.relay.address().map(|relay| variables::set(config, relay))
        }
        Some(Command::Get(config)) => {
            config.relay.address().map(|relay| variables::get(config, relay))
        }
        Some(Command::Add(config)) => config.relay.address().map(|relay| add::run(config, relay)),
        Some(Command::Watch(config)) => config.address().map(|relay| watch::run(config, relay)),
        Some(Command::Relays(config)) => Ok(relays::run(config)),
        Some(Command::Devices) => Ok(devices::run()),
    };
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(format_args!("{PROGRAM}: {error:#}"));
            ExitCode::FAILURE
        }
        Err(error) => refuse(PROGRAM, error),
    }
}

//! Reads the settings of Downbeat's programs, prints and logs.
//!
//! Every flag can also be set by the environment and by a configuration file; a flag overrides the
//! environment, which overrides the file. The file's values become the defaults of the flags before the
//! command line is parsed, so that one parser validates all three.
//!
//! This package knows no settings: each program declares its own with clap.

mod file;
mod output;

use std::{borrow::Cow, ffi::OsString, fmt::Display, process::ExitCode};

use clap::{Parser, error::ErrorKind};

pub use output::{Printer, complain, log_to_stderr, print};

/// Exit code of a program that was started with unusable settings.
const WRONG_USE: u8 = 2;

/// Reads the settings of `P` from the command line, the environment and `<program>.toml`.
///
/// `DOWNBEAT_CONFIG` names the file; by default it is in the user's configuration folder.
///
/// # Errors
/// The exit code: 0 after printing `--help` or `--version`, 2 after one line on stderr that names what is
/// wrong.
pub fn parse<P: Parser>(program: &str) -> Result<P, ExitCode> {
    parse_from(program, std::env::args_os())
}

fn parse_from<P: Parser>(
    program: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<P, ExitCode> {
    let command = file::with_defaults_of_file(P::command(), program)
        .map_err(|error| refuse(program, error))?;
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|mut matches| P::from_arg_matches_mut(&mut matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print(error);
            ExitCode::SUCCESS
        }
        _ => refuse(program, first_line(&error)),
    })
}

/// Prints on stderr, in one line, why `program` cannot start, and returns the exit code.
pub fn refuse(program: &str, why: impl Display) -> ExitCode {
    complain(format_args!("{program}: {why}"));
    ExitCode::from(WRONG_USE)
}

/// The error message of clap, without the usage.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ");
    // Missing arguments are listed on the following lines; they are joined into one.
    let words = text.split("\n\n").next().unwrap_or(text).split_whitespace();
    words.map(without_token).collect::<Vec<_>>().join(" ")
}

/// A word of the command line without the token that it may contain (`--token=...`, or in the fragment of an
/// address), which must not be printed.
fn without_token(word: &str) -> Cow<'_, str> {
    const KEY: &str = "token=";
    match word.find(KEY) {
        Some(at) => format!("{}…", &word[..at + KEY.len()]).into(),
        None => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Settings {
        _place: Option<u16>,
    }

    #[test]
    fn error_messages_contain_no_token() {
        for (arguments, named) in [
            (&["http://lab/#token=hidden"][..], "http://lab/#token=…"),
            (&["1", "lab#x=1&token=hidden"], "lab#x=1&token=…"),
            (&["--token=hidden"], "--token"),
        ] {
            let arguments = ["downbeat"].iter().chain(arguments);
            let message = first_line(&Settings::try_parse_from(arguments).unwrap_err());
            assert!(message.contains(named) && !message.contains("hidden"), "{message}");
        }
    }
}

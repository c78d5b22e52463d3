//! How Downbeat's programs read their settings, and how they print and log.
//!
//! Every flag can also come from the environment and from a configuration file: flag over
//! environment over file. The file's values become the defaults of the flags before the command
//! line is parsed, so that one parser checks all three and names what is wrong the same way.
//!
//! Nothing here knows which settings there are: each program declares its own with clap.

mod file;
mod output;

use std::{borrow::Cow, ffi::OsString, fmt::Display, process::ExitCode};

use clap::{Parser, error::ErrorKind};

pub use output::{Printer, complain, log_to_stderr, print};

/// How a program ended for a reason that the person who started it can mend: exit code 2.
pub const WRONG_USE: u8 = 2;

/// Reads the settings of `P` from the command line, the environment and `<program>.toml`.
///
/// The file is looked for where `DOWNBEAT_CONFIG` says, else in the user's configuration folder.
///
/// # Errors
/// The exit code to end with: 0 after `--help` or `--version` was printed, 2 after one line on
/// stderr that names what is wrong.
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

/// Says on stderr, in one line, why `program` cannot go on, and gives the code to end with.
pub fn refuse(program: &str, why: impl Display) -> ExitCode {
    complain(format_args!("{program}: {why}"));
    ExitCode::from(WRONG_USE)
}

/// What clap says about an error before it begins to explain usage.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ");
    // A list of missing arguments stands indented on the lines below; one line must name them too.
    let words = text.split("\n\n").next().unwrap_or(text).split_whitespace();
    words.map(without_token).collect::<Vec<_>>().join(" ")
}

/// A word of the command line as it may be repeated: a token in it (`--token=...`, or behind the
/// `#` of an address) was not meant to be read by others.
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
    fn what_is_refused_is_repeated_without_a_token() {
        for (arguments, named) in [
            (&["http://lab/#token=hidden"][..], "http://lab/#token=…"),
            (&["1", "lab#x=1&token=hidden"], "lab#x=1&token=…"),
            (&["--token=hidden"], "--token"),
        ] {
            let arguments = ["downbeat"].iter().chain(arguments);
            let said = first_line(&Settings::try_parse_from(arguments).unwrap_err());
            assert!(said.contains(named) && !said.contains("hidden"), "{said}");
        }
    }
}

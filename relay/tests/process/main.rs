//! The `downbeat-relay` program: its settings, its output, its log, its signals.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what is unexpected fails the test")]

#[cfg(unix)]
mod announcement;
#[path = "../common/mod.rs"]
mod common;
mod killed;
mod killed_uploads;
#[cfg(unix)]
mod log;
#[cfg(target_os = "linux")]
mod priorities;
#[cfg(unix)]
mod samples_folder;
mod settings;
#[cfg(unix)]
mod shutdown;
#[cfg(unix)]
mod terminal;

use std::{
    io::{self, BufRead as _, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use common::within;
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_downbeat-relay"));
    // The environment of the test run must not change the tests.
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

/// A running program, killed when dropped.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Relay {
    /// Starts the program and reads its first line.
    async fn start(mut command: Command) -> (Self, SocketAddr) {
        let mut relay = Self(command.spawn().unwrap());
        let stdout = relay.0.stdout.take().unwrap();
        let line = line_where(stdout, |_| true).await;
        let address = line.strip_prefix("Server started: http://").expect(&line);
        (relay, address.parse().unwrap())
    }

    /// Terminates it and returns its complete log: a thread of its own writes the log, so that only a program
    /// that has ended has certainly written all of it.
    #[cfg(unix)]
    async fn log_to_the_end(&mut self) -> String {
        signal(self, Signal::TERM);
        assert_eq!(self.ended().await.code(), Some(0));
        let mut stderr = self.0.stderr.take().unwrap();
        let read = tokio::task::spawn_blocking(move || io::read_to_string(&mut stderr));
        within(read).await.unwrap().unwrap()
    }

    /// Its exit status, within the deadline.
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

/// The first line of `output` for which `what` holds, within the deadline. If there is none, the program is
/// killed with the test, and the reading thread ends.
async fn line_where(output: impl Read + Send + 'static, what: fn(&str) -> bool) -> String {
    let found = tokio::task::spawn_blocking(move || {
        BufReader::new(output).lines().map(Result::unwrap).find(|line| what(line))
    });
    within(found).await.unwrap().expect("the output ended before that line")
}

/// Runs a command to its end, within the deadline: exit code, stdout and stderr.
async fn run(mut command: Command) -> (Option<i32>, String, String) {
    let mut relay = Relay(command.spawn().unwrap());
    let (stdout, stderr) = (relay.0.stdout.take().unwrap(), relay.0.stderr.take().unwrap());
    let read = tokio::task::spawn_blocking(move || {
        // It prints less than a pipe holds, so that reading one after the other blocks nothing.
        [io::read_to_string(stdout), io::read_to_string(stderr)].map(Result::unwrap)
    });
    let [stdout, stderr] = within(read).await.unwrap();
    (relay.ended().await.code(), stdout, stderr)
}

/// The line on stderr with which the program refuses these arguments.
async fn refusal(arguments: &[&str]) -> String {
    let mut command = program();
    command.args(arguments);
    let (code, stdout, stderr) = run(command).await;
    assert_eq!(code, Some(2), "{stderr}");
    let lines: Vec<_> =
        stderr.lines().filter(|line| line.starts_with("downbeat-relay: ")).collect();
    assert_eq!(lines.len(), 1, "not one line: {stderr}");
    assert_eq!(stdout, "");
    lines[0].to_owned()
}

#[cfg(unix)]
fn signal(relay: &Relay, signal: Signal) {
    kill_process(Pid::from_child(&relay.0), signal).unwrap();
}

//! `downbeat play`: a player without a window.

use std::io;

use anyhow::Context as _;
use downbeat_protocol::ClientKind;

use super::{
    report_lines::ReportLines,
    start::{event_loop, printer, session_options},
};
use crate::{
    config::PlayerConfig,
    net::address::RelayAddress,
    session,
    settings::{Settings, SettingsFile},
    time::LocalClock,
};

/// Runs the command, until ctrl-C or SIGTERM.
pub(super) fn run(config: &PlayerConfig, relay: RelayAddress) -> anyhow::Result<()> {
    // The extra latency of an output is a property of the machine. Volume and output are the command's
    // to say: a player that nobody sees must not play elsewhere because of what was tried in a window.
    let extra_latencies = SettingsFile::of_user().read().extra_latencies;
    let settings = Settings { extra_latencies, ..Settings::default() };
    let clock = LocalClock::start();
    let options = session_options(config, relay, settings, ClientKind::Headless, clock)?;
    let event_loop = event_loop()?;
    // Before the first line is printed: whoever reads that may end the player.
    let terminated = event_loop.block_on(async { termination() })?;
    let mut lines = ReportLines::default();
    let printer = printer()?;
    let session = session::start(options, move |event| {
        if let Some(line) = lines.line(&event) {
            printer.print(line);
        }
    });
    let session = session.context("cannot start to play")?;
    event_loop.block_on(terminated);
    drop(session);
    Ok(())
}

/// Handles the signals that end a player from now on. The future completes when one comes.
#[cfg(unix)]
fn termination() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Handles ctrl-C from now on. The future completes when it comes.
#[cfg(windows)]
fn termination() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

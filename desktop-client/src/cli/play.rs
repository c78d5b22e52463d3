//! `downbeat play`: a player without a window.

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
    let mut lines = ReportLines::default();
    let printer = printer()?;
    let session = session::start(options, move |event| {
        if let Some(line) = lines.line(&event) {
            printer.print(line);
        }
    });
    let session = session.context("cannot start to play")?;
    event_loop()?.block_on(termination())?;
    drop(session);
    Ok(())
}

/// Waits for ctrl-C, or for SIGTERM where there is such a thing.
async fn termination() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

//! `downbeat-relay`: reads its settings and serves until it is told to stop.

use std::{
    io::{self, IsTerminal as _},
    panic,
    process::ExitCode,
};

use anyhow::Context as _;
use downbeat_platform::scheduling;
use downbeat_relay::{
    accept::certificate::Identity, config::Config, server::Server, text::Sanitized,
};

const PROGRAM: &str = "downbeat-relay";

fn main() -> anyhow::Result<ExitCode> {
    let config: Config = match downbeat_command_line::parse(PROGRAM) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    #[cfg(unix)]
    raise_descriptor_limit();
    // A thread of its own writes the log: a pipe that nobody reads must not block the relay.
    let log = downbeat_command_line::log_to_stderr(&format!("off,downbeat_relay={}", config.log))
        .context("cannot start the log")?;
    // The default hook writes to stderr itself, and would block on a pipe that nobody reads.
    panic::set_hook(Box::new(|panic| tracing::error!("{}", Sanitized(&panic.to_string()))));
    // One thread for everything that arrives: it is little work, and waking a second thread for half of it
    // costs more than the half. Broadcasts to many clients have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Blocking threads read the samples folder, which can wait.
        .on_thread_start(|| {
            if let Err(reason) = scheduling::reset_priority() {
                tracing::debug!(reason, "blocking thread keeps real-time priority");
            }
        })
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(run(&config));
    // A blocking thread may wait for a disk that does not answer.
    runtime.shutdown_background();
    drop(log);
    code
}

/// Raises the limit of file descriptors to the maximum: the default of 1024 is for programs that use
/// `select`, and each client needs one.
#[cfg(unix)]
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If refused, the relay serves as many clients as it can, and logs when it cannot accept more.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    // Installed before the relay is announced.
    let end = end_requested().context("cannot listen for signals")?;
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) if error.is_wrong_setting() => {
            return Ok(downbeat_command_line::refuse(PROGRAM, error));
        }
        Err(error) => {
            downbeat_command_line::complain(format_args!("{PROGRAM}: {error}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    #[cfg(unix)]
    {
        let reload = server.reload();
        on_hangup(&server, move || reload.notify_one()).context("cannot listen for signals")?;
    }
    // Messages must not wait for other programs, probes least of all. Before the announcement, so that no
    // client waits for the answer.
    server.raise_priority();
    announce(&server);
    Ok(serve(server, end).await)
}

async fn serve(server: Server, end: impl Future<Output = ()>) -> ExitCode {
    match server.run(end).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(panicked) => {
            // Through the log: writing to stderr would block if nobody reads it.
            tracing::error!("{panicked}");
            ExitCode::FAILURE
        }
    }
}

fn announce(server: &Server) {
    let mut lines = vec![format!("Server started: {}", server.url())];
    let others = server.urls_for_others();
    lines.extend(others.iter().map(|url| format!("For others: {url}")));
    if let Some(Identity { fingerprint, is_self_signed, .. }) = server.identity() {
        lines.push(format!("Fingerprint (SHA-256): {fingerprint}"));
        if *is_self_signed {
            let url = others.first().cloned().unwrap_or_else(|| server.url());
            lines.push(format!("Link for players: {url}/#fingerprint={fingerprint}"));
        }
    }
    // It contains a token: it is for the eyes of who has started the relay, and not for a file.
    if io::stdout().is_terminal() {
        lines.extend(server.invitation());
    }
    // A relay whose standard output is closed still serves.
    downbeat_command_line::print(format_args!("{}\n", lines.join("\n")));
}

/// Calls `reload` at each SIGHUP, which service managers send to reload.
#[cfg(unix)]
fn on_hangup(server: &Server, reload: impl Fn() + Send + 'static) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(server.supervisor().watch("SIGHUP listener", async move {
        while hangups.recv().await.is_some() {
            reload();
        }
    }));
    Ok(())
}

/// Completes at ctrl-C, or when the system or a service manager ends the process.
#[cfg(unix)]
fn end_requested() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Completes at ctrl-C, or when the console closes or the system shuts down.
#[cfg(windows)]
fn end_requested() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut interrupt, mut close, mut shutdown) = (ctrl_c()?, ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "what is unexpected fails the test")]
mod tests {
    use std::{future::pending, time::Duration};

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_panic_in_the_sighup_listener_ends_the_relay_with_a_failure() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(&Config { listen, ..Config::default() }).await.unwrap();
        on_hangup(&server, || panic!("injected")).unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        let code = tokio::time::timeout(Duration::from_secs(10), serve(server, pending())).await;
        // `ExitCode` implements no `PartialEq`.
        assert_eq!(format!("{:?}", code.unwrap()), format!("{:?}", ExitCode::FAILURE));
    }
}

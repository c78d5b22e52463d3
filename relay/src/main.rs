//! `downbeat-relay`: reads its settings, serves until it is told to end.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use downbeat_priority::Urgency;
use downbeat_relay::{certificate::Identity, config::Config, server::Server};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

const PROGRAM: &str = "downbeat-relay";

/// How long the end waits for the log to be written.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// Most lines of the log that wait to be written: a few for each of a thousand who come at once.
const LOG_LINES: usize = 4096;

fn main() -> anyhow::Result<ExitCode> {
    let config: Config = match downbeat_command_line::parse(PROGRAM) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    #[cfg(unix)]
    allow_open_files();
    // A thread of its own writes: a pipe that nobody reads must not keep the room waiting. What it
    // cannot write is lost; what it still has when the relay ends, it has a second to write.
    let (log, log_writer) = NonBlockingBuilder::default()
        .buffered_lines_limit(LOG_LINES)
        .thread_name("log")
        .finish(io::stderr());
    tracing_subscriber::fmt()
        .with_writer(log)
        // Where would it say that it cannot write? A closed stderr must not end the relay.
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .with_env_filter(EnvFilter::new(format!("off,downbeat_relay={}", config.log)))
        .init();
    // One thread for all that comes in: it is little, and to wake a second for half of it costs
    // more than the half. What goes out to many has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Whoever reads a folder and decodes what is in it does so when nothing else is to be done.
        .on_thread_start(|| {
            if let Err(reason) = downbeat_priority::give_way() {
                tracing::debug!(reason, "a thread goes before others that need not");
            }
        })
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(run(&config));
    // Whoever still waits for a disk that does not answer is left to it.
    runtime.shutdown_background();
    finish(log_writer);
    code
}

/// Has the rest of the log written, unless nobody reads it.
fn finish(log_writer: WorkerGuard) {
    let (done, told) = std::sync::mpsc::channel();
    // On a thread that can be left behind: where the log is stuck, this may be too.
    std::thread::spawn(move || {
        drop(log_writer);
        let _ = done.send(());
    });
    let _ = told.recv_timeout(LOG_PATIENCE);
}

/// Takes as many file descriptors as the system gives: the usual first limit of 1024 is for
/// programs that use `select`, and each client takes one.
#[cfg(unix)]
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the relay serves as many as it may, and says so when it may no more.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    // Listened for before anyone is told that the relay is there.
    let end = end_asked_for().context("cannot listen for signals")?;
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) => return Ok(downbeat_command_line::refuse(PROGRAM, error)),
    };
    #[cfg(unix)]
    reload_when_asked(&server).context("cannot listen for signals")?;
    announce(&server);
    // Not before: the threads that write have been started, and inherit nothing. They may wait for
    // their turn; what a client says may not, least of all a probe.
    if let Err(reason) = downbeat_priority::raise(Urgency::Relay) {
        tracing::info!(reason, "the relay takes its turn as any other program");
    }
    server.run(end).await;
    Ok(ExitCode::SUCCESS)
}

fn announce(server: &Server) {
    let mut lines = vec![format!("Server started: {}", server.url())];
    let others = server.urls_for_others();
    lines.extend(others.iter().map(|url| format!("For others: {url}")));
    if let Some(Identity { fingerprint, is_self_made, .. }) = server.identity() {
        lines.push(format!("Fingerprint (SHA-256): {fingerprint}"));
        if *is_self_made {
            let url = others.first().cloned().unwrap_or_else(|| server.url());
            lines.push(format!("For players, to copy: {url}/#fingerprint={fingerprint}"));
        }
    }
    // A relay whose standard output was closed still serves the room.
    let _ = writeln!(io::stdout(), "{}", lines.join("\n"));
}

/// Has the bank loaded anew at each SIGHUP, as service managers ask for it.
#[cfg(unix)]
fn reload_when_asked(server: &Server) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut hangups, reload) = (signal(SignalKind::hangup())?, server.reload());
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reload.notify_one();
        }
    });
    Ok(())
}

/// Completes at ctrl-C, or when the system or a service manager ends the process.
#[cfg(unix)]
fn end_asked_for() -> io::Result<impl Future<Output = ()>> {
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
fn end_asked_for() -> io::Result<impl Future<Output = ()>> {
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

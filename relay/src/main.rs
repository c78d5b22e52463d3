//! `downbeat-relay`: reads its settings, serves until it is told to end.

use std::{io, panic, process::ExitCode};

use anyhow::Context as _;
use downbeat_platform::scheduling;
use downbeat_relay::{certificate::Identity, config::Config, health::Printable, server::Server};

const PROGRAM: &str = "downbeat-relay";

fn main() -> anyhow::Result<ExitCode> {
    let config: Config = match downbeat_command_line::parse(PROGRAM) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    #[cfg(unix)]
    allow_open_files();
    // Its own thread writes it: a pipe that nobody reads must not keep the room waiting.
    let log = downbeat_command_line::log_to_stderr(&format!("off,downbeat_relay={}", config.log))
        .context("cannot start the log")?;
    // A panic is logged like all else: the usual way would wait for whoever reads stderr.
    panic::set_hook(Box::new(|panic| tracing::error!("{}", Printable(&panic.to_string()))));
    // One thread for all that comes in: it is little, and to wake a second for half of it costs
    // more than the half. What goes out to many has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Whoever reads a folder and decodes what is in it does so when nothing else is to be done.
        .on_thread_start(|| {
            if let Err(reason) = scheduling::reset_priority() {
                tracing::debug!(reason, "a thread goes before others that need not");
            }
        })
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(run(&config));
    // Whoever still waits for a disk that does not answer is left to it.
    runtime.shutdown_background();
    drop(log);
    code
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
    {
        let reload = server.reload();
        at_each_hangup(&server, move || reload.notify_one())
            .context("cannot listen for signals")?;
    }
    // What a client says may not wait for its turn, least of all a probe. Before anyone is told of it:
    // whoever comes then does not wait for the answer.
    server.raise();
    announce(&server);
    Ok(serve(server, end).await)
}

async fn serve(server: Server, end: impl Future<Output = ()>) -> ExitCode {
    match server.run(end).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(lost) => {
            // To the log and not to stderr itself: if nobody reads that, this must still end.
            tracing::error!("{lost}");
            ExitCode::FAILURE
        }
    }
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
    downbeat_command_line::print(format_args!("{}\n", lines.join("\n")));
}

/// Does `reload` at each SIGHUP, as service managers ask for it.
#[cfg(unix)]
fn at_each_hangup(server: &Server, reload: impl Fn() + Send + 'static) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(server.alarm().watch("SIGHUP listener", async move {
        while hangups.recv().await.is_some() {
            reload();
        }
    }));
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

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "what is unexpected fails the test")]
mod tests {
    use std::{future::pending, time::Duration};

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_listener_for_sighup_that_panics_ends_the_relay_with_a_failure() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(&Config { listen, ..Config::default() }).await.unwrap();
        at_each_hangup(&server, || panic!("injected")).unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        let code = tokio::time::timeout(Duration::from_secs(10), serve(server, pending())).await;
        // An exit code cannot be compared in another way.
        assert_eq!(format!("{:?}", code.unwrap()), format!("{:?}", ExitCode::FAILURE));
    }
}

//! `downbeat`: reads the command line and starts what it asks for.

use std::{io, process::ExitCode, time::Duration};

use anyhow::Context as _;
use downbeat::{
    action::Action,
    address::RelayAddress,
    app,
    audio::{OutputContext, TimingTrace, device},
    config::{BangConfig, Command, Config, FIRST_VOLUME, PlayerConfig},
    headless::Teller,
    remembered::{Remembered, RememberedFile},
    remote::{self, Bangs},
    session::{self, SessionOptions},
    sounds::Cache,
    state::{Flashes, State},
    time::LocalClock,
};
use downbeat_command_line::{Printer, complain, log_to_stderr, parse, print, refuse};
use downbeat_protocol::{ClientKind, TriggerRequest};

const PROGRAM: &str = "downbeat";

fn main() -> ExitCode {
    let config = match parse::<Config>(PROGRAM) {
        Ok(config) => config,
        Err(code) => return code,
    };
    // The libraries below this program would print icons as numbers.
    let _log = match log_to_stderr(&format!("off,downbeat={}", config.log)) {
        Ok(log) => log,
        Err(error) => return refuse(PROGRAM, format_args!("cannot start the log: {error}")),
    };
    let begun = match &config.command {
        None => config.window.relay.address().map(|relay| open_window(&config.window, relay)),
        Some(Command::Play(player)) => player.relay.address().map(|relay| play(player, relay)),
        Some(Command::Bang(config)) => match config.request() {
            Ok(request) => config.relay.address().map(|relay| bang(config, relay, request)),
            Err(error) => return refuse(PROGRAM, error),
        },
        Some(Command::Devices) => Ok(list_devices()),
    };
    let outcome = match begun {
        Ok(outcome) => outcome,
        Err(error) => return refuse(PROGRAM, error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("{PROGRAM}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What was given on the command line, and where nothing was, what is remembered.
fn session_options(
    config: &PlayerConfig,
    relay: RelayAddress,
    remembered: Remembered,
    kind: ClientKind,
    clock: LocalClock,
) -> anyhow::Result<SessionOptions> {
    let trace = config.record_timing.as_deref().map(|path| {
        TimingTrace::create(path).with_context(|| format!("cannot record to {}", path.display()))
    });
    Ok(SessionOptions {
        relay,
        name: config.relay.name(),
        kind,
        output: config.output().or(remembered.output).unwrap_or_default(),
        volume: config.volume.or(remembered.volume).unwrap_or(FIRST_VOLUME),
        trim: config.trim,
        trims: remembered.trims,
        remembered: RememberedFile::of_user(),
        outputs: OutputContext {
            clock,
            trace: trace.transpose()?,
            latency_millis: config.output_latency_ms,
        },
        cache: Cache::of_user(),
        sound_memory: u64::from(config.sound_memory_mib) << 20,
    })
}

fn open_window(config: &PlayerConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let clock = LocalClock::start();
    let remembered = RememberedFile::of_user().read();
    let sound = remembered.sound.clone();
    let options = session_options(config, relay, remembered, ClientKind::Window, clock)?;
    let SessionOptions { relay, name, output, volume, .. } = &options;
    let mut state = State::new(relay.to_string(), name.clone(), *volume, output.clone());
    state.selected = sound;
    if config.reduced_motion {
        state.flashes = Flashes::reduced();
    }
    let mut started = Ok(());
    app::run(state, clock, |wake| {
        let (tell, events) = std::sync::mpsc::channel();
        let session = session::start(options, move |event| {
            // A window that is gone needs no news.
            let _ = tell.send(event);
            wake();
        });
        let actions: Box<dyn FnMut(Action)> = match session {
            Ok(session) => Box::new(move |action| session.send(action)),
            Err(error) => {
                started = Err(error);
                Box::new(|_| ())
            }
        };
        app::Link { actions, events }
    })?;
    started.context("the session could not be started")
}

fn play(config: &PlayerConfig, relay: RelayAddress) -> anyhow::Result<()> {
    // How late an output is, is the machine's; how loud it is and which, the command's to say: a
    // player that nobody sees must not play elsewhere because of what was once tried in a window.
    let trims = RememberedFile::of_user().read().trims;
    let remembered = Remembered { trims, ..Remembered::default() };
    let clock = LocalClock::start();
    let options = session_options(config, relay, remembered, ClientKind::Headless, clock)?;
    let mut teller = Teller::default();
    let printer = printer()?;
    let session = session::start(options, move |event| {
        if let Some(line) = teller.line(&event) {
            printer.print(line);
        }
    });
    let session = session.context("cannot start to play")?;
    event_loop()?.block_on(asked_to_end())?;
    drop(session);
    Ok(())
}

fn bang(config: &BangConfig, relay: RelayAddress, request: TriggerRequest) -> anyhow::Result<()> {
    let every = Duration::from_millis(config.every);
    let name = config.relay.name();
    let bangs = Bangs { relay, name, request, count: config.count, every };
    let printer = printer()?;
    let banged =
        remote::bang(&bangs, |number, sound| printer.print(format!("bang {number}: {sound}")));
    event_loop()?.block_on(banged).with_context(|| format!("cannot bang at {}", bangs.relay))
}

fn list_devices() -> anyhow::Result<()> {
    let devices = device::list()?;
    anyhow::ensure!(!devices.is_empty(), "there is no output device");
    for device in devices {
        let mark = if device.is_default { '*' } else { ' ' };
        print(format_args!("{mark} {}\n    {}\n", device.name, device.id));
    }
    Ok(())
}

fn printer() -> anyhow::Result<Printer> {
    Printer::start(io::stdout()).context("the system gives no thread to print from")
}

fn event_loop() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("the system gives no event loop")
}

/// Waits for ctrl-C, or for SIGTERM where there is such a thing.
async fn asked_to_end() -> anyhow::Result<()> {
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

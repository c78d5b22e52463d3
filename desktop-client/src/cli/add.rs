//! `downbeat add`: adds files to the relay's bank, and exits once all players can play them.

mod banks;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use downbeat_command_line::Printer;
use downbeat_protocol::{ClientToRelay, UploadRequest, WatchRequest};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use self::banks::Banks;
use super::{
    remote::{self, ANSWER_TIMEOUT, Remote, RemoteError},
    start::printer,
};
use crate::{
    config::AddConfig,
    net::address::RelayAddress,
    session::protocol::Incoming,
    sounds::{AddedSound, Upload, UploadEvent},
    state::{ReadyOn, WatchedRoom},
    time::LocalClock,
};

/// Capacity of the queue from an upload, which waits when it is full.
const EVENTS: usize = 16;

/// How often a lost connection is opened again.
const RECONNECTIONS: u32 = 5;
const RECONNECTION_PAUSE: Duration = Duration::from_secs(1);

/// How long all players must be ready: the relay tells about a large room in several messages.
const SETTLED: Duration = Duration::from_millis(600);

/// Runs the command: prints a line for each file, and fails if one of them is not added.
pub(super) fn run(config: &AddConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let printer = printer()?;
    let address = relay.clone();
    let failed = remote::run("add sounds", &address, add(config, relay, &printer))?;
    if failed > 0 {
        bail!("{failed} of {} files were not added", config.files.len());
    }
    Ok(())
}

/// A sound that was added, and is not ready everywhere yet.
struct Added {
    sound: AddedSound,
    /// Since when all players have been ready.
    complete_since: Option<Instant>,
}

/// Returns how many files were not added.
async fn add(
    config: &AddConfig,
    relay: RelayAddress,
    printer: &Printer,
) -> Result<usize, RemoteError> {
    let mut client = Client::connect(relay, config.relay.name()).await?;
    let mut added = Vec::new();
    for path in &config.files {
        let progress = Progress::of(path);
        match client.upload(path, &progress).await? {
            Ok(sound) => added.push(sound),
            Err(reason) => printer.print(format!("failed {}: {reason}", path.display())),
        }
    }
    let failed = config.files.len() - added.len();
    let added = added.into_iter().map(|sound| Added { sound, complete_since: None });
    client.wait(added.collect(), Duration::from_secs(config.timeout), printer).await?;
    client.remote.close().await;
    Ok(failed)
}

struct Client {
    relay: RelayAddress,
    name: String,
    remote: Remote,
    banks: Banks,
    room: WatchedRoom,
    clock: LocalClock,
    next_ack: u64,
    reconnections: u32,
    /// [`ANSWER_TIMEOUT`].
    answer_timeout: Duration,
}

/// A request for the path of a file, which the relay has not answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    ack: u64,
    /// When the relay counts as lost without an answer.
    deadline: Instant,
}

impl Client {
    async fn connect(relay: RelayAddress, name: String) -> Result<Self, RemoteError> {
        let remote = Remote::connect(relay.clone(), name.clone()).await?;
        let banks = Banks::of(remote.welcome()?);
        Ok(Self {
            relay,
            name,
            remote,
            banks,
            room: WatchedRoom::default(),
            clock: LocalClock::start(),
            next_ack: 1,
            reconnections: 0,
            answer_timeout: ANSWER_TIMEOUT,
        })
    }

    /// Connects again after the loss of the connection, a few times.
    async fn reconnect(&mut self, error: RemoteError) -> Result<(), RemoteError> {
        if !matches!(error, RemoteError::Connection(_) | RemoteError::NotConfirmed) {
            return Err(error);
        }
        let mut error = error;
        while self.reconnections < RECONNECTIONS {
            self.reconnections += 1;
            sleep(RECONNECTION_PAUSE).await;
            match Remote::connect(self.relay.clone(), self.name.clone()).await {
                Ok(remote) => {
                    self.remote = remote;
                    self.room = WatchedRoom::default();
                    self.banks.joined_again(self.remote.welcome()?);
                    return Ok(());
                }
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    /// Uploads one file. The outer error ends the command, the inner one is about this file.
    async fn upload(
        &mut self,
        path: &Path,
        progress: &Progress,
    ) -> Result<Result<AddedSound, String>, RemoteError> {
        let (send, mut events) = mpsc::channel(EVENTS);
        let started = Upload::start(path.to_owned(), move |event| {
            // Fails only when the command has ended.
            let _ = send.blocking_send(event);
        });
        let upload = match started {
            Ok(upload) => upload,
            Err(error) => return Ok(Err(format!("the system gives no thread: {error}"))),
        };
        let mut checked = None;
        let mut asked: Option<Asked> = None;
        loop {
            let deadline = asked.map(|asked| asked.deadline);
            let incoming = tokio::select! {
                event = events.recv() => {
                    progress.show(event.as_ref());
                    match event {
                        Some(UploadEvent::Checked { name, bytes }) => {
                            checked = Some((name, bytes));
                            asked = self.ask(checked.as_ref()).await?;
                        }
                        Some(UploadEvent::Expired) => {
                            asked = self.ask(checked.as_ref()).await?;
                        }
                        Some(UploadEvent::Sending { .. } | UploadEvent::Decoding) => {}
                        Some(UploadEvent::Ended(outcome)) => return Ok(outcome),
                        None => return Ok(Err("the upload ended early".to_owned())),
                    }
                    continue;
                }
                incoming = self.remote.receive() => incoming,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    Err(RemoteError::NotConfirmed)
                }
            };
            match incoming {
                Ok(Incoming::UploadReady(ready))
                    if asked.is_some_and(|asked| asked.ack == ready.ack) =>
                {
                    asked = None;
                    upload.send_to(self.relay.clone(), ready.path);
                }
                Ok(incoming) => self.received(incoming),
                // There is only one request at a time.
                Err(RemoteError::Refused(refusal)) => {
                    return Ok(Err(RemoteError::Refused(refusal).to_string()));
                }
                Err(error) => {
                    self.reconnect(error).await?;
                    if asked.is_some() {
                        asked = self.ask(checked.as_ref()).await?;
                    }
                }
            }
        }
    }

    /// Asks the relay for a path.
    async fn ask(&mut self, file: Option<&(String, u64)>) -> Result<Option<Asked>, RemoteError> {
        let Some((name, bytes)) = file else { return Ok(None) };
        loop {
            let ack = self.next_ack;
            self.next_ack += 1;
            let request = UploadRequest { name: name.clone(), bytes: *bytes, ack };
            match self.remote.send(&ClientToRelay::Upload(request)) {
                Ok(()) => {
                    let deadline = Instant::now() + self.answer_timeout;
                    return Ok(Some(Asked { ack, deadline }));
                }
                Err(error) => self.reconnect(error).await?,
            }
        }
    }

    fn received(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::BankChanged(bank) => self.banks.changed(bank),
            Incoming::Machines(change) => self.room.update(change, self.clock.now()),
            _ => {}
        }
    }

    /// Waits until every sound is ready on all players, or until the time is over, and prints a line for each.
    async fn wait(
        &mut self,
        mut added: Vec<Added>,
        timeout: Duration,
        printer: &Printer,
    ) -> Result<(), RemoteError> {
        let waited = self.wait_until_ready(&mut added, timeout, printer).await;
        for one in added {
            printer.print(self.line(&one));
        }
        match waited {
            // Who may not watch the room has added the sounds all the same.
            Err(RemoteError::Refused(_)) => Ok(()),
            waited => waited,
        }
    }

    /// Takes those that are ready from `added`, until there are none or the time is over.
    async fn wait_until_ready(
        &mut self,
        added: &mut Vec<Added>,
        timeout: Duration,
        printer: &Printer,
    ) -> Result<(), RemoteError> {
        let deadline = Instant::now() + timeout;
        if !timeout.is_zero() && !added.is_empty() {
            self.remote.send(&ClientToRelay::Watch(WatchRequest { room: true, ack: None }))?;
        }
        while !added.is_empty() && Instant::now() < deadline {
            let wake_at = deadline.min(Instant::now() + SETTLED / 2);
            tokio::select! {
                incoming = self.remote.receive() => match incoming {
                    Ok(incoming) => self.received(incoming),
                    Err(error) => {
                        self.reconnect(error).await?;
                        let watch = WatchRequest { room: true, ack: None };
                        self.remote.send(&ClientToRelay::Watch(watch))?;
                    }
                },
                () = sleep_until(wake_at) => {}
            }
            let now = Instant::now();
            for one in added.iter_mut() {
                let has_room = !self.room.clients.is_empty();
                let is_complete = has_room && self.ready(one).is_some_and(ReadyOn::is_complete);
                one.complete_since = is_complete.then(|| one.complete_since.unwrap_or(now));
            }
            let is_ready = |one: &mut Added| {
                one.complete_since.is_some_and(|since| now.duration_since(since) >= SETTLED)
            };
            let ready: Vec<_> = added.extract_if(.., is_ready).collect();
            for one in ready {
                printer.print(self.line(&one));
            }
        }
        Ok(())
    }

    fn ready(&self, Added { sound, .. }: &Added) -> Option<ReadyOn> {
        let since = self.banks.since(&sound.hash)?;
        Some(self.room.ready_on(&sound.name, since, self.banks.sounds()))
    }

    fn line(&self, added: &Added) -> String {
        line(&added.sound.name, self.ready(added).unwrap_or_default())
    }
}

fn line(sound: &str, ReadyOn { ready, players }: ReadyOn) -> String {
    if players == 0 {
        format!("added {sound}: no player is known yet")
    } else {
        format!("added {sound}: ready on {ready} of {players}")
    }
}

/// The progress of a file on a terminal.
struct Progress {
    file: Option<PathBuf>,
}

impl Progress {
    fn of(path: &Path) -> Self {
        Self { file: io::stderr().is_terminal().then(|| path.to_owned()) }
    }

    fn show(&self, event: Option<&UploadEvent>) {
        let Some(file) = &self.file else { return };
        let text = match event {
            Some(UploadEvent::Sending { sent, bytes }) => {
                format!("{}: {} %", file.display(), sent * 100 / bytes.max(&1))
            }
            Some(UploadEvent::Decoding) => format!("{}: decoding", file.display()),
            // The line of the result takes its place.
            _ => String::new(),
        };
        // A terminal that is gone needs no progress.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }
}

#[cfg(test)]
mod tests;

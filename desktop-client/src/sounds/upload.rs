//! Uploads a file to the relay's bank, by HTTP.
//!
//! A thread of its own checks the file, waits until it is told where to send it, and sends it, again and from the
//! start if that is interrupted. What the relay is asked beforehand is for its owner to say: nothing here knows
//! messages.

use std::{
    fs::File,
    io::{self, Read, Seek as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use downbeat_platform::scheduling;
use downbeat_protocol::{MAX_NAME_CHARS, MAX_UPLOAD_BYTES, clean_name, is_hidden};
use serde::Deserialize;
use thiserror::Error;
use ureq::{Agent, SendBody, http::Response};

use crate::net::{
    address::RelayAddress,
    http::{self, reason},
};

/// How often a file is sent before it is given up.
const ATTEMPTS: u32 = 4;

/// The wait before the second attempt; each further one is twice the last.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// How long a transfer may stall.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the relay may take to decode a sound and to keep it.
const DECODE_TIMEOUT: Duration = Duration::from_mins(2);

/// How often it is asked whether it has decoded a file.
const DECODE_PAUSE: Duration = Duration::from_millis(500);

/// How often the progress is reported.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Most of a reason that is shown.
const MAX_REASON_CHARS: usize = 300;

/// What happens to an upload, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEvent {
    /// The file is there, and may be sent: ask the relay for it, and call [`Upload::send_to`].
    Checked {
        /// The name of its sound.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// It is being sent.
    Sending {
        /// Bytes that are sent.
        sent: u64,
        /// Its size.
        bytes: u64,
    },
    /// All of it is sent.
    Decoding,
    /// The relay does not know the path any more: ask it again, and call [`Upload::send_to`].
    Expired,
    /// It is over, well or not: the last event.
    Ended(Result<AddedSound, String>),
}

/// A sound that was added to the bank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AddedSound {
    /// Its name. The relay may have appended a number.
    pub name: String,
    /// Its hash in the bank.
    pub hash: String,
}

/// The handle of an upload. Dropping it cancels the upload, which the relay then forgets.
#[derive(Debug)]
pub struct Upload {
    targets: SyncSender<Target>,
    is_cancelled: Arc<AtomicBool>,
}

/// Where a file is sent.
#[derive(Debug)]
struct Target {
    relay: RelayAddress,
    path: String,
}

/// Why an attempt has failed.
#[derive(Debug, Error)]
enum Failure {
    /// It may succeed when it is tried again.
    #[error("the transfer was interrupted: {0}")]
    Interrupted(String),
    /// It would fail again.
    #[error("{0}")]
    Final(String),
    /// The relay has the whole file from a former attempt, whose answer was lost, and still decodes it.
    #[error("the relay does not say whether it can decode it as a sound")]
    Undecided,
    /// The relay does not know the path.
    #[error("the relay has given up waiting for the file")]
    Expired,
}

impl Upload {
    /// Starts to upload a file. `report` is called on the upload's thread, and may wait.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        file: PathBuf,
        report: impl FnMut(UploadEvent) + Send + 'static,
    ) -> io::Result<Self> {
        // One is asked for at a time.
        let (targets, received) = sync_channel(1);
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let task = Task {
            targets: received,
            is_cancelled: Arc::clone(&is_cancelled),
            report: Box::new(report),
            has_ended: false,
        };
        thread::Builder::new().name("downbeat-upload".to_owned()).spawn(move || {
            // It inherits the priority of the session, and a file can wait.
            let _ = scheduling::reset_priority();
            task.run(&file);
        })?;
        Ok(Self { targets, is_cancelled })
    }

    /// Sends the file to this path of the relay.
    pub fn send_to(&self, relay: RelayAddress, path: String) {
        // A second one before the first is taken would be void, and so would one for an upload that has ended.
        let _ = self.targets.try_send(Target { relay, path });
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.is_cancelled.store(true, Relaxed);
    }
}

/// The state of the upload's thread.
struct Task {
    targets: Receiver<Target>,
    is_cancelled: Arc<AtomicBool>,
    report: Box<dyn FnMut(UploadEvent) + Send>,
    has_ended: bool,
}

impl Task {
    fn run(mut self, path: &Path) {
        let outcome = self.upload(path).map_err(|failure| failure.to_string());
        self.end(outcome);
    }

    fn end(&mut self, outcome: Result<AddedSound, String>) {
        self.has_ended = true;
        (self.report)(UploadEvent::Ended(outcome));
    }

    fn upload(&mut self, path: &Path) -> Result<AddedSound, Failure> {
        let Checked { mut file, name, bytes } = check(path)?;
        (self.report)(UploadEvent::Checked { name, bytes });
        let mut failures = 0;
        let mut pause = FIRST_PAUSE;
        let mut undecided_until = None;
        let mut target = self.next_target()?;
        loop {
            let failure = match self.send(&target, &mut file, bytes) {
                Ok(added) => return Ok(added),
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Undecided) {
                let until = *undecided_until.get_or_insert_with(|| Instant::now() + DECODE_TIMEOUT);
                if Instant::now() < until {
                    thread::sleep(DECODE_PAUSE);
                    continue;
                }
            }
            failures += 1;
            if failures == ATTEMPTS {
                let failure = failure.to_string();
                return Err(Failure::Final(format!("{failure} (it was tried {ATTEMPTS} times)")));
            }
            match failure {
                Failure::Final(_) | Failure::Undecided => return Err(failure),
                Failure::Expired => {
                    (self.report)(UploadEvent::Expired);
                    target = self.next_target()?;
                }
                Failure::Interrupted(why) => {
                    tracing::info!(file = %path.display(), why, "upload interrupted");
                    thread::sleep(pause);
                    pause *= 2;
                }
            }
        }
    }

    fn next_target(&self) -> Result<Target, Failure> {
        // Ends when the handle is dropped; nobody sees the reason then.
        self.targets.recv().map_err(|_| cancelled())
    }

    fn send(
        &mut self,
        target: &Target,
        file: &mut File,
        bytes: u64,
    ) -> Result<AddedSound, Failure> {
        if self.is_cancelled.load(Relaxed) {
            return Err(cancelled());
        }
        file.rewind().map_err(|error| Failure::Final(unreadable(&error)))?;
        let config = http::config()
            .timeout_per_write(Some(STALL_TIMEOUT))
            .timeout_recv_response(Some(DECODE_TIMEOUT))
            .timeout_recv_body(Some(STALL_TIMEOUT));
        let agent = http::agent(config, &target.relay);
        let mut body = Body {
            file,
            sent: 0,
            bytes,
            reported: Instant::now(),
            is_cancelled: &self.is_cancelled,
            report: &mut self.report,
            failure: None,
        };
        let response = put(&agent, target, &mut body);
        if let Some(failure) = body.failure {
            return Err(Failure::Final(failure));
        }
        match response {
            _ if self.is_cancelled.load(Relaxed) => Err(cancelled()),
            Ok(response) => answer(response),
            Err(error) => Err(Failure::Interrupted(reason(&error))),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // After a panic, which has been printed.
        if !self.has_ended {
            self.end(Err("the upload ended by a fault of downbeat".to_owned()));
        }
    }
}

fn cancelled() -> Failure {
    Failure::Final("cancelled".to_owned())
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

struct Checked {
    file: File,
    name: String,
    bytes: u64,
}

/// Opens a file, and checks what the relay would refuse anyway.
fn check(path: &Path) -> Result<Checked, Failure> {
    let failed = |error: io::Error| Failure::Final(unreadable(&error));
    // A pipe would wait for a writer when it is opened.
    let is_file = std::fs::metadata(path).map_err(failed)?.is_file();
    if !is_file {
        return Err(Failure::Final("it is no file".to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes == 0 {
        return Err(Failure::Final("the file is empty".to_owned()));
    }
    if bytes > MAX_UPLOAD_BYTES {
        let (given, max) = (bytes.div_ceil(1 << 20), MAX_UPLOAD_BYTES >> 20);
        let text = format!("the file has {given} MiB; the relay accepts {max} MiB");
        return Err(Failure::Final(text));
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = clean_name(&stem.chars().take(MAX_NAME_CHARS).collect::<String>());
    let name = name.ok_or_else(|| Failure::Final("the name of the file is empty".to_owned()))?;
    Ok(Checked { file, name, bytes })
}

/// The body of the request: the file, counted.
struct Body<'a> {
    file: &'a mut File,
    sent: u64,
    bytes: u64,
    reported: Instant,
    is_cancelled: &'a AtomicBool,
    report: &'a mut Box<dyn FnMut(UploadEvent) + Send>,
    /// Why the file could not be read.
    failure: Option<String>,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_cancelled.load(Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        // What is appended meanwhile is not announced.
        let left = usize::try_from(self.bytes - self.sent).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let count = self.file.read(&mut buffer[..room]).inspect_err(|error| {
            self.failure = Some(unreadable(error));
        })?;
        if count == 0 && room > 0 {
            self.failure = Some("the file has become shorter meanwhile".to_owned());
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.sent += count as u64;
        if self.sent == self.bytes {
            if count > 0 {
                (self.report)(UploadEvent::Decoding);
            }
        } else if self.reported.elapsed() >= PROGRESS_EVERY {
            self.reported = Instant::now();
            (self.report)(UploadEvent::Sending { sent: self.sent, bytes: self.bytes });
        }
        Ok(count)
    }
}

fn put(
    agent: &Agent,
    target: &Target,
    body: &mut Body<'_>,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let mut url = target.relay.http().clone();
    url.set_path(&format!("{}{}", url.path(), target.path));
    let mut request = agent.put(url.as_str()).header("Content-Length", body.bytes);
    if let Some(token) = target.relay.token() {
        request = request.header("Authorization", token.authorization());
    }
    request.send(SendBody::from_reader(body))
}

/// What the relay's answer means.
fn answer(mut response: Response<ureq::Body>) -> Result<AddedSound, Failure> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
    let text = String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned();
    let said = || {
        let text: String = text.chars().filter(|c| !is_hidden(*c)).take(MAX_REASON_CHARS).collect();
        text.trim().to_owned()
    };
    let or = |otherwise: &str| if said().is_empty() { otherwise.to_owned() } else { said() };
    match status {
        201 => serde_json::from_str(&text)
            .map_err(|_| Failure::Final("the relay's answer is not understood".to_owned())),
        404 => Err(Failure::Expired),
        409 => Err(Failure::Undecided),
        400 | 408 => Err(Failure::Interrupted(or("the relay has not received all of it"))),
        413 => Err(Failure::Final("the file has become larger meanwhile".to_owned())),
        415 => Err(Failure::Final(or("the relay cannot decode it as a sound"))),
        507 => Err(Failure::Final(or("the relay has no space left"))),
        // One that is too busy may have time later.
        429 | 503 => Err(Failure::Interrupted(or("the relay is busy"))),
        _ => Err(Failure::Final(format!("the relay answers with HTTP {status}: {}", said()))),
    }
}

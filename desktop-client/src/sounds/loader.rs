//! The loader: a thread that turns the sounds of a bank into buffers.

use std::{
    borrow::Cow,
    collections::HashMap,
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use downbeat_audio::SoundBuffer;
use downbeat_platform::supervise;
use downbeat_protocol::SoundInfo;
use downbeat_samples::{EMBEDDED, wav};
use tracing::{debug, info};

use super::{
    cache::Cache,
    content_hash::ContentHash,
    fetch::{FetchError, Fetcher},
    resample::{decoded_bytes, resample},
};
use crate::{net::address::RelayAddress, waveform::Waveform};

/// The first and the longest wait before a failed fetch is retried. Each wait is twice the last, and is
/// shortened by up to half at random, so that the machines of a room do not all fetch at the instant of a
/// relay's return.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Where the files of a bank come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the relay, by HTTP, unless they are embedded or cached.
    Relay(Box<RelayAddress>),
    /// From this program, which holds [`embedded_bank`].
    Embedded,
}

/// A request to load sounds.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// Where its files come from.
    pub source: Source,
    /// The sounds, in the order in which they are loaded.
    pub sounds: Vec<SoundInfo>,
    /// The device's rate, in frames per second; not 0.
    pub rate: u32,
    /// The session's number of this request, returned with every answer.
    pub generation: u64,
}

/// The loader's answers.
#[derive(Clone, Debug)]
pub enum LoaderToSession {
    /// A sound is loaded.
    Loaded {
        /// The number of the request.
        generation: u64,
        /// The name in the bank.
        name: String,
        /// The hash in the bank.
        hash: String,
        /// The sound at the device's rate.
        sound: Arc<SoundBuffer>,
        /// Its waveform.
        waveform: Arc<Waveform>,
    },
    /// A sound is not loaded. Repeated only when the reason changes.
    Failed {
        /// The number of the request.
        generation: u64,
        /// The name in the bank.
        name: String,
        /// Why, for people.
        reason: String,
        /// Whether the loader retries; it answers `Loaded` if it succeeds.
        will_retry: bool,
    },
    /// The request is complete: every sound is loaded or has failed for good.
    AllDone {
        /// The number of the request.
        generation: u64,
    },
}

/// The bank of this program, the default sound first, for relays that have none. Reads and hashes all of
/// it, which takes some milliseconds.
#[must_use]
pub fn embedded_bank() -> Vec<SoundInfo> {
    let bank = EMBEDDED.iter().filter_map(|sound| {
        // A test of the bank asserts that all its files are valid.
        let wav = wav::inspect(sound.wav).ok()?;
        Some(SoundInfo {
            name: sound.name.into(),
            hash: ContentHash::of(sound.wav).to_string(),
            bytes: sound.wav.len() as u64,
            frames: wav.frames,
            rate: wav.rate,
            channels: wav.channels,
            looped: None,
            gain_db: 0.0,
        })
    });
    bank.collect()
}

/// The handle of the loader's thread, which ends after its current sound when this is dropped.
#[derive(Debug)]
pub struct Loader {
    mailbox: Arc<Mailbox>,
}

impl Loader {
    /// Starts the thread. `send` is called on it with every answer, and must not block for long.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        cache: Cache,
        send: impl FnMut(LoaderToSession) + Send + 'static,
    ) -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let worker_mailbox = Arc::clone(&mailbox);
        supervise::spawn("downbeat-sounds", move || {
            let mut worker = Worker {
                mailbox: worker_mailbox,
                cache,
                embedded: EMBEDDED.iter().map(|s| (ContentHash::of(s.wav), s.wav)).collect(),
                ready: HashMap::new(),
                send,
            };
            while let Some(request) = worker.mailbox.take() {
                worker.serve(request);
            }
        })?;
        Ok(Self { mailbox })
    }

    /// Requests sounds. A former request is dropped, after its current sound. Answers to it may still
    /// arrive; their generation tells.
    ///
    /// Sounds that were loaded at that rate, and are still in use, are not loaded again.
    pub fn load(&self, request: LoadRequest) {
        self.mailbox.put(request);
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

/// A queue of one request: a newer one replaces it.
#[derive(Debug, Default)]
struct Mailbox {
    content: Mutex<MailboxContent>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum MailboxContent {
    #[default]
    Empty,
    Request(LoadRequest),
    Closed,
}

impl Mailbox {
    fn put(&self, request: LoadRequest) {
        *self.lock() = MailboxContent::Request(request);
        self.changed.notify_one();
    }

    fn close(&self) {
        *self.lock() = MailboxContent::Closed;
        self.changed.notify_one();
    }

    /// Waits for a request; `None` once closed.
    fn take(&self) -> Option<LoadRequest> {
        let content = self.changed.wait_while(self.lock(), |content| content.is_empty());
        let mut content = content.unwrap_or_else(PoisonError::into_inner);
        match mem::take(&mut *content) {
            MailboxContent::Request(request) => Some(request),
            MailboxContent::Empty | MailboxContent::Closed => None,
        }
    }

    /// Whether there is a newer request, or the end.
    fn is_waiting(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Waits for the same, at most for `pause`. Returns whether it came.
    fn wait(&self, pause: Duration) -> bool {
        let wait =
            self.changed.wait_timeout_while(self.lock(), pause, |content| content.is_empty());
        !wait.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, MailboxContent> {
        // The content is valid at every moment, so a panic elsewhere cannot have corrupted it.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MailboxContent {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// What the thread owns.
struct Worker<S> {
    mailbox: Arc<Mailbox>,
    cache: Cache,
    embedded: HashMap<ContentHash, &'static [u8]>,
    /// The loaded sounds that are still in use, and their waveforms. Their number is not limited here.
    ready: HashMap<ContentHash, (Weak<SoundBuffer>, Arc<Waveform>)>,
    send: S,
}

/// A sound that has to be fetched.
struct Missing {
    info: SoundInfo,
    hash: ContentHash,
    /// The last reported error.
    reported: Option<FetchError>,
}

impl<S: FnMut(LoaderToSession)> Worker<S> {
    /// Serves `request` until it is complete, or there is a newer one.
    fn serve(&mut self, request: LoadRequest) {
        let LoadRequest { source, sounds, rate, generation } = request;
        let wanted: Vec<_> =
            sounds.into_iter().map(|info| (ContentHash::parse(&info.hash), info)).collect();
        self.ready
            .retain(|_, (sound, _)| sound.upgrade().is_some_and(|sound| sound.rate() == rate));

        // Local files first, so that none of them waits for the network.
        let mut missing = Vec::new();
        for (hash, info) in wanted {
            if self.mailbox.is_waiting() {
                return;
            }
            let Some(hash) = hash else {
                let reason = format!("the relay's hash “{}” is not a SHA-256", info.hash);
                self.failed(generation, info.name, reason, false);
                continue;
            };
            if let Some((sound, waveform)) = self.ready(&hash) {
                self.loaded(generation, info, sound, waveform);
            } else if let Some(file) = self.find(&hash) {
                self.prepare(generation, info, hash, &file, rate);
            } else {
                missing.push(Missing { info, hash, reported: None });
            }
        }

        match source {
            Source::Relay(_) if missing.is_empty() => {}
            Source::Relay(relay) => self.fetch_all(generation, *relay, missing, rate),
            Source::Embedded => {
                for sound in missing {
                    let reason = "it is not embedded in this program".into();
                    self.failed(generation, sound.info.name, reason, false);
                }
            }
        }
        if !self.mailbox.is_waiting() {
            (self.send)(LoaderToSession::AllDone { generation });
        }
    }

    /// Fetches what is `missing`, with retries, until all is loaded or there is a newer request.
    fn fetch_all(
        &mut self,
        generation: u64,
        relay: RelayAddress,
        mut missing: Vec<Missing>,
        rate: u32,
    ) {
        let relay = Fetcher::new(relay);
        let mut pause = FIRST_PAUSE;
        loop {
            let mut still_missing = Vec::new();
            // When the relay does not answer for one sound, the others are not tried in this round. That
            // sound is the last of the next round, so that it does not delay the others.
            let mut unanswered = None;
            for mut sound in missing {
                if self.mailbox.is_waiting() {
                    return;
                }
                // It may have been loaded meanwhile, under another name.
                if let Some((ready, waveform)) = self.ready(&sound.hash) {
                    self.loaded(generation, sound.info, ready, waveform);
                    continue;
                }
                let fetched = match &unanswered {
                    Some((_, error)) => Err(FetchError::clone(error)),
                    None => relay.fetch(&sound.hash, sound.info.bytes),
                };
                match fetched {
                    Ok(file) => {
                        self.cache.put(&sound.hash, &file);
                        self.prepare(generation, sound.info, sound.hash, &file, rate);
                    }
                    Err(error) => {
                        let will_retry = error.is_transient();
                        if sound.reported.as_ref() != Some(&error) {
                            let name = sound.info.name.clone();
                            self.failed(generation, name, error.to_string(), will_retry);
                        }
                        sound.reported = Some(error.clone());
                        if unanswered.is_none() && matches!(error, FetchError::Unreachable(_)) {
                            unanswered = Some((sound, error));
                        } else if will_retry {
                            still_missing.push(sound);
                        }
                    }
                }
            }
            still_missing.extend(unanswered.map(|(sound, _)| sound));
            missing = still_missing;
            if missing.is_empty() || self.mailbox.wait(pause.mul_f64(1.0 - 0.5 * fastrand::f64())) {
                return;
            }
            pause = MAX_PAUSE.min(pause * 2);
        }
    }

    /// The file, if it is embedded or cached.
    fn find(&self, hash: &ContentHash) -> Option<Cow<'static, [u8]>> {
        match self.embedded.get(hash) {
            Some(file) => Some(Cow::Borrowed(file)),
            None => self.cache.get(hash).map(Cow::Owned),
        }
    }

    fn prepare(
        &mut self,
        generation: u64,
        info: SoundInfo,
        hash: ContentHash,
        file: &[u8],
        rate: u32,
    ) {
        let prepared = wav::decode(file)
            .map_err(|error| error.to_string())
            .and_then(|sound| resample(sound, rate).map_err(|error| error.to_string()));
        match prepared {
            // Memory was reserved for the size in the bank.
            Ok(sound) if sound.bytes() > decoded_bytes(&info, rate) => {
                let reason = "its file is longer than the relay says".to_owned();
                self.failed(generation, info.name, reason, false);
            }
            Ok(sound) => {
                let waveform = Arc::new(Waveform::of(sound.samples(), sound.channels()));
                let sound = Arc::new(sound);
                self.ready.insert(hash, (Arc::downgrade(&sound), Arc::clone(&waveform)));
                self.loaded(generation, info, sound, waveform);
            }
            Err(reason) => self.failed(generation, info.name, reason, false),
        }
    }

    /// A sound that is loaded and still in use.
    fn ready(&self, hash: &ContentHash) -> Option<(Arc<SoundBuffer>, Arc<Waveform>)> {
        let (sound, waveform) = self.ready.get(hash)?;
        Some((sound.upgrade()?, Arc::clone(waveform)))
    }

    fn loaded(
        &mut self,
        generation: u64,
        info: SoundInfo,
        sound: Arc<SoundBuffer>,
        waveform: Arc<Waveform>,
    ) {
        debug!(sound = info.name, frames = sound.frames(), rate = sound.rate(), "sound loaded");
        let (name, hash) = (info.name, info.hash);
        (self.send)(LoaderToSession::Loaded { generation, name, hash, sound, waveform });
    }

    fn failed(&mut self, generation: u64, name: String, reason: String, will_retry: bool) {
        info!(sound = name, reason, will_retry, "sound not loaded");
        (self.send)(LoaderToSession::Failed { generation, name, reason, will_retry });
    }
}

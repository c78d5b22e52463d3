//! Records all sound cards of the lab on one clock, frame by frame.

use std::{
    io::Read as _,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::nice;

use crate::{
    card::{self, Card},
    onsets,
    process::PATIENCE,
};

/// Sample rate of the lab, in frames per second.
pub const RATE: usize = 48_000;

/// How long a take records after [`Take::stop`]: what was then in the buffers of the players and
/// the card is recorded too.
const TAIL: Duration = Duration::from_millis(300);

/// Frames per update of the shared state: frequent enough for waiting threads, rare enough to cost
/// little.
const BATCH: usize = RATE / 200;

/// The state that the recorder and its takes share.
#[derive(Debug, Default)]
struct State {
    /// Frames recorded since the recorder started.
    frames: usize,
    /// Largest backlog of the sound server since the take began, in frames.
    backlog: u64,
    /// The frames of the take, interleaved; `None` while there is no take.
    take: Option<Vec<f32>>,
    /// Why the recording has ended.
    broken: Option<String>,
}

impl State {
    /// Largest delay of the sound server since the take began, beyond the card's buffer.
    fn server_late(&self) -> Duration {
        Duration::from_micros(self.backlog * 1_000_000 / RATE as u64)
    }

    /// Counts whole frames of `channels` channels, and appends the first `machines` channels of
    /// each to the take.
    fn append(&mut self, bytes: &[u8], channels: usize, machines: usize) {
        let frames = bytes.chunks_exact(channels * size_of::<f32>());
        self.frames += frames.len();
        let Some(take) = &mut self.take else { return };
        for frame in frames {
            let values = frame.as_chunks::<{ size_of::<f32>() }>().0;
            take.extend(values[..machines].iter().map(|value| f32::from_le_bytes(*value)));
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    moved: Condvar,
    /// Set when the recorder is dropped.
    over: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The reader appends whole blocks, so a panic elsewhere leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough` returns true.
    fn wait(&self, patience: Duration, enough: impl Fn(&State) -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while !enough(&state) {
            if let Some(why) = &state.broken {
                bail!("the recording has ended: {why}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("timed out after {patience:?}; the recorder is at frame {}", state.frames);
            }
            state = self
                .moved
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        Ok(())
    }
}

/// Records the lab for as long as it is open.
///
/// It runs even without a take, because it drives the card.
#[derive(Debug)]
pub struct Recorder {
    machines: usize,
    shared: Arc<Shared>,
    /// The program whose output is recorded, if it is not a card.
    source: Option<Child>,
    reader: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Drives `card`, whose frames have `channels` channels, and records the first `machines`
    /// channels.
    #[must_use]
    pub fn start(card: Card, channels: usize, machines: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let reader = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || record(card, channels, machines, &shared))
        };
        Self { machines, shared, source: None, reader: Some(reader) }
    }

    /// Records what `source` writes to stdout: 32-bit floats of `machines` channels.
    ///
    /// # Errors
    /// If it cannot be started, or writes nothing within [`PATIENCE`].
    pub fn listen(mut source: Command, machines: usize) -> Result<Self> {
        source.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut source = source.spawn().context("starting the recorder's source")?;
        let output = source.stdout.take().context("its stdout is piped")?;
        let shared = Arc::new(Shared::default());
        let reader = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || listen(output, machines, &shared))
        };
        let recorder = Self { machines, shared, source: Some(source), reader: Some(reader) };
        recorder.shared.wait(PATIENCE, |state| state.frames > 0).context("the first sound")?;
        Ok(recorder)
    }

    /// Starts a take. A new take replaces the last one.
    #[must_use]
    pub fn record(&self) -> Take {
        let mut state = self.shared.lock();
        state.take = Some(Vec::new());
        state.backlog = 0;
        Take { channels: self.machines, shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        if let Some(mut source) = self.source.take() {
            // The program may have ended by itself.
            let _ = source.kill();
            let _ = source.wait();
        }
        if let Some(reader) = self.reader.take() {
            // If the thread panicked, a take has already failed.
            let _ = reader.join();
        }
    }
}

fn record(mut card: Card, channels: usize, machines: usize, shared: &Shared) {
    // Real-time priority keeps the card on time. Without the permission, a busy machine makes it
    // late.
    let _ = nice(-20);
    let mut bytes = Vec::new();
    let mut backlog = 0;
    while !shared.over.load(Relaxed) {
        // Also while the card has a backlog: the server, which has to fill the pipe, may wait for this
        // processor.
        sleep(card::EVERY);
        let converted = card.convert(Instant::now(), &mut bytes);
        backlog = backlog.max(card.backlog());
        let frames = bytes.chunks_exact(channels * size_of::<f32>());
        if frames.len() < BATCH && converted.is_ok() {
            continue;
        }
        let mut state = shared.lock();
        state.backlog = state.backlog.max(std::mem::take(&mut backlog));
        state.append(&bytes, channels, machines);
        state.broken = converted.err().map(|error| format!("{error:#}"));
        let broken = state.broken.is_some();
        drop(state);
        bytes.clear();
        shared.moved.notify_all();
        if broken {
            return;
        }
    }
}

fn listen(mut output: ChildStdout, machines: usize, shared: &Shared) {
    let frame_bytes = machines * size_of::<f32>();
    let mut bytes = vec![0; BATCH * frame_bytes];
    let mut held = 0;
    loop {
        let read =
            output.read(&mut bytes[held..]).context("reading what is recorded").and_then(|count| {
                ensure!(count > 0, "the sound server has ended");
                Ok(count)
            });
        let mut state = shared.lock();
        match read {
            Ok(count) => held += count,
            Err(error) => state.broken = Some(format!("{error:#}")),
        }
        let broken = state.broken.is_some();
        let whole = held / frame_bytes * frame_bytes;
        state.append(&bytes[..whole], machines, machines);
        drop(state);
        bytes.copy_within(whole..held, 0);
        held -= whole;
        shared.moved.notify_all();
        if broken {
            return;
        }
    }
}

/// A recording in progress.
#[derive(Debug)]
pub struct Take {
    channels: usize,
    shared: Arc<Shared>,
}

impl Take {
    /// Waits for this much recorded time.
    ///
    /// # Errors
    /// If the recorder has stopped.
    pub fn wait(&self, time: Duration) -> Result<()> {
        let until = self.shared.lock().frames + frames_in(time);
        self.shared.wait(PATIENCE + time, |state| state.frames >= until).context("recording")
    }

    /// Waits until each of `channels` holds at least `count` onsets.
    ///
    /// # Errors
    /// If they do not within [`PATIENCE`]; the error contains the counts.
    pub fn wait_for_onsets(&self, channels: &[usize], count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut finders =
            vec![onsets::Finder::new(onsets::THRESHOLD, onsets::REFRACTORY); channels.len()];
        let mut searched = 0;
        loop {
            let new = self.since(searched);
            searched += new.len();
            for (finder, channel) in finders.iter_mut().zip(channels) {
                finder.search(new.iter().skip(*channel).step_by(self.channels));
            }
            let counts: Vec<_> = finders.iter().map(|finder| finder.onsets().len()).collect();
            if counts.iter().all(|c| *c >= count) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let late = self.shared.lock().server_late();
                bail!(
                    "expected {count} onsets on channels {channels:?}, found {counts:?}; the sound \
                     server was late by {late:?} at most"
                );
            }
            self.wait(Duration::from_millis(50))?;
        }
    }

    /// Ends the take once everything that sounds now has passed through the cards.
    ///
    /// # Errors
    /// If the recorder has stopped.
    pub fn stop(self) -> Result<Recording> {
        self.wait(TAIL)?;
        let mut state = self.shared.lock();
        let taken = state.take.take().unwrap_or_default();
        let server_late = state.server_late();
        drop(state);
        Ok(Recording { server_late, ..Recording::from_interleaved(&taken, self.channels) })
    }

    /// A copy of the values recorded after the first `known`. The recorder waits meanwhile.
    fn since(&self, known: usize) -> Vec<f32> {
        let state = self.shared.lock();
        state.take.as_ref().and_then(|take| take.get(known..)).unwrap_or_default().to_vec()
    }
}

/// The recorded output of the cards, one channel each.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The channels, all of the same length.
    pub channels: Vec<Vec<f32>>,
    /// Largest delay of the sound server beyond the card's buffer.
    pub server_late: Duration,
}

impl Recording {
    pub(crate) fn from_interleaved(values: &[f32], channels: usize) -> Self {
        let channel = |c| values.iter().skip(c).step_by(channels).copied().collect();
        Self { channels: (0..channels).map(channel).collect(), server_late: Duration::ZERO }
    }

    /// The frames at which sounds begin on a channel.
    #[must_use]
    pub fn onsets(&self, channel: usize) -> Vec<usize> {
        onsets::find(&self.channels[channel], onsets::THRESHOLD, onsets::REFRACTORY)
    }

    /// Number of onsets on each channel.
    #[must_use]
    pub fn onset_counts(&self) -> Vec<usize> {
        (0..self.channels.len()).map(|channel| self.onsets(channel).len()).collect()
    }

    /// The greatest absolute value on a channel.
    #[must_use]
    pub fn peak(&self, channel: usize) -> f32 {
        self.channels[channel].iter().fold(0.0, |peak, value| value.abs().max(peak))
    }
}

fn frames_in(time: Duration) -> usize {
    (time.as_secs_f64() * RATE as f64).ceil() as usize
}

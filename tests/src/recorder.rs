//! Every sound card of the lab on one clock: what each of them played, frame by frame.

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

/// Frames per second of the lab.
pub const RATE: usize = 48_000;

/// What a recording of the room holds after [`Take::stop`] was called: all that was on its way
/// through a player's and the card's buffers then.
const TAIL: Duration = Duration::from_millis(300);

/// Frames that are put on the tape at once: often enough for who waits for them, and seldom enough
/// to cost nothing.
const BATCH: usize = RATE / 200;

/// What the recorder knows.
#[derive(Debug, Default)]
struct Tape {
    /// All frames that came since the recorder was started.
    frames: usize,
    /// Frames that the sound server backlog at worst since the take began.
    backlog: u64,
    /// What came since the take began, interleaved; none while no one records.
    take: Option<Vec<f32>>,
    /// Why there will be no more.
    broken: Option<String>,
}

impl Tape {
    /// Puts whole frames of `channels` channels on the tape, and the first `machines` of each into the
    /// take.
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
    tape: Mutex<Tape>,
    moved: Condvar,
    /// Nobody listens any more.
    over: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tape> {
        // The reader appends whole blocks; a panic elsewhere leaves them whole.
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough` says so.
    fn wait(&self, patience: Duration, enough: impl Fn(&Tape) -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        let mut tape = self.lock();
        while !enough(&tape) {
            if let Some(why) = &tape.broken {
                bail!("the recording has ended: {why}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("not within {patience:?}; the recorder is at frame {}", tape.frames);
            }
            tape = self
                .moved
                .wait_timeout(tape, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        Ok(())
    }
}

/// Records the room for as long as the lab stands.
///
/// It always runs, also when no one looks, for it is what makes the card go.
#[derive(Debug)]
pub struct Recorder {
    machines: usize,
    shared: Arc<Shared>,
    /// The program that is read from, where it is not a card.
    source: Option<Child>,
    reader: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Lets `card`, whose frames are of `channels` channels, play, and records the first `machines`
    /// of them.
    #[must_use]
    pub fn start(card: Card, channels: usize, machines: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let reader = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || record(card, channels, machines, &shared))
        };
        Self { machines, shared, source: None, reader: Some(reader) }
    }

    /// Records what `source` writes to its output: 32-bit floats of `machines` channels.
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
        recorder.shared.wait(PATIENCE, |tape| tape.frames > 0).context("the first sound")?;
        Ok(recorder)
    }

    /// Starts a take. There is one at a time; a new one replaces the last.
    #[must_use]
    pub fn record(&self) -> Take {
        let mut tape = self.shared.lock();
        tape.take = Some(Vec::new());
        tape.backlog = 0;
        Take { channels: self.machines, shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        if let Some(mut source) = self.source.take() {
            // It may have ended by itself.
            let _ = source.kill();
            let _ = source.wait();
        }
        if let Some(reader) = self.reader.take() {
            // If it panicked, a take has already failed for it.
            let _ = reader.join();
        }
    }
}

fn record(mut card: Card, channels: usize, machines: usize, shared: &Shared) {
    // A card waits for nobody. Where this is not allowed, a busy machine makes it late.
    let _ = nice(-20);
    let mut bytes = Vec::new();
    let mut backlog = 0;
    let mut next = Instant::now();
    while !shared.over.load(Relaxed) {
        next += card::EVERY;
        sleep(next.saturating_duration_since(Instant::now()));
        let converted = card.convert(Instant::now(), &mut bytes);
        backlog = backlog.max(card.backlog());
        let frames = bytes.chunks_exact(channels * size_of::<f32>());
        if frames.len() < BATCH && converted.is_ok() {
            continue;
        }
        let mut tape = shared.lock();
        tape.backlog = tape.backlog.max(std::mem::take(&mut backlog));
        tape.append(&bytes, channels, machines);
        tape.broken = converted.err().map(|error| format!("{error:#}"));
        let broken = tape.broken.is_some();
        drop(tape);
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
                ensure!(count > 0, "the sound server has gone");
                Ok(count)
            });
        let mut tape = shared.lock();
        match read {
            Ok(count) => held += count,
            Err(error) => tape.broken = Some(format!("{error:#}")),
        }
        let broken = tape.broken.is_some();
        let whole = held / frame_bytes * frame_bytes;
        tape.append(&bytes[..whole], machines, machines);
        drop(tape);
        bytes.copy_within(whole..held, 0);
        held -= whole;
        shared.moved.notify_all();
        if broken {
            return;
        }
    }
}

/// A recording under way.
#[derive(Debug)]
pub struct Take {
    channels: usize,
    shared: Arc<Shared>,
}

impl Take {
    /// Lets this much sound go by, counted in recorded frames.
    ///
    /// # Errors
    /// If the recorder stands still.
    pub fn wait(&self, time: Duration) -> Result<()> {
        let until = self.shared.lock().frames + frames_in(time);
        self.shared.wait(PATIENCE + time, |tape| tape.frames >= until).context("recording")
    }

    /// Waits until each of `channels` holds at least `count` onsets.
    ///
    /// # Errors
    /// If they do not come within [`PATIENCE`]; the error says how many did.
    pub fn wait_for_onsets(&self, channels: &[usize], count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let so_far = self.so_far();
            let counts: Vec<_> = channels.iter().map(|c| so_far.onsets(*c).len()).collect();
            if counts.iter().all(|c| *c >= count) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{count} onsets were to come on channels {channels:?}, there are {counts:?}");
            }
            self.wait(Duration::from_millis(50))?;
        }
    }

    /// Records until all that sounds now has passed through the cards, and ends the take.
    ///
    /// # Errors
    /// If the recorder stands still.
    pub fn stop(self) -> Result<Recording> {
        self.wait(TAIL)?;
        let mut tape = self.shared.lock();
        let taken = tape.take.take().unwrap_or_default();
        let backlog = Duration::from_micros(tape.backlog * 1_000_000 / RATE as u64);
        drop(tape);
        Ok(Recording { server_late: backlog, ..Recording::from_interleaved(&taken, self.channels) })
    }

    fn so_far(&self) -> Recording {
        let tape = self.shared.lock();
        Recording::from_interleaved(tape.take.as_deref().unwrap_or_default(), self.channels)
    }
}

/// What the cards played, one channel each.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The channels, all of one length.
    pub channels: Vec<Vec<f32>>,
    /// By how much the sound server was late at worst, beyond what its card holds.
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

    /// How many sounds begin on each channel.
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

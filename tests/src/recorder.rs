//! Every sound card of the lab on one clock: what each of them played, frame by frame.

use std::{
    io::Read,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{onsets, process::PATIENCE};

/// Frames per second of the lab.
pub const RATE: usize = 48_000;

/// What a recording of the room holds after [`Take::stop`] was called: all that was on its way
/// through a card's buffer then (the room's buffer is at most 50 ms, the recorder's 20 ms).
const TAIL: Duration = Duration::from_millis(300);

/// What the recorder knows.
#[derive(Debug, Default)]
struct Tape {
    /// All frames that came since the recorder was started.
    frames: usize,
    /// What came since the take began, interleaved; none while no one records.
    take: Option<Vec<f32>>,
    /// Whether the recording program has ended.
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    tape: Mutex<Tape>,
    moved: Condvar,
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
            if tape.ended {
                bail!("the recording program has ended");
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
/// It always runs, also when no one looks: the room's card then renders in small steps from the
/// first sound on, and a take begins at once.
#[derive(Debug)]
pub struct Recorder {
    channels: usize,
    child: Child,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts `command`, which writes interleaved 32-bit floats of `channels` channels to its
    /// stdout, and waits for its first frames.
    ///
    /// # Errors
    /// If it cannot be started or nothing comes.
    pub fn start(mut command: Command, channels: usize) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?} cannot be started"))?;
        let pipe = child.stdout.take().context("the recorder's stdout is piped")?;
        let shared = Arc::new(Shared::default());
        let reader = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || read(pipe, channels, &shared))
        };
        let recorder = Self { channels, child, shared, reader: Some(reader) };
        recorder.shared.wait(PATIENCE, |tape| tape.frames > 0).context("starting the recorder")?;
        Ok(recorder)
    }

    /// Starts a take. There is one at a time; a new one replaces the last.
    #[must_use]
    pub fn record(&self) -> Take {
        self.shared.lock().take = Some(Vec::new());
        Take { channels: self.channels, shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            // It ends with the pipe; if it panicked, a take has already failed for it.
            let _ = reader.join();
        }
    }
}

fn read(mut pipe: ChildStdout, channels: usize, shared: &Shared) {
    let mut bytes = vec![0; 1 << 16];
    let mut filled = 0;
    while let Ok(count @ 1..) = pipe.read(&mut bytes[filled..]) {
        filled += count;
        let frame_bytes = channels * size_of::<f32>();
        let whole = filled - filled % frame_bytes;
        let mut tape = shared.lock();
        tape.frames += whole / frame_bytes;
        if let Some(take) = &mut tape.take {
            let values = bytes[..whole].as_chunks::<{ size_of::<f32>() }>().0;
            take.extend(values.iter().map(|value| f32::from_le_bytes(*value)));
        }
        drop(tape);
        shared.moved.notify_all();
        bytes.copy_within(whole..filled, 0);
        filled -= whole;
    }
    shared.lock().ended = true;
    shared.moved.notify_all();
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
        let taken = self.shared.lock().take.take().unwrap_or_default();
        Ok(Recording::from_interleaved(&taken, self.channels))
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
}

impl Recording {
    fn from_interleaved(values: &[f32], channels: usize) -> Self {
        let channel = |c| values.iter().skip(c).step_by(channels).copied().collect();
        Self { channels: (0..channels).map(channel).collect() }
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

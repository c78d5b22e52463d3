//! Records the sound system's timestamps, the device clock's estimates, and where each voice started,
//! so that the same input can be replayed through another device clock.
//!
//! The audio thread pushes fixed-size entries into a wait-free ring; another thread formats and writes
//! them. On the audio thread, nothing here blocks, allocates or writes.
//!
//! The manual documents the format, under `downbeat play`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

/// Capacity of a ring: 5 s of a device with 10 ms blocks. When it is full, entries are dropped and
/// counted.
const RING_ENTRIES: usize = 1024;

/// Capacity of the queue of new rings, one for each stream that is opened. When it is full, a stream is
/// not recorded.
const NEW_RINGS: usize = 64;

/// How often the rings are emptied.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// One line of a trace; the manual says what each means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Entry {
    Stream { rate: u32 },
    Answer { asked: i64, looked: i64, frame: u64, ahead: i64 },
    Block { frame: u64, dac: i64, believed: i64, drift_ppb: i64, error: i64 },
    Start { voice: u64, at: i64, frame: f64 },
    Lost { count: u64 },
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream { rate } => write!(f, "stream {rate}"),
            Self::Answer { asked, looked, frame, ahead } => {
                write!(f, "answer {asked} {looked} {frame} {ahead}")
            }
            Self::Block { frame, dac, believed, drift_ppb, error } => {
                write!(f, "block {frame} {dac} {believed} {drift_ppb} {error}")
            }
            Self::Start { voice, at, frame } => write!(f, "start {voice} {at} {frame:.3}"),
            Self::Lost { count } => write!(f, "lost {count}"),
        }
    }
}

/// The audio thread's end of a recording.
#[derive(Debug)]
pub(super) struct Tap {
    ring: Producer<Entry>,
    lost: u64,
}

impl Tap {
    /// Records an entry; wait-free.
    pub(super) fn record(&mut self, entry: Entry) {
        if self.lost > 0 && self.ring.push(Entry::Lost { count: self.lost }).is_ok() {
            self.lost = 0;
        }
        self.lost += u64::from(self.ring.push(entry).is_err());
    }
}

/// A recording. Copies write to the same file; the file is complete when the last copy and the last
/// tap are dropped.
#[derive(Clone, Debug)]
pub struct TimingTrace {
    rings: SyncSender<Consumer<Entry>>,
}

impl TimingTrace {
    /// Starts to record into `path`, which is overwritten.
    ///
    /// # Errors
    /// If the file cannot be written, or the system has no thread to give.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let (rings, new_rings) = sync_channel(NEW_RINGS);
        thread::Builder::new().name("downbeat-trace".to_owned()).spawn(move || {
            if let Err(error) = write_entries(&new_rings, file) {
                tracing::error!(%error, "timing trace ended: it cannot be written");
            }
        })?;
        Ok(Self { rings })
    }

    /// A new source of entries.
    pub(super) fn tap(&self) -> Tap {
        let (ring, consumer) = RingBuffer::new(RING_ENTRIES);
        // Fails after an error of the writer, which has been logged, or when the queue is full.
        let _ = self.rings.try_send(consumer);
        Tap { ring, lost: 0 }
    }
}

fn write_entries(new_rings: &Receiver<Consumer<Entry>>, mut file: impl Write) -> io::Result<()> {
    let mut rings = Vec::new();
    let mut closing = false;
    loop {
        if closing {
            thread::sleep(DRAIN_EVERY);
        } else {
            match new_rings.recv_timeout(DRAIN_EVERY) {
                Ok(ring) => rings.push(ring),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => closing = true,
            }
        }
        // Read before the ring is emptied, so that the last entries are certainly seen.
        let abandoned: Vec<bool> = rings.iter().map(Consumer::is_abandoned).collect();
        for ring in &mut rings {
            while let Ok(entry) = ring.pop() {
                writeln!(file, "{entry}")?;
            }
        }
        let mut abandoned = abandoned.into_iter();
        rings.retain(|_| !abandoned.next().unwrap_or(false));
        file.flush()?;
        if closing && rings.is_empty() {
            return Ok(());
        }
    }
}

//! The mixer's statistics, which its handle reads at any time.
//!
//! Each number is an atomic that one side writes. Together they are a snapshot, not a transaction.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The statistics of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OutputStats {
    /// Sounding voices, without those that wait for their instant.
    pub voices: u32,
    /// Blocks that the device missed since it was opened: reported by it, or found by the gap.
    pub xruns: u64,
    /// From the mix to the converter, in nanoseconds, averaged over about half a second.
    pub latency_nanos: i64,
    /// Frames in the latest block.
    pub block_frames: u32,
    /// Frames rendered since the device was opened. If it stands still, so does the device.
    pub frames: u64,
    /// A bound on the error of the device clock, in nanoseconds; none until it has settled.
    pub clock_error_nanos: Option<u32>,
}

/// Stands for an unknown error bound.
const UNKNOWN: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct SharedStats {
    peak: [AtomicU32; 2],
    voices: AtomicU32,
    xruns: AtomicU64,
    latency_nanos: AtomicI64,
    block_frames: AtomicU32,
    frames: AtomicU64,
    /// [`UNKNOWN`] until the device clock has settled.
    clock_error_nanos: AtomicU32,
}

impl Default for SharedStats {
    fn default() -> Self {
        Self {
            peak: Default::default(),
            voices: AtomicU32::default(),
            xruns: AtomicU64::default(),
            latency_nanos: AtomicI64::default(),
            block_frames: AtomicU32::default(),
            frames: AtomicU64::default(),
            clock_error_nanos: AtomicU32::new(UNKNOWN),
        }
    }
}

impl SharedStats {
    pub(super) fn note_peak(&self, peak: [f32; 2]) {
        for (shared, peak) in self.peak.iter().zip(peak) {
            // Non-negative floats are ordered as their bits are.
            shared.fetch_max(peak.abs().to_bits(), Relaxed);
        }
    }

    pub(super) fn note_block(&self, frames: u32, voices: u32) {
        self.block_frames.store(frames, Relaxed);
        self.voices.store(voices, Relaxed);
        self.frames.fetch_add(u64::from(frames), Relaxed);
    }

    pub(super) fn note_clock_error(&self, nanos: Option<f64>) {
        // A cast from float to integer saturates.
        let nanos = nanos.map_or(UNKNOWN, |nanos| (nanos as u32).min(UNKNOWN - 1));
        self.clock_error_nanos.store(nanos, Relaxed);
    }

    pub(super) fn note_latency(&self, nanos: i64) {
        self.latency_nanos.store(nanos, Relaxed);
    }

    pub(super) fn note_xrun(&self) {
        self.xruns.fetch_add(1, Relaxed);
    }

    /// Frames rendered so far, without disturbing the peak.
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// The peak since the last call.
    pub(super) fn take_peak(&self) -> [f32; 2] {
        self.peak.each_ref().map(|peak| f32::from_bits(peak.swap(0, Relaxed)))
    }

    pub(super) fn read(&self) -> OutputStats {
        OutputStats {
            voices: self.voices.load(Relaxed),
            xruns: self.xruns.load(Relaxed),
            latency_nanos: self.latency_nanos.load(Relaxed),
            block_frames: self.block_frames.load(Relaxed),
            frames: self.frames(),
            clock_error_nanos: Some(self.clock_error_nanos.load(Relaxed))
                .filter(|nanos| *nanos != UNKNOWN),
        }
    }
}

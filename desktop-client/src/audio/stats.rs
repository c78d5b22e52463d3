//! What the player may see of the renderer at any time, without asking it.
//!
//! Single numbers in atomics, each written by one side; together they are a picture, not a
//! transaction.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How the output is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OutputStats {
    /// Voices sounding, without those that wait for their instant.
    pub voices: u32,
    /// Blocks that the device missed since it was opened, by its own account or by the gap that
    /// they left.
    pub xruns: u64,
    /// From the mix to the converter, in nanoseconds: the average of the last half second or so.
    pub latency_nanos: i64,
    /// Frames in the latest block.
    pub block_frames: u32,
    /// Frames rendered since the device was opened: if it stands still, so does the device.
    pub frames: u64,
    /// How far single device timestamps scatter around the schedule, in nanoseconds.
    pub jitter_nanos: u32,
    /// The device's own speed against the local clock, in parts per million: positive is fast.
    pub drift_ppm: f32,
}

#[derive(Debug, Default)]
pub(super) struct SharedStats {
    peak: [AtomicU32; 2],
    voices: AtomicU32,
    xruns: AtomicU64,
    latency_nanos: AtomicI64,
    block_frames: AtomicU32,
    frames: AtomicU64,
    jitter_nanos: AtomicU32,
    drift_ppm: AtomicU32,
}

impl SharedStats {
    pub(super) fn note_peak(&self, peak: [f32; 2]) {
        for (shared, peak) in self.peak.iter().zip(peak) {
            // Floats that are not negative sort as their bits do.
            shared.fetch_max(peak.abs().to_bits(), Relaxed);
        }
    }

    pub(super) fn note_block(&self, frames: u32, voices: u32) {
        self.block_frames.store(frames, Relaxed);
        self.voices.store(voices, Relaxed);
        self.frames.fetch_add(u64::from(frames), Relaxed);
    }

    pub(super) fn note_clock(&self, jitter_nanos: f64, drift_ppm: f64) {
        self.jitter_nanos.store(jitter_nanos as u32, Relaxed);
        self.drift_ppm.store((drift_ppm as f32).to_bits(), Relaxed);
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

    /// The peak, which begins anew.
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
            jitter_nanos: self.jitter_nanos.load(Relaxed),
            drift_ppm: f32::from_bits(self.drift_ppm.load(Relaxed)),
        }
    }
}

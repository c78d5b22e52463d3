//! The device's callback: it reads the clock and calls the mixer, and does nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use cpal::OutputCallbackInfo;

use crate::mixer::Mixer;
use downbeat_platform::local_time::LocalClock;

/// What the callback owns.
pub(super) struct Callback {
    mixer: Mixer,
    clock: LocalClock,
    /// Set when the mixer has panicked.
    broken: Arc<AtomicBool>,
}

impl Callback {
    pub(super) fn new(mixer: Mixer, clock: LocalClock, broken: Arc<AtomicBool>) -> Self {
        Self { mixer, clock, broken }
    }

    /// Fills a block that leaves the converter `latency` nanoseconds from now.
    ///
    /// Of the host's timestamps only the difference is used: they may be of another clock.
    pub(super) fn fill(&mut self, out: &mut [f32], latency: i64) {
        let dac = self.clock.now().plus_nanos(latency);
        if self.broken.load(Relaxed) {
            out.fill(0.0);
            return;
        }
        // A panic is a bug. It must not unwind into the host's C code, and not be repeated.
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            self.mixer.note_latency(latency);
            self.mixer.render(out, dac);
        }));
        if rendered.is_err() {
            out.fill(0.0);
            self.broken.store(true, Relaxed);
        }
    }
}

/// Nanoseconds from the callback until its first frame leaves the converter, by the host's timestamps.
/// Negative if the callback is late.
pub(super) fn latency(info: &OutputCallbackInfo) -> i64 {
    let timestamp = info.timestamp();
    let nanos =
        |instant: cpal::StreamInstant| i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX);
    nanos(timestamp.playback) - nanos(timestamp.callback)
}

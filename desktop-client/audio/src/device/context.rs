//! What all outputs of a process share.

use crate::timing_trace::TimingTrace;
use downbeat_platform::local_time::LocalClock;

/// What all outputs of a process share.
#[derive(Clone, Debug)]
pub struct OutputContext {
    /// The process's clock.
    pub clock: LocalClock,
    /// Where to record the outputs' timestamps, if anywhere.
    pub trace: Option<TimingTrace>,
    /// Milliseconds of sound that a sound server's output is asked to hold; if none, it is adapted.
    pub latency_millis: Option<u32>,
}

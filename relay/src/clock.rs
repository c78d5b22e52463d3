//! Relay time. The only module of the relay that reads the clock which stamps triggers and probes.

use std::time::{Duration, Instant};

use downbeat_protocol::RelayTime;

/// The clock that all clients follow. Copies share the epoch.
#[derive(Clone, Copy, Debug)]
pub struct RelayClock {
    epoch: Instant,
}

impl RelayClock {
    /// A clock whose epoch is now. A relay has one.
    #[must_use]
    pub fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// The time now. Monotonic, and on Linux without a system call.
    #[must_use]
    pub fn now(self) -> RelayTime {
        RelayTime::from_micros(self.epoch.elapsed().as_micros() as u64)
    }

    /// Converts an instant of this process; one before the epoch becomes the epoch.
    pub(crate) fn at(self, instant: Instant) -> RelayTime {
        let since = instant.saturating_duration_since(self.epoch);
        RelayTime::from_micros(since.as_micros() as u64)
    }

    /// The time left until `at`; zero if it has passed.
    pub(crate) fn until(self, at: RelayTime) -> Duration {
        let at = self.epoch + Duration::from_micros(at.as_micros());
        at.saturating_duration_since(Instant::now())
    }
}

//! Relay time: the only file of the relay that reads the clock it stamps with.

use std::time::{Duration, Instant};

use downbeat_protocol::RelayTime;

/// The clock that the whole room follows. Copies tell the same time.
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

    /// The time. Monotonic, and on Linux without a system call.
    #[must_use]
    pub fn now(self) -> RelayTime {
        RelayTime::from_micros(self.epoch.elapsed().as_micros() as u64)
    }

    /// The time at an instant of this process.
    #[must_use]
    pub fn at(self, instant: Instant) -> RelayTime {
        let since = instant.saturating_duration_since(self.epoch);
        RelayTime::from_micros(since.as_micros() as u64)
    }

    /// How long it is until `at`; nothing if that has passed.
    #[must_use]
    pub fn until(self, at: RelayTime) -> Duration {
        let at = self.epoch + Duration::from_micros(at.as_micros());
        at.saturating_duration_since(Instant::now())
    }
}

//! Failed accepts, logged once per episode.

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// Pause after an accept that failed for lack of file descriptors or memory. Retrying at once would only
/// burn the processor, and a new client does not notice a tenth of a second.
const PAUSE: Duration = Duration::from_millis(100);

/// How long no accept may fail until the episode is over and the next failure is logged again.
const EPISODE: Duration = Duration::from_secs(10);

/// An episode of failed accepts: from the first until none has failed for [`EPISODE`]. Without free
/// descriptors ten fail a second, and one succeeds for each client that leaves.
#[derive(Debug, Default)]
pub(crate) struct AcceptFailures {
    count: u64,
    /// When the last one failed.
    last: Option<Instant>,
}

impl AcceptFailures {
    /// Records a success, and logs the end of an episode.
    pub(crate) fn succeeded(&mut self) {
        if let Some(failed) = self.end(Instant::now()) {
            tracing::info!(failed, "accepting connections again");
        }
    }

    /// Records a failure, logs the beginning of an episode, and pauses.
    pub(crate) async fn failed(&mut self, error: &io::Error) {
        // A client that gave up while it was waiting is no failure.
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
            return;
        }
        if self.add(Instant::now()) {
            tracing::error!(
                %error,
                "cannot accept connections; new clients wait. If file descriptors are exhausted, raise \
                 the limit (ulimit -n) or lower --connections"
            );
        }
        sleep(PAUSE).await;
    }

    /// Adds a failure at `now`; returns whether it begins an episode.
    fn add(&mut self, now: Instant) -> bool {
        let begins = self.last.is_none();
        self.count += 1;
        self.last = Some(now);
        begins
    }

    /// Returns how many accepts failed in the episode that is over at `now`, if one is.
    fn end(&mut self, now: Instant) -> Option<u64> {
        self.last.filter(|last| now.saturating_duration_since(*last) >= EPISODE)?;
        Some(std::mem::take(self).count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_of_failures_begins_and_ends_once() {
        let begin = Instant::now();
        let mut failures = AcceptFailures::default();
        assert_eq!(failures.end(begin), None, "none has failed");
        for episode in 0..2 {
            let begin = begin + episode * Duration::from_mins(2);
            for tenth in 0..600 {
                let now = begin + tenth * PAUSE;
                assert_eq!(failures.add(now), tenth == 0);
                // A client has left, and its descriptor is used at once.
                assert_eq!(failures.end(now), None);
            }
            let last = begin + 599 * PAUSE;
            assert_eq!(failures.end(last + EPISODE), Some(600));
            assert_eq!(failures.end(last + 2 * EPISODE), None, "it ends once");
        }
    }
}

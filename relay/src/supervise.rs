//! Supervision: a panic in an essential task or thread ends the relay.
//!
//! A task that panics does so alone: triggers would vanish while `/healthz` still answers `ok`. So each
//! essential part holds a `Guard`, and the [`Supervisor`] reports a panic to
//! [`Server::run`](crate::server::Server::run). The task of a single connection is not essential: it
//! ends alone and is counted.

use std::{
    sync::{Arc, OnceLock},
    thread,
};

use thiserror::Error;
use tokio::sync::Notify;

/// An essential part of the relay has panicked, so that the relay cannot go on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the relay exits because its {0} has panicked. Start it again; if this happens again, please report \
     the panic that is logged before this line"
)]
pub struct PartPanicked(pub &'static str);

/// Learns when an essential part panics.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// The first part that panicked: later panics are mostly consequences.
    panicked: OnceLock<&'static str>,
    notify: Notify,
    #[cfg(test)]
    fault: std::sync::Mutex<Option<&'static str>>,
}

impl Supervisor {
    /// Supervises the holder of the guard as `part`.
    pub(crate) fn guard(self: &Arc<Self>, part: &'static str) -> Guard {
        Guard { supervisor: self.clone(), part }
    }

    /// Runs `task` as `part`.
    pub async fn watch<T>(self: Arc<Self>, part: &'static str, task: impl Future<Output = T>) -> T {
        let _guard = self.guard(part);
        #[cfg(test)]
        let task = self.with_fault(part, task);
        task.await
    }

    /// Completes when a part has panicked.
    pub(crate) async fn panicked(&self) -> PartPanicked {
        loop {
            if let Some(part) = self.panicked.get() {
                return PartPanicked(part);
            }
            self.notify.notified().await;
        }
    }

    fn report(&self, part: &'static str) {
        let _ = self.panicked.set(part);
        // Stored as a permit if nobody waits yet.
        self.notify.notify_one();
    }
}

/// Reports its part to the supervisor if it is dropped by a panic.
#[derive(Debug)]
pub(crate) struct Guard {
    supervisor: Arc<Supervisor>,
    part: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.supervisor.report(self.part);
        }
    }
}

#[cfg(test)]
impl Supervisor {
    /// Makes `part` panic the next time that it runs.
    pub(crate) fn inject(&self, part: &'static str) {
        *self.fault.lock().unwrap() = Some(part);
    }

    pub(crate) fn panic_if_injected(&self, part: &'static str) {
        let is_injected = self.fault.lock().unwrap().take_if(|fault| *fault == part).is_some();
        assert!(!is_injected, "injected into {part}");
    }

    async fn with_fault<T>(&self, part: &'static str, task: impl Future<Output = T>) -> T {
        let mut task = std::pin::pin!(task);
        std::future::poll_fn(|context| {
            self.panic_if_injected(part);
            task.as_mut().poll(context)
        })
        .await
    }
}

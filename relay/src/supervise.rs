//! Nothing dies unseen: a part of the relay that panics ends the relay.
//!
//! A task or thread that panics takes nobody with it: bangs would vanish while `/healthz` says ok. So
//! each part that the relay cannot do without holds a [`Guard`], and the [`Alarm`] tells
//! [`Server::run`](crate::server::Server::run). A connection's task is no such part: it ends alone, and
//! is counted.

use std::{
    sync::{Arc, OnceLock},
    thread,
};

use thiserror::Error;
use tokio::sync::Notify;

/// The relay has lost a part of itself and cannot go on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the relay ends because a part of it has panicked: {0}. Start it again; if it comes back, please \
     report the panic that is logged before this line"
)]
pub struct Lost(pub &'static str);

/// Rings when a guarded part panics.
#[derive(Debug, Default)]
pub struct Alarm {
    /// The first part that panicked: what follows is mostly its doing.
    lost: OnceLock<&'static str>,
    rung: Notify,
    #[cfg(test)]
    fault: std::sync::Mutex<Option<&'static str>>,
}

impl Alarm {
    /// Whoever holds this is `part`: the alarm rings if a panic drops it.
    pub fn guard(self: &Arc<Self>, part: &'static str) -> Guard {
        Guard { alarm: self.clone(), part }
    }

    /// Runs `task` as `part`.
    pub async fn watch<T>(self: Arc<Self>, part: &'static str, task: impl Future<Output = T>) -> T {
        let _guard = self.guard(part);
        #[cfg(test)]
        let task = self.with_fault(part, task);
        task.await
    }

    /// Completes when the alarm has rung.
    pub async fn rung(&self) -> Lost {
        loop {
            if let Some(part) = self.lost.get() {
                return Lost(part);
            }
            self.rung.notified().await;
        }
    }

    fn ring(&self, part: &'static str) {
        let _ = self.lost.set(part);
        // It is kept for one who does not listen yet.
        self.rung.notify_one();
    }
}

/// A part's word that it has not panicked.
#[derive(Debug)]
pub struct Guard {
    alarm: Arc<Alarm>,
    part: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.alarm.ring(self.part);
        }
    }
}

#[cfg(test)]
impl Alarm {
    /// Has `part` panic as soon as it has something to do.
    pub(crate) fn inject(&self, part: &'static str) {
        *self.fault.lock().unwrap() = Some(part);
    }

    pub(crate) fn panic_if_injected(&self, part: &'static str) {
        let is_asked = self.fault.lock().unwrap().take_if(|asked| *asked == part).is_some();
        assert!(!is_asked, "injected into {part}");
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

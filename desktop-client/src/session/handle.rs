//! Starts the session's thread, and holds its other end.

use std::{io, thread};

use downbeat_platform::{
    scheduling::{self, ThreadRole},
    supervise,
};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    event_loop::{self, Session},
    options::SessionOptions,
};
use crate::{action::Action, event::SessionEvent};

/// Capacity of the queue of actions. A person makes a few a second, and the session takes them within a
/// millisecond. When it is full, an action is dropped and logged: later it would come as a surprise.
const ACTION_QUEUE: usize = 256;

/// A running session. Dropping it ends the session: the connection and the output are closed.
#[derive(Debug)]
pub(crate) struct SessionHandle {
    actions: Option<mpsc::Sender<Action>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl SessionHandle {
    /// Sends an action to the session. Never blocks. Returns the action if it is dropped.
    pub(crate) fn send(&self, action: Action) -> Option<Action> {
        match self.actions.as_ref()?.try_send(action) {
            Ok(()) => None,
            Err(TrySendError::Full(action)) => {
                tracing::warn!("action dropped: the queue is full");
                Some(action)
            }
            // The session has ended: nothing that is asked of it makes a difference.
            Err(TrySendError::Closed(_)) => {
                tracing::warn!("action dropped: the session has ended");
                None
            }
        }
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.actions = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread would have ended the process.
            let _ = thread.join();
        }
    }
}

/// Starts a session. `observer` is called from the session's thread, and must not block.
///
/// # Errors
/// If the system gives no thread, or the thread no event loop.
pub(crate) fn start(
    options: SessionOptions,
    observer: impl FnMut(SessionEvent) + Send + 'static,
) -> io::Result<SessionHandle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Blocking threads inherit the priority of this one. They write the settings, which can wait.
        .on_thread_start(|| {
            let _ = scheduling::reset_priority();
        })
        .build()?;
    let (actions, received) = mpsc::channel(ACTION_QUEUE);
    // The future of a connection attempt is not `Send`, so the session is built on its thread, which
    // reports here whether it could be.
    let (report, built) = std::sync::mpsc::sync_channel(1);
    let thread = supervise::spawn("downbeat-session", move || {
        runtime.block_on(async {
            match Session::new(options, Box::new(observer)) {
                Ok(session) => {
                    // The caller waits for it.
                    let _ = report.send(Ok(()));
                    // Not before: threads inherit it, and the loader's must not.
                    match scheduling::raise_priority(ThreadRole::Session) {
                        Ok(priority) => tracing::info!("real-time priority: {priority}"),
                        Err(reason) => tracing::info!("real-time priority unavailable: {reason}"),
                    }
                    event_loop::run(session, received).await;
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                }
            }
        });
    })?;
    built.recv().unwrap_or_else(|_| Err(io::Error::other("the session's thread died")))?;
    Ok(SessionHandle { actions: Some(actions), thread: Some(thread) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_action_comes_back_if_the_queue_is_full() {
        let (actions, mut received) = mpsc::channel(1);
        let handle = SessionHandle { actions: Some(actions), thread: None };
        assert_eq!(handle.send(Action::Watch(true)), None);
        assert_eq!(handle.send(Action::StopAll), Some(Action::StopAll));
        assert_eq!(received.recv().await, Some(Action::Watch(true)));
        assert_eq!(handle.send(Action::StopAll), None);
        drop(received);
        assert_eq!(handle.send(Action::StopAll), None, "there is no session");
    }
}

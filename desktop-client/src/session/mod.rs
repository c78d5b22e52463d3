//! The session: a thread of its own that talks with the relay and makes this machine sound.
//!
//! It owns the socket, the idea of relay time, the [`audio::Player`](crate::audio::Player) and the
//! decoded sounds. The window is never on the path from a trigger to its sound: it is told what
//! happened, through a closure, and asks for what it wants, through [`SessionHandle`]. Nothing
//! here knows egui.

mod backoff;
mod bank;
mod cable;
mod choices;
pub mod clock;
mod conversation;
mod decoded;
pub mod delay;
mod line;
pub mod link;
mod notable;
mod run;
mod stage;
mod timekeeper;
mod usage;

use std::{collections::BTreeMap, io, thread};

use downbeat_platform::scheduling::{self, ThreadRole};
use downbeat_protocol::ClientKind;
use run::Session;
use tokio::sync::mpsc;

use crate::{
    action::{Action, OutputChoice, Trim},
    address::RelayAddress,
    audio::OutputContext,
    event::SessionEvent,
    remembered::RememberedFile,
    sounds::Cache,
};

/// Actions that wait for the session. A person makes a few a second, and the session takes them
/// within a millisecond; what does not fit would come out as noise minutes later, and is dropped.
const ACTION_QUEUE: usize = 256;

/// What a session is started with.
#[derive(Debug)]
pub struct SessionOptions {
    /// Where the relay is, and what opens its door.
    pub relay: RelayAddress,
    /// What others call this machine.
    pub name: String,
    /// What this player is.
    pub kind: ClientKind,
    /// What to play through.
    pub output: OutputChoice,
    /// This machine's volume, 0 to 1.
    pub volume: f32,
    /// The trim of that output for this run, whatever is remembered.
    pub trim: Option<Trim>,
    /// The trims that are remembered, by the outputs' ids.
    pub trims: BTreeMap<String, Trim>,
    /// Where what is picked is kept.
    pub remembered: RememberedFile,
    /// What its outputs share, the process's clock above all.
    pub outputs: OutputContext,
    /// Where fetched sounds are kept.
    pub cache: Cache,
    /// Most memory that decoded sounds may take, in bytes.
    pub sound_memory: u64,
}

/// A running session. Dropping it ends the session: the relay is told goodbye, the output closed.
#[derive(Debug)]
pub struct SessionHandle {
    actions: Option<mpsc::Sender<Action>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl SessionHandle {
    /// Asks the session for something. Never blocks.
    pub fn send(&self, action: Action) {
        if let Some(actions) = &self.actions
            && let Err(error) = actions.try_send(action)
        {
            tracing::warn!(%error, "an action was dropped");
        }
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.actions = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the session's thread has been printed by then; there is no more to do.
            let _ = thread.join();
        }
    }
}

/// Starts a session. `tell` is called from the session's thread, and must not block it.
///
/// # Errors
/// If the system gives no thread, or the thread no event loop.
pub fn start(
    options: SessionOptions,
    tell: impl FnMut(SessionEvent) + Send + 'static,
) -> io::Result<SessionHandle> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (actions, asked) = mpsc::channel(ACTION_QUEUE);
    // A line that is being made holds a future that cannot leave its thread, so the session is
    // made there; that it was made is said here.
    let (made, is_made) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name("downbeat-session".to_owned()).spawn(move || {
        runtime.block_on(async {
            match Session::new(options, Box::new(tell)) {
                Ok(session) => {
                    // Who started this waits for the word.
                    let _ = made.send(Ok(()));
                    // Not before: threads inherit it, and the one that decodes must not.
                    match scheduling::raise_priority(ThreadRole::Session) {
                        Ok(priority) => tracing::info!("real-time priority: {priority}"),
                        Err(reason) => tracing::info!("real-time priority unavailable: {reason}"),
                    }
                    run::run(session, asked).await;
                }
                Err(error) => {
                    let _ = made.send(Err(error));
                }
            }
        });
    })?;
    is_made.recv().unwrap_or_else(|_| Err(io::Error::other("the session's thread died")))?;
    Ok(SessionHandle { actions: Some(actions), thread: Some(thread) })
}

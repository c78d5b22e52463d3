//! Hears from the server when its outputs change, so that nobody has to ask.

use std::net::Shutdown;
use std::thread::{self, JoinHandle};

use pulseaudio::protocol::{Command, SubscriptionMask};
use socket2::Socket;

use super::connection::{Connection, Heard, PulseError};
use super::server_address::ServerAddress;

/// Tells of changes until it is dropped. It has a connection of its own: what the server says by
/// itself would otherwise come between a question and its answer.
#[derive(Debug)]
pub(in crate::audio::device) struct Subscription {
    /// To shut it down wakes the thread.
    socket: Socket,
    thread: Option<JoinHandle<()>>,
}

impl Subscription {
    /// Calls `changed`, on a thread of its own, when an output comes, goes or is changed, when
    /// another becomes the default one, and once when the server goes away.
    pub(super) fn start(
        server: &ServerAddress,
        mut changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, PulseError> {
        let mut connection = Connection::open(server)?;
        let mask = SubscriptionMask::SINK | SubscriptionMask::SERVER;
        connection.order(&Command::Subscribe(mask))?;
        connection.wait_forever()?;
        let socket = connection.socket()?;
        let thread = thread::Builder::new().name("downbeat-watch".to_owned()).spawn(move || {
            while let Ok(heard) = connection.hear() {
                if matches!(heard, Heard::Changed) {
                    changed();
                }
            }
            changed();
        })?;
        Ok(Self { socket, thread: Some(thread) })
    }

    /// Whether it still hears the server.
    pub(in crate::audio::device) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // If the server is gone already, the thread has noticed.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic of it has been printed by then.
            let _ = thread.join();
        }
    }
}

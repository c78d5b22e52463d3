//! Notifies of changes of the server's outputs, so that they need not be polled.

use std::net::Shutdown;
use std::thread::JoinHandle;

use pulseaudio::protocol::{Command, SubscriptionMask};
use socket2::Socket;

use super::connection::{PulseError, ServerConnection, ServerMessage};
use super::server_address::ServerAddress;
use downbeat_platform::supervise;

/// Notifies of changes until it is dropped. It has a connection of its own, so that notifications do not
/// interfere with requests.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Shutting it down wakes the thread.
    socket: Socket,
    thread: Option<JoinHandle<()>>,
}

impl Subscription {
    /// Calls `changed`, on another thread, when an output appears, disappears or changes, when the default
    /// changes, and once when the server goes away.
    pub(super) fn start(
        server: &ServerAddress,
        mut changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, PulseError> {
        let mut connection = ServerConnection::open(server)?;
        let mask = SubscriptionMask::SINK | SubscriptionMask::SERVER;
        connection.order(&Command::Subscribe(mask))?;
        connection.wait_forever()?;
        let socket = connection.socket()?;
        let thread = supervise::spawn("downbeat-watch", move || {
            while let Ok(message) = connection.receive() {
                if matches!(message, ServerMessage::Changed) {
                    changed();
                }
            }
            changed();
        })?;
        Ok(Self { socket, thread: Some(thread) })
    }

    /// Whether it is still connected to the server.
    pub(crate) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // If the server is gone already, the thread has noticed.
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread would have ended the process.
            let _ = thread.join();
        }
    }
}

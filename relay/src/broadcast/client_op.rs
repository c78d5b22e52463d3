//! An operation that is applied to each client of a list.

use bytes::Bytes;
use downbeat_protocol::RelayTime;

use super::keepalive;
use crate::{
    counters::Counters,
    websocket::{client::Client, frame::CloseCode},
};

/// An operation on a client.
#[derive(Clone, Debug)]
pub(crate) enum ClientOp {
    /// Sends these complete frames.
    Send(Bytes),
    /// Pings it or cuts it off, as the keep-alive policy says.
    KeepAlive {
        now: RelayTime,
        /// When this was last done.
        last: RelayTime,
    },
    /// Closes its connection if it has not sent its hello in time.
    CheckHello { now: RelayTime },
    /// Closes its connection because the relay shuts down.
    Shutdown,
    #[cfg(test)]
    Panic,
}

impl ClientOp {
    /// Applies the operation to `client`.
    pub(super) fn apply(&self, client: &Client, counters: &Counters) {
        match self {
            Self::Send(frames) => client.outbox.send(frames),
            Self::KeepAlive { now, last } => {
                keepalive::check(client, *now, *last);
                counters.record_outbox_peak(client.outbox.peak());
            }
            Self::CheckHello { now } => keepalive::check_hello(client, *now),
            Self::Shutdown => {
                client.outbox.close(CloseCode::GoingAway, "the relay is shutting down");
            }
            #[cfg(test)]
            Self::Panic => std::panic::panic_any("injected"),
        }
    }
}

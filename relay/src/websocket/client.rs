//! A WebSocket client, as its own task and the broadcast share it.
//!
//! Its name and reports are kept by the room: sending a trigger needs neither.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use downbeat_protocol::{ClientId, RelayTime};

use super::outbox::Outbox;

/// What a client speaks, as its handshake has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// No subprotocol: the two texts of the tutorial.
    Tutorial,
    /// The subprotocol `downbeat.v1`.
    V1,
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tutorial => "tutorial",
            Self::V1 => "v1",
        })
    }
}

/// A WebSocket client.
#[derive(Debug)]
pub struct Client {
    /// Its number while it is connected.
    pub(crate) id: ClientId,
    /// What it speaks.
    pub(crate) wire: Wire,
    /// What is sent to it.
    pub outbox: Outbox,
    /// When it connected.
    pub(crate) connected_at: RelayTime,
    /// When bytes last arrived from it, in microseconds of relay time. It guards no other memory, so
    /// relaxed ordering is enough.
    last_received: AtomicU64,
}

impl Client {
    /// A client that connected at `now`. What is sent to it waits until its outbox is opened.
    #[must_use]
    pub fn new(id: ClientId, wire: Wire, outbox: Outbox, now: RelayTime) -> Self {
        let last_received = AtomicU64::new(now.as_micros());
        Self { id, wire, outbox, connected_at: now, last_received }
    }

    /// Records that bytes arrived from it.
    pub(crate) fn record_received(&self, at: RelayTime) {
        self.last_received.store(at.as_micros(), Ordering::Relaxed);
    }

    /// When bytes last arrived from it.
    pub(crate) fn last_received(&self) -> RelayTime {
        RelayTime::from_micros(self.last_received.load(Ordering::Relaxed))
    }
}

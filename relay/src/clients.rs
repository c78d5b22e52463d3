//! One client as the fan-out and its connection both know it.
//!
//! What a client is called and how it is doing is not here but in the [`room`](crate::room): the
//! way of a trigger to a socket needs neither.

use std::sync::atomic::{AtomicU64, Ordering};

use downbeat_protocol::{ClientId, RelayTime};

use crate::{access::Role, outbox::Outbox};

/// The two wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// No subprotocol: the tutorial's two texts.
    Seed,
    /// `downbeat.v1`.
    Modern,
}

/// A WebSocket client, shared by its connection's task and the fan-out.
#[derive(Debug)]
pub struct Client {
    /// Its number while it stays connected.
    pub id: ClientId,
    /// What it speaks.
    pub wire: Wire,
    /// What it may do.
    pub role: Role,
    /// The way to it.
    pub outbox: Outbox,
    /// When it connected.
    pub since: RelayTime,
    /// When it was last heard, in microseconds of relay time. It guards no other memory, so the
    /// weakest ordering does.
    heard: AtomicU64,
}

impl Client {
    /// A client that connected at `now`. What is sent to it waits until its outbox is opened.
    #[must_use]
    pub fn new(id: ClientId, wire: Wire, role: Role, now: RelayTime) -> Self {
        let heard = AtomicU64::new(now.as_micros());
        Self { id, wire, role, outbox: Outbox::new(), since: now, heard }
    }

    /// Notes that something arrived from it.
    pub fn was_heard(&self, now: RelayTime) {
        self.heard.store(now.as_micros(), Ordering::Relaxed);
    }

    /// When something last arrived from it.
    #[must_use]
    pub fn heard(&self) -> RelayTime {
        RelayTime::from_micros(self.heard.load(Ordering::Relaxed))
    }
}

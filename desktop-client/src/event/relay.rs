//! The relay that a client has joined, and those that it could join.

use downbeat_protocol::{ClientId, Epoch};

/// The protocol that the relay speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayProtocol {
    /// `downbeat.v1`.
    V1 {
        /// This client's number.
        id: ClientId,
        /// The longest lead that the relay gives.
        max_lead_micros: u32,
    },
    /// That of the tutorial: one sound, no schedule.
    Tutorial,
}

/// A relay that announces itself on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRelay {
    /// Identifies it.
    pub epoch: Epoch,
    /// Its name.
    pub name: String,
    /// Its address, as it announces it, for people.
    pub address: String,
    /// What it takes to join it.
    pub access: Access,
}

/// What it takes to join a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it needs no token, or one is known for it.
    Open,
    /// Its room code or its link.
    Code,
    /// Its link: it has a certificate of its own, which nobody has vouched for, and is sent no secret.
    Link,
}

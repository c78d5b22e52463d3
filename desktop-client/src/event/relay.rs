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
    /// Whether it admits only clients that present a token, and this one has none for it. Such a relay is joined by
    /// its link.
    pub needs_token: bool,
}

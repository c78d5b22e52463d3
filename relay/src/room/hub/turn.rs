//! What a request waits for: the disk, if that is behind, and places in the queues of the lanes.
//!
//! A request waits before its rights are looked up and never after that: a right that is taken away meanwhile, or a
//! room that is locked, would not count for it.

use downbeat_protocol::ClientToRelay;
use tokio::sync::mpsc::Permit as QueuePlace;

use super::Hub;
use crate::{broadcast::lane::Command, websocket::client::Wire};

/// The places of a request in the queues that it needs. One is missing only if its lane is gone, and then the relay is
/// ending.
#[derive(Default)]
pub(crate) struct Turn<'a> {
    pub(super) v1: Option<QueuePlace<'a, Command>>,
    tutorial: Option<QueuePlace<'a, Command>>,
}

/// A place in both queues.
pub(super) struct QueuePlaces<'a> {
    pub(super) v1: QueuePlace<'a, Command>,
    pub(super) tutorial: QueuePlace<'a, Command>,
}

impl<'a> Turn<'a> {
    pub(super) fn both(self) -> Option<QueuePlaces<'a>> {
        Some(QueuePlaces { v1: self.v1?, tutorial: self.tutorial? })
    }
}

impl Hub {
    /// Waits until a request can be done.
    pub(crate) async fn turn(&self, message: &ClientToRelay) -> Turn<'_> {
        match message {
            ClientToRelay::Trigger(_) | ClientToRelay::Stop(_) => self.turn_in_both().await,
            ClientToRelay::Declare(_)
            | ClientToRelay::Remove(_)
            | ClientToRelay::Set(_)
            | ClientToRelay::Assign(_)
            | ClientToRelay::Forget(_)
            | ClientToRelay::Command(_)
            | ClientToRelay::Lock(_)
            | ClientToRelay::EditSounds(_) => {
                if let Some(store) = &self.store {
                    store.ready().await;
                }
                Turn { v1: self.fan_out.reserve(Wire::V1).await, tutorial: None }
            }
            ClientToRelay::Hello(_)
            | ClientToRelay::Probe(_)
            | ClientToRelay::Watch(_)
            | ClientToRelay::Outcomes(_)
            | ClientToRelay::Upload(_)
            | ClientToRelay::Report(_) => Turn::default(),
        }
    }

    /// The turn of a trigger or a stop.
    pub(super) async fn turn_in_both(&self) -> Turn<'_> {
        let v1 = self.fan_out.reserve(Wire::V1).await;
        Turn { v1, tutorial: self.fan_out.reserve(Wire::Tutorial).await }
    }
}

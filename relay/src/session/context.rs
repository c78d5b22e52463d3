//! What belongs to one session.

use std::sync::Arc;

use crate::{
    limits::admission::Permit,
    room::{hub::Hub, member::Role},
    websocket::client::Client,
};

/// What belongs to one session.
pub(crate) struct SessionContext {
    pub(crate) hub: Arc<Hub>,
    /// The client, registered with the hub.
    pub(crate) client: Arc<Client>,
    pub(crate) role: Role,
    /// Messages that it may send a second.
    pub(crate) messages_per_second: u32,
    pub(crate) permit: Arc<Permit>,
}

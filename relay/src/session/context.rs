//! What belongs to one session.

use std::sync::Arc;

use downbeat_protocol::Rights;

use crate::{limits::admission::Permit, room::hub::Hub, websocket::client::Client};

/// What belongs to one session.
pub(crate) struct SessionContext {
    pub(crate) hub: Arc<Hub>,
    /// The client, registered with the hub.
    pub(crate) client: Arc<Client>,
    /// What it may do by its token. Its machine may have other rights.
    pub(crate) rights: Rights,
    /// Messages that it may send a second.
    pub(crate) messages_per_second: u32,
    pub(crate) permit: Arc<Permit>,
}

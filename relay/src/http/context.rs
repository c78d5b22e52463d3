//! What HTTP connections share, and what belongs to one of them.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, OnceLock},
};

use downbeat_platform::scheduling::Priority;
use tokio::sync::watch;

use super::auth::Access;
use crate::{
    config::Config,
    limits::{
        admission::{Admission, AdmissionLimits, Permit},
        rate_limit::TokenBucket,
    },
    room::hub::Hub,
};

/// How many QR codes are made a second, for all clients together. One takes a few milliseconds on a thread
/// whose work can wait, and a person looks at one for minutes.
const QR_CODES_PER_SECOND: u32 = 10;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) hub: Arc<Hub>,
    pub(crate) access: Access,
    pub(crate) admission: Arc<Admission>,
    /// Messages that one connection may send a second.
    pub(super) messages_per_second: u32,
    /// Requests that one connection may send a second.
    pub(super) requests_per_second: u32,
    /// Limits how many QR codes are made.
    pub(super) qr_codes: Mutex<TokenBucket>,
    /// The priority of the main thread, once it has asked for one.
    pub(crate) priority: OnceLock<Result<Priority, String>>,
}

impl ServerState {
    pub(crate) fn new(config: &Config, access: Access, hub: Hub) -> Self {
        let admission = Admission::new(AdmissionLimits {
            connections: config.connections,
            connections_per_address: config.connections_per_address,
            messages_per_address: config.messages_per_address,
            requests_per_address: config.requests_per_address,
        });
        let qr_codes = Mutex::new(TokenBucket::new(QR_CODES_PER_SECOND, hub.clock.now()));
        Self {
            hub: Arc::new(hub),
            access,
            admission,
            messages_per_second: config.messages,
            requests_per_second: config.requests,
            qr_codes,
            priority: OnceLock::new(),
        }
    }
}

/// What belongs to one connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionContext {
    pub(crate) state: Arc<ServerState>,
    /// True when the relay shuts down, which waits until all receivers are dropped.
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) permit: Arc<Permit>,
    pub(crate) peer: SocketAddr,
    /// The relay's own address on this connection.
    pub(crate) local_ip: IpAddr,
}

/// Completes when the relay begins to shut down.
pub(crate) async fn shutdown_begins(shutdown: &mut watch::Receiver<bool>) {
    // If the sender is gone, the relay is ending too.
    let _ = shutdown.wait_for(|begun| *begun).await;
}

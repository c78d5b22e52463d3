//! What follows from a request.

use downbeat_protocol::{
    ClientId, LockChange, RelayToClient, Trigger, ValueChange, VariablesChange,
};

use crate::store::{AckTo, Write};

/// What follows from a request: what to tell single clients; what to tell everyone after that, in this order; what
/// to store.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effects {
    /// Before anything that follows, so that what is sent to their tags next is for them. Clients of the tutorial
    /// wire among them are told nothing.
    pub(super) first: Vec<(ClientId, RelayToClient)>,
    /// Clients that were conductors and are none any more.
    pub(super) demoted: Vec<ClientId>,
    pub(super) values: Vec<ValueChange>,
    pub(super) variables: Option<VariablesChange>,
    pub(super) lock: Option<LockChange>,
    pub(super) triggers: Vec<Trigger>,
    /// After the writes are on disk, if there is one.
    pub(super) acks: Vec<AckTo>,
    pub(super) writes: Vec<Write>,
}

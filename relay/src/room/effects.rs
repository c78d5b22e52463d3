//! What follows from a request.

use downbeat_protocol::{
    ClientId, LockChange, RelayToClient, Trigger, ValueChange, VariablesChange,
};

use crate::store::{AckTo, Write};

/// What follows from a request: what to tell everyone, in this order; what to tell single clients after that;
/// what to store.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effects {
    pub(super) values: Vec<ValueChange>,
    pub(super) variables: Option<VariablesChange>,
    pub(super) lock: Option<LockChange>,
    pub(super) triggers: Vec<Trigger>,
    /// Clients of the tutorial wire among them are told nothing.
    pub(super) replies: Vec<(ClientId, RelayToClient)>,
    /// After the writes are on disk, if there is one.
    pub(super) acks: Vec<AckTo>,
    pub(super) writes: Vec<Write>,
}

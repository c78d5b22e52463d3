//! What follows from a request.

use downbeat_protocol::{ClientId, ValueChange, VariablesChange};

use crate::store::{AckTo, Write};

/// What follows from a request: what to tell everyone, in this order; what to tell single clients; what to
/// store.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effects {
    pub(super) values: Vec<ValueChange>,
    pub(super) variables: Option<VariablesChange>,
    /// Clients that are sent their own entry of the roster at once: what is sent to their tags next is for
    /// them.
    pub(super) entries: Vec<ClientId>,
    /// After the writes are on disk, if there is one.
    pub(super) acks: Vec<AckTo>,
    pub(super) writes: Vec<Write>,
}

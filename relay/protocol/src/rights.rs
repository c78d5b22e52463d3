//! What a client may do. The relay checks it; a client uses it to show what is possible.

use serde::{Deserialize, Serialize};

/// What a client may do. Each includes those before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// To sound with the others.
    Listener,
    /// To bang, and to set variables that are open.
    Player,
    /// Everything: variables, machines, sounds, the lock.
    #[default]
    Conductor,
}

//! What is written and read: plain data.

use downbeat_protocol::{ClientId, MachineId, Variable};
use serde_json::Value;

/// Whom to tell that a request is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckTo {
    pub(crate) client: ClientId,
    /// The `ack` of its request.
    pub(crate) ack: u64,
}

/// A change of what is stored. A later one with the same [`Key`] replaces it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    /// A variable, and its place in the order of declaration.
    Declare { variable: Box<Variable>, order: u64 },
    /// No variable of this name. Its values are removed one by one.
    Undeclare { name: String },
    /// The value of a machine, or of all.
    Set { name: String, machine: Option<MachineId>, value: Value },
    /// No value.
    Unset { name: String, machine: Option<MachineId> },
    /// A machine.
    Keep(StoredMachine),
    /// Nothing of a machine. Its values are removed one by one.
    Forget { machine: MachineId },
}

/// What a [`Write`] changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Variable(String),
    Value(String, Option<MachineId>),
    Machine(MachineId),
}

impl Write {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Declare { variable, .. } => Key::Variable(variable.name.clone()),
            Self::Undeclare { name } => Key::Variable(name.clone()),
            Self::Set { name, machine, .. } | Self::Unset { name, machine } => {
                Key::Value(name.clone(), *machine)
            }
            Self::Keep(StoredMachine { machine, .. }) | Self::Forget { machine } => {
                Key::Machine(*machine)
            }
        }
    }
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredMachine {
    pub(crate) machine: MachineId,
    /// Its last name.
    pub(crate) name: String,
    pub(crate) seat: Option<u16>,
    pub(crate) tags: Vec<String>,
}

/// The value of a machine, or of all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredValue {
    pub(crate) name: String,
    pub(crate) machine: Option<MachineId>,
    pub(crate) value: Value,
}

/// All that is stored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stored {
    /// In the order of declaration.
    pub(crate) variables: Vec<Variable>,
    pub(crate) values: Vec<StoredValue>,
    /// The one that was seen last comes last.
    pub(crate) machines: Vec<StoredMachine>,
}

//! What is written and read: plain data.

use std::sync::Arc;

use downbeat_protocol::{ClientId, MachineId, OutputLatency, Place, Rights, Variable};
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
    /// Whether the room is locked.
    Lock { locked: bool },
    /// A sound that was uploaded. Its file is there already.
    AddSound(StoredSound),
    /// No such sound.
    DeleteSound { hash: String },
    /// What was changed about a sound.
    EditSound { hash: String, edits: SoundEdits },
    /// Nothing was changed about it.
    UneditSound { hash: String },
}

/// What a [`Write`] changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Variable(String),
    Value(String, Option<MachineId>),
    Machine(MachineId),
    Lock,
    Sound(String),
    SoundEdits(String),
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
            Self::Lock { .. } => Key::Lock,
            Self::AddSound(StoredSound { hash, .. }) | Self::DeleteSound { hash } => {
                Key::Sound(hash.clone())
            }
            Self::EditSound { hash, .. } | Self::UneditSound { hash } => {
                Key::SoundEdits(hash.clone())
            }
        }
    }
}

/// What was assigned to a machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Assigned {
    /// Instead of the one that its clients say.
    pub(crate) name: Option<String>,
    /// From 1.
    pub(crate) seat: Option<u16>,
    pub(crate) place: Option<Place>,
    pub(crate) tags: Vec<String>,
    pub(crate) volume_db: Option<f32>,
    pub(crate) muted: Option<bool>,
    /// That of each output, the one that was assigned last at the end.
    pub(crate) extra_latency: Vec<OutputLatency>,
    /// Instead of those of its token.
    pub(crate) rights: Option<Rights>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredMachine {
    pub(crate) machine: MachineId,
    /// The last name that its clients said.
    pub(crate) name: String,
    pub(crate) assigned: Arc<Assigned>,
    /// A conductor has assigned some of it, or all of it is the machine's own.
    pub(crate) by_conductor: bool,
}

/// The value of a machine, or of all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredValue {
    pub(crate) name: String,
    pub(crate) machine: Option<MachineId>,
    pub(crate) value: Value,
}

/// A sound that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredSound {
    /// SHA-256 of its file, in hexadecimal.
    pub(crate) hash: String,
    pub(crate) name: String,
    /// Its place in the order of the uploads.
    pub(crate) position: u64,
}

/// What was changed about a sound, whether it was uploaded or not. What is `None` is as its file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SoundEdits {
    pub(crate) name: Option<String>,
    pub(crate) gain_db: Option<f32>,
    pub(crate) looped: Option<bool>,
    /// Its place among the sounds. Those without one come last.
    pub(crate) position: Option<u32>,
    /// It is removed, and later than those with a smaller number.
    pub(crate) removed: Option<u64>,
    /// It is the sound of a trigger that names none.
    pub(crate) is_default: bool,
}

/// All that is stored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Stored {
    /// In the order of declaration.
    pub(crate) variables: Vec<Variable>,
    pub(crate) values: Vec<StoredValue>,
    /// The one that was seen last comes last.
    pub(crate) machines: Vec<StoredMachine>,
    pub(crate) locked: bool,
    /// In the order of the uploads.
    pub(crate) sounds: Vec<StoredSound>,
    /// By the hash of each sound.
    pub(crate) edits: Vec<(String, SoundEdits)>,
}

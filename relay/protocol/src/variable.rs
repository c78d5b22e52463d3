//! Variables: named, typed values that the relay keeps and that take effect at an instant.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    client::By,
    name,
    target::{Target, TargetRequest, When},
    time::RelayTime,
};

/// A variable, as it is declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // The fields of a declaration are independent.
pub struct Variable {
    /// Its name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// Its type, with the type's range and default.
    #[serde(flatten)]
    pub kind: VariableKind,
    /// Whether there is one value, or one for each machine.
    #[serde(default, skip_serializing_if = "Scope::is_room")]
    pub scope: Scope,
    /// A value is heard once and not kept: the variable has none (`null`) before and after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub event: bool,
    /// A number outside its range is moved to the nearest allowed one instead of being refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clamp: bool,
    /// A value is broadcast even if it is the same as before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub send_unchanged: bool,
    /// Players may set it too, not only conductors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// What interfaces call it; its name if absent.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub label: Option<String>,
    /// The heading under which interfaces show it.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub group: Option<String>,
    /// What it drives on every machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Binding>,
}

/// The type of a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum VariableKind {
    /// A number.
    Float {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// The value before it is set.
        default: f64,
        /// Values are rounded to a multiple of it above `min`; continuous if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<f64>,
        /// Its unit, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
        /// How a fader maps its way to the value.
        #[serde(default, skip_serializing_if = "Scale::is_linear")]
        scale: Scale,
    },
    /// A whole number.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// The value before it is set.
        default: i64,
        /// Its unit, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// True or false.
    Bool {
        /// The value before it is set.
        #[serde(default)]
        default: bool,
    },
    /// One of several names.
    Enum {
        /// The names.
        choices: Vec<String>,
        /// The value before it is set.
        default: String,
    },
    /// A text.
    Text {
        /// The value before it is set.
        #[serde(default)]
        default: String,
    },
    /// A colour: `#rrggbb`.
    Color {
        /// The value before it is set.
        default: String,
    },
    /// Any JSON.
    Any {
        /// The value before it is set.
        #[serde(default)]
        default: Value,
    },
}

/// How many values a variable has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One for all.
    #[default]
    Room,
    /// One for each machine.
    Machine,
}

impl Scope {
    #[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
    fn is_room(&self) -> bool {
        *self == Self::Room
    }
}

/// How a fader maps its way to the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal ways are equal differences.
    #[default]
    Linear,
    /// Equal ways are equal ratios.
    Logarithmic,
}

impl Scale {
    #[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
    fn is_linear(&self) -> bool {
        *self == Self::Linear
    }
}

/// What a variable drives on every machine. Several bindings of one parameter combine: gains, rates and
/// frequencies multiply, pans add.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// The parameter.
    pub parameter: Parameter,
    /// The sound whose voices it drives; all sounds if absent. The volume and the frequency have none.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
}

/// A parameter that a variable can drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// Gain of a sound's voices, in dB; -60 and less is silence.
    GainDb,
    /// Transposition of a sound's voices, in semitones, -24 to 24.
    Semitones,
    /// Pan of a sound's voices, -1 to 1.
    Pan,
    /// Volume of the machine, in dB; -60 and less is silence.
    VolumeDb,
    /// Frequency of tones whose trigger names none, in Hz.
    Frequency,
}

/// A variable and its value, as a client is told about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VariableState {
    /// The variable.
    #[serde(flatten)]
    pub variable: Variable,
    /// Its value; with the scope `machine`, that of the receiver's machine. `null` for an event.
    pub value: Value,
    /// Its last values, if it drives something that sounds or still glides; only in a welcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<PastValues>,
}

/// The last values of a variable: what it drives has come by them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastValues {
    /// The value before the first of them.
    pub from: Value,
    /// In the order in which they were set; the last one is the value of the variable.
    pub values: Vec<PastValue>,
}

/// A value that a variable has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastValue {
    /// When it took effect.
    pub apply_at: RelayTime,
    /// The value.
    pub value: Value,
    /// How long what it drives takes to get there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub over_micros: u64,
}

/// The variables have changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariablesChange {
    /// New or changed variables, in full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<VariableState>,
    /// The names of removed variables.
    #[serde(default, deserialize_with = "name::read_list", skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// A request to declare variables: all of them, or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeclareRequest {
    /// The variables. One that exists with the same declaration is left as it is; with another it is an error.
    pub variables: Vec<Variable>,
    /// Returned in the [`Ack`] or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// A request to remove variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveRequest {
    /// Their names.
    #[serde(deserialize_with = "name::read_list")]
    pub names: Vec<String>,
    /// Returned in the [`Ack`] or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// A request to set a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetRequest {
    /// The variable's name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// The new value.
    pub value: Value,
    /// How long what it drives takes to get there, from the instant on; at most a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub over_micros: u64,
    /// When it takes effect.
    #[serde(default, skip_serializing_if = "When::is_together")]
    pub when: When,
    /// The machines whose value is set; all if absent. Only for the scope `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetRequest>,
    /// Returned in the [`Ack`] or the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<u64>,
}

/// A variable takes a value at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueChange {
    /// Counts triggers, stops and values within the epoch, from 1.
    pub seq: u64,
    /// When it takes effect on every machine.
    pub apply_at: RelayTime,
    /// The variable's name.
    #[serde(deserialize_with = "name::read")]
    pub name: String,
    /// The value, as the relay checked it.
    pub value: Value,
    /// How long what it drives takes to get there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub over_micros: u64,
    /// The machines whose value it is; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Its author.
    pub by: By,
}

/// A request is done: what it changed is kept, and survives the relay if it has a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The request's `ack`.
    pub ack: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
fn is_zero(micros: &u64) -> bool {
    *micros == 0
}

//! The messages of the `downbeat.v1` protocol: their fields, units and limits.
//!
//! `docs/PROTOCOL.md` specifies the same protocol in prose and tables. The tests of this package and of the
//! page decode and re-encode its JSON examples.
//!
//! This package does no I/O, reads no clock and holds no state.

mod client;
mod decode;
mod machine;
mod message;
mod name;
mod receipt;
mod rights;
mod roster;
mod sound;
mod target;
mod time;
mod tone;
mod trigger;
mod validation;
mod variable;
mod variable_rules;

pub use client::{By, ClientId, ClientKind, Report};
pub use decode::{DecodeError, Message, decode_from_client, decode_from_relay, encode};
pub use machine::{
    AssignRequest, AwayEntry, Command, CommandNow, CommandRequest, ForgetRequest, JoinLink,
    Joining, LockChange, LockRequest, MachineEntry, MachineId, MachineNumber, MachineRecord,
    MachinesChange, OutputLatency, Place, WatchRequest,
};
pub use message::{
    BankNow, ClientToRelay, ErrorCode, Hello, Limits, Probe, ProbeReply, Refusal, RelayToClient,
    Sounding, Welcome,
};
pub use name::{MAX_NAME_CHARS, clean_name, is_hidden};
pub use receipt::{LateClient, Missed, MissedClient, Outcomes, Receipt, TriggerOutcome};
pub use rights::Rights;
pub use roster::{MAX_ROSTER_ENTRIES, Roster, RosterChange, RosterEntry};
pub use sound::{
    DEFAULT_SOUND, EditSoundsRequest, LoopFrames, RemovedSound, SoundEdit, SoundInfo, UploadReady,
    UploadRequest,
};
pub use target::{Target, TargetRequest, When};
pub use time::{Epoch, RelayTime};
pub use tone::{DEFAULT_FREQUENCY, Shape, TONE, Tone};
pub use trigger::{Stop, StopRequest, Trigger, TriggerRequest};
pub use validation::{
    InvalidValue, MAX_EXTRA_LATENCY_MICROS, MAX_MISSING, MAX_OUTCOMES, MAX_SEAT, MAX_TAGS,
    MAX_TARGETS, MAX_UPLOAD_BYTES,
};
pub use variable::{
    Ack, Binding, DeclareRequest, Parameter, PastValue, PastValues, RemoveRequest, Scale, Scope,
    SetRequest, ValueChange, Variable, VariableKind, VariableState, VariablesChange,
};

/// The WebSocket subprotocol that a client offers to speak these messages.
///
/// A grant proves nothing, because some servers grant any offer: only a [`Welcome`] does.
pub const SUBPROTOCOL: &str = "downbeat.v1";

/// What a client of the tutorial wire sends to make every client play.
pub const TUTORIAL_TRIGGER_INPUT: &str = "trigger-input";

/// What a client of the tutorial wire plays on.
pub const TUTORIAL_TRIGGER_OUTPUT: &str = "trigger-output";

/// The port that the relay listens on and clients connect to by default.
pub const DEFAULT_PORT: u16 = 3000;

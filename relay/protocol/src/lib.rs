//! The wire of Downbeat: every message, its fields, their units and their limits.
//!
//! `docs/PROTOCOL.md` describes the same contract in prose and tables; its JSON examples are
//! decoded and re-encoded by this package's tests and by the page's.
//!
//! This package must do no I/O, read no clock and hold no state: it is what both ends agree on.

mod decode;
mod message;
mod name;
mod roster;
mod time;
mod values;

pub use decode::{DecodeError, Message, decode_from_client, decode_from_relay, encode};
pub use message::{
    BankNow, By, ClientId, ClientKind, ClientToRelay, ErrorCode, Hello, Limits, Probe, ProbeReply,
    Refusal, RelayToClient, Report, Sounding, Stop, StopRequest, Trigger, TriggerRequest, Welcome,
};
pub use name::{MAX_NAME_CHARS, clean_name, is_hidden};
pub use roster::{Roster, RosterChange, RosterEntry};
pub use time::{Epoch, RelayTime};
pub use values::{
    DEFAULT_SOUND, InvalidValue, MAX_DATA_BYTES, MAX_TARGETS, ROSTER_ENTRIES, SoundInfo,
};

/// The WebSocket subprotocol that a client offers to speak these messages.
///
/// That a server grants it proves nothing (some grant whatever is offered first): only a
/// [`Welcome`] does.
pub const SUBPROTOCOL: &str = "downbeat.v1";

/// What a client of the seed's wire sends to make every client sound.
pub const SEED_TRIGGER_INPUT: &str = "trigger-input";

/// What a client of the seed's wire is sent when it is to sound.
pub const SEED_TRIGGER_OUTPUT: &str = "trigger-output";

/// The port that the relay listens on and clients connect to where none is given.
pub const DEFAULT_PORT: u16 = 3000;

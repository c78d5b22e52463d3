//! What a person asks for in the window, as a message to the session.
//!
//! Plain data. The session interprets it, in one place (`session::event_loop`); its effects come back
//! as [`SessionEvent`](crate::event::SessionEvent)s.

use downbeat_protocol::{AssignRequest, SetRequest, StopRequest, TriggerRequest};

use crate::{
    net::address::TypedAddress,
    settings::{Appearance, ExtraLatency, OutputChoice},
};

/// From the window to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Play a sound. A tutorial relay plays its only one, whatever the request says.
    Bang(TriggerRequest),
    /// Bang this sound from now on.
    SelectSound(String),
    /// Stop all sounds on every machine.
    StopAll,
    /// Stop one voice or one sound on every machine.
    Stop(StopRequest),
    /// Set a variable of the room.
    SetVariable(SetRequest),
    /// Give machines seats and tags.
    Assign(AssignRequest),
    /// Show the window in these colours.
    SetAppearance(Appearance),
    /// Set this machine's volume: a linear factor, 0 to 1.
    SetVolume(f32),
    /// Play through another output.
    SetOutput(OutputChoice),
    /// Set the extra latency of the open output. Without an open output it has no effect.
    SetExtraLatency(ExtraLatency),
    /// Disconnect, and connect to the relay at this address.
    SetRelay(TypedAddress),
    /// Connect now instead of waiting for the back-off.
    RetryNow,
}

//! What a person asks for in the window, as a message to the session.
//!
//! Plain data. The session interprets it, in one place (`session::event_loop`); its effects come back
//! as [`SessionEvent`](crate::event::SessionEvent)s.

use crate::{
    net::address::TypedAddress,
    settings::{ExtraLatency, OutputChoice},
};

/// From the window to the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Play a sound on every machine. Without a name, the relay's default sound.
    Bang {
        /// Name of the sound.
        sound: Option<String>,
    },
    /// Bang this sound from now on.
    SelectSound(String),
    /// Stop all sounds on every machine.
    StopAll,
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

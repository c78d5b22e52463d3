//! What a person asks for in the window, as a message to the session.
//!
//! Plain data. The session interprets it, in one place (`session::event_loop`); its effects come back
//! as [`SessionEvent`](crate::event::SessionEvent)s.

use std::path::PathBuf;

use downbeat_protocol::{
    AssignRequest, ClientId, Command, EditSoundsRequest, Epoch, MachineNumber, SetRequest,
    StopRequest, TriggerRequest,
};

use crate::{
    net::{address::TypedAddress, room_code::RoomCode},
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
    /// Change what the relay keeps about machines, in the same way. There may be any number of them.
    Assign(AssignRequest),
    /// The same for several groups of machines, each in its own way. There may be any number of them.
    AssignEach(Vec<AssignRequest>),
    /// Let the relay forget machines. There may be any number of them.
    Forget(Vec<MachineNumber>),
    /// Let machines do something at once.
    Command {
        /// The machines. There may be any number of them.
        clients: Vec<ClientId>,
        /// What they do.
        command: Command,
    },
    /// Lock the room, or unlock it.
    Lock(bool),
    /// Be told about all machines and about each trigger, or no longer. It costs the relay a little, so the
    /// window asks for it while it shows the room or an upload.
    Watch(bool),
    /// Add files to the bank.
    Upload(Vec<PathBuf>),
    /// Cancel the uploads of these numbers. Those that have ended leave the list.
    CancelUploads(Vec<u64>),
    /// Change sounds of the bank.
    EditSounds(EditSoundsRequest),
    /// Show the window in these colours.
    SetAppearance(Appearance),
    /// Change this machine's name.
    SetName(String),
    /// Set this machine's volume: a linear factor, 0 to 1.
    SetVolume(f32),
    /// Silence this machine, or let it be heard again.
    SetMuted(bool),
    /// Play through another output.
    SetOutput(OutputChoice),
    /// Set the extra latency of the open output. Without an open output it has no effect.
    SetExtraLatency(ExtraLatency),
    /// Disconnect, and connect to the relay at this address.
    SetRelay(TypedAddress),
    /// Disconnect, and connect to a relay that was found on the network.
    Join(Epoch),
    /// Disconnect, and join by a room code.
    EnterCode {
        /// The relay that was found on the network and chosen; none for the one at the address at hand.
        relay: Option<Epoch>,
        /// The code.
        code: RoomCode,
    },
    /// Connect now instead of waiting for the back-off.
    RetryNow,
}

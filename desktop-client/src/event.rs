//! What happens in the session, as a message to its observer: the window, or `downbeat play`.
//!
//! Plain data; nothing here acts.

mod relay;
mod upload;
mod voice;

use std::{sync::Arc, time::Duration};

use downbeat_protocol::{
    BankNow, Epoch, Joining, MachineRecord, MachinesChange, Receipt, Report, Roster, VariableState,
    VariablesChange,
};
use serde_json::Value;

use crate::{
    settings::{Appearance, ExtraLatency, OutputChoice},
    time::LocalTime,
    waveform::Waveform,
};

pub use self::{
    relay::{Access, FoundRelay, RelayProtocol},
    upload::{UploadProgress, UploadUpdate},
    voice::{Played, ScheduledVoice, VoiceEnd, VoiceUpdate},
};

/// From the session to its observer.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// Another relay was chosen. It may turn out that its address is invalid.
    RelayChanged {
        /// The address, as it was typed, without credentials.
        relay: String,
    },
    /// An attempt to connect begins.
    Connecting {
        /// The relay's address, for people.
        relay: String,
    },
    /// The relay answered.
    Connected {
        /// The protocol it speaks.
        protocol: RelayProtocol,
        /// The sounds that can be banged.
        bank: BankNow,
    },
    /// Relays that announce themselves on the network, all of them. It is looked for them only while none is
    /// joined.
    RelaysFound(Vec<FoundRelay>),
    /// What the relay keeps of this machine, and what it may do. What follows from it, such as another volume, is
    /// an event of its own.
    Machine(MachineRecord),
    /// The room was locked or unlocked, or turned out to be.
    Locked {
        /// Whether only conductors may bang, stop and set.
        locked: bool,
        /// Who did it; none if it was so when this machine joined.
        by: Option<String>,
    },
    /// The relay serves other sounds from now on. What sounds goes on.
    BankChanged(BankNow),
    /// The connection was lost, or could not be made.
    Lost {
        /// Why, for people.
        reason: String,
        /// The wait before the next attempt.
        retry_in: Duration,
    },
    /// The address is invalid; nothing is tried until another one is given.
    InvalidAddress {
        /// Why, for people.
        reason: String,
    },
    /// The room code let this machine into no relay; nothing is tried until an address or a code is given.
    CodeRefused {
        /// The relay, if it was found on the network.
        relay: Option<Epoch>,
        /// Why, for people.
        reason: String,
    },
    /// Another sound was selected for bangs.
    SoundSelected {
        /// Its name.
        name: String,
    },
    /// A sound is decoded and ready to play.
    SoundReady {
        /// Its name.
        name: String,
        /// Its waveform.
        waveform: Arc<Waveform>,
    },
    /// A sound is not decoded, for lack of memory; it is when it is first triggered.
    SoundOnFirstUse {
        /// Its name.
        name: String,
    },
    /// A sound that loads on first use was triggered, and is being fetched and decoded.
    SoundLoading {
        /// Its name.
        name: String,
    },
    /// A sound cannot be played on this machine.
    SoundFailed {
        /// Its name.
        name: String,
        /// Why, for people.
        reason: String,
    },
    /// Every sound of the bank that fits in memory is decoded for the open output, or has failed.
    BankReady {
        /// How many can be played.
        sounds: usize,
        /// How many of them load on first use.
        on_first_use: usize,
    },
    /// This machine has another name.
    NameChanged {
        /// Its name.
        name: String,
    },
    /// The machine was silenced, or is heard again.
    MuteChanged {
        /// Whether it is silent.
        muted: bool,
    },
    /// The volume was set.
    VolumeChanged {
        /// A linear factor, 0 to 1.
        volume: f32,
    },
    /// Another output was chosen. What becomes of it follows.
    OutputChosen(OutputChoice),
    /// An output is open, or its description has changed.
    OutputOpened {
        /// Its id, as [`OutputChoice`] takes it.
        id: String,
        /// Its name.
        name: String,
        /// The extra latency that was set for it.
        extra_latency: ExtraLatency,
        /// Why it is not the chosen one, for people, if it is not.
        fallback_reason: Option<String>,
    },
    /// The extra latency of the open output was set.
    ExtraLatencyChanged {
        /// The new one.
        extra_latency: ExtraLatency,
    },
    /// The latency of the open output, when it becomes known and when it changes.
    OutputLatency {
        /// From the mix to the converter.
        micros: u32,
    },
    /// The player adapted the latency of the open output. [`SessionEvent::OutputLatency`] follows.
    OutputLatencyAdapted {
        /// To what and why, for people.
        change: String,
    },
    /// There is no output to play through; the player keeps looking for one.
    OutputLost {
        /// Why, for people.
        reason: String,
    },
    /// The outputs that can be chosen.
    Outputs(Vec<OutputInfo>),
    /// The clients in the room.
    Roster(Roster),
    /// What the relay was last told of this machine.
    Reported(Report),
    /// The relay tells about all machines from now on, or no longer. They begin with an empty list.
    Watching(bool),
    /// What has changed among all machines, while this one watches the room.
    Machines(MachinesChange),
    /// Who sounded a trigger, while this machine watches the room.
    Receipt(Receipt),
    /// How others join, while this machine watches the room.
    Joining(Joining),
    /// Someone looks for this machine: flash for two seconds.
    Identify {
        /// When it began.
        at: LocalTime,
        /// Who asked for it.
        by: String,
    },
    /// What happened to an upload.
    Upload(UploadUpdate),
    /// An upload was cancelled, or one that has ended was removed from the list.
    UploadRemoved {
        /// Its number.
        id: u64,
    },
    /// A trigger plays on this machine, or would if it had an output.
    Played(Played),
    /// Something happened to a voice on this machine.
    Voice(VoiceUpdate),
    /// All variables of the room, when a relay is joined.
    Variables(Vec<VariableState>),
    /// Variables were declared or removed.
    VariablesChanged(VariablesChange),
    /// A variable has taken a value; sent at its instant.
    ValueApplied {
        /// The variable's name.
        name: String,
        /// The value; `null` once an event is over.
        value: Value,
    },
    /// The colours of the window were chosen.
    AppearanceChanged(Appearance),
    /// This machine's sounds were stopped, and nobody else's: there is no relay, or one without stops.
    StoppedLocally,
    /// The relay refused something this player sent.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// How well this machine knows relay time.
    Clock {
        /// A bound on its error; none before the first estimate.
        error_micros: Option<u32>,
    },
    /// The output's level; sent some thirty times a second while it changes.
    Meter {
        /// The peak since the last one, left and right; 1 is full scale.
        peak: [f32; 2],
    },
}

/// An output that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputInfo {
    /// As [`OutputChoice`] takes it.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is the system's default.
    pub is_default: bool,
}

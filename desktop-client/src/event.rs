//! What happens in the session, as a message to its observer: the window, or `downbeat play`.
//!
//! Plain data; nothing here acts.

use std::{sync::Arc, time::Duration};

use downbeat_protocol::{ClientId, Roster, SoundInfo, VariableState, VariablesChange};
use serde_json::Value;

use crate::{
    settings::{Appearance, ExtraLatency, OutputChoice},
    time::LocalTime,
    waveform::Waveform,
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
        bank: Vec<SoundInfo>,
        /// The sound of a bang that names none.
        default_sound: String,
    },
    /// The relay serves other sounds from now on. What sounds goes on.
    BankChanged {
        /// The sounds that can be banged.
        bank: Vec<SoundInfo>,
        /// The sound of a bang that names none.
        default_sound: String,
    },
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

/// The protocol that the relay speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayProtocol {
    /// `downbeat.v1`.
    V1 {
        /// This client's number.
        id: ClientId,
        /// The longest lead that the relay gives.
        max_lead_micros: u32,
    },
    /// That of the tutorial: one sound, no schedule.
    Tutorial,
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

/// What happened to a voice: one sounding instance of a sound on this machine.
#[derive(Clone, Debug, PartialEq)]
pub enum VoiceUpdate {
    /// It is going to sound, or sounds already if `at` has passed.
    Scheduled(ScheduledVoice),
    /// It has started, or joined in the middle.
    Started {
        /// The voice.
        voice: u64,
        /// How late; 0 if on time.
        lateness_micros: u32,
    },
    /// It is over.
    Ended {
        /// The voice.
        voice: u64,
        /// Why.
        reason: VoiceEnd,
    },
}

/// A voice that is going to sound.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledVoice {
    /// Identifies it on this machine.
    pub voice: u64,
    /// The sequence number of its trigger; 0 if the relay gave none.
    pub seq: u64,
    /// Name of the sound.
    pub sound: String,
    /// When it starts to sound here.
    pub at: LocalTime,
    /// How long it sounds unless it is stopped; none for a loop.
    pub duration_nanos: Option<i64>,
}

/// Why a voice is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceEnd {
    /// It reached its end, or was stopped.
    Finished,
    /// It was faded out to make room for another.
    Stolen,
    /// It never sounded: too many voices were waiting.
    Refused,
    /// It never sounded: it was stopped before, or had no output or no decoded sound in time.
    Unheard,
}

/// A trigger that plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Name of the sound.
    pub sound: String,
    /// The client that banged; none if the relay does not say.
    pub by: Option<String>,
    /// Whether that was this machine.
    pub own: bool,
    /// When it starts to sound here.
    pub at: LocalTime,
    /// Whether it came too late to play from the start.
    pub late: bool,
}

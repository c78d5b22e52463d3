//! What happened, as a message: from the session to whoever shows it (a window, or the log of a
//! headless player).
//!
//! Plain data; nothing here acts.

use std::time::Duration;

use downbeat_protocol::{ClientId, Roster, SoundInfo};

use crate::{action::Trim, time::LocalTime};

/// From the session to whoever shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// A connection is being tried.
    Connecting {
        /// The relay's address, as people read it.
        relay: String,
    },
    /// The relay answered.
    Connected {
        /// What it speaks, and what this player is to it.
        wire: Wire,
        /// The sounds that can be banged.
        bank: Vec<SoundInfo>,
        /// The sound of a bang that names none.
        default_sound: String,
    },
    /// The relay serves other sounds from now on. What sounds goes on.
    OtherBank {
        /// The sounds that can be banged.
        bank: Vec<SoundInfo>,
        /// The sound of a bang that names none.
        default_sound: String,
    },
    /// The connection ended, or could not be made.
    Lost {
        /// Why, in plain words.
        reason: String,
        /// When the next try is.
        retry_in: Duration,
    },
    /// The address can never be connected to; nothing is tried until another one is given.
    WrongAddress {
        /// Why, in plain words.
        reason: String,
    },
    /// A sound is decoded and can be heard.
    SoundReady {
        /// Its name.
        name: String,
    },
    /// A sound is not decoded, for want of memory; it is when it is first triggered.
    SoundOnFirstUse {
        /// Its name.
        name: String,
    },
    /// Such a sound was triggered, and is being fetched and decoded.
    SoundLoading {
        /// Its name.
        name: String,
    },
    /// A sound cannot be heard on this machine.
    SoundFailed {
        /// Its name.
        name: String,
        /// Why, in plain words.
        reason: String,
    },
    /// Every sound of the bank that has room is decoded for the open output, or has failed.
    BankReady {
        /// How many can be heard.
        sounds: usize,
        /// How many of them are decoded when they are first triggered.
        on_first_use: usize,
    },
    /// Sound leaves this machine through this output.
    OutputOpened {
        /// Its id, as [`crate::action::OutputChoice`] takes it.
        id: String,
        /// Its name.
        name: String,
        /// How what it sounds is shifted.
        trim: Trim,
        /// Why it is not the chosen one, in plain words, if it is not.
        instead: Option<String>,
    },
    /// How far ahead of the ear the open output is fed; said when it is known, and when it moves.
    OutputLatency {
        /// From the mix to the converter.
        micros: u32,
    },
    /// The open output holds more or less sound than before, because of how it does.
    /// [`SessionEvent::OutputLatency`] follows.
    OutputLatencyChanged {
        /// To what and why, in plain words.
        change: String,
    },
    /// There is no output to play through; it is looked for.
    OutputLost {
        /// Why, in plain words.
        reason: String,
    },
    /// The outputs that can be chosen.
    Outputs(Vec<Output>),
    /// Who is here.
    Roster(Roster),
    /// A trigger sounds on this machine, or would if it had an output.
    Heard(Heard),
    /// What sounded here was stopped, and nobody else was told: there is no relay, or one that does not
    /// know of stops.
    StoppedHereOnly,
    /// The relay refused something this player sent.
    Refused {
        /// Why, in plain words.
        reason: String,
    },
    /// How well this machine knows relay time; none before the first estimate.
    Clock {
        /// How far it can be off.
        error_micros: Option<u32>,
    },
    /// What the output's meter shows; sent some thirty times a second while it moves.
    Meter {
        /// Highest level since the last one, left and right, 1 is full scale.
        peak: [f32; 2],
        /// Voices that sound.
        voices: u32,
    },
}

/// What the relay speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `downbeat.v1`.
    Downbeat {
        /// This player's number.
        id: ClientId,
        /// The longest lead that the relay gives.
        most_lead_micros: u32,
    },
    /// The seed's wire: one sound, no schedule.
    Plain,
}

/// An output that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// As [`crate::action::OutputChoice`] takes it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether the system plays through it.
    pub is_default: bool,
}

/// A trigger that sounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Name of the sound.
    pub sound: String,
    /// Who banged; none where the relay does not say.
    pub by: Option<String>,
    /// Whether it was this machine.
    pub own: bool,
    /// When it starts to sound here.
    pub at: LocalTime,
    /// It came too late to be sounded from the start.
    pub late: bool,
}

//! Triggers and voices on this machine.

use crate::time::LocalTime;

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

//! The parts of the window's state.

use std::{sync::Arc, time::Duration};

use downbeat_protocol::{Epoch, SoundInfo};

use crate::{
    event::{RelayProtocol, ScheduledVoice},
    settings::ExtraLatency,
    time::LocalTime,
    waveform::Waveform,
};

/// The state of the connection to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Waiting for the relay's first answer.
    Connecting,
    /// The relay answered, and speaks this.
    Connected(RelayProtocol),
    /// It is lost, and the session connects again.
    Lost {
        /// Why, for people.
        reason: String,
        /// The wait before the next attempt.
        retry_in: Duration,
    },
    /// The address is invalid.
    InvalidAddress {
        /// Why, for people.
        reason: String,
    },
    /// The room code was not accepted.
    CodeRefused {
        /// The relay, if it was found on the network.
        relay: Option<Epoch>,
        /// Why, for people.
        reason: String,
    },
}

/// The state of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputState {
    /// An output is being opened.
    Opening,
    /// This output is open.
    Open {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// From the mix to the converter, once it is known.
        latency_micros: Option<u32>,
        /// The extra latency that was set for it.
        extra_latency: ExtraLatency,
        /// Why it is not the chosen one, for people, if it is not.
        fallback_reason: Option<String>,
    },
    /// There is none; the session keeps looking for one.
    None {
        /// Why, for people.
        reason: String,
    },
}

/// One sound that can be banged.
#[derive(Clone, Debug, PartialEq)]
pub struct BankSound {
    /// The relay's description.
    pub info: SoundInfo,
    /// Whether it can be played here.
    pub readiness: Readiness,
    /// Its waveform, once it has been decoded here.
    pub waveform: Option<Arc<Waveform>>,
}

/// Whether a sound can be played here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is being fetched and decoded.
    Loading,
    /// It can.
    Ready,
    /// It can, after it is fetched and decoded at its first trigger.
    OnFirstUse,
    /// It cannot.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// A voice that sounds on this machine or is about to.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownVoice {
    /// What is known of it since it was scheduled.
    pub scheduled: ScheduledVoice,
    /// How late it started; none before that.
    pub lateness_micros: Option<u32>,
}

/// The level of the output: linear, 1 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meter {
    /// The peak since the last one, left and right.
    pub peak: [f32; 2],
}

/// Someone looks for this machine: it flashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// When that began.
    pub at: LocalTime,
    /// Who asked for it.
    pub by: String,
}

impl Identified {
    /// How long the machine flashes.
    const NANOS: i64 = 2_000_000_000;

    /// The instants at which it flashes.
    pub(crate) fn flashes(&self) -> [LocalTime; 2] {
        [self.at, self.at.plus_nanos(Self::NANOS / 2)]
    }

    /// Whether it still flashes.
    #[must_use]
    pub fn is_on(&self, now: LocalTime) -> bool {
        now.nanos_since(self.at) < Self::NANOS
    }
}

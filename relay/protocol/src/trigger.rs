//! Triggers and stops: what is requested, and what is broadcast.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    client::{By, ClientId},
    name,
    target::{Target, TargetRequest, When},
    time::RelayTime,
    tone::Tone,
};

/// A request to play a sound everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerRequest {
    /// Name of the sound; the relay's default sound if absent.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Gain, linear, 0 to 4.
    #[serde(default = "one")]
    pub gain: f32,
    /// Playback rate, and so pitch, 0.25 to 4.
    #[serde(default = "one")]
    pub rate: f32,
    /// Pan, from left (-1) to right (1).
    #[serde(default)]
    pub pan: f32,
    /// What the tone sounds like, if the sound is [`TONE`](crate::TONE).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Who plays it; everyone if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetRequest>,
    /// When it sounds.
    #[serde(default, skip_serializing_if = "When::is_together")]
    pub when: When,
    /// One machine after the other, in the order of their seats and then of their numbers, this far apart;
    /// at most 10 s.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stagger_micros: u64,
    /// Any data, passed on to every client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Default for TriggerRequest {
    fn default() -> Self {
        Self {
            sound: None,
            gain: 1.0,
            rate: 1.0,
            pan: 0.0,
            tone: None,
            target: None,
            when: When::Together,
            stagger_micros: 0,
            data: None,
        }
    }
}

fn one() -> f32 {
    1.0
}

/// Play a sound at an instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Counts triggers, stops and values within the epoch, from 1. Clients drop a number that they have seen.
    pub seq: u64,
    /// When the first frame leaves the converter of every machine.
    pub play_at: RelayTime,
    /// Name of the sound.
    #[serde(deserialize_with = "name::read")]
    pub sound: String,
    /// Gain, linear, 0 to 4.
    pub gain: f32,
    /// Playback rate, 0.25 to 4.
    pub rate: f32,
    /// Pan, from left (-1) to right (1).
    pub pan: f32,
    /// What the tone sounds like, if the sound is [`TONE`](crate::TONE).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Who plays it; everyone if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Each client of the target plays this much later than the one before it in `target.clients`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stagger_micros: u64,
    /// Play it from its start on arrival. `play_at` is then when the relay received it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_arrival: bool,
    /// The data of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Its author.
    pub by: By,
}

impl Trigger {
    /// How much later than `play_at` a client plays it; `None` if it does not.
    #[must_use]
    pub fn delay_micros(&self, client: ClientId, name: &str, tags: &[String]) -> Option<u64> {
        let Some(target) = &self.target else { return Some(0) };
        if !target.includes(client, name, tags) {
            return None;
        }
        let place = target.clients.iter().position(|listed| *listed == client).unwrap_or(0);
        Some(self.stagger_micros.saturating_mul(place as u64))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
fn is_zero(micros: &u64) -> bool {
    *micros == 0
}

/// A request to stop one trigger, one sound, or (without either) everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// The `seq` of the trigger to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to stop, in all its instances.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
}

/// Stop at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Counts triggers, stops and values within the epoch, from 1.
    pub seq: u64,
    /// When the silence begins on every machine.
    pub stop_at: RelayTime,
    /// The `seq` of the trigger to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u64>,
    /// The name of the sound to stop.
    #[serde(
        default,
        deserialize_with = "name::read_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sound: Option<String>,
    /// Its author.
    pub by: By,
}

impl Stop {
    /// Whether it stops `trigger`. It stops no later trigger.
    #[must_use]
    pub fn ends(&self, trigger: &Trigger) -> bool {
        trigger.seq < self.seq
            && self.trigger.is_none_or(|seq| seq == trigger.seq)
            && self.sound.as_ref().is_none_or(|sound| *sound == trigger.sound)
    }
}

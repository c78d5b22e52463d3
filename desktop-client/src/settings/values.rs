//! The settings that are remembered.

use std::{collections::BTreeMap, fmt};

use downbeat_protocol::MachineId;
use serde::{Deserialize, Serialize};

use super::extra_latency::ExtraLatency;

/// Which output device to play through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutputChoice {
    /// The system's default, also when it changes.
    #[default]
    SystemDefault,
    /// The device of this id or name.
    Device(String),
}

/// The colours of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// As the system asks for.
    #[default]
    System,
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
    /// Black, white and strong colours.
    HighContrast,
}

/// The settings that are remembered. What was never set is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// This machine's volume, 0 to 1.
    pub(crate) volume: Option<f32>,
    /// Whether this machine is silenced.
    pub(crate) muted: Option<bool>,
    /// The relay that was joined last, unless it was one that a flag named.
    pub(crate) relay: Option<RelayLink>,
    /// The output to play through.
    pub(crate) output: Option<OutputChoice>,
    /// The sound of a bang.
    pub(crate) sound: Option<String>,
    /// The colours of the window.
    pub(crate) appearance: Option<Appearance>,
    /// The extra latency of each output that was given one, by the output's id.
    pub(crate) extra_latencies: BTreeMap<String, ExtraLatency>,
    /// By which identity relays know the players of this user, by the player's name: several may run on one
    /// computer.
    pub(crate) machines: BTreeMap<String, MachineId>,
    /// By which name others know a player that is called otherwise by itself.
    pub(crate) names: BTreeMap<String, String>,
}

/// The address of a relay with its credentials, which are never displayed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RelayLink(pub(crate) String);

impl fmt::Debug for RelayLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayLink(..)")
    }
}

impl Settings {
    /// Overwrites these settings with those that `newer` has.
    pub(super) fn merge(&mut self, newer: &Self) {
        let newer = newer.clone();
        let Self { volume, muted, relay, output, sound, appearance, .. } = newer;
        self.volume = volume.or(self.volume);
        self.muted = muted.or(self.muted);
        self.relay = relay.or_else(|| self.relay.take());
        self.output = output.or_else(|| self.output.take());
        self.sound = sound.or_else(|| self.sound.take());
        self.appearance = appearance.or(self.appearance);
        self.extra_latencies.extend(newer.extra_latencies);
        self.names.extend(newer.names);
        // An identity is made once. Of two players that make it at the same time, the first wins.
        for (name, machine) in newer.machines {
            self.machines.entry(name).or_insert(machine);
        }
    }
}

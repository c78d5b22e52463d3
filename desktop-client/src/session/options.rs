//! What a session is started with.

use std::collections::BTreeMap;

use downbeat_audio::OutputContext;
use downbeat_protocol::{ClientKind, MachineId};

use crate::{
    net::address::RelayAddress,
    settings::{ExtraLatency, OutputChoice, SettingsFile},
    sounds::Cache,
};

/// What a session is started with.
#[derive(Debug)]
pub(crate) struct SessionOptions {
    /// The relay to connect to.
    pub(crate) relay: RelayAddress,
    /// Whether someone said so. Else it is a guess, and the only relay that is found takes its place.
    pub(crate) is_relay_given: bool,
    /// By which name the settings know this player.
    pub(crate) own_name: String,
    /// This client's name, for the others.
    pub(crate) name: String,
    /// By which identity relays know this machine.
    pub(crate) machine: MachineId,
    /// What kind of client it is.
    pub(crate) kind: ClientKind,
    /// The output to play through.
    pub(crate) output: OutputChoice,
    /// This machine's volume, 0 to 1.
    pub(crate) volume: f32,
    /// Whether it is silenced.
    pub(crate) muted: bool,
    /// The extra latency of that output for this run, whatever the settings say.
    pub(crate) extra_latency: Option<ExtraLatency>,
    /// The extra latencies in the settings, by the outputs' ids.
    pub(crate) extra_latencies: BTreeMap<String, ExtraLatency>,
    /// Where changes of the settings are saved.
    pub(crate) settings: SettingsFile,
    /// What the outputs share, the process's clock above all.
    pub(crate) outputs: OutputContext,
    /// Where fetched sounds are kept.
    pub(crate) cache: Cache,
    /// Bytes that decoded sounds may take.
    pub(crate) sound_memory: u64,
}

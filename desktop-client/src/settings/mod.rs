//! What a person set in the window, or from afar: name, volume, mute, output, sound, the extra latency of each output,
//! and the relay that was joined last.
//!
//! `file` reads and writes them; `store` decides which apply, and when they are written.

mod extra_latency;
mod file;
mod store;
mod values;

pub use extra_latency::ExtraLatency;
pub(crate) use file::SettingsFile;
pub(crate) use store::SettingsStore;
pub use values::{Appearance, OutputChoice};
pub(crate) use values::{RelayLink, Settings};

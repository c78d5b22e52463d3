//! What a person set in the window: volume, output, sound, and the extra latency of each output.
//!
//! `file` reads and writes them; `store` decides which apply, and when they are written.

mod extra_latency;
mod file;
mod store;
mod values;

pub use extra_latency::ExtraLatency;
pub(crate) use file::SettingsFile;
pub(crate) use store::SettingsStore;
pub(crate) use values::Settings;
pub use values::{Appearance, OutputChoice};

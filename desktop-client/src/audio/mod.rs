//! The player's audio: what turns "this sound at that instant" into frames of a device.
//!
//! Two halves are made by [`player`] and meet in two rings: the player's, on any thread, and the
//! renderer's, in the device's callback. Inside the callback there is no allocation, no
//! deallocation, no lock, no log, no system call and no panic. Nothing here knows relay time, the
//! protocol, or the window.

mod buffer;
pub mod device;
pub mod device_clock;
mod interpolate;
mod keeper;
mod limiter;
mod message;
pub mod offline;
mod panning;
mod player;
mod renderer;
mod stats;
mod timing_trace;
mod voice;

pub use buffer::SoundBuffer;
pub use device::{DeviceError, DeviceInfo, OutputContext};
pub use keeper::{DeviceChoice, DeviceKeeper, DeviceToSession};
pub use message::{VoiceId, VoiceStart};
pub use panning::Panning;
pub use player::{OutputFormat, Player, PlayerEvent, QueueFull, player};
pub use renderer::{Renderer, VOICES};
pub use stats::OutputStats;
pub use timing_trace::TimingTrace;

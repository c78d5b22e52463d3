//! Audio: turns "this sound at that local instant" into frames of a device.
//!
//! A mixer has two halves that talk through two rings: the [`MixerHandle`] for any thread, and the half that
//! renders, in the device's callback. In the callback there is no allocation, no deallocation, no
//! lock, no log, no system call and no panic. Nothing here knows relay time, the protocol, or the
//! window.

mod buffer;
mod device;
pub mod device_clock;
mod format;
mod interpolate;
mod limiter;
mod message;
mod mixer;
mod mixer_handle;
pub mod offline;
mod output_manager;
mod panning;
mod source;
mod stats;
mod timing_trace;
mod voice;

pub use buffer::SoundBuffer;
pub use device::{DeviceError, DeviceInfo, OutputContext, list_devices};
pub use format::OutputFormat;
pub use message::{Glide, GlideTarget, Parameter, VoiceId, VoiceStart};
pub use mixer::VOICES;
pub use mixer_handle::{MixerHandle, QueueFull, VoiceEvent};
pub use output_manager::{DeviceChoice, OutputEvent, OutputManager};
pub use source::{LoopedSound, Source, ToneShape, ToneSource};
pub use stats::OutputStats;
pub use timing_trace::TimingTrace;

//! The player's audio: what turns "this sound at that instant" into frames of a device.
//!
//! Two halves meet in [`message`]: the player's, on any thread, and the renderer's, in the device's
//! callback. Inside the callback there is no allocation, no deallocation, no lock, no log, no
//! system call and no panic. Nothing here knows relay time, the protocol, or the window.

mod buffer;

pub use buffer::SoundBuffer;

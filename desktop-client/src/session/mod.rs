//! The session: a thread that talks with the relay and makes this machine sound.
//!
//! It owns the connection, the estimate of relay time, the mixer handle and the decoded sounds. The
//! window is not on the path from a trigger to its sound: it is told what happened through a closure,
//! and asks for what it wants through [`SessionHandle`]. Nothing here knows egui.

mod automation;
mod cues;
mod decoded_sounds;
mod event_loop;
mod handle;
mod joining;
mod options;
mod outcomes;
mod own_machine;
pub(crate) mod protocol;
mod sound_bank;
mod throttle;
mod uploads;
mod variables;

pub(crate) use handle::start;
pub(crate) use options::SessionOptions;

#[cfg(test)]
mod tests;

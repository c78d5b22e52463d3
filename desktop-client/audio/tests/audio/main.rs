//! The audio engine: on an offline device, exact to the frame, and on a real PulseAudio. All are one test program:
//! while one test waits, another runs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod exact;
mod glides;
#[cfg(target_os = "linux")]
mod pulse;
#[cfg(target_os = "linux")]
mod pulse_changes;
#[cfg(target_os = "linux")]
mod pulse_lab;
mod servo;

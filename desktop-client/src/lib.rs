//! The desktop client of Downbeat: a window, or a headless player, that sounds when the relay says so.
//!
//! `docs/ARCHITECTURE.md` draws the arrows between these modules; a test holds them. What is public is
//! used by tests and benchmarks.

pub mod action;
mod app;
pub mod cli;
pub mod clock;
mod config;
pub mod event;
pub mod net;
mod session;
pub mod settings;
pub mod sounds;
pub mod state;
mod sync_status;
pub mod time;
pub mod ui;
pub mod waveform;

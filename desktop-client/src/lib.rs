//! The player of Downbeat: everything but the few lines of `main`.
//!
//! `docs/ARCHITECTURE.md` draws the arrows between these modules; a test holds them.

pub mod action;
pub mod app;
pub mod audio;
pub mod event;
pub mod session;
pub mod sounds;
pub mod state;
pub mod time;
pub mod ui;

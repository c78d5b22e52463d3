//! The player of Downbeat: everything but the few lines of `main`.
//!
//! `docs/ARCHITECTURE.md` draws the arrows between these modules; a test holds them.

pub mod access;
pub mod action;
pub mod address;
pub mod app;
pub mod audio;
pub mod config;
pub mod event;
pub mod headless;
pub mod remembered;
pub mod remote;
pub mod session;
pub mod sounds;
pub mod standing;
pub mod state;
pub mod time;
pub mod tls;
pub mod ui;

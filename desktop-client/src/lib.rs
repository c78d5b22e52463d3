//! The player of Downbeat: everything but the few lines of `main`.
//!
//! `docs/ARCHITECTURE.md` draws the arrows between these modules; a test holds them.

pub mod audio;
pub mod session;
pub mod sounds;
pub mod time;

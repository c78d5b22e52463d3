//! The lab: the shared infrastructure of the end-to-end tests and the benchmarks.
//!
//! A test starts the real binaries ([`process`], [`relay`]), gives each a sound card of its own
//! ([`lab`]), bangs the way a user does (from a [`client`] of either wire, a [`window`], a
//! [`browser`] or a [`tutorial`] server), records all cards on one clock, and counts and compares
//! the [`onsets`].
//!
//! Nothing here inspects a binary's internals, and every wait has a deadline. A missing program is
//! an error that names the package to install; it never skips a test.

pub mod browser;
pub mod card;
pub mod claims;
pub mod client;
pub mod disturbance;
pub mod figures;
pub mod lab;
pub mod load;
pub mod network;
pub mod onsets;
pub mod partition;
pub mod process;
pub mod proxy;
pub mod recorder;
pub mod relay;
pub mod replay;
pub mod room;
pub mod tools;
pub mod tutorial;
pub mod wav;
pub mod window;

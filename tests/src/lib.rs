//! The lab: what the end-to-end suites and the benchmarks stand on.
//!
//! A suite starts the real binaries ([`process`], [`relay`]), gives each a sound card of its own
//! ([`lab`]), bangs by whatever means a user has (a [`client`] of either wire, a [`window`], a
//! [`browser`], a [`tutorial`] server), records every card on one clock, and counts and compares the
//! [`onsets`].
//!
//! Nothing here looks inside a binary, and nothing waits without a deadline. What the lab needs and
//! does not find is an error that names the package to install, never a test passed over.

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

//! What the operating system gives the relay and the desktop client beyond the standard library: when
//! packets arrived ([`packet_timestamps`]), which thread runs first and where ([`scheduling`]), the time
//! ([`local_time`]), and threads that end the process if they panic ([`supervise`]).
//!
//! Each module falls back to the standard behaviour where the system offers nothing better. Nothing
//! here knows the protocol or decides who deserves a priority.

pub mod local_time;
pub mod packet_timestamps;
pub mod scheduling;
pub mod supervise;

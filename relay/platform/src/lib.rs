//! What the operating system gives the relay and the desktop client beyond the standard library: when
//! packets arrived ([`packet_timestamps`]), and which thread runs first and where ([`scheduling`]).
//!
//! Each module falls back to the standard behaviour where the system offers nothing better. Nothing
//! here knows the protocol or decides who deserves a priority.

pub mod packet_timestamps;
pub mod scheduling;

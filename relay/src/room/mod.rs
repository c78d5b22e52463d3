//! The room: its members, the numbers and instants of what sounds, the variables, the machines, and the lead.
//!
//! The `hub` holds the state behind a lock and broadcasts what changes. Everything else is pure: the caller
//! passes the time.

mod assigning;
mod conducting;
mod effects;
pub(crate) mod hub;
pub(crate) mod lead;
mod listed;
mod machines;
pub(crate) mod member;
pub(crate) mod refuse;
mod requests;
pub(crate) mod roster_updates;
mod sequence;
mod sounding;
mod space;
pub(crate) mod state;
mod targets;
mod unscheduled;
mod variables;
mod watching;

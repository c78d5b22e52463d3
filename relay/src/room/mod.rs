//! The room: its members, the numbers and instants of what sounds, and the lead.
//!
//! `state`, `lead`, `member` and `roster_updates` are pure: the caller passes the time. The
//! `hub` holds the state behind a lock and broadcasts what changes.

pub(crate) mod hub;
pub(crate) mod lead;
pub mod member;
pub(crate) mod roster_updates;
pub(crate) mod state;

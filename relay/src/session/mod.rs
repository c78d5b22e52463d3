//! A session: one WebSocket client, from its handshake to the end of its socket.
//!
//! [`serve`] receives its messages; [`v1`] and [`tutorial`] implement the two wires.

pub(crate) mod context;
pub(crate) mod serve;
mod tutorial;
mod v1;

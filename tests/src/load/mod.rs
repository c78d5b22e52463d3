//! Load: a crowd of plain clients on one thread, and what a server costs while it serves them.
//!
//! The crowd reads and does nothing else, so that what is measured is the server. All of it stays
//! on the loopback interface, and every number of clients, bangs and seconds is bounded by the one
//! who starts it.

pub mod cost;
pub mod crowd;
pub mod figures;
pub mod pressure;
pub mod processors;
pub mod server;

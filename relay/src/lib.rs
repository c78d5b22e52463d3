//! The relay of Downbeat: it numbers triggers, assigns the instant at which they sound, and broadcasts them
//! to every client. It also serves the page and the sounds. It makes no sound, and decodes only what is uploaded.
//!
//! The path of a trigger, from socket to sockets; each module may use only those below it:
//!
//! - `server` binds, runs and shuts down.
//! - `accept` admits TCP connections and performs TLS handshakes.
//! - `http` answers requests, and hands each WebSocket over to a session.
//! - `session` processes the messages of one client, on either wire.
//! - `room` numbers triggers, assigns instants and knows the members.
//! - `broadcast` sends frames to all clients, and keeps their connections alive.
//! - `websocket` reads messages from a socket and writes frames to it.
//! - `bank` holds the sounds, what people have changed about them, and the tickets for uploads.
//! - `store` keeps on disk what survives the relay; `joining` says how others join; `limits` bounds
//!   connections and rates.
//! - The leaves: `config`, `clock`, `counters`, `rights`, `supervise`, `text`.

pub mod accept;
pub mod bank;
mod broadcast;
pub mod clock;
pub mod config;
mod counters;
pub mod http;
mod joining;
mod limits;
mod rights;
mod room;
pub mod server;
mod session;
pub mod store;
pub mod supervise;
pub mod text;
pub mod websocket;

/// The relay's name and version, for clients and logs.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

//! The network: where a relay is, which ones there are, what one is shown to be let in, and a WebSocket to it that is
//! opened again when it is lost.
//!
//! It transports texts and timestamps their arrival. What a text means is for
//! `session` to say.

pub mod address;
mod backoff;
pub(crate) mod connection;
pub mod credentials;
pub(crate) mod discovery;
mod timestamped_tcp;
pub mod tls;
pub(crate) mod websocket;

//! The network: where a relay is, which ones there are, what one is shown to be let in, an HTTP client for it, and a
//! WebSocket to it that is opened again when it is lost.
//!
//! It transports texts and timestamps their arrival. What a text means is for
//! `session` to say.

pub mod address;
mod backoff;
pub(crate) mod connection;
pub mod credentials;
pub(crate) mod discovery;
pub(crate) mod http;
pub mod room_code;
mod timestamped_tcp;
pub mod tls;
mod tls_connector;
pub(crate) mod websocket;

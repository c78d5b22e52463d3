//! WebSocket connections, over TCP or TLS: bytes to messages ([`reader`], [`decoder`]) and frames to bytes
//! ([`outbox`], [`frame`]), both through one [`transport`].
//!
//! This layer knows neither the room nor what a message means.

pub mod client;
pub mod decoder;
pub mod frame;
pub mod outbox;
pub mod reader;
pub(crate) mod tls_session;
pub mod transport;

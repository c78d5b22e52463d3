//! HTTP: each request is routed to the page, a sound, an upload, the health report, the metrics, or a
//! WebSocket.
//!
//! `connection` serves a connection and `routes` answers its requests. A granted `upgrade` becomes a
//! session in `upgraded`.

pub mod auth;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod health;
mod joining;
pub(crate) mod metrics;
pub mod page;
pub mod ranges;
pub mod response;
pub(crate) mod routes;
pub(crate) mod sounds;
pub mod upgrade;
pub(crate) mod upgraded;
pub(crate) mod uploads;

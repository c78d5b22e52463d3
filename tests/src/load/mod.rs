//! Load generation: a crowd of simple clients on one thread, and the resource use of the server.
//!
//! The crowd does little but read, so that the measurements are the server's. All traffic stays on
//! the loopback interface. The caller bounds the number of clients, bangs and seconds.

pub mod cost;
pub mod crowd;
pub mod figures;
pub mod pressure;
pub mod processors;
pub mod server;

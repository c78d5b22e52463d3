//! Sends frames to all clients of a wire, and keeps their connections alive.
//!
//! [`fan_out`] is the entrance: it passes commands to one [`lane`] per wire. A lane owns the list of its
//! clients ([`client_list`]) and what it has [`scheduled`]; the [`writer_pool`] applies a [`client_op`] to
//! each of them; [`keepalive`] decides who is pinged and who is cut off.

pub(crate) mod client_list;
pub(crate) mod client_op;
pub(crate) mod fan_out;
pub(crate) mod keepalive;
pub(crate) mod lane;
pub(crate) mod scheduled;
pub(crate) mod writer_pool;

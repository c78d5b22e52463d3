//! Limits on what clients may use: [`admission`] bounds connections, [`rate_limit`] messages and requests.
//!
//! Pure: the caller passes the time. A folder of its own rather than a part of `accept`, because HTTP
//! connections and sessions are limited by the same permit.

pub(crate) mod admission;
pub(crate) mod rate_limit;

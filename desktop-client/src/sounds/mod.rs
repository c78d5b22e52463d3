//! Sounds, from the name in a bank to the buffer that a voice reads: found or fetched, checked,
//! decoded and brought to the device's rate.
//!
//! All of it happens on one thread of its own, the [`Loader`]'s, before a sound reaches the audio
//! thread. Nothing here knows sockets of the wire, triggers, or the window.

mod cache;
mod fetch;
mod hash;
mod loader;
mod resample;
mod secure;

pub use cache::{CACHE_BYTES, Cache};
pub use fetch::{FetchError, Fetcher, MAX_FILE_BYTES};
pub use hash::ContentHash;
pub use loader::{LoadRequest, Loader, LoaderToSession, Source, embedded_bank};
pub use resample::{ResampleError, decoded_bytes, resample};

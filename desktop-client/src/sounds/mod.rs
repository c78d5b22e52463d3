//! Sounds, from the name in a bank to the buffer that a voice plays: found or fetched, verified, decoded
//! and resampled; and from a file here to the bank.
//!
//! All of it happens on the [`Loader`]'s thread, before a sound reaches the audio thread, and on that of an
//! [`Upload`]. Nothing here
//! knows the protocol, triggers, or the window.

mod cache;
mod content_hash;
mod fetch;
mod loader;
mod resample;
mod upload;

pub use cache::Cache;
pub use content_hash::ContentHash;
pub use fetch::MAX_FILE_BYTES;
pub use loader::{LoadRequest, Loader, LoaderToSession, Source, embedded_bank};
pub(crate) use resample::decoded_bytes;
pub use resample::{ResampleError, resample};
pub use upload::{AddedSound, Upload, UploadEvent};

//! Sounds as a player loads, keeps, resamples and uploads them.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cache;
mod loader;
mod resample;
mod upload;

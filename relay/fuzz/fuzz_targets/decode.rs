//! No file makes the decoder of uploads panic, run for long or take much memory, and what it returns can be played.

#![no_main]

use std::time::{Duration, Instant};

use bytes::Bytes;
use downbeat_relay::bank::decode;
use downbeat_samples::wav;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let deadline = Instant::now() + Duration::from_secs(10);
    match decode::to_wav(&Bytes::copy_from_slice(file), deadline) {
        Ok((wav, info)) => assert_eq!(wav::inspect(&wav), Ok(info)),
        Err(error) => assert!(!matches!(error, decode::DecodeError::TooSlow), "{error}"),
    }
});

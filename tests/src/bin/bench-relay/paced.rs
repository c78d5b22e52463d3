//! Spaced bangs to few clients: the fixed cost of a bang, and the cost of waking idle threads.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use downbeat_tests::load::{cost::processor_nanos, crowd::Crowd};

use crate::fan_out;

/// Times between two bangs, in milliseconds.
pub const INTERVALS_MILLIS: [u64; 3] = [5, 50, 500];

/// With more clients the deliveries are nearly the whole cost of a bang, whatever the interval.
pub const MAX_CLIENTS: usize = 200;

/// Duration of the measurement of each interval.
const TIME: Duration = Duration::from_secs(5);

/// Processor time of the server per delivery, in microseconds, for each interval.
pub fn per_delivery(crowd: &mut Crowd, pid: u32) -> Result<[f64; 3]> {
    let mut costs = [0.0; 3];
    for (cost, millis) in costs.iter_mut().zip(INTERVALS_MILLIS) {
        let every = Duration::from_millis(millis);
        let bangs = (TIME.as_millis() / every.as_millis()) as u32;
        let (begun, used) = (Instant::now(), processor_nanos(pid)?);
        for bang in 1..=bangs {
            fan_out(crowd, 1)?;
            thread::sleep((begun + every * bang).saturating_duration_since(Instant::now()));
        }
        let used = processor_nanos(pid)? - used;
        *cost = used as f64 / 1e3 / f64::from(bangs) / crowd.len() as f64;
    }
    Ok(costs)
}

//! Relay time: estimated from probes, with an error bound, and how late messages arrive.
//!
//! Pure: nothing here reads a clock, opens a socket or sets a timer. Every method takes the time as
//! an argument, so that tests run in virtual time.

mod delay_quantile;
mod estimate;
mod estimator;
mod fit;
mod relay_clock;

pub use estimate::ClockEstimate;
pub use estimator::{ClockEstimator, Exchange};
pub(crate) use relay_clock::RelayClock;

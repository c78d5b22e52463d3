//! To be written.

pub mod clock;
pub mod delay;

//! The output devices of this machine. The only module that names cpal.
//!
//! Everything here blocks, and belongs on the thread of the output manager; the one exception is the
//! callback.

mod callback;
mod context;
mod host;
mod info;
mod output;
#[cfg(target_os = "linux")]
mod pulse;

use downbeat_platform::local_time::LocalClock;

pub use context::OutputContext;
pub(super) use host::Host;
pub use info::{DeviceError, DeviceInfo};
pub(super) use output::{OpenOutput, OutputDevice, StreamEvent};

/// Lists the output devices of this machine.
///
/// # Errors
/// If the sound system does not answer.
pub fn list_devices() -> Result<Vec<DeviceInfo>, DeviceError> {
    let context = OutputContext { clock: LocalClock::start(), trace: None, latency_millis: None };
    let devices = Host::connect(&context, || {})?.devices()?;
    Ok(devices.into_iter().map(|device| device.info).collect())
}

//! The sound system of this machine: a sound server, or the system's own host.

use std::panic::catch_unwind;

use cpal::traits::{DeviceTrait as _, HostTrait as _};

use super::context::OutputContext;
use super::info::{DeviceError, DeviceInfo, server_id};
use super::output::OutputDevice;
#[cfg(target_os = "linux")]
use super::pulse;

/// Hosts whose device list is expensive: ALSA opens every device to query it.
const SLOW_TO_LIST: [&str; 1] = ["ALSA"];

/// ALSA's device that discards everything, as fast as it gets it.
const ALSA_NULL: &str = "null";

/// The connection to the sound system.
pub(crate) struct Host {
    cpal: cpal::Host,
    /// Whether a sound server mixes the programs, rather than the driver alone.
    is_server: bool,
    /// Notifies of changes, where the sound system does.
    #[cfg(target_os = "linux")]
    subscription: Option<pulse::Subscription>,
}

impl Host {
    /// Connects to the sound server if one is running, else to the system's own host: beside a sound
    /// server, ALSA has seconds of latency and less precise timestamps.
    ///
    /// `changed` is called, on another thread, when the devices change, if the host
    /// [notifies of changes](Self::notifies_of_changes).
    pub(crate) fn connect(
        context: &OutputContext,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        match Self::connect_to_server(context, changed) {
            Ok(host) => return Ok(host),
            Err(_) if has_own_devices() => {}
            Err(DeviceError(error)) => {
                return Err(DeviceError(format!("{error}, and this machine has no sound card")));
            }
        }
        // cpal's default host panics instead of failing; every platform has one.
        catch_unwind(cpal::default_host)
            .map(|cpal| Self {
                cpal,
                is_server: false,
                #[cfg(target_os = "linux")]
                subscription: None,
            })
            .map_err(|_| DeviceError("this machine has no sound system".into()))
    }

    /// Connects to the sound server only.
    #[cfg(target_os = "linux")]
    pub(crate) fn connect_to_server(
        context: &OutputContext,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let server = pulse::Host::connect(context.clone())
            .map_err(|error| DeviceError(error.to_string()))?;
        let subscription = server
            .subscribe(changed)
            .inspect_err(|error| tracing::info!(%error, "no notifications of device changes"))
            .ok();
        let cpal = cpal::platform::CustomHost::from_host(server).into();
        Ok(Self { cpal, is_server: true, subscription })
    }

    /// Only Linux has sound servers.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn connect_to_server(
        _: &OutputContext,
        _: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        Err(DeviceError("this system has no sound server".into()))
    }

    /// Whether connecting anew could not find a better host.
    pub(crate) fn is_preferred(&self) -> bool {
        self.is_server
    }

    /// Whether it notifies of changes of its devices, so that they need not be polled.
    pub(crate) fn notifies_of_changes(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.subscription.as_ref().is_some_and(pulse::Subscription::is_alive);
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Whether listing its devices is expensive.
    pub(crate) fn is_slow_to_list(&self) -> bool {
        SLOW_TO_LIST.contains(&self.cpal.id().name())
    }

    /// Lists its output devices.
    pub(crate) fn devices(&self) -> Result<Vec<OutputDevice>, DeviceError> {
        let default = self.cpal.default_output_device().and_then(|device| device.id().ok());
        let devices = self
            .cpal
            .output_devices()
            .map_err(|error| DeviceError::new("the sound system does not answer", &error))?;
        let devices = devices.filter_map(|device| {
            // A device that cannot describe itself cannot play either.
            let id = device.id().ok().filter(|id| self.is_server || id.id() != ALSA_NULL)?;
            let config = device.default_output_config().ok()?;
            let name = device.description().ok()?.name().to_owned();
            let info = DeviceInfo {
                is_default: default.as_ref() == Some(&id),
                id: if self.is_server { server_id(id.id()) } else { id.to_string() },
                name,
                channels: config.channels(),
                rate: config.sample_rate(),
            };
            (info.channels > 0 && info.rate > 0)
                .then(|| OutputDevice::new(info, device, config, self.is_server))
        });
        Ok(devices.collect())
    }
}

/// Whether this machine has devices without a sound server: a card that the kernel knows, or a device
/// in ALSA's configuration, such as a Bluetooth loudspeaker. Otherwise ALSA has virtual devices only,
/// and complains on stderr while it looks for others.
#[cfg(target_os = "linux")]
fn has_own_devices() -> bool {
    // Each card begins with its number and its name in brackets.
    let has_card = std::fs::read_to_string("/proc/asound/cards").is_ok_and(|c| c.contains('['));
    let own = std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".asoundrc"));
    has_card
        || std::env::var_os("ALSA_CONFIG_PATH").is_some()
        || own.is_some_and(|file| file.exists())
        || std::path::Path::new("/etc/asound.conf").exists()
}

/// Every other system has devices of its own.
#[cfg(not(target_os = "linux"))]
fn has_own_devices() -> bool {
    true
}

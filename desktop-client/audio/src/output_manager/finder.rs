//! Finds the devices: those of the sound server if there is one, else those of the drivers.

use std::time::{Duration, Instant};

use super::message::Outbox;
use crate::device::{DeviceInfo, Host, OutputContext, OutputDevice};

/// How often the devices are listed while one is open.
const LIST_EVERY: Duration = Duration::from_secs(3);

/// The same where the sound system notifies of changes, and where listing is expensive and disturbs the
/// devices.
const LIST_RARELY: Duration = Duration::from_mins(1);

/// How long the devices of a sound server that is gone are left to it: if it restarts, it needs them.
const SERVER_GRACE: Duration = Duration::from_secs(5);

/// Finds the devices.
pub(super) struct Finder {
    context: OutputContext,
    outbox: Outbox,
    host: Option<Host>,
    /// When a sound server answered last.
    server_seen: Option<Instant>,
}

impl Finder {
    pub(super) fn new(context: OutputContext, outbox: Outbox) -> Self {
        Self { context, outbox, host: None, server_seen: None }
    }

    pub(super) fn context(&self) -> &OutputContext {
        &self.context
    }

    /// When the devices are to be listed again, unless a change is reported.
    pub(super) fn list_every(&self) -> Duration {
        let rarely = |host: &Host| host.is_slow_to_list() || host.notifies_of_changes();
        if self.host.as_ref().is_some_and(rarely) { LIST_RARELY } else { LIST_EVERY }
    }

    /// Lists the devices.
    pub(super) fn devices(&mut self) -> Result<Vec<OutputDevice>, String> {
        let host = match self.host.take() {
            Some(host) => host,
            None => self.connect()?,
        };
        // A host that does not answer is dropped.
        let devices = host.devices().map_err(|error| error.to_string())?;
        if host.is_preferred() {
            self.server_seen = Some(Instant::now());
        }
        // So is a driver without devices: a sound server may start instead. A server without devices is
        // kept, rather than connected to once a second.
        self.host = Some(host).filter(|host| host.is_preferred() || !devices.is_empty());
        Ok(devices)
    }

    fn connect(&self) -> Result<Host, String> {
        let is_awaited = self.server_seen.is_some_and(|seen| seen.elapsed() < SERVER_GRACE);
        if is_awaited {
            Host::connect_to_server(&self.context, self.on_change())
        } else {
            Host::connect(&self.context, self.on_change())
        }
        .map_err(|error| error.to_string())
    }

    /// While playing through a driver: changes to a sound server that has started and has outputs.
    /// Returns whether there is one.
    pub(super) fn find_server(&mut self) -> bool {
        if self.host.as_ref().is_none_or(Host::is_preferred) {
            return false;
        }
        let server = Host::connect_to_server(&self.context, self.on_change()).ok();
        let server = server.filter(|server| server.devices().is_ok_and(|all| !all.is_empty()));
        let is_found = server.is_some();
        self.host = server.or(self.host.take());
        is_found
    }

    /// Whether the list of a driver lacks this device only because it is in use.
    pub(super) fn hides(&self, open: &DeviceInfo) -> bool {
        self.host.as_ref().is_some_and(|host| !host.is_preferred()) && !open.is_of_server()
    }

    fn on_change(&self) -> impl FnMut() + Send + 'static {
        let outbox = self.outbox.clone();
        move || outbox.devices_changed()
    }
}

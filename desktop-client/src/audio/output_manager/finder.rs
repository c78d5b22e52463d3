//! Finds the devices there are, by the sound server if there is one, else by the drivers alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::{DeviceInfo, ToDevice};
use crate::audio::device::{Host, Output, OutputContext};

/// How often the devices are listed while one is open.
const LIST_EVERY: Duration = Duration::from_secs(3);

/// The same where the sound system tells of changes, and where listing is costly and disturbs the
/// devices.
const LIST_SELDOM: Duration = Duration::from_mins(1);

/// A sound server that was there is waited for so long when it is gone, before its devices are played
/// on without it: one that restarts needs them.
const SERVER_GRACE: Duration = Duration::from_secs(5);

pub(super) struct Finder {
    context: OutputContext,
    to_keeper: Sender<ToDevice>,
    /// Whether [`ToDevice::Changed`] is on its way.
    telling: Arc<AtomicBool>,
    host: Option<Host>,
    /// When a sound server answered last.
    server_seen: Option<Instant>,
}

impl Finder {
    pub(super) fn new(context: OutputContext, to_keeper: Sender<ToDevice>) -> Self {
        Self { context, to_keeper, telling: Arc::default(), host: None, server_seen: None }
    }

    pub(super) fn context(&self) -> &OutputContext {
        &self.context
    }

    /// [`ToDevice::Changed`] was taken in: the next change is told of again.
    pub(super) fn change_heard(&self) {
        self.telling.store(false, Relaxed);
    }

    /// How soon the devices are to be listed again, if nothing is heard of them.
    pub(super) fn list_every(&self) -> Duration {
        let seldom = |host: &Host| host.is_slow_to_list() || host.tells_of_changes();
        if self.host.as_ref().is_some_and(seldom) { LIST_SELDOM } else { LIST_EVERY }
    }

    /// Lists the devices.
    pub(super) fn outputs(&mut self) -> Result<Vec<Output>, String> {
        let host = match self.host.take() {
            Some(host) => host,
            None => self.connect()?,
        };
        // One that does not answer is not kept.
        let outputs = host.outputs().map_err(|error| error.to_string())?;
        if host.is_preferred() {
            self.server_seen = Some(Instant::now());
        }
        // Nor is a driver without devices: a sound server may come up instead. To shake hands with a
        // server once a second, until it has an output, would gain nothing.
        self.host = Some(host).filter(|host| host.is_preferred() || !outputs.is_empty());
        Ok(outputs)
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

    /// Puts a sound server that has come up, with outputs, in the place of the drivers alone. Returns
    /// whether it did.
    pub(super) fn find_server(&mut self) -> bool {
        if self.host.as_ref().is_none_or(Host::is_preferred) {
            return false;
        }
        let server = Host::connect_to_server(&self.context, self.on_change()).ok();
        let server = server.filter(|server| server.outputs().is_ok_and(|all| !all.is_empty()));
        let is_found = server.is_some();
        self.host = server.or(self.host.take());
        is_found
    }

    /// Whether a driver, listing what there is, leaves out this device only because it is in use.
    pub(super) fn hides(&self, open: &DeviceInfo) -> bool {
        self.host.as_ref().is_some_and(|host| !host.is_preferred()) && !open.is_of_server()
    }

    /// Tells the keeper of a change, once until it has taken that in.
    fn on_change(&self) -> impl FnMut() + Send + 'static {
        let (telling, to_keeper) = (Arc::clone(&self.telling), self.to_keeper.clone());
        move || {
            if !telling.swap(true, Relaxed) {
                // A keeper that is gone needs no news.
                let _ = to_keeper.send(ToDevice::Changed);
            }
        }
    }
}

//! Relays that announce themselves on the network, by multicast DNS.
//!
//! The crate's daemon has a thread of its own, which sends nothing once this is dropped. What is announced is not
//! proven: anyone on the network can announce anything.

mod announcement;

use std::{collections::BTreeMap, mem, thread, time::Duration};

use downbeat_platform::scheduling;
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::time::{Instant, sleep_until};

pub(crate) use self::announcement::Announcement;

/// The service, as DNS-SD names it.
const SERVICE: &str = "_downbeat._tcp.local.";

/// Relays that are kept. Further ones are ignored: nobody chooses among more.
const MAX_RELAYS: usize = 64;

/// The wait before the search begins anew after it has ended by itself.
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// A search for relays, which lasts until it is dropped.
pub(crate) struct Discovery {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    /// By the names of their announcements.
    relays: BTreeMap<String, Announcement>,
    /// When the search begins anew, if it has ended by itself.
    restart_at: Option<Instant>,
}

impl Discovery {
    /// Begins to search.
    ///
    /// # Errors
    /// Why it cannot, for people.
    pub(crate) fn start() -> Result<Self, String> {
        let failed = |error: mdns_sd::Error| format!("cannot search the network: {error}");
        // The daemon's thread inherits the priority of the one that starts it, and its work can wait.
        let started = thread::spawn(|| {
            let _ = scheduling::reset_priority();
            ServiceDaemon::new()
        });
        let daemon = started
            .join()
            .map_err(|_| "cannot search the network: the thread has panicked".to_owned())?;
        let daemon = daemon.map_err(failed)?;
        let events = daemon.browse(SERVICE).map_err(failed)?;
        Ok(Self { daemon, events, relays: BTreeMap::new(), restart_at: None })
    }

    /// The relays that are known now, each once, in the order of their names.
    pub(crate) fn relays(&self) -> Vec<&Announcement> {
        let mut relays: Vec<&Announcement> = Vec::new();
        for relay in self.relays.values() {
            if !relays.iter().any(|known| known.epoch == relay.epoch) {
                relays.push(relay);
            }
        }
        relays
    }

    /// Waits until the relays have changed. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            let has_changed = match self.events.recv_async().await {
                Ok(ServiceEvent::ServiceResolved(service)) => self.resolved(&service),
                Ok(ServiceEvent::ServiceRemoved(_, name)) => self.relays.remove(&name).is_some(),
                Ok(_) => false,
                Err(_) => {
                    let restart_at =
                        *self.restart_at.get_or_insert_with(|| Instant::now() + RESTART_PAUSE);
                    sleep_until(restart_at).await;
                    self.restart();
                    false
                }
            };
            if has_changed {
                return;
            }
        }
    }

    fn resolved(&mut self, service: &ResolvedService) -> bool {
        let name = service.get_fullname();
        let Some(announcement) = read(service) else { return self.relays.remove(name).is_some() };
        if self.relays.get(name) == Some(&announcement)
            || self.relays.len() == MAX_RELAYS && !self.relays.contains_key(name)
        {
            return false;
        }
        self.relays.insert(name.to_owned(), announcement);
        true
    }

    fn restart(&mut self) {
        tracing::warn!("the search for relays has ended by itself, it begins anew");
        match Self::start() {
            Ok(anew) => {
                let relays = mem::take(&mut self.relays);
                *self = anew;
                self.relays = relays;
            }
            Err(error) => {
                tracing::warn!(error);
                self.restart_at = Some(Instant::now() + RESTART_PAUSE);
            }
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.daemon.shutdown();
    }
}

/// Waits until the relays of a search have changed, for ever if there is none. Cancel-safe.
pub(crate) async fn changed(discovery: &mut Option<Discovery>) {
    match discovery {
        Some(discovery) => discovery.changed().await,
        None => std::future::pending().await,
    }
}

fn read(service: &ResolvedService) -> Option<Announcement> {
    let instance = service.get_fullname().strip_suffix(SERVICE)?.trim_end_matches('.');
    let addresses = service.get_addresses().iter().map(ScopedIp::to_ip_addr);
    Announcement::read(instance, service.get_port(), addresses, |key| {
        service.get_property_val_str(key).map(str::to_owned)
    })
}

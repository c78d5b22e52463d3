//! The announcement on the network: multicast DNS service discovery (RFC 6762 and 6763), as `_downbeat._tcp`.
//!
//! A thread of the library answers questions. If it ends by itself, it is started again and counted: a relay that
//! is not announced still serves who knows its address. It is started from a thread whose work can wait, so it
//! never inherits the priority of the main thread.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use downbeat_protocol::Epoch;
use mdns_sd::{DaemonEvent, IfKind, Receiver, ServiceDaemon, ServiceInfo};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{counters::Counters, text::Sanitized};

/// What clients look for.
const SERVICE: &str = "_downbeat._tcp.local.";

/// How long after its end the announcement is started again.
const RESTART_AFTER: Duration = Duration::from_secs(10);

/// How long the goodbye may take when the relay shuts down.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest name of the relay, in bytes: a label has 63, and another relay of this name gets ` (2)` behind it.
const MAX_NAME_BYTES: usize = 56;

/// What is announced. It contains no secret.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    /// That of the machine.
    pub(crate) host_name: String,
    /// What the relay listens on.
    pub(crate) listens_on: SocketAddr,
    pub(crate) epoch: Epoch,
    pub(crate) is_tls: bool,
    /// That of a self-signed certificate.
    pub(crate) fingerprint: Option<String>,
    pub(crate) needs_token: bool,
}

impl Announcement {
    /// Announces the relay until it shuts down, and then says goodbye.
    pub(crate) async fn run(self, counters: Arc<Counters>, mut shutdown: watch::Receiver<bool>) {
        loop {
            let service = self.service();
            let is_ipv4 = self.listens_on.is_ipv4();
            let started = spawn_blocking(move || start(service?, is_ipv4)).await;
            match started.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
                Ok((daemon, events)) => {
                    let name = instance_name(&self.host_name);
                    tracing::info!(name = %Sanitized(&name), "announced on the network");
                    tokio::select! {
                        () = follow(&events) => {
                            tracing::warn!("the announcement on the network has ended by itself");
                        }
                        () = begins(&mut shutdown) => return say_goodbye(&daemon).await,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay cannot be announced on the network");
                }
            }
            counters.announcement_restarts.increment();
            tokio::select! {
                () = sleep(RESTART_AFTER) => {}
                () = begins(&mut shutdown) => return,
            }
        }
    }

    fn service(&self) -> io::Result<ServiceInfo> {
        let mut properties = vec![("epoch", self.epoch.to_string())];
        if self.is_tls {
            properties.push(("tls", "1".to_owned()));
        }
        properties.extend(self.fingerprint.clone().map(|fingerprint| ("fp", fingerprint)));
        if self.needs_token {
            properties.push(("token", "1".to_owned()));
        }
        // Not the machine's own host name, which another responder on it may announce: two that disagree about
        // its addresses would rename the machine.
        let host = format!("downbeat-{}.local.", self.epoch);
        let (name, port) = (instance_name(&self.host_name), self.listens_on.port());
        let ip = self.listens_on.ip();
        let service = if ip.is_unspecified() {
            ServiceInfo::new(SERVICE, &name, &host, (), port, &properties[..])
                .map(ServiceInfo::enable_addr_auto)
        } else {
            ServiceInfo::new(SERVICE, &name, &host, ip, port, &properties[..])
        };
        service.map_err(io::Error::other)
    }
}

/// The machine's name without its domain, within the length of a label.
fn instance_name(host_name: &str) -> String {
    let name = host_name.split('.').next().unwrap_or_default();
    let fits = |(start, c): &(usize, char)| start + c.len_utf8() <= MAX_NAME_BYTES;
    let name: String = name.char_indices().take_while(fits).map(|(_, c)| c).collect();
    if name.is_empty() { "Downbeat".to_owned() } else { name }
}

/// Starts the library's thread.
fn start(
    service: ServiceInfo,
    is_ipv4: bool,
) -> io::Result<(ServiceDaemon, Receiver<DaemonEvent>)> {
    let daemon = ServiceDaemon::new().map_err(io::Error::other)?;
    let events = daemon.monitor().map_err(io::Error::other)?;
    if is_ipv4 {
        daemon.disable_interface(IfKind::IPv6).map_err(io::Error::other)?;
    }
    daemon.register(service).map_err(io::Error::other)?;
    Ok((daemon, events))
}

/// Logs what happens until the library's thread ends.
async fn follow(events: &Receiver<DaemonEvent>) {
    while let Ok(event) = events.recv_async().await {
        match event {
            DaemonEvent::NameChange(change) => {
                tracing::info!(
                    name = %Sanitized(&change.new_name),
                    "announced under another name, because there is one of that name"
                );
            }
            // Without a network, or while one changes.
            DaemonEvent::Error(error) => tracing::debug!(%error, "announcement_failed"),
            event => tracing::trace!(?event, "announcement"),
        }
    }
}

/// Completes when the relay begins to shut down.
async fn begins(shutdown: &mut watch::Receiver<bool>) {
    // If the sender is gone, the relay is ending too.
    let _ = shutdown.wait_for(|begun| *begun).await;
}

/// Tells the network that the relay is gone, and waits until that is sent.
async fn say_goodbye(daemon: &ServiceDaemon) {
    if let Ok(status) = daemon.shutdown() {
        // Otherwise clients find out for themselves.
        let _ = timeout(GOODBYE_TIMEOUT, status.recv_async()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(listens_on: &str) -> Announcement {
        Announcement {
            host_name: "stage.example.edu".to_owned(),
            listens_on: listens_on.parse().unwrap(),
            epoch: Epoch(0x9f3a_62c1_d07b_e845),
            is_tls: true,
            fingerprint: Some("f00d".repeat(16)),
            needs_token: true,
        }
    }

    #[test]
    fn it_says_where_the_relay_is_and_what_is_needed_and_no_secret() {
        let service = announcement("0.0.0.0:3001").service().unwrap();
        assert_eq!(service.get_fullname(), "stage._downbeat._tcp.local.");
        assert_eq!((service.get_port(), service.is_addr_auto()), (3001, true));
        let properties = service.get_properties().clone().into_property_map_str();
        let mut properties: Vec<_> = properties.into_iter().collect();
        properties.sort();
        let fingerprint = "f00d".repeat(16);
        let expected =
            [("epoch", "9f3a62c1d07be845"), ("fp", &fingerprint), ("tls", "1"), ("token", "1")];
        assert_eq!(properties, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));

        let plain = Announcement {
            is_tls: false,
            fingerprint: None,
            needs_token: false,
            ..announcement("192.168.1.5:3000")
        };
        let service = plain.service().unwrap();
        assert_eq!(service.get_properties().len(), 1);
        assert!(!service.is_addr_auto() && service.get_addresses().len() == 1);
    }

    #[tokio::test]
    async fn the_end_of_the_librarys_thread_is_noticed() {
        let service = announcement("127.0.0.1:3000").service().unwrap();
        let (daemon, events) = start(service, true).unwrap();
        let ends = async { drop(daemon.shutdown()) };
        let both = async { tokio::join!(follow(&events), ends) };
        timeout(Duration::from_secs(30), both).await.expect("it is noticed");
    }

    #[test]
    fn any_name_of_a_machine_fits_a_label() {
        assert_eq!(instance_name("stage"), "stage");
        assert_eq!(instance_name(""), "Downbeat");
        assert_eq!(instance_name(".local"), "Downbeat");
        assert_eq!(instance_name(&"\u{e9}".repeat(100)).len(), MAX_NAME_BYTES);
        assert!(announcement("0.0.0.0:1").service().is_ok());
    }
}

//! The announcement on the network: what another machine finds, and that it is gone with the relay.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use mdns_sd::{Receiver, ServiceDaemon, ServiceEvent};

use super::{common::DEADLINE, *};

/// Set where the system must allow all that these tests need.
const REQUIRED: &str = "REQUIRE_NAMESPACES";

/// Whether this process can send to a group and receive that: some containers forbid it.
fn has_multicast() -> bool {
    let group = Ipv4Addr::new(239, 255, 71, 3);
    let attempt = || -> io::Result<bool> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.send_to(b"?", (group, socket.local_addr()?.port()))?;
        Ok(socket.recv(&mut [0; 8])? == 1)
    };
    let has = attempt();
    assert!(
        matches!(has, Ok(true)) || std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, but there is no multicast here: {has:?}"
    );
    if !matches!(has, Ok(true)) {
        println!("NOT RUN: there is no multicast here: {has:?}");
    }
    matches!(has, Ok(true))
}

/// What a browser on this machine finds.
struct Browser {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

/// A relay that was found: its name, and what is said about it.
#[derive(Clone)]
struct Found {
    name: String,
    properties: BTreeMap<String, String>,
}

impl Browser {
    fn start() -> Self {
        let daemon = ServiceDaemon::new().unwrap();
        let events = daemon.browse("_downbeat._tcp.local.").unwrap();
        Self { daemon, events }
    }

    /// Waits for an event for which `what` returns a value. Other relays on the network are not meant.
    fn wait_for<T>(&self, what: impl Fn(ServiceEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let event =
                self.events.recv_deadline(deadline).expect("the network said nothing of it");
            if let Some(found) = what(event) {
                return found;
            }
        }
    }

    /// Waits until the relays on these ports are found.
    fn find(&self, ports: [u16; 2]) -> [Found; 2] {
        let found = RefCell::new(BTreeMap::new());
        self.wait_for(|event| {
            if let ServiceEvent::ServiceResolved(service) = event
                && !service.addresses.is_empty()
            {
                let properties = service.txt_properties.clone().into_property_map_str();
                let properties = properties.into_iter().collect();
                let name = service.fullname.clone();
                found.borrow_mut().insert(service.port, Found { name, properties });
            }
            let found = found.borrow();
            Some([found.get(&ports[0])?.clone(), found.get(&ports[1])?.clone()])
        })
    }

    fn wait_until_gone(&self, name: &str) {
        self.wait_for(|event| match event {
            ServiceEvent::ServiceRemoved(_, gone) if gone == name => Some(()),
            _ => None,
        });
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.daemon.shutdown();
    }
}

async fn start(arguments: &[&str]) -> (Relay, u16) {
    let mut command = program();
    command.args(["--listen", "0.0.0.0:0"]).args(arguments);
    let (relay, address) = Relay::start(command).await;
    (relay, address.port())
}

#[tokio::test]
async fn others_find_the_relay_until_it_ends() {
    if !has_multicast() {
        return;
    }
    let browser = Browser::start();
    let (mut relay, port) = start(&["--token", "s3cret"]).await;
    let (mut other, other_port) = start(&[]).await;
    let found = tokio::task::spawn_blocking(move || {
        let found = browser.find([port, other_port]);
        (browser, found)
    });
    let (browser, [found, other_found]) = within(found).await.unwrap();
    let Found { name, properties } = found;
    assert_eq!(properties["epoch"].len(), 16);
    assert_eq!(properties["token"], "1");
    assert!(!format!("{name}{properties:?}").contains("s3cret"));
    assert_eq!(other_found.properties.keys().collect::<Vec<_>>(), ["epoch"]);
    let other_name = other_found.name;
    assert_ne!(name, other_name, "both have the name of the machine");
    // One says goodbye and the other is still there: nothing waits for a record to expire.
    let ended = Instant::now();
    signal(&relay, Signal::TERM);
    assert_eq!(relay.ended().await.code(), Some(0));
    assert!(ended.elapsed() < Duration::from_secs(5));
    let gone = tokio::task::spawn_blocking(move || {
        browser.wait_until_gone(&name);
        browser
    });
    let browser = within(gone).await.unwrap();
    signal(&other, Signal::TERM);
    assert_eq!(other.ended().await.code(), Some(0));
    let gone = tokio::task::spawn_blocking(move || browser.wait_until_gone(&other_name));
    within(gone).await.unwrap();
}

/// The names of the threads of a relay that answers.
#[cfg(target_os = "linux")]
async fn threads(relay: &Relay, address: SocketAddr) -> Vec<String> {
    common::request(address, "GET /healthz HTTP/1.1\r\n").await;
    let threads = std::fs::read_dir(format!("/proc/{}/task", relay.0.id())).unwrap();
    let name = |thread: std::path::PathBuf| std::fs::read_to_string(thread.join("comm")).unwrap();
    threads.map(|thread| name(thread.unwrap().path()).trim().to_owned()).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_relay_for_its_own_machine_or_one_that_must_not_is_not_announced() {
    for (arguments, is_announced) in [
        (&["--listen", "0.0.0.0:0"][..], true),
        (&["--listen", "0.0.0.0:0", "--no-announce"], false),
        (&["--listen", "127.0.0.1:0"], false),
    ] {
        let mut command = program();
        command.args(arguments);
        let (relay, address) = Relay::start(command).await;
        let announces = |threads: &[String]| threads.iter().any(|name| name == "mDNS_daemon");
        if is_announced {
            within(async { while !announces(&threads(&relay, address).await) {} }).await;
        } else {
            // It would have begun before it answered.
            let threads = threads(&relay, address).await;
            assert!(!announces(&threads), "{arguments:?} {threads:?}");
        }
    }
}

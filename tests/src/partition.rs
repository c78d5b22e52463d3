//! Two hosts on a link that can be cut: network namespaces, each connected by a veth pair to a
//! bridge in a third namespace. Cutting the link detaches one veth from the bridge, so neither host
//! is notified: its interface keeps its carrier and address, and its packets are dropped.
//!
//! The machine's own namespace stays as it is: browsers abort what they load when an interface comes or goes.
//! It needs root, and a kernel that permits network namespaces.

use std::{
    fs::File,
    os::fd::AsFd as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tools::{output, tool};

/// The link between a near namespace, in which the thread that creates the link is until it drops it, and a far
/// one. What that thread starts is in the near one as well.
#[derive(Debug)]
pub struct VirtualLink {
    /// The thread's namespace before.
    home: File,
    near: String,
    switch: String,
    far: String,
    network: String,
}

/// If set, a test that needs network namespaces fails where they are not permitted. For continuous integration.
const REQUIRED: &str = "REQUIRE_NAMESPACES";

/// Whether network namespaces can be created here. If not, says that the test is not run, and why.
///
/// # Errors
/// If they cannot, and `REQUIRE_NAMESPACES` is set.
pub fn is_permitted() -> Result<bool> {
    if let Err(why) = try_namespace() {
        ensure!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but {why:#}");
        println!("NOT RUN: {why:#}. Run it as root, where network namespaces can be made.");
        return Ok(false);
    }
    Ok(true)
}

fn try_namespace() -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "network namespaces need root");
    let probe = format!("dbprobe{}", unique());
    ip(&["netns", "add", &probe]).context("network namespaces are not permitted here")?;
    ip(&["netns", "del", &probe])
}

impl VirtualLink {
    /// Creates a connected link, and moves this thread to its near end.
    ///
    /// # Errors
    /// If a command fails.
    pub fn create() -> Result<Self> {
        let number = unique();
        let link = Self {
            home: File::open("/proc/thread-self/ns/net").context("opening the own namespace")?,
            near: format!("dbnear{number}"),
            switch: format!("dbswitch{number}"),
            far: format!("dbfar{number}"),
            // Every link has this one to itself.
            network: "10.213.0".to_owned(),
        };
        let Self { near, switch, far, network, .. } = &link;
        ip(&["netns", "add", switch])?;
        ip(&["-n", switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", switch, "link", "set", "bridge", "up"])?;
        for (host, end, number) in [(near, "near", 1), (far, "far", 2)] {
            ip(&["netns", "add", host])?;
            ip(&[
                "-n", host, "link", "add", "card", "type", "veth", "peer", "name", end, "netns",
                switch,
            ])?;
            ip(&["-n", host, "addr", "add", &format!("{network}.{number}/24"), "dev", "card"])?;
            ip(&["-n", host, "link", "set", "card", "up"])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
            ip(&["-n", switch, "link", "set", end, "master", "bridge", "up"])?;
        }
        let near =
            File::open(format!("/run/netns/{near}")).context("opening the near namespace")?;
        move_into_link_name_space(near.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(link)
    }

    /// The address of the near end.
    #[must_use]
    pub fn near_address(&self) -> String {
        format!("{}.1", self.network)
    }

    /// Cuts the link.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn disconnect(&self) -> Result<()> {
        ip(&["-n", &self.switch, "link", "set", "far", "nomaster"])
    }

    /// Restores the link.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn reconnect(&self) -> Result<()> {
        ip(&["-n", &self.switch, "link", "set", "far", "master", "bridge"])
    }

    /// A command that runs `command` in the far namespace.
    ///
    /// # Errors
    /// If `ip` is not installed.
    pub fn far_command(&self, command: &Command) -> Result<Command> {
        let mut there = Command::new(tool("ip")?);
        there.args(["netns", "exec", &self.far]).arg(command.get_program());
        there.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        Ok(there)
    }
}

impl Drop for VirtualLink {
    fn drop(&mut self) {
        // Fails only if the thread never left.
        let _ = move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Network));
        // Deleting a namespace deletes its interfaces, and deleting a veth deletes its peer.
        // Commands that find nothing to delete fail without harm.
        for namespace in [&self.near, &self.far, &self.switch] {
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

/// What tells apart the namespaces of two tests, of one process or of two.
fn unique() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), LAST.fetch_add(1, Relaxed))
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = output(Command::new(tool("ip")?).args(arguments))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), stderr.trim());
    Ok(())
}

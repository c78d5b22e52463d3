//! Two hosts on a link that can be cut: network namespaces, each connected by a veth pair to a
//! bridge in a third namespace. Cutting the link detaches one veth from the bridge, so neither host
//! is notified: its interface keeps its carrier and address, and its packets are dropped.
//!
//! It adds one virtual interface to this machine's own namespace, and removes everything when
//! dropped. It needs root, and a kernel that permits network namespaces.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tools::{output, tool};

/// The link between this process's namespace and a far one.
#[derive(Debug)]
pub struct VirtualLink {
    switch: String,
    far: String,
    card: String,
    network: String,
}

/// Checks that network namespaces can be created here.
///
/// # Errors
/// If they cannot; the error says why.
pub fn ensure_permitted() -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "network namespaces need root");
    let probe = format!("dbprobe{}", std::process::id());
    ip(&["netns", "add", &probe]).context("network namespaces are not permitted here")?;
    ip(&["netns", "del", &probe])
}

impl VirtualLink {
    /// Creates a connected link.
    ///
    /// # Errors
    /// If a command fails.
    pub fn create() -> Result<Self> {
        let number = std::process::id();
        let link = Self {
            switch: format!("dbswitch{number}"),
            far: format!("dbfar{number}"),
            // An interface name has at most 15 characters.
            card: format!("dbn{number}"),
            network: format!("10.213.{}", number % 256),
        };
        let Self { switch, far, card, network } = &link;
        ip(&["netns", "add", switch])?;
        ip(&["netns", "add", far])?;
        ip(&["-n", switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", switch, "link", "set", "bridge", "up"])?;
        // The near interface is in this process's own namespace.
        ip(&["link", "add", card, "type", "veth", "peer", "name", "near", "netns", switch])?;
        ip(&[
            "-n", far, "link", "add", "card", "type", "veth", "peer", "name", "far", "netns",
            switch,
        ])?;
        ip(&["addr", "add", &format!("{network}.1/24"), "dev", card])?;
        ip(&["-n", far, "addr", "add", &format!("{network}.2/24"), "dev", "card"])?;
        ip(&["link", "set", card, "up"])?;
        ip(&["-n", far, "link", "set", "card", "up"])?;
        ip(&["-n", far, "link", "set", "lo", "up"])?;
        for end in ["near", "far"] {
            ip(&["-n", switch, "link", "set", end, "master", "bridge", "up"])?;
        }
        Ok(link)
    }

    /// The address of this process's end.
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
        // Deleting a namespace deletes its interfaces, and deleting a veth deletes its peer.
        // Commands that find nothing to delete fail without harm.
        let _ = ip(&["link", "del", &self.card]);
        let _ = ip(&["netns", "del", &self.far]);
        let _ = ip(&["netns", "del", &self.switch]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = output(Command::new(tool("ip")?).args(arguments))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), stderr.trim());
    Ok(())
}

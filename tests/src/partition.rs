//! Two hosts on one cable that can be cut: network namespaces, a pair of virtual cards each, and a
//! switch between them in a namespace of its own. When it is cut, neither host is told: its card has
//! its carrier and its address, and what it sends goes nowhere.
//!
//! It changes nothing of this machine's own network but for one virtual card, and takes everything away
//! again. It needs root, and a kernel that lets root make namespaces.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tools::{output, tool};

/// The two hosts: this process's own, and another.
#[derive(Debug)]
pub struct Cable {
    switch: String,
    far: String,
    card: String,
    network: String,
}

/// Whether namespaces can be made here; if not, why not, in words.
///
/// # Errors
/// If they cannot.
pub fn is_permitted() -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "network namespaces need root");
    let probe = format!("dbprobe{}", std::process::id());
    ip(&["netns", "add", &probe]).context("network namespaces are not permitted here")?;
    ip(&["netns", "del", &probe])
}

impl Cable {
    /// Lays a cable, which is whole.
    ///
    /// # Errors
    /// If the system does not permit it.
    pub fn lay() -> Result<Self> {
        let number = std::process::id();
        let cable = Self {
            switch: format!("dbswitch{number}"),
            far: format!("dbfar{number}"),
            // A card's name has at most fifteen characters.
            card: format!("dbn{number}"),
            network: format!("10.213.{}", number % 256),
        };
        let Self { switch, far, card, network } = &cable;
        ip(&["netns", "add", switch])?;
        ip(&["netns", "add", far])?;
        ip(&["-n", switch, "link", "add", "bridge", "type", "bridge"])?;
        ip(&["-n", switch, "link", "set", "bridge", "up"])?;
        // The near card stands in this process's own namespace.
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
        Ok(cable)
    }

    /// The address of this process's end.
    #[must_use]
    pub fn near_address(&self) -> String {
        format!("{}.1", self.network)
    }

    /// Cuts it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn cut(&self) -> Result<()> {
        ip(&["-n", &self.switch, "link", "set", "far", "nomaster"])
    }

    /// Mends it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn mend(&self) -> Result<()> {
        ip(&["-n", &self.switch, "link", "set", "far", "master", "bridge"])
    }

    /// What runs `command` at the far end.
    ///
    /// # Errors
    /// If `ip` is not installed.
    pub fn at_the_far_end(&self, command: &Command) -> Result<Command> {
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

impl Drop for Cable {
    fn drop(&mut self) {
        // With a namespace go its cards, and with a card its other end. What is not there any more
        // need not be taken away.
        let _ = ip(&["link", "del", &self.card]);
        let _ = ip(&["netns", "del", &self.far]);
        let _ = ip(&["netns", "del", &self.switch]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = output(Command::new(tool("ip")?).args(arguments))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), said.trim());
    Ok(())
}

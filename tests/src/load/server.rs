//! A server under load: a child process that prints where it listens, and may print a line for
//! each message without anyone having to read them all.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

use crate::process::PATIENCE;

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    said: NamedTempFile,
    address: SocketAddr,
}

impl Server {
    /// Starts `command` and waits for its `Server started: http://HOST:PORT`.
    ///
    /// # Errors
    /// If it cannot be started, or does not say so in time.
    pub fn start(mut command: Command) -> Result<Self> {
        let said = NamedTempFile::new()?;
        command.stdin(Stdio::null()).stdout(said.reopen()?).stderr(said.reopen()?);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Self { child, said, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = announced(server.said.path())? {
                server.address = address;
                return Ok(server);
            }
            let ended = server.child.try_wait()?.is_some();
            ensure!(!ended && Instant::now() < deadline, "{command:?} said: {}", server.said()?);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it said.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(self.said.path())?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn announced(path: &Path) -> Result<Option<SocketAddr>> {
    let said = fs::read_to_string(path)?;
    let line = said.lines().find_map(|line| line.strip_prefix("Server started: http://"));
    // A line is whole when another follows or its end is there.
    let whole = said.ends_with('\n') || said.lines().count() > 1;
    Ok(line.filter(|_| whole).and_then(|host| host.to_socket_addrs().ok()?.next()))
}

//! A server under load: a child process that prints its address. Its output goes to a file, because
//! it may print a line for each message.

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
    output: NamedTempFile,
    address: SocketAddr,
}

impl Server {
    /// Starts `command` and waits for its `Server started: http://HOST:PORT`.
    ///
    /// # Errors
    /// If it cannot be started, or does not print its address in time.
    pub fn start(mut command: Command) -> Result<Self> {
        let output = NamedTempFile::new()?;
        command.stdin(Stdio::null()).stdout(output.reopen()?).stderr(output.reopen()?);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Self { child, output, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(address) = announced(server.output.path())? {
                server.address = address;
                return Ok(server);
            }
            let ended = server.child.try_wait()?.is_some();
            ensure!(
                !ended && Instant::now() < deadline,
                "{command:?} printed: {}",
                server.output()?
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed.
    ///
    /// # Errors
    /// If the output cannot be read.
    pub fn output(&self) -> Result<String> {
        Ok(fs::read_to_string(self.output.path())?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn announced(path: &Path) -> Result<Option<SocketAddr>> {
    let output = fs::read_to_string(path)?;
    let line = output.lines().find_map(|line| line.strip_prefix("Server started: http://"));
    // A line is complete if another line or its newline follows.
    let whole = output.ends_with('\n') || output.lines().count() > 1;
    Ok(line.filter(|_| whole).and_then(|host| host.to_socket_addrs().ok()?.next()))
}

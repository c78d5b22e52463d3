//! The tutorial's own server: Node's `ws`, as the tutorial uses it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{
    process::Process,
    tools::{package_folder, tool},
};

/// A running server of the tutorial.
#[derive(Debug)]
pub struct TutorialServer {
    process: Process,
    port: u16,
}

impl TutorialServer {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// If Node or its packages are missing, or it does not start.
    pub fn start() -> Result<Self> {
        let process = Process::spawn("the tutorial's server", tutorial_command()?)?;
        let line = process.wait_for("Server started: ")?;
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("no port in {line:?}"))?;
        Ok(Self { process, port })
    }

    /// The URL for WebSocket clients.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }

    /// The server's process. It prints `message received ...` for each message.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// A command that runs a server on a free port.
///
/// # Errors
/// If Node or its packages are missing.
pub fn tutorial_command() -> Result<Command> {
    let folder = package_folder().join("tutorial-server");
    ensure!(
        folder.join("node_modules/ws").is_dir(),
        "the package ws is not installed: run `npm ci --prefix tests/tutorial-server` first, as \
         `make test` does"
    );
    let mut command = Command::new(tool("node")?);
    command.arg(folder.join("server.js")).arg("0");
    Ok(command)
}

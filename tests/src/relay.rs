//! Starts the relay under test.

use std::{
    ffi::OsStr,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    process::{From, Process},
    tools::{binary, get},
};

/// A running `downbeat-relay` on a free port.
#[derive(Debug)]
pub struct Relay {
    process: Process,
    arguments: Vec<std::ffi::OsString>,
    data: Option<PathBuf>,
    scheme: &'static str,
    address: SocketAddr,
}

impl Relay {
    /// Starts a relay with the embedded bank.
    ///
    /// # Errors
    /// If it is not built, or does not accept in time.
    pub fn start() -> Result<Self> {
        Self::start_with::<&str>(&[])
    }

    /// Starts a relay with additional arguments.
    ///
    /// # Errors
    /// If it is not built, or does not accept in time.
    pub fn start_with<A: AsRef<OsStr>>(arguments: &[A]) -> Result<Self> {
        Self::start_on("127.0.0.1:0", arguments)
    }

    /// Starts a relay that listens at the address `listen`.
    ///
    /// # Errors
    /// If it is not built, or does not accept in time.
    pub fn start_on<A: AsRef<OsStr>>(listen: &str, arguments: &[A]) -> Result<Self> {
        let arguments = arguments.iter().map(|a| a.as_ref().to_owned()).collect();
        Self::start_at(listen, arguments, None)
    }

    /// Starts a relay with the data folder `data`.
    ///
    /// # Errors
    /// If it is not built, or does not accept in time.
    pub fn start_with_data_folder(data: &Path, arguments: &[&str]) -> Result<Self> {
        let arguments = arguments.iter().map(Into::into).collect();
        Self::start_at("127.0.0.1:0", arguments, Some(data.to_owned()))
    }

    fn start_at(
        listen: &str,
        arguments: Vec<std::ffi::OsString>,
        data: Option<PathBuf>,
    ) -> Result<Self> {
        let mut command = relay_command()?;
        command.args(["--listen", listen]).args(&arguments);
        command.envs(data.as_ref().map(|folder| ("XDG_DATA_HOME", folder)));
        let process = Process::spawn("downbeat-relay", command)?;
        process.wait_for("Server started: http")?;
        // The address must be on the first line, so that scripts need to read only one.
        let first = process.lines(From::Stdout).into_iter().next().unwrap_or_default();
        let url = first.strip_prefix("Server started: ").unwrap_or_default();
        let (scheme, place) = match url.split_once("://") {
            Some(("http", place)) => ("http", place),
            Some(("https", place)) => ("https", place),
            _ => ("", ""),
        };
        let address = place.trim_end_matches('/').to_socket_addrs().ok();
        let address = address.and_then(|mut addresses| addresses.next());
        let address = address
            .with_context(|| format!("the relay's first line names no address: {first:?}"))?;
        Ok(Self { process, arguments, data, scheme, address })
    }

    /// Restarts it on the same port, after [`Self::kill`].
    ///
    /// # Errors
    /// If it does not accept in time.
    pub fn restart(&mut self) -> Result<()> {
        let (listen, arguments) = (self.address.to_string(), self.arguments.clone());
        *self = Self::start_at(&listen, arguments, self.data.clone())?;
        Ok(())
    }

    /// Starts another relay on the same port, after [`Self::kill`].
    ///
    /// # Errors
    /// If it does not accept in time.
    pub fn replace(&mut self, arguments: &[&str]) -> Result<()> {
        self.arguments = arguments.iter().map(Into::into).collect();
        self.restart()
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The page's URL.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The URL for WebSocket clients.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("{}://{}/", self.scheme.replace("http", "ws"), self.address)
    }

    /// The fingerprint of its certificate, as it printed it.
    ///
    /// # Errors
    /// If it prints none.
    pub fn fingerprint(&self) -> Result<String> {
        let line = self.process.wait_for("Fingerprint (SHA-256): ")?;
        Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
    }

    /// Its `/healthz` response.
    ///
    /// # Errors
    /// If it does not answer with JSON.
    pub fn health(&self) -> Result<serde_json::Value> {
        health(&self.http_url())
    }

    /// The relay's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// The `/healthz` response of the relay at `http_url`.
///
/// # Errors
/// If it does not answer with JSON.
pub fn health(http_url: &str) -> Result<serde_json::Value> {
    let text = get(&format!("{http_url}/healthz"))?;
    serde_json::from_str(&text).with_context(|| format!("/healthz is not JSON: {text}"))
}

/// A command that runs `downbeat-relay` without the user's settings.
///
/// # Errors
/// If it is not built.
pub fn relay_command() -> Result<Command> {
    let mut command = Command::new(binary("downbeat-relay")?);
    clear_settings(&mut command);
    // Hides the user's settings file.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    Ok(command)
}

/// Removes Downbeat's variables from the environment of `command`.
pub fn clear_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DOWNBEAT_") {
            command.env_remove(name);
        }
    }
}

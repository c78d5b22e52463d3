//! The flags for the relay: its address, how to be let in, and by which name.

use clap::Args;
use downbeat_protocol::{MAX_NAME_CHARS, clean_name};

use crate::net::{
    address::{AddressError, RelayAddress, TypedAddress},
    credentials::{Fingerprint, Token},
};

/// The relay, and this machine's name.
#[derive(Clone, Debug, Args)]
pub(crate) struct RelayConfig {
    /// The relay: HOST, HOST:PORT, or an http://, https://, ws:// or wss:// URL, which may end with
    /// #token=TOKEN. If absent, this machine; a player without a relay there joins the only one that it finds on
    /// the network, and the window the one that it joined last.
    // It is validated later: the parser would print what it rejects, and with it the token.
    #[arg(value_name = "RELAY", env = "DOWNBEAT_RELAY", hide_env_values = true)]
    relay: Option<TypedAddress>,
    /// How to be let in, and by which name.
    #[command(flatten)]
    access: AccessConfig,
}

/// The same for a command whose arguments are something else.
#[derive(Clone, Debug, Args)]
pub(crate) struct NamedRelayConfig {
    /// The relay: HOST, HOST:PORT, or an http://, https://, ws:// or wss:// URL, which may end with
    /// #token=TOKEN. If absent, this machine.
    #[arg(
        long,
        value_name = "RELAY",
        env = "DOWNBEAT_RELAY",
        hide_env_values = true,
        hide_default_value = true,
        default_value = THIS_MACHINE
    )]
    relay: TypedAddress,
    /// How to be let in, and by which name.
    #[command(flatten)]
    access: AccessConfig,
}

/// How to be let in by a relay, and by which name.
#[derive(Clone, Debug, Args)]
struct AccessConfig {
    /// The token that the relay requires. Other users of this machine can see a flag, but not
    /// `DOWNBEAT_TOKEN` or the configuration file.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "DOWNBEAT_TOKEN",
        hide_env_values = true,
        hide_default_value = true
    )]
    token: Option<Token>,
    /// Fingerprint of the relay's certificate, as the relay prints it: only that one is trusted.
    #[arg(long, value_name = "SHA256", env = "DOWNBEAT_FINGERPRINT")]
    fingerprint: Option<Fingerprint>,
    /// This machine's name, for the others. Its host name if absent.
    #[arg(long, env = "DOWNBEAT_NAME", value_parser = name)]
    name: Option<String>,
}

/// This machine, because people first try both programs on one.
const THIS_MACHINE: &str = "127.0.0.1";

impl AccessConfig {
    fn address(&self, relay: &TypedAddress) -> Result<RelayAddress, AddressError> {
        relay.parse(self.token.clone(), self.fingerprint)
    }

    fn name(&self) -> String {
        let host = || clean_name(&gethostname::gethostname().to_string_lossy());
        self.name.clone().or_else(host).unwrap_or_else(|| "player".to_owned())
    }
}

impl RelayConfig {
    /// The relay's address, with the credentials.
    ///
    /// # Errors
    /// If it is invalid.
    pub(crate) fn address(&self) -> Result<RelayAddress, AddressError> {
        let this_machine = || TypedAddress::new(THIS_MACHINE);
        self.access.address(&self.relay.clone().unwrap_or_else(this_machine))
    }

    /// Whether anything says which relay it is. Credentials belong to one too.
    pub(crate) fn is_given(&self) -> bool {
        let AccessConfig { token, fingerprint, .. } = &self.access;
        self.relay.is_some() || token.is_some() || fingerprint.is_some()
    }

    /// The given name, or the machine's host name.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        self.access.name()
    }

    /// Whether a name was given.
    pub(crate) fn is_named(&self) -> bool {
        self.access.name.is_some()
    }
}

impl NamedRelayConfig {
    /// The relay's address, with the credentials.
    ///
    /// # Errors
    /// If it is invalid.
    pub(crate) fn address(&self) -> Result<RelayAddress, AddressError> {
        self.access.address(&self.relay)
    }

    /// The given name, or the machine's host name.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        self.access.name()
    }
}

/// Parses a name of a client, a sound, a tag or a variable.
pub(super) fn name(text: &str) -> Result<String, String> {
    clean_name(text).ok_or_else(|| format!("a name has 1 to {MAX_NAME_CHARS} visible characters"))
}

//! The HTTP client for one relay: what joining, fetching and uploading share.

use std::time::Duration;

use ureq::{
    Agent,
    config::ConfigBuilder,
    typestate::AgentScope,
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector as _, TcpConnector},
    },
};

use super::{address::RelayAddress, tls::UntrustedCertificate, tls_connector::TlsConnector};

/// How long a relay may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The configuration, without the timeouts of a transfer.
pub(crate) fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        // A relay is on the local network, which a web proxy does not reach; and no relay redirects.
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("downbeat/", env!("CARGO_PKG_VERSION")))
}

/// A client for this relay.
pub(crate) fn agent(config: ConfigBuilder<AgentScope>, relay: &RelayAddress) -> Agent {
    let connector = TcpConnector::default().chain(TlsConnector::new(relay));
    Agent::with_parts(config.build(), connector, DefaultResolver::default())
}

/// Why a request failed, for people.
pub(crate) fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "no machine has that name".into(),
        ureq::Error::ConnectionFailed => "no answer".into(),
        ureq::Error::Timeout(_) => "timeout".into(),
        ureq::Error::Io(error) => match UntrustedCertificate::behind(error) {
            Some(untrusted) => untrusted.to_string(),
            None => error.to_string(),
        },
        error => error.to_string(),
    }
}

//! `downbeat relays`: lists the relays that announce themselves on the network.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use downbeat_command_line::print;
use tokio::time::{Instant, timeout_at};

use super::start::event_loop;
use crate::{config::RelaysConfig, net::discovery::Discovery};

/// Runs the command: a name, and below it the address, for each relay.
pub(super) fn run(config: &RelaysConfig) -> anyhow::Result<()> {
    let discovery = event_loop()?.block_on(async {
        let deadline = Instant::now() + Duration::from_secs(config.timeout);
        let mut discovery = Discovery::start()?;
        while timeout_at(deadline, discovery.changed()).await.is_ok() {}
        Ok(discovery)
    });
    let discovery = discovery.map_err(|error: String| anyhow!(error))?;
    let relays = discovery.relays();
    ensure!(!relays.is_empty(), "no relay was found within {} s", config.timeout);
    for relay in relays {
        let token = if relay.needs_token { "  (needs a token: join by its link)" } else { "" };
        print(format_args!("{}\n    {}{token}\n", relay.name, relay.address()));
    }
    Ok(())
}

//! `downbeat stop`: stops a sound, or everything, and exits once the relay has sent that to the room.

use downbeat_protocol::{ClientToRelay, StopRequest};

use super::remote::{self, Remote};
use crate::{config::StopConfig, net::address::RelayAddress, session::protocol::Incoming};

/// Runs the command.
pub(super) fn run(config: &StopConfig, relay: RelayAddress) -> anyhow::Result<()> {
    let address = relay.clone();
    remote::run("stop", &address, async {
        let mut remote = Remote::connect(relay, config.relay.name()).await?;
        let request = StopRequest { trigger: None, sound: config.sound.clone() };
        remote.send(&ClientToRelay::Stop(request))?;
        let is_own = |remote: &Remote, incoming: &Incoming| match incoming {
            Incoming::Stop(stop) => remote.is_own(&stop.by),
            _ => false,
        };
        remote.answer(is_own).await?;
        remote.close().await;
        Ok(())
    })
}

//! `downbeat bang`: bangs, and exits once the relay has sent every bang to the room.

use std::time::Duration;

use downbeat_protocol::TriggerRequest;
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    remote::{self, ANSWER_TIMEOUT, Remote, RemoteError},
    start::printer,
};
use crate::{config::BangConfig, net::address::RelayAddress, session::protocol::Incoming};

/// Runs the command: prints a line for each bang that the relay has sent to the room.
pub(super) fn run(
    config: &BangConfig,
    relay: RelayAddress,
    request: &TriggerRequest,
) -> anyhow::Result<()> {
    let printer = printer()?;
    let address = relay.clone();
    remote::run("bang", &address, bang(config, relay, request, |line| printer.print(line)))
}

async fn bang(
    config: &BangConfig,
    relay: RelayAddress,
    request: &TriggerRequest,
    print: impl Fn(String),
) -> Result<(), RemoteError> {
    let mut remote = Remote::connect(relay, config.relay.name()).await?;
    if remote.is_tutorial() && *request != TriggerRequest::default() {
        return Err(RemoteError::TutorialSound);
    }
    let start = Instant::now();
    let interval = Duration::from_millis(config.every);
    let mut confirmed = 0;
    for number in 0..config.count {
        let due = start + interval * number;
        // Echoes are read while the next bang is waited for, so that none piles up.
        while let Ok(sound) = timeout_at(due, next_echo(&mut remote)).await {
            confirmed += 1;
            print(format!("bang {confirmed}: {}", sound?));
        }
        remote.bang(request)?;
    }
    while confirmed < config.count {
        let sound = timeout(ANSWER_TIMEOUT, next_echo(&mut remote));
        let sound = sound.await.map_err(|_| RemoteError::NotConfirmed)??;
        confirmed += 1;
        print(format!("bang {confirmed}: {sound}"));
    }
    remote.close().await;
    Ok(())
}

/// The sound of this client's next bang that the relay sends to the room. Cancel-safe.
async fn next_echo(remote: &mut Remote) -> Result<String, RemoteError> {
    loop {
        match remote.receive().await? {
            Incoming::Trigger(trigger) if remote.is_own(&trigger.by) => return Ok(trigger.sound),
            // A tutorial relay does not say whose bang it was.
            Incoming::TutorialTrigger => return Ok("its sound".to_owned()),
            _ => {}
        }
    }
}

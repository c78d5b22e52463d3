//! `downbeat bang`: bangs, and exits once the relay has sent every bang to the room.

use std::time::Duration;

use anyhow::Context as _;
use downbeat_protocol::{ClientKind, TriggerRequest, encode};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use super::start::{event_loop, printer};
use crate::{
    config::BangConfig,
    net::{
        address::RelayAddress,
        websocket::{ConnectionError, WebSocket},
    },
    session::protocol::{Incoming, Phase, ProtocolState},
    time::LocalClock,
};

/// The relay sends a bang back at once; after this time it counts as lost.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);

/// Why not every bang was sent to the room.
#[derive(Debug, Error)]
enum BangError {
    /// There is no connection to the relay.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The relay refused it.
    #[error("the relay refused: {0}")]
    Refused(String),
    /// The relay has not sent it to the room.
    #[error("the relay did not confirm the bang within {} seconds", ECHO_TIMEOUT.as_secs())]
    NotConfirmed,
    /// A tutorial relay takes no parameters.
    #[error("this is a tutorial relay: it has one sound, without gain or rate")]
    Tutorial,
}

/// Runs the command: prints a line for each bang that the relay has sent to the room.
pub(super) fn run(
    config: &BangConfig,
    relay: RelayAddress,
    request: &TriggerRequest,
) -> anyhow::Result<()> {
    let address = relay.to_string();
    let printer = printer()?;
    let banged = bang(config, relay, request, |line| printer.print(line));
    event_loop()?.block_on(banged).with_context(|| format!("cannot bang at {address}"))
}

async fn bang(
    config: &BangConfig,
    relay: RelayAddress,
    request: &TriggerRequest,
    print: impl Fn(String),
) -> Result<(), BangError> {
    let mut client = Client::connect(relay, config.relay.name()).await?;
    if client.protocol.phase() == Phase::Tutorial && *request != TriggerRequest::default() {
        return Err(BangError::Tutorial);
    }
    let start = Instant::now();
    let interval = Duration::from_millis(config.every);
    let mut confirmed = 0;
    for number in 0..config.count {
        let due = start + interval * number;
        // Echoes are read while the next bang is waited for, so that none piles up.
        while let Ok(sound) = timeout_at(due, client.next_echo()).await {
            confirmed += 1;
            print(format!("bang {confirmed}: {}", sound?));
        }
        client.bang(request)?;
    }
    while confirmed < config.count {
        let sound = timeout(ECHO_TIMEOUT, client.next_echo());
        let sound = sound.await.map_err(|_| BangError::NotConfirmed)??;
        confirmed += 1;
        print(format!("bang {confirmed}: {sound}"));
    }
    client.socket.close().await;
    Ok(())
}

/// A client that only bangs.
struct Client {
    socket: WebSocket,
    clock: LocalClock,
    protocol: ProtocolState,
}

impl Client {
    /// Connects, and completes the handshake.
    async fn connect(relay: RelayAddress, name: String) -> Result<Self, BangError> {
        let clock = LocalClock::start();
        let socket = WebSocket::connect(relay, clock).await?;
        let protocol = ProtocolState::new(name, ClientKind::Remote);
        let mut client = Self { socket, clock, protocol };
        let hello = client.protocol.connected(clock.now());
        client.socket.send(encode(&hello))?;
        while let Some(deadline) = client.protocol.welcome_deadline() {
            let deadline = clock.instant(deadline).into();
            match timeout_at(deadline, client.receive()).await {
                Ok(incoming) => drop(incoming?),
                Err(_) => client.protocol.check_deadline(client.clock.now()),
            }
        }
        Ok(client)
    }

    fn bang(&mut self, request: &TriggerRequest) -> Result<(), BangError> {
        // The handshake has ended, so there is a text.
        let text = self.protocol.encode_bang(request).unwrap_or_default();
        Ok(self.socket.send(text)?)
    }

    /// The sound of this client's next bang that the relay sends to the room. Cancel-safe.
    async fn next_echo(&mut self) -> Result<String, BangError> {
        loop {
            match self.receive().await? {
                Incoming::Trigger(trigger) if self.protocol.own_id() == Some(trigger.by.id) => {
                    return Ok(trigger.sound);
                }
                // A tutorial relay does not say whose bang it was.
                Incoming::TutorialTrigger => return Ok("its sound".to_owned()),
                _ => {}
            }
        }
    }

    /// The next message, unless it is a refusal. Cancel-safe.
    async fn receive(&mut self) -> Result<Incoming, BangError> {
        let (text, _) = self.socket.next_text().await?;
        match self.protocol.receive(&text) {
            Incoming::Refused(refusal) => Err(BangError::Refused(refusal.message)),
            incoming => Ok(incoming),
        }
    }
}

//! `downbeat bang`: bangs, and ends once the relay has sent every bang to the room.

use std::time::Duration;

use downbeat_protocol::{
    ClientId, ClientKind, ClientToRelay, Hello, RelayToClient, TUTORIAL_TRIGGER_INPUT,
    TriggerRequest, decode_from_relay, encode,
};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    address::RelayAddress,
    session::link::{Link, LinkError},
    time::LocalClock,
};

/// A relay says welcome within a round trip; a server that has not by now is a plain one.
const WELCOME_WITHIN: Duration = Duration::from_secs(1);

/// What was banged comes back with the next breath; if it has not by now it will not.
const ECHO_WITHIN: Duration = Duration::from_secs(5);

/// What to bang.
#[derive(Clone, Debug)]
pub struct Bangs {
    /// Where the relay is.
    pub relay: RelayAddress,
    /// Who bangs.
    pub name: String,
    /// What each asks for.
    pub request: TriggerRequest,
    /// How many.
    pub count: u32,
    /// From one to the next.
    pub every: Duration,
}

/// Why not every bang was heard.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// There is no connection to the relay.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The relay refused it.
    #[error("the relay refused: {0}")]
    Refused(String),
    /// The relay has not sent it to the room.
    #[error("the relay did not pass the bang on within {} seconds", ECHO_WITHIN.as_secs())]
    NoEcho,
    /// A plain relay has one sound and no parameters.
    #[error("that is a plain relay: it has one sound, and neither gain nor rate")]
    Plain,
}

/// Bangs, calling `heard` with each bang's number and sound as the relay sends it to the room.
///
/// # Errors
/// [`RemoteError`], at the first bang that fails.
pub async fn bang(bangs: &Bangs, mut heard: impl FnMut(u32, &str)) -> Result<(), RemoteError> {
    let mut link = Link::connect(bangs.relay.clone(), LocalClock::start()).await?;
    let hello = ClientToRelay::Hello(Hello {
        name: bangs.name.clone(),
        kind: ClientKind::Remote,
        client: concat!("downbeat/", env!("CARGO_PKG_VERSION")).to_owned(),
    });
    link.send(encode(&hello))?;
    let speaks = match timeout(WELCOME_WITHIN, welcome(&mut link)).await {
        Ok(id) => Speaks::Downbeat(id?),
        Err(_) if bangs.request == TriggerRequest::default() => Speaks::Plain,
        Err(_) => return Err(RemoteError::Plain),
    };
    let start = Instant::now();
    let mut echoed = 0;
    for number in 1..=bangs.count {
        let due = start + bangs.every * (number - 1);
        // Echoes are read while the next bang is waited for, so that none piles up.
        while let Ok(sound) = timeout_at(due, echo(&mut link, speaks)).await {
            echoed += 1;
            heard(echoed, &sound?);
        }
        link.send(speaks.bang(&bangs.request))?;
    }
    while echoed < bangs.count {
        let sound = timeout(ECHO_WITHIN, echo(&mut link, speaks));
        let sound = sound.await.map_err(|_| RemoteError::NoEcho)??;
        echoed += 1;
        heard(echoed, &sound);
    }
    link.close().await;
    Ok(())
}

/// What the far end speaks, and who this client is to it.
#[derive(Clone, Copy)]
enum Speaks {
    Downbeat(ClientId),
    Plain,
}

impl Speaks {
    fn bang(self, request: &TriggerRequest) -> String {
        match self {
            Self::Downbeat(_) => encode(&ClientToRelay::Trigger(request.clone())),
            Self::Plain => TUTORIAL_TRIGGER_INPUT.to_owned(),
        }
    }
}

async fn welcome(link: &mut Link) -> Result<ClientId, RemoteError> {
    loop {
        let (text, _) = link.next_text().await?;
        match decode_from_relay(&text) {
            Ok(RelayToClient::Welcome(welcome)) => return Ok(welcome.id),
            Ok(RelayToClient::Error(refusal)) => return Err(RemoteError::Refused(refusal.message)),
            // A plain relay may pass on someone's bang meanwhile.
            _ => {}
        }
    }
}

/// The sound of the next bang of this client that the relay sends to the room. Safe to cancel.
async fn echo(link: &mut Link, speaks: Speaks) -> Result<String, RemoteError> {
    loop {
        let (text, _) = link.next_text().await?;
        match (speaks, decode_from_relay(&text)) {
            (Speaks::Downbeat(own), Ok(RelayToClient::Trigger(trigger)))
                if trigger.by.id == own =>
            {
                return Ok(trigger.sound);
            }
            (Speaks::Downbeat(_), Ok(RelayToClient::Error(refusal))) => {
                return Err(RemoteError::Refused(refusal.message));
            }
            // It does not say whose bang it was; to its clients they are all the same.
            (Speaks::Plain, Err(_)) => return Ok("its sound".to_owned()),
            _ => {}
        }
    }
}

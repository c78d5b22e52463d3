//! The wire `downbeat.v1`: what the relay does about each message.

use downbeat_protocol::{
    By, ClientToRelay, ErrorCode, Hello, ProbeReply, Refusal, RelayTime, RelayToClient,
    decode_from_client, encode,
};
use tokio_tungstenite::tungstenite::Message;

use super::context::SessionContext;
use crate::{
    limits::rate_limit::AVERAGE_MESSAGE_BYTES,
    room::{
        member::Role,
        refuse::{invalid, refusal},
    },
    text::Sanitized,
    websocket::{client::Client, frame},
};

/// The state of a `downbeat.v1` session: who its client is, once it has sent its hello.
#[derive(Debug, Default)]
pub(super) struct V1 {
    author: Option<By>,
}

impl V1 {
    /// Processes a message whose last byte arrived at `received`; returns the size of what is broadcast to
    /// each client because of it.
    pub(super) async fn receive(
        &mut self,
        session: &SessionContext,
        message: Message,
        received: RelayTime,
    ) -> usize {
        let result = match &message {
            Message::Text(text) => match decode_from_client(text) {
                Ok(message) => {
                    let ack = ack_of(&message);
                    let result = self.process(session, message, received).await;
                    result.map_err(|refusal| Refusal { ack, ..refusal })
                }
                Err(error) => Err(Refusal::from(&error)),
            },
            Message::Binary(_) => Err(refusal(ErrorCode::Malformed, "messages are text frames")),
            // The decoder has processed control frames.
            _ => Ok(0),
        };
        result.unwrap_or_else(|refusal| {
            refuse(session, refusal);
            0
        })
    }

    async fn process(
        &mut self,
        session: &SessionContext,
        message: ClientToRelay,
        received: RelayTime,
    ) -> Result<usize, Refusal> {
        let SessionContext { hub, client, role, .. } = session;
        let Some(author) = &self.author else {
            let ClientToRelay::Hello(hello) = message else {
                return Err(refusal(ErrorCode::HelloFirst, "the first message must be a hello"));
            };
            self.author = Some(admit(session, &hello).await?);
            return Ok(0);
        };
        match message {
            ClientToRelay::Hello(_) => Err(refusal(
                ErrorCode::NotAllowed,
                "hello is sent once; reconnect to change the name",
            )),
            ClientToRelay::Probe(probe) => {
                let replied = hub.clock.now();
                let seconds = replied.micros_since(received) as f64 / 1e6;
                hub.counters.probe_turnaround.observe(seconds);
                let reply = ProbeReply { sent: probe.sent, received, replied };
                send(client, &RelayToClient::ProbeReply(reply));
                Ok(0)
            }
            message if *role == Role::Listen && changes_the_room(&message) => {
                Err(refusal(ErrorCode::NotAllowed, "your token lets you listen, not bang"))
            }
            ClientToRelay::Trigger(request) => hub.trigger(author.clone(), request).await,
            ClientToRelay::Stop(request) => hub.stop(author.clone(), request).await.map(|()| 0),
            ClientToRelay::Declare(request) => hub.declare(author.id, request).await,
            ClientToRelay::Remove(request) => hub.remove(author.id, request).await,
            ClientToRelay::Set(request) => hub.set(author.clone(), request).await,
            ClientToRelay::Assign(request) => hub.assign(author.id, request).await,
            ClientToRelay::Upload(_) | ClientToRelay::EditSounds(_) => {
                Err(refusal(ErrorCode::NotAllowed, "this relay takes no sounds"))
            }
            ClientToRelay::Report(report) => {
                hub.report(client, report);
                Ok(0)
            }
        }
    }
}

/// Whether a message requires more than the right to listen.
fn changes_the_room(message: &ClientToRelay) -> bool {
    match message {
        ClientToRelay::Hello(_) | ClientToRelay::Probe(_) | ClientToRelay::Report(_) => false,
        ClientToRelay::Trigger(_)
        | ClientToRelay::Stop(_)
        | ClientToRelay::Declare(_)
        | ClientToRelay::Remove(_)
        | ClientToRelay::Set(_)
        | ClientToRelay::Assign(_) => true,
    }
}

/// The number under which a request is acknowledged or refused.
fn ack_of(message: &ClientToRelay) -> Option<u64> {
    match message {
        ClientToRelay::Declare(request) => request.ack,
        ClientToRelay::Remove(request) => request.ack,
        ClientToRelay::Set(request) => request.ack,
        ClientToRelay::Assign(request) => request.ack,
        ClientToRelay::Upload(request) => Some(request.ack),
        ClientToRelay::EditSounds(request) => request.ack,
        ClientToRelay::Hello(_)
        | ClientToRelay::Probe(_)
        | ClientToRelay::Trigger(_)
        | ClientToRelay::Stop(_)
        | ClientToRelay::Report(_) => None,
    }
}

/// Admits the client to the room.
async fn admit(session: &SessionContext, hello: &Hello) -> Result<By, Refusal> {
    let SessionContext { hub, client, role, .. } = session;
    let name = hello.valid_name().map_err(invalid)?;
    hub.admit(client, *role, hello, &name).await;
    tracing::info!(
        id = client.id.0, name = %Sanitized(&name), kind = ?hello.kind,
        client = %Sanitized(&hello.client), "client_admitted"
    );
    Ok(By { id: client.id, name })
}

/// Tells the client that it is beyond its rate and the last message was ignored.
pub(super) fn refuse_rate(session: &SessionContext) {
    let message = format!(
        "rate limit: at most {} messages a second, of {AVERAGE_MESSAGE_BYTES} bytes on average",
        session.messages_per_second
    );
    refuse(session, refusal(ErrorCode::TooMany, message));
}

fn refuse(session: &SessionContext, refusal: Refusal) {
    session.hub.counters.messages_refused.increment();
    let reason = Sanitized(&refusal.message);
    tracing::debug!(id = session.client.id.0, %reason, "message_refused");
    send(&session.client, &RelayToClient::Error(refusal));
}

fn send(client: &Client, message: &RelayToClient) {
    client.outbox.send(&frame::text(&encode(message)));
}

//! The wire `downbeat.v1`: what the relay does about each message.

use downbeat_protocol::{
    ClientToRelay, ErrorCode, Hello, ProbeReply, Refusal, RelayTime, RelayToClient,
    decode_from_client, encode,
};
use tokio_tungstenite::tungstenite::Message;

use super::context::SessionContext;
use crate::{
    limits::rate_limit::AVERAGE_MESSAGE_BYTES,
    room::refuse::{invalid, refusal},
    text::Sanitized,
    websocket::{client::Client, frame},
};

/// The state of a `downbeat.v1` session.
#[derive(Debug, Default)]
pub(super) struct V1 {
    /// Its client has sent its hello.
    is_admitted: bool,
    /// What the message costs that is being processed, in bytes, even if it is refused.
    work: usize,
}

impl V1 {
    /// Processes a message whose last byte arrived at `received`; returns the size of what is broadcast to
    /// each client because of it, or what it costs otherwise, if that is more.
    pub(super) async fn receive(
        &mut self,
        session: &SessionContext,
        message: Message,
        received: RelayTime,
    ) -> usize {
        self.work = 0;
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
        let sent = result.unwrap_or_else(|refusal| {
            refuse(session, refusal);
            0
        });
        sent.max(self.work)
    }

    async fn process(
        &mut self,
        session: &SessionContext,
        message: ClientToRelay,
        received: RelayTime,
    ) -> Result<usize, Refusal> {
        let SessionContext { hub, client, .. } = session;
        if !self.is_admitted {
            let ClientToRelay::Hello(hello) = message else {
                return Err(refusal(ErrorCode::HelloFirst, "the first message must be a hello"));
            };
            admit(session, &hello).await?;
            self.is_admitted = true;
            return Ok(0);
        }
        // For each message anew: name and rights can be assigned while the client is connected.
        let by = hub.authorize(client.id, &message)?;
        self.work = hub.work_of(&message);
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
            ClientToRelay::Trigger(request) => hub.trigger(by, request).await,
            ClientToRelay::Stop(request) => hub.stop(by, request).await.map(|()| 0),
            ClientToRelay::Declare(request) => hub.declare(by.id, request).await,
            ClientToRelay::Remove(request) => hub.remove(by.id, request).await,
            ClientToRelay::Set(request) => hub.set(by, request).await,
            ClientToRelay::Assign(request) => hub.assign(by.id, request).await,
            ClientToRelay::Forget(request) => hub.forget(by.id, request).await,
            ClientToRelay::Command(request) => hub.command(by, request).await,
            ClientToRelay::Lock(request) => hub.lock(by, request).await,
            ClientToRelay::Watch(request) => hub.watch(client, request).map(|()| 0),
            ClientToRelay::Outcomes(outcomes) => hub.outcomes(by.id, &outcomes).map(|()| 0),
            ClientToRelay::Upload(request) => {
                let ready = hub.offer_upload(by.id, &request)?;
                send(client, &RelayToClient::UploadReady(ready));
                Ok(0)
            }
            ClientToRelay::EditSounds(request) => hub.edit_sounds(by.id, request).await,
            ClientToRelay::Report(report) => {
                report.validate().map_err(invalid)?;
                hub.report(client, report);
                Ok(0)
            }
        }
    }
}

/// The number under which a request is acknowledged or refused.
fn ack_of(message: &ClientToRelay) -> Option<u64> {
    match message {
        ClientToRelay::Declare(request) => request.ack,
        ClientToRelay::Remove(request) => request.ack,
        ClientToRelay::Set(request) => request.ack,
        ClientToRelay::Assign(request) => request.ack,
        ClientToRelay::Forget(request) => request.ack,
        ClientToRelay::Command(request) => request.ack,
        ClientToRelay::Lock(request) => request.ack,
        ClientToRelay::Watch(request) => request.ack,
        ClientToRelay::Upload(request) => Some(request.ack),
        ClientToRelay::EditSounds(request) => request.ack,
        ClientToRelay::Hello(_)
        | ClientToRelay::Probe(_)
        | ClientToRelay::Trigger(_)
        | ClientToRelay::Stop(_)
        | ClientToRelay::Outcomes(_)
        | ClientToRelay::Report(_) => None,
    }
}

/// Admits the client to the room.
async fn admit(session: &SessionContext, hello: &Hello) -> Result<(), Refusal> {
    let SessionContext { hub, client, rights, .. } = session;
    let name = hello.valid_name().map_err(invalid)?;
    hub.admit(client, *rights, hello, &name).await;
    tracing::info!(
        id = client.id.0, name = %Sanitized(&name), kind = ?hello.kind,
        client = %Sanitized(&hello.client), "client_admitted"
    );
    Ok(())
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

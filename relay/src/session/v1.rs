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
        let turn = hub.turn(&message).await;
        // For each message anew, and after it has waited: name and rights can be assigned while the client is connected.
        // From here on nothing waits.
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
            ClientToRelay::Trigger(request) => hub.trigger(turn, by, request),
            ClientToRelay::Stop(request) => hub.stop(turn, by, request).map(|()| 0),
            ClientToRelay::Declare(request) => hub.declare(turn, by.id, request),
            ClientToRelay::Remove(request) => hub.remove(turn, by.id, &request),
            ClientToRelay::Set(request) => hub.set(turn, by, request),
            ClientToRelay::Assign(request) => hub.assign(turn, by.id, &request),
            ClientToRelay::Forget(request) => hub.forget(turn, by.id, &request),
            ClientToRelay::Command(request) => hub.command(turn, &by, request),
            ClientToRelay::Lock(request) => hub.lock(turn, by, request),
            ClientToRelay::Watch(request) => hub.watch(client, request).map(|()| 0),
            ClientToRelay::Outcomes(outcomes) => hub.outcomes(by.id, &outcomes).map(|()| 0),
            ClientToRelay::Upload(request) => {
                let ready = hub.offer_upload(by.id, &request)?;
                send(client, &RelayToClient::UploadReady(ready));
                Ok(0)
            }
            ClientToRelay::EditSounds(request) => hub.edit_sounds(turn, by.id, &request),
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

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, pin::pin, sync::Arc};

    use downbeat_protocol::Rights;
    use futures_util::FutureExt as _;
    use tokio::task::unconstrained;

    use super::*;
    use crate::{
        config::Config,
        joining::{Invitation, tokens::Tokens},
        limits::admission::{Admission, AdmissionLimits},
        room::hub::Hub,
        websocket::client::Wire,
    };

    /// An admitted client.
    async fn session(hub: &Arc<Hub>, rights: Rights) -> (SessionContext, V1) {
        let admission = Admission::new(AdmissionLimits {
            connections: 1,
            connections_per_address: 1,
            messages_per_address: 1,
            requests_per_address: 1,
        });
        let now = hub.clock.now();
        let permit = Arc::new(admission.admit(IpAddr::from([127, 0, 0, 1]), 1, now).unwrap());
        let client = hub.connect(Wire::V1, rights).await;
        let session =
            SessionContext { hub: hub.clone(), client, rights, messages_per_second: 1, permit };
        let mut v1 = V1::default();
        let hello = r#"{"type":"hello","name":"one","kind":"headless","client":"test"}"#;
        v1.receive(&session, Message::text(hello), now).await;
        assert!(v1.is_admitted);
        (session, v1)
    }

    #[tokio::test]
    async fn a_right_that_is_taken_away_while_a_message_waits_is_gone() {
        let config = Config::default();
        let tokens = Arc::new(Tokens::new(&config).unwrap());
        let invitation = Invitation::new(tokens, config.listen, false, None).unwrap();
        let hub = Arc::new(Hub::new(&config, invitation).unwrap().0);
        let (desk, mut desk_v1) = session(&hub, Rights::Conductor).await;
        let (pupil, mut pupil_v1) = session(&hub, Rights::Player).await;
        // The lane has so much to do that both wait, the lock first.
        let mut places = Vec::new();
        while let Some(place) = unconstrained(hub.fan_out.reserve(Wire::V1)).now_or_never() {
            places.push(place);
        }
        let now = hub.clock.now();
        let lock = Message::text(r#"{"type":"lock","locked":true}"#);
        let mut locks = pin!(desk_v1.receive(&desk, lock, now));
        assert!(locks.as_mut().now_or_never().is_none());
        let bang = Message::text(r#"{"type":"trigger"}"#);
        let mut bangs = pin!(pupil_v1.receive(&pupil, bang, now));
        assert!(bangs.as_mut().now_or_never().is_none());
        drop(places);
        locks.await;
        bangs.await;
        assert_eq!(hub.counters.triggers.get(), 0);
        assert_eq!(hub.counters.messages_refused.get(), 1);
    }
}

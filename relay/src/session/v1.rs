//! `downbeat.v1`: what a client of it says, and what the relay does about it.

use std::sync::Arc;

use downbeat_protocol::{
    By, ClientToRelay, ErrorCode, ProbeReply, Refusal, RelayTime, RelayToClient,
    decode_from_client, encode,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    access::Role, clients::Client, config::MESSAGE_BYTES_ON_AVERAGE, frame, health::Printable,
    relay::Relay,
};

/// One client's side of the conversation: nobody yet, or someone with a name.
#[derive(Debug, Default)]
pub struct Conversation {
    by: Option<By>,
}

impl Conversation {
    /// Answers `message`, of which the last byte was read at `received`; how many bytes each client is
    /// told because of it.
    pub async fn hear(
        &mut self,
        relay: &Relay,
        client: &Arc<Client>,
        message: Message,
        received: RelayTime,
    ) -> usize {
        let answer = match &message {
            Message::Text(text) => match decode_from_client(text) {
                Ok(message) => self.answer(relay, client, message, received).await,
                Err(error) => Err(Refusal::from(&error)),
            },
            Message::Binary(_) => Err(Refusal {
                code: ErrorCode::Malformed,
                message: "messages are text frames".to_owned(),
            }),
            // Control frames are the library's business.
            _ => Ok(0),
        };
        answer.unwrap_or_else(|refusal| {
            relay.counts.refused.add();
            tracing::debug!(client = client.id.0, why = %Printable(&refusal.message), "refused");
            say(client, &RelayToClient::Error(refusal));
            0
        })
    }

    async fn answer(
        &mut self,
        relay: &Relay,
        client: &Arc<Client>,
        message: ClientToRelay,
        received: RelayTime,
    ) -> Result<usize, Refusal> {
        let Some(by) = &self.by else {
            let ClientToRelay::Hello(hello) = message else {
                return Err(Refusal {
                    code: ErrorCode::HelloFirst,
                    message: "the first message must be a hello".to_owned(),
                });
            };
            let name = hello.valid_name().map_err(|error| Refusal {
                code: ErrorCode::InvalidValue,
                message: error.to_string(),
            })?;
            relay.admit(client, &hello, &name).await;
            tracing::info!(
                client = client.id.0, name = %Printable(&name), kind = ?hello.kind,
                program = %Printable(&hello.client), "hello"
            );
            self.by = Some(By { id: client.id, name });
            return Ok(0);
        };
        match message {
            ClientToRelay::Hello(_) => Err(Refusal {
                code: ErrorCode::NotAllowed,
                message: "hello is said once; connect again to be called otherwise".to_owned(),
            }),
            ClientToRelay::Probe(probe) => {
                let replied = relay.clock.now();
                relay.measured.probe.observe(replied.micros_since(received) as f64 / 1e6);
                let reply = ProbeReply { sent: probe.sent, received, replied };
                say(client, &RelayToClient::ProbeReply(reply));
                Ok(0)
            }
            ClientToRelay::Trigger(_) | ClientToRelay::Stop(_) if client.role == Role::Listen => {
                Err(Refusal {
                    code: ErrorCode::NotAllowed,
                    message: "your token lets you listen, not bang".to_owned(),
                })
            }
            ClientToRelay::Trigger(request) => relay.bang(by.clone(), request).await,
            ClientToRelay::Stop(request) => relay.stop(by.clone(), request).await.map(|()| 0),
            ClientToRelay::Report(report) => {
                relay.report(client, report);
                Ok(0)
            }
        }
    }
}

/// Tells a client that what it just said was not heard.
pub fn refuse_too_many(relay: &Relay, client: &Client) {
    relay.counts.refused.add();
    tracing::debug!(client = client.id.0, "says too much");
    say(
        client,
        &RelayToClient::Error(Refusal {
            code: ErrorCode::TooMany,
            message: format!(
                "at most {} messages a second, of {MESSAGE_BYTES_ON_AVERAGE} bytes on average, please",
                relay.messages
            ),
        }),
    );
}

fn say(client: &Client, message: &RelayToClient) {
    client.outbox.send(&frame::text(&encode(message)));
}

//! One WebSocket client, from the end of its handshake to the end of its socket: what is done about
//! what its [`Reader`] hears.
//!
//! There are no timers here: the [fan-out](crate::fan_out) looks after everyone at once, which keeps
//! an idle connection small.

use std::sync::Arc;

use downbeat_protocol::By;
use tokio::net::TcpStream;

use crate::{
    access,
    clients::{Client, Wire},
    conversation::{self, Conversation},
    doors::Visit,
    frame::CloseCode,
    rate::{Meter, Verdict},
    reader::{End, Limits, Reader, Said},
    relay::Relay,
    seal::Seal,
    seed,
};

/// Serves a client that was registered with the relay until it is gone. `early` is what was read
/// past its handshake.
pub async fn serve(
    relay: Arc<Relay>,
    client: Arc<Client>,
    (socket, seal): (TcpStream, Option<Seal>),
    visit: Arc<Visit>,
    early: Vec<u8>,
) {
    relay.counts.connections.add();
    // It has none if it is gone already.
    let peer = socket.peer_addr().ok().map(tracing::field::display);
    tracing::info!(client = client.id.0, peer, wire = ?client.wire, "connected");
    let socket = Arc::new(socket);
    let is_sealed = seal.is_some();
    client.outbox.open(socket.clone(), seal);

    let limits = Limits::default();
    let mut reader = Reader::new(client.clone(), socket, is_sealed, relay.clock, early, limits);
    let end = converse(&relay, &client, &visit, &mut reader).await;
    let member = relay.leave(&client).await;
    relay.counts.ended(client.outbox.phase());
    relay.measured.note_peak(&client.outbox);
    // One that is told to go before it has said hello has not kept to the rules either.
    let said_nothing = end == End::Closing && member.is_none();
    if said_nothing || matches!(end, End::Broken(..)) {
        relay.counts.broken.add();
    }
    tracing::info!(
        client = client.id.0, end = ?end, phase = ?client.outbox.phase(),
        admitted = member.is_some(), "gone"
    );
    // Boxed, because every idle connection would otherwise carry the room for it.
    Box::pin(reader.part(end)).await;
}

const EXPELLED: End = End::Broken(CloseCode::Policy, "too many messages");

async fn converse(relay: &Relay, client: &Arc<Client>, visit: &Visit, reader: &mut Reader) -> End {
    let mut meter = Meter::new(relay.messages, client.since);
    let judge = |meter: &mut Meter, said: &Said| {
        #[cfg(test)]
        relay.alarm.panic_if_injected("connection");
        if said.message.is_close() {
            return Verdict::Pass;
        }
        let verdict = meter.judge(said.at, said.bytes, || visit.may_speak(said.at));
        if verdict != Verdict::Pass {
            relay.counts.unheard.add();
        }
        verdict
    };
    match client.wire {
        Wire::Seed => {
            let by = By { id: client.id, name: seed::name(client.id) };
            loop {
                let said = match reader.next().await {
                    Ok(said) => said,
                    Err(end) => break end,
                };
                match judge(&mut meter, &said) {
                    Verdict::Pass
                        if seed::is_bang(&said.message) && client.role == access::Role::Listen =>
                    {
                        relay.counts.refused.add();
                    }
                    Verdict::Pass if seed::is_bang(&said.message) => {
                        let told = relay.bang_plain(by.clone()).await;
                        meter.charge(told.saturating_sub(said.bytes));
                    }
                    // Nothing can be said to it but goodbye.
                    Verdict::Pass | Verdict::Refuse | Verdict::Ignore => {}
                    Verdict::Expel => break EXPELLED,
                }
            }
        }
        Wire::Modern => {
            let mut conversation = Conversation::default();
            loop {
                let said = match reader.next().await {
                    Ok(said) => said,
                    Err(end) => break end,
                };
                match judge(&mut meter, &said) {
                    Verdict::Pass => {
                        let told = conversation.hear(relay, client, said.message, said.at).await;
                        meter.charge(told.saturating_sub(said.bytes));
                    }
                    Verdict::Refuse => conversation::refuse_too_many(relay, client),
                    Verdict::Ignore => {}
                    Verdict::Expel => break EXPELLED,
                }
            }
        }
    }
}

//! Receives the messages of a client until its connection ends.
//!
//! There are no timers here: the [`broadcast`](crate::broadcast) keeps all connections alive, which keeps an
//! idle one small.

use std::sync::Arc;

use super::{
    context::SessionContext,
    tutorial,
    v1::{self, V1},
};
use crate::{
    counters::Counters,
    limits::rate_limit::{Decision, RateLimiter},
    websocket::{
        client::Wire,
        decoder::{End, MessageLimits},
        frame::CloseCode,
        outbox::{CutOff, Phase},
        reader::{Reader, Received},
        transport::Transport,
    },
};

/// How a connection ends whose client ignores its rate limit.
const RATE_VIOLATION: End = End::Violation(CloseCode::Policy, "too many messages");

impl SessionContext {
    /// Serves the client until its connection ends. `early` is what was read past the handshake.
    pub(crate) async fn serve(self, transport: Transport, early: Vec<u8>) {
        let Self { hub, client, .. } = &self;
        hub.counters.websocket_connections_opened.increment();
        // None if it is gone already.
        let addr = transport.peer().map(tracing::field::display);
        tracing::info!(id = client.id.0, addr, wire = %client.wire, "client_connected");
        let transport = Arc::new(transport);
        client.outbox.open(transport.clone());

        let limits = MessageLimits::default();
        let mut reader = Reader::new(client.clone(), transport, hub.clock, early, limits);
        let end = self.receive(&mut reader).await;
        let was_member = hub.disconnect(client).await;
        let phase = client.outbox.phase();
        record_end(&hub.counters, end, phase, was_member);
        hub.counters.record_outbox_peak(client.outbox.peak());
        tracing::info!(
            id = client.id.0, reason = ?end, outbox = ?phase, admitted = was_member,
            "client_disconnected"
        );
        // Boxed: every idle connection would otherwise carry the space for it.
        Box::pin(reader.finish(end)).await;
        hub.counters.websocket_connections_closed.increment();
    }

    /// Processes messages until the connection ends.
    async fn receive(&self, reader: &mut Reader) -> End {
        let mut limiter = RateLimiter::new(self.messages_per_second, self.client.connected_at);
        let mut v1 = V1::default();
        loop {
            let received = match reader.next().await {
                Ok(received) => received,
                Err(end) => break end,
            };
            match self.check_rate(&mut limiter, &received) {
                Decision::Allow => {
                    let cost = received.cost;
                    let sent = self.process(&mut v1, received).await;
                    limiter.charge(sent.saturating_sub(cost));
                }
                Decision::Refuse => self.refuse_rate(),
                Decision::Ignore => {}
                Decision::Disconnect => break RATE_VIOLATION,
            }
        }
    }

    fn check_rate(&self, limiter: &mut RateLimiter, received: &Received) -> Decision {
        #[cfg(test)]
        self.hub.supervisor.panic_if_injected("connection");
        if received.message.is_close() {
            return Decision::Allow;
        }
        let Received { at, cost, .. } = *received;
        let decision = limiter.check(at, cost, || self.permit.allow_message(at));
        if decision != Decision::Allow {
            self.hub.counters.rate_limited.increment();
        }
        decision
    }

    /// Processes a message; returns the size of what is broadcast to each client because of it.
    async fn process(&self, v1: &mut V1, received: Received) -> usize {
        let Received { message, at, .. } = received;
        match self.client.wire {
            // Boxed: every idle connection would otherwise carry the space for the largest request.
            Wire::V1 => Box::pin(v1.receive(self, message, at)).await,
            Wire::Tutorial => tutorial::receive(self, &message).await,
        }
    }

    fn refuse_rate(&self) {
        match self.client.wire {
            Wire::V1 => v1::refuse_rate(self),
            // This wire has no errors.
            Wire::Tutorial => {}
        }
    }
}

/// Counts why a client was disconnected, if the relay did it.
pub(crate) fn record_end(counters: &Counters, end: End, phase: Phase, was_member: bool) {
    let disconnected = &counters.clients_disconnected;
    match phase {
        Phase::Cut(CutOff::Overflow) => disconnected.overflow.increment(),
        Phase::Cut(CutOff::Backlog) => disconnected.backlog.increment(),
        Phase::Cut(CutOff::Stalled) => disconnected.stalled.increment(),
        Phase::Cut(CutOff::Silent) => disconnected.silent.increment(),
        Phase::Cut(CutOff::Failed) | Phase::Open | Phase::Closing => {}
    }
    // A client that is closed before its hello has violated the protocol too.
    let had_no_hello = end == End::ClosedByRelay && !was_member;
    if had_no_hello || matches!(end, End::Violation(..)) {
        disconnected.violation.increment();
    }
}

//! The health report at `/healthz`, as JSON. It has the same names as the metrics.

use std::collections::BTreeMap;

use downbeat_platform::scheduling::{self, Priority};
use downbeat_protocol::{Epoch, Roster};
use serde::Serialize;

use super::context::ServerState;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    epoch: Epoch,
    uptime_micros: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    sounds: usize,
    tcp_connections: u32,
    websocket_connections: u64,
    websocket_connections_opened: u64,
    triggers: u64,
    values: u64,
    variables: usize,
    messages_refused: u64,
    connections_rejected: u64,
    tls_handshake_failures: u64,
    malformed_requests: u64,
    http_errors: u64,
    rate_limited: u64,
    connection_panics: u64,
    /// By reason.
    clients_disconnected: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    roster: Roster,
}

/// The report.
pub(super) fn as_json(state: &ServerState) -> String {
    let (hub, counters) = (&state.hub, &state.hub.counters);
    let (variables, roster) = {
        let room = hub.room();
        (room.variables(), room.roster())
    };
    let health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        epoch: hub.epoch,
        uptime_micros: hub.clock.now().as_micros(),
        priority: state.priority.get().map(|priority| current_priority(priority.as_ref())),
        sounds: hub.bank().infos().count(),
        tcp_connections: state.admission.connections(),
        websocket_connections: counters.websocket_connections(),
        websocket_connections_opened: counters.websocket_connections_opened.get(),
        triggers: counters.triggers.get(),
        values: counters.values.get(),
        variables,
        messages_refused: counters.messages_refused.get(),
        connections_rejected: counters.connections_rejected.get(),
        tls_handshake_failures: counters.tls_handshake_failures.get(),
        malformed_requests: counters.malformed_requests.get(),
        http_errors: counters.http_errors.get(),
        rate_limited: counters.rate_limited.get(),
        connection_panics: counters.connection_panics.get(),
        clients_disconnected: counters.clients_disconnected.by_reason().into_iter().collect(),
        roster,
    };
    // Strings and finite numbers only: serde_json refuses none of it.
    serde_json::to_string(&health).unwrap_or_default()
}

/// The priority of the calling thread, which asked for one and got this.
fn current_priority(granted: Result<&Priority, &String>) -> String {
    match granted {
        Ok(Priority::RealTime { .. }) if !scheduling::has_real_time_priority() => {
            "lost: the main thread ran for too long without sleeping".to_owned()
        }
        Ok(priority) => priority.to_string(),
        Err(reason) => format!("unavailable: {reason}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_main_thread_that_was_demoted_has_lost_its_priority() {
        // This thread has none now, whatever it was granted before.
        let granted = Ok(&Priority::RealTime { level: 3, by_rtkit: true });
        let priority = current_priority(granted);
        assert!(priority.starts_with("lost: "), "{priority}");
    }
}

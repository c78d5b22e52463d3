//! The health report at `/healthz`, as JSON. It has the same names as the metrics.

use std::collections::BTreeMap;

use downbeat_platform::scheduling::{self, Priority};
use downbeat_protocol::{Epoch, Report, Roster, RosterEntry};
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
    uploads: u64,
    /// By reason.
    uploads_refused: BTreeMap<&'static str, u64>,
    store_failures: u64,
    messages_refused: u64,
    connections_rejected: u64,
    tls_handshake_failures: u64,
    malformed_requests: u64,
    http_errors: u64,
    rate_limited: u64,
    wrong_room_codes: u64,
    announcement_restarts: u64,
    connection_panics: u64,
    /// By reason.
    clients_disconnected: BTreeMap<&'static str, u64>,
    total: u32,
    clients: Vec<Client>,
    lead_micros: u32,
}

/// A listed client, with its last report.
#[derive(Serialize)]
struct Client {
    #[serde(flatten)]
    entry: RosterEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

/// The report.
pub(super) fn as_json(state: &ServerState) -> String {
    let (hub, counters) = (&state.hub, &state.hub.counters);
    let (variables, total, clients, lead_micros) = {
        let room = hub.room();
        let Roster { total, clients, lead_micros } = room.roster();
        let client = |entry: RosterEntry| Client { report: room.report_of(entry.id), entry };
        let clients: Vec<_> = clients.into_iter().map(client).collect();
        (room.variables(), total, clients, lead_micros)
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
        uploads: counters.uploads.get(),
        uploads_refused: counters.uploads_refused.by_reason().into_iter().collect(),
        store_failures: counters.store_failures.get(),
        messages_refused: counters.messages_refused.get(),
        connections_rejected: counters.connections_rejected.get(),
        tls_handshake_failures: counters.tls_handshake_failures.get(),
        malformed_requests: counters.malformed_requests.get(),
        http_errors: counters.http_errors.get(),
        rate_limited: counters.rate_limited.get(),
        wrong_room_codes: counters.wrong_room_codes.get(),
        announcement_restarts: counters.announcement_restarts.get(),
        connection_panics: counters.connection_panics.get(),
        clients_disconnected: counters.clients_disconnected.by_reason().into_iter().collect(),
        total,
        clients,
        lead_micros,
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

//! The metrics at `/metrics`: the [`counters`](crate::counters) and the state of the room, in the text format
//! of `OpenMetrics` or of Prometheus.

use hyper::{HeaderMap, header::ACCEPT};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::{ConstCounter, Counter as FamilyCounter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};

use super::context::ServerState;
use crate::{counters::Counter, websocket::client::Wire};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OnWire {
    wire: &'static str,
}

/// The two text formats that monitoring systems read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// The older format of Prometheus, 0.0.4, for scrapers that read no other.
    Prometheus,
}

impl Format {
    /// The format that a request's `Accept` prefers; `OpenMetrics` if it has no preference.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self::preferred(accepted.flat_map(|value| value.split(',')))
    }

    fn preferred<'a>(accepted: impl Iterator<Item = &'a str>) -> Self {
        // For each format the specificity of the entry that names it, and its quality; the most specific
        // entry counts.
        let (mut open_metrics, mut prometheus) = ((0, 0.0), (0, 0.0));
        for entry in accepted {
            let mut parts = entry.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let quality: f32 = quality.unwrap_or(1.0);
            let (for_open_metrics, for_prometheus) = match kind.as_str() {
                "application/openmetrics-text" => (3, 0),
                "text/plain" => (0, 3),
                "application/*" => (2, 0),
                "text/*" => (0, 2),
                "*/*" => (1, 1),
                _ => (0, 0),
            };
            for (best, specificity) in
                [(&mut open_metrics, for_open_metrics), (&mut prometheus, for_prometheus)]
            {
                if specificity > 0 && (specificity, quality) > *best {
                    *best = (specificity, quality);
                }
            }
        }
        if prometheus.1 > open_metrics.1 { Self::Prometheus } else { Self::OpenMetrics }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The metrics now.
pub(super) fn as_text(state: &ServerState, format: Format) -> String {
    let text = as_open_metrics(state);
    match format {
        Format::OpenMetrics => text,
        Format::Prometheus => to_prometheus(&text),
    }
}

/// Converts to the older format: a counter has the name of its samples, and there are neither units nor an
/// end marker.
fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = Vec::new();
    for line in open_metrics.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        // The help of a metric precedes its type, which tells whether it is a counter.
        if line.starts_with("# HELP ") {
            help.push(line);
            continue;
        }
        let name = line.strip_prefix("# TYPE ").and_then(|line| line.strip_suffix(" counter"));
        for line in help.drain(..).chain([line]) {
            let parts = name.and_then(|name| line.split_once(name).map(|parts| (name, parts)));
            match parts {
                Some((name, (before, after))) => {
                    text.extend([before, name, "_total", after, "\n"]);
                }
                None => text.extend([line, "\n"]),
            }
        }
    }
    text
}

fn as_open_metrics(state: &ServerState) -> String {
    let mut registry = Registry::with_prefix("downbeat");
    let counters = &state.hub.counters;
    let mut count = |name: &str, help: &str, counter: &Counter| {
        registry.register(name, help, ConstCounter::new(counter.get()));
    };
    count(
        "websocket_connections_opened",
        "HTTP connections that became a WebSocket",
        &counters.websocket_connections_opened,
    );
    count("triggers", "Triggers broadcast", &counters.triggers);
    count("values", "Values of variables broadcast", &counters.values);
    count("uploads", "Uploaded files that became sounds", &counters.uploads);
    count(
        "store_failures",
        "Failed attempts to write to the data folder",
        &counters.store_failures,
    );
    count("messages_refused", "Messages answered by an error", &counters.messages_refused);
    count(
        "rate_limited",
        "Messages and HTTP requests ignored or refused because of a rate limit",
        &counters.rate_limited,
    );
    count(
        "tls_handshake_failures",
        "TCP connections without a successful TLS handshake",
        &counters.tls_handshake_failures,
    );
    count(
        "malformed_requests",
        "HTTP connections that ended with a request that cannot be parsed",
        &counters.malformed_requests,
    );
    count("http_errors", "HTTP requests answered by a client error", &counters.http_errors);
    count("wrong_room_codes", "Room codes that were wrong", &counters.wrong_room_codes);
    count(
        "announcement_restarts",
        "Times that the announcement on the network was started again",
        &counters.announcement_restarts,
    );
    count("connection_panics", "Connections whose task panicked", &counters.connection_panics);
    count("connections_rejected", "TCP connections beyond a limit", &counters.connections_rejected);
    count(
        "deliveries",
        "Broadcast messages, counted once for each recipient",
        &counters.deliveries,
    );
    let by_reason = |counts: &[(&'static str, u64)]| {
        let family = Family::<Reason, FamilyCounter>::default();
        for (reason, count) in counts {
            family.get_or_create(&Reason { reason }).inc_by(*count);
        }
        family
    };
    registry.register(
        "clients_disconnected",
        "Clients that the relay disconnected, by reason",
        by_reason(&counters.clients_disconnected.by_reason()),
    );
    registry.register(
        "uploads_refused",
        "Uploads that did not become sounds, by reason",
        by_reason(&counters.uploads_refused.by_reason()),
    );
    register_gauges(&mut registry, state);
    registry.register_with_unit(
        "fan_out",
        "From the first write of a broadcast to the last",
        Unit::Seconds,
        counters.fan_out.clone(),
    );
    registry.register_with_unit(
        "probe_turnaround",
        "From the arrival of a probe to its reply",
        Unit::Seconds,
        counters.probe_turnaround.clone(),
    );
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = text::encode(&mut text, &registry);
    text
}

fn register_gauges(registry: &mut Registry, state: &ServerState) {
    let (hub, counters) = (&state.hub, &state.hub.counters);
    let members = Family::<OnWire, Gauge>::default();
    for (wire, name) in [(Wire::Tutorial, "tutorial"), (Wire::V1, "v1")] {
        let count = hub.room().count(wire);
        members.get_or_create(&OnWire { wire: name }).set(count as i64);
    }
    registry.register("clients", "Clients in the room, by wire", members);
    let mut gauge = |name: &str, help: &str, value: i64| {
        registry.register(name, help, ConstGauge::new(value));
    };
    gauge("sounds", "Sounds of the bank", hub.bank().infos().count() as i64);
    gauge("variables", "Variables", hub.room().variables() as i64);
    gauge("tcp_connections", "Open TCP connections", state.admission.connections().into());
    gauge(
        "websocket_connections",
        "Open WebSocket connections",
        counters.websocket_connections() as i64,
    );
    let mut bytes = |name: &str, help: &str, value: i64| {
        registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
    };
    bytes(
        "outbox_peak",
        "Most that ever waited for one client",
        counters.outbox_peak_bytes() as i64,
    );
    bytes("backlog", "What waits for all clients together", hub.backlog.bytes() as i64);
    let lead = f64::from(hub.room().lead().micros()) / 1e6;
    registry.register_with_unit("lead", "The lead", Unit::Seconds, ConstGauge::new(lead));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_the_format_that_it_prefers() {
        for (accept, format) in [
            ("", Format::OpenMetrics),
            ("*/*", Format::OpenMetrics),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            ("text/plain; version=0.0.4", Format::Prometheus),
            ("TEXT/PLAIN", Format::Prometheus),
            ("text/*", Format::Prometheus),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Format::Prometheus),
            (
                "application/vnd.google.protobuf;q=0.7, text/plain;version=0.0.4;q=0.3",
                Format::Prometheus,
            ),
            ("application/openmetrics-text; q=0, */*", Format::Prometheus),
        ] {
            assert_eq!(Format::preferred(accept.split(',')), format, "{accept}");
        }
    }

    #[test]
    fn in_the_older_format_a_counter_has_the_name_of_its_samples() {
        let open_metrics = "# HELP d_drops Let go.\n# TYPE d_drops counter\n\
                            d_drops_total{reason=\"x\"} 1\n\
                            # HELP d_lead_seconds The lead.\n# TYPE d_lead_seconds gauge\n\
                            # UNIT d_lead_seconds seconds\nd_lead_seconds 0.05\n# EOF\n";
        let expected = "# HELP d_drops_total Let go.\n# TYPE d_drops_total counter\n\
                        d_drops_total{reason=\"x\"} 1\n\
                        # HELP d_lead_seconds The lead.\n# TYPE d_lead_seconds gauge\n\
                        d_lead_seconds 0.05\n";
        assert_eq!(to_prometheus(open_metrics), expected);
    }
}

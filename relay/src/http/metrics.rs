//! What `/metrics` says: the counts of [`health`](crate::health) and two histograms, in the text
//! format of `OpenMetrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{health::Count, outbox::Outbox, relay::Relay};

/// What is measured as it happens.
#[derive(Debug)]
pub struct Measured {
    /// From the first write of a fan-out to its last, in seconds.
    pub fan_out: Histogram,
    /// From the arrival of a probe to its answer, in seconds.
    pub probe: Histogram,
    /// Messages said to all, each as often as there was a client to hear it.
    pub deliveries: Count,
    /// Most bytes that ever waited for one client: of those who are here, as of the last sweep.
    outbox_peak: AtomicU64,
}

impl Measured {
    /// Notes the most bytes that ever waited for one client.
    pub fn note_peak(&self, outbox: &Outbox) {
        self.outbox_peak.fetch_max(outbox.peak() as u64, Ordering::Relaxed);
    }
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            // 10 microseconds (two clients) to 330 milliseconds (beyond any room).
            fan_out: Histogram::new(exponential_buckets(10e-6, 2.0, 16)),
            // 1 microsecond to 33 milliseconds.
            probe: Histogram::new(exponential_buckets(1e-6, 2.0, 16)),
            deliveries: Count::default(),
            outbox_peak: AtomicU64::new(0),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OnWire {
    wire: &'static str,
}

/// The two text formats that monitors read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// Prometheus' own, 0.0.4: older, and all that some read.
    Prometheus,
}

impl Format {
    /// The one that the entries of a request's `Accept` like better; `OpenMetrics` if they have no
    /// preference.
    #[must_use]
    pub fn asked_for<'a>(accepted: impl Iterator<Item = &'a str>) -> Self {
        // For each format how exactly it is named, and how much it is liked; the most exact counts.
        let (mut open, mut plain) = ((0, 0.0), (0, 0.0));
        for entry in accepted {
            let mut parts = entry.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let quality: f32 = quality.unwrap_or(1.0);
            let (for_open, for_plain) = match kind.as_str() {
                "application/openmetrics-text" => (3, 0),
                "text/plain" => (0, 3),
                "application/*" => (2, 0),
                "text/*" => (0, 2),
                "*/*" => (1, 1),
                _ => (0, 0),
            };
            for (liked, exactness) in [(&mut open, for_open), (&mut plain, for_plain)] {
                if exactness > 0 && (exactness, quality) > *liked {
                    *liked = (exactness, quality);
                }
            }
        }
        if plain.1 > open.1 { Self::Prometheus } else { Self::OpenMetrics }
    }

    /// How an answer names it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What `/metrics` says now.
#[must_use]
pub fn as_text(relay: &Relay, format: Format) -> String {
    let said = as_open_metrics(relay);
    match format {
        Format::OpenMetrics => said,
        Format::Prometheus => to_prometheus(&said),
    }
}

/// The older format: a counter is called there as its values are, and neither units nor an end are
/// told.
fn to_prometheus(open_metrics: &str) -> String {
    let mut said = String::with_capacity(open_metrics.len());
    let mut about = Vec::new();
    for line in open_metrics.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        // A metric's help comes before its type, which says whether it is a counter.
        if line.starts_with("# HELP ") {
            about.push(line);
            continue;
        }
        let name = line.strip_prefix("# TYPE ").and_then(|line| line.strip_suffix(" counter"));
        for line in about.drain(..).chain([line]) {
            let named = name.and_then(|name| line.split_once(name).map(|parts| (name, parts)));
            match named {
                Some((name, (before, after))) => {
                    said.extend([before, name, "_total", after, "\n"]);
                }
                None => said.extend([line, "\n"]),
            }
        }
    }
    said
}

fn as_open_metrics(relay: &Relay) -> String {
    let mut registry = Registry::with_prefix("downbeat");
    let counts = &relay.counts;
    let mut count = |name: &str, help: &str, count: &Count| {
        registry.register(name, help, ConstCounter::new(count.get()));
    };
    count("websockets", "Connections that became a WebSocket", &counts.connections);
    count("triggers", "Bangs that were said to the room", &counts.triggers);
    count("refused", "Messages that were answered by an error", &counts.refused);
    count("unheard", "Messages and requests beyond a rate, left unheard", &counts.unheard);
    count("handshakes", "Sockets of which no TLS handshake came", &counts.handshakes);
    count("heads", "Connections on which something came that was no HTTP request", &counts.heads);
    count("denied", "HTTP requests that were answered by an error", &counts.denied);
    count("panicked", "Connections whose task panicked", &counts.panicked);
    count("turned_away", "Connections beyond a bound", &counts.turned_away);

    let drops = Family::<Reason, Counter>::default();
    for (reason, count) in counts.drops() {
        drops.get_or_create(&Reason { reason }).inc_by(count.get());
    }
    registry.register("drops", "Clients that the relay let go, by reason", drops);

    let (plain, modern) = relay.room().count_by_wire();
    let clients = Family::<OnWire, Gauge>::default();
    for (wire, count) in [("seed", plain), ("downbeat.v1", modern)] {
        clients.get_or_create(&OnWire { wire }).set(i64::from(count));
    }
    registry.register("clients", "Clients in the room, by wire", clients);
    let connections = ConstGauge::new(i64::from(relay.doors.connections()));
    registry.register("connections", "Connections of any kind", connections);
    let deliveries = ConstCounter::new(relay.measured.deliveries.get());
    registry.register(
        "deliveries",
        "Messages said to all, once for each who was to hear them",
        deliveries,
    );
    let peak = relay.measured.outbox_peak.load(Ordering::Relaxed);
    registry.register_with_unit(
        "outbox_peak",
        "Most that ever waited for one client",
        Unit::Bytes,
        ConstGauge::new(peak as i64),
    );
    registry.register_with_unit(
        "backlog",
        "What waits for all clients together",
        Unit::Bytes,
        ConstGauge::new(relay.backlog.bytes() as i64),
    );
    let lead = f64::from(relay.room().lead().micros()) / 1e6;
    registry.register_with_unit("lead", "The lead", Unit::Seconds, ConstGauge::new(lead));
    registry.register_with_unit(
        "fan_out",
        "From the first write of a fan-out to its last",
        Unit::Seconds,
        relay.measured.fan_out.clone(),
    );
    registry.register_with_unit(
        "probe_turnaround",
        "From the arrival of a probe to its answer",
        Unit::Seconds,
        relay.measured.probe.clone(),
    );
    let mut said = String::new();
    // Writing to a String does not fail.
    let _ = text::encode(&mut said, &registry);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_is_sent_the_format_that_it_likes_better() {
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
            assert_eq!(Format::asked_for(accept.split(',')), format, "{accept}");
        }
    }

    #[test]
    fn the_older_format_calls_a_counter_as_its_values_are_called() {
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

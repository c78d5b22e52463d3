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

/// What `/metrics` says now.
#[must_use]
pub fn as_text(relay: &Relay) -> String {
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

//! What the relay counts and measures.
//!
//! A leaf: every part updates these values. [`health`](crate::http::health) and
//! [`metrics`](crate::http::metrics) export them, under the names of the fields.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the relay counts and measures since it started.
#[derive(Debug)]
pub(crate) struct Counters {
    /// HTTP connections that became a WebSocket.
    pub(crate) websocket_connections_opened: Counter,
    /// WebSocket connections that have ended.
    pub(crate) websocket_connections_closed: Counter,
    /// Triggers that were broadcast.
    pub(crate) triggers: Counter,
    /// Values of variables that were broadcast.
    pub(crate) values: Counter,
    /// Uploaded files that became sounds of the bank.
    pub(crate) uploads: Counter,
    /// Uploads that did not.
    pub(crate) uploads_refused: UploadsRefused,
    /// Attempts to write to the data folder that have failed.
    pub(crate) store_failures: Counter,
    /// Messages that were answered by an `error`.
    pub(crate) messages_refused: Counter,
    /// TCP connections beyond the limit in all or for their address.
    pub(crate) connections_rejected: Counter,
    /// TCP connections without a successful TLS handshake, where the relay speaks TLS.
    pub(crate) tls_handshake_failures: Counter,
    /// HTTP connections that ended with a request that cannot be parsed.
    pub(crate) malformed_requests: Counter,
    /// HTTP requests that were answered by a client error (4xx).
    pub(crate) http_errors: Counter,
    /// Messages and HTTP requests that were ignored or refused because of a rate limit.
    pub(crate) rate_limited: Counter,
    /// Room codes that were wrong.
    pub(crate) wrong_room_codes: Counter,
    /// Times that the announcement on the network has ended by itself, and was started again.
    pub(crate) announcement_restarts: Counter,
    /// Connections whose task panicked: a bug in the relay.
    pub(crate) connection_panics: Counter,
    /// Clients that the relay disconnected.
    pub(crate) clients_disconnected: Disconnected,
    /// Broadcast messages, counted once for each recipient.
    pub(crate) deliveries: Counter,
    /// From the first write of a broadcast to the last, in seconds.
    pub(crate) fan_out: Histogram,
    /// From the arrival of a probe to its reply, in seconds.
    pub(crate) probe_turnaround: Histogram,
    /// Most bytes that ever waited in one outbox, as of the last sweep.
    outbox_peak_bytes: AtomicU64,
}

/// Clients that the relay disconnected, by reason.
#[derive(Debug, Default)]
pub(crate) struct Disconnected {
    /// Too much waited in its outbox.
    pub(crate) overflow: Counter,
    /// Too much waited in all outboxes together, and its own was among the largest.
    pub(crate) backlog: Counter,
    /// It did not read for too long.
    pub(crate) stalled: Counter,
    /// It did not answer pings.
    pub(crate) silent: Counter,
    /// It did not read the response to its HTTP request.
    pub(crate) unread: Counter,
    /// It violated the protocol or a limit, or sent no hello.
    pub(crate) violation: Counter,
}

/// Uploads that were refused, by reason.
#[derive(Debug, Default)]
pub(crate) struct UploadsRefused {
    /// There was no space for the file, or too many were on their way.
    pub(crate) full: Counter,
    /// It cannot be played.
    pub(crate) unreadable: Counter,
    /// It did not arrive as a whole.
    pub(crate) interrupted: Counter,
    /// It was sent without a ticket, or is not the file that was announced.
    pub(crate) unannounced: Counter,
    /// It could not be written to the data folder.
    pub(crate) unwritten: Counter,
}

impl UploadsRefused {
    /// Each count with its reason.
    pub(crate) fn by_reason(&self) -> [(&'static str, u64); 5] {
        [
            ("full", self.full.get()),
            ("unreadable", self.unreadable.get()),
            ("interrupted", self.interrupted.get()),
            ("unannounced", self.unannounced.get()),
            ("unwritten", self.unwritten.get()),
        ]
    }
}

impl Disconnected {
    /// Each count with its reason.
    pub(crate) fn by_reason(&self) -> [(&'static str, u64); 6] {
        [
            ("overflow", self.overflow.get()),
            ("backlog", self.backlog.get()),
            ("stalled", self.stalled.get()),
            ("silent", self.silent.get()),
            ("unread", self.unread.get()),
            ("violation", self.violation.get()),
        ]
    }
}

impl Counters {
    /// WebSocket connections that are open now.
    pub(crate) fn websocket_connections(&self) -> u64 {
        // In this order: one that opens and closes in between must not make the difference negative.
        let closed = self.websocket_connections_closed.get();
        self.websocket_connections_opened.get().saturating_sub(closed)
    }

    /// Records the most bytes that ever waited in one outbox.
    pub(crate) fn record_outbox_peak(&self, bytes: usize) {
        self.outbox_peak_bytes.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn outbox_peak_bytes(&self) -> u64 {
        self.outbox_peak_bytes.load(Ordering::Relaxed)
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            websocket_connections_opened: Counter::default(),
            websocket_connections_closed: Counter::default(),
            triggers: Counter::default(),
            values: Counter::default(),
            uploads: Counter::default(),
            uploads_refused: UploadsRefused::default(),
            store_failures: Counter::default(),
            messages_refused: Counter::default(),
            connections_rejected: Counter::default(),
            tls_handshake_failures: Counter::default(),
            malformed_requests: Counter::default(),
            http_errors: Counter::default(),
            rate_limited: Counter::default(),
            wrong_room_codes: Counter::default(),
            announcement_restarts: Counter::default(),
            connection_panics: Counter::default(),
            clients_disconnected: Disconnected::default(),
            deliveries: Counter::default(),
            // 10 microseconds (two clients) to 330 milliseconds (beyond any room).
            fan_out: Histogram::new(exponential_buckets(10e-6, 2.0, 16)),
            // 1 microsecond to 33 milliseconds.
            probe_turnaround: Histogram::new(exponential_buckets(1e-6, 2.0, 16)),
            outbox_peak_bytes: AtomicU64::new(0),
        }
    }
}

//! How the relay is doing: what it counts, and what `/healthz` says.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use downbeat_platform::scheduling::{self, Priority};
use downbeat_protocol::is_hidden;
use serde::Serialize;

use crate::{
    outbox::{CutOff, Phase},
    relay::Relay,
};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// That many more.
    pub fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the relay counts from its start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that became a WebSocket.
    pub connections: Count,
    /// Bangs that were said to the room.
    pub triggers: Count,
    /// Messages that were answered by an error.
    pub refused: Count,
    /// Clients that were closed because they broke the WebSocket's rules or its limits, or did not say
    /// hello.
    pub broken: Count,
    /// Connections that found the house full, or their address's share of it.
    pub turned_away: Count,
    /// Sockets of which no TLS handshake came.
    pub handshakes: Count,
    /// Connections on which something came that was no HTTP request, or half of one.
    pub heads: Count,
    /// HTTP requests that were answered by an error of the one who asked (4xx), those beyond a rate
    /// included.
    pub denied: Count,
    /// Messages and requests that were left unheard, because there were too many of them.
    pub unheard: Count,
    /// Connections whose task panicked: a fault of the relay.
    pub panicked: Count,
    /// Connections that had not taken their answer when HTTP had lasted its time.
    pub unread: Count,
    overflowed: Count,
    /// Clients that were cut off because too much waited for all of them together.
    pub backlog: Count,
    stalled: Count,
    silent: Count,
}

impl Counts {
    /// Those that the relay let go, by reason.
    #[must_use]
    pub fn drops(&self) -> [(&'static str, &Count); 6] {
        [
            ("overflow", &self.overflowed),
            ("backlog", &self.backlog),
            ("stalled", &self.stalled),
            ("silent", &self.silent),
            ("unread", &self.unread),
            ("broken", &self.broken),
        ]
    }

    /// Notes how a connection's outgoing half was when it ended.
    pub fn ended(&self, phase: Phase) {
        match phase {
            Phase::Cut(CutOff::Overflow) => self.overflowed.add(),
            Phase::Cut(CutOff::Backlog) => self.backlog.add(),
            Phase::Cut(CutOff::Stalled) => self.stalled.add(),
            Phase::Cut(CutOff::Silent) => self.silent.add(),
            Phase::Cut(CutOff::Broken) | Phase::Open | Phase::Closing => {}
        }
    }
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    epoch: downbeat_protocol::Epoch,
    uptime_micros: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    sounds: usize,
    connections: u64,
    triggers: u64,
    refused: u64,
    broken: u64,
    turned_away: u64,
    handshakes: u64,
    heads: u64,
    denied: u64,
    unheard: u64,
    panicked: u64,
    cut_off: CutOffs,
    #[serde(flatten)]
    roster: downbeat_protocol::Roster,
}

#[derive(Serialize)]
struct CutOffs {
    overflow: u64,
    backlog: u64,
    stalled: u64,
    silent: u64,
    unread: u64,
}

/// What `/healthz` says, as JSON.
#[must_use]
pub fn as_json(relay: &Relay) -> String {
    let counts = &relay.counts;
    let health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        epoch: relay.epoch,
        uptime_micros: relay.clock.now().as_micros(),
        priority: relay.priority.get().map(|priority| priority_now(priority.as_ref())),
        sounds: relay.bank().infos().count(),
        connections: counts.connections.get(),
        triggers: counts.triggers.get(),
        refused: counts.refused.get(),
        broken: counts.broken.get(),
        turned_away: counts.turned_away.get(),
        handshakes: counts.handshakes.get(),
        heads: counts.heads.get(),
        denied: counts.denied.get(),
        unheard: counts.unheard.get(),
        panicked: counts.panicked.get(),
        cut_off: CutOffs {
            overflow: counts.overflowed.get(),
            backlog: counts.backlog.get(),
            stalled: counts.stalled.get(),
            silent: counts.silent.get(),
            unread: counts.unread.get(),
        },
        roster: relay.room().roster(),
    };
    // Strings and finite numbers only: serde_json refuses none of it.
    serde_json::to_string(&health).unwrap_or_default()
}

/// The priority of the calling thread, which asked for it and got this.
fn priority_now(got: Result<&Priority, &String>) -> String {
    match got {
        Ok(Priority::RealTime { .. }) if !scheduling::has_real_time_priority() => {
            "lost: the main thread ran for too long without sleeping".to_owned()
        }
        Ok(priority) => priority.to_string(),
        Err(reason) => format!("unavailable: {reason}"),
    }
}

/// A text that someone sent, as it may be logged: on one line, with nothing that moves a
/// terminal's cursor, hides or reorders what it says, and not longer than is useful.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().filter(|c| !is_hidden(*c)).take(200).try_for_each(|c| f.write_char(c))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_main_thread_that_was_lowered_has_lost_its_priority() {
        // This thread is one that has none, whatever it got before.
        let got = Ok(&Priority::RealTime { level: 3, by_rtkit: true });
        assert!(priority_now(got).starts_with("lost: "), "{}", priority_now(got));
    }
}

//! The keep-alive policy: when a client is pinged, and when it is cut off.
//!
//! Pure, except for the clock against which an outbox measures its progress.

use std::time::{Duration, Instant};

use downbeat_protocol::RelayTime;

use crate::websocket::{
    client::Client,
    frame::{self, CloseCode},
    outbox::CutOff,
};

/// How long a client of `downbeat.v1` may take to send its hello. It usually sends it with the handshake;
/// ten seconds tolerate a bad network.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// A client is pinged when it has sent nothing for this long: a machine that loses power sends no close
/// frame, and routers forget an idle connection after a minute or more.
const PING_AFTER: Duration = Duration::from_secs(10);

/// A client is cut off when it has sent nothing for this long: two pings unanswered, a third on its way.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// A client is cut off when its outbox has made no progress for this long: what waits is out of date, and
/// the client starts afresh when it reconnects.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Pings a silent client, and cuts off one that is silent for too long or does not read. `last` is the
/// time of the previous check.
pub(super) fn check(client: &Client, now: RelayTime, last: RelayTime) {
    let silent = now.micros_since(client.last_received()).max(0);
    let before = last.micros_since(client.last_received()).max(0);
    let ping_after = PING_AFTER.as_micros() as i64;
    if silent > SILENT_AFTER.as_micros() as i64 {
        client.outbox.cut_off(CutOff::Silent);
    } else if silent / ping_after > before / ping_after {
        client.outbox.send(&frame::PING);
    }
    client.outbox.cut_off_if_stalled(Instant::now(), STALLED_AFTER);
}

/// Closes the connection of a client that has not sent its hello in time.
pub(super) fn check_hello(client: &Client, now: RelayTime) {
    if now.micros_since(client.connected_at) > HELLO_TIMEOUT.as_micros() as i64 {
        client.outbox.close(CloseCode::Policy, "no hello");
    }
}

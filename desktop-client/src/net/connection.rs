//! The line to the relay: it is made, lost, and made again until another address is given.
//!
//! It knows nothing of what the texts mean, only whether there is anyone at the far end.

use std::{future, time::Duration};

use downbeat_protocol::{Message, encode};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    backoff::Backoff,
    link::{Connecting, Link, LinkError},
};
use crate::{
    address::RelayAddress,
    time::{LocalClock, LocalTime},
};

/// A far end that has not said anything for so long is asked whether it is there. A relay of
/// `downbeat.v1` answers probes more often than that.
const PING_AFTER_NANOS: i64 = 2_000_000_000;

/// A far end that has not said anything for so long is lost.
const LOST_AFTER_NANOS: i64 = 6_000_000_000;

/// Where the line stands.
enum Reach {
    /// The address is wrong: nothing to do until another one is given.
    Nowhere,
    Waiting(Instant),
    Connecting(Connecting),
    Up(Box<Link>),
}

/// What happens on the line.
#[derive(Debug)]
pub(super) enum LineNews {
    /// A connection is being tried.
    Trying,
    /// It is made.
    Up,
    /// A text, and when it arrived.
    Text(Utf8Bytes, LocalTime),
    /// It is lost, and will be tried again after the wait.
    Down { reason: String, retry_in: Duration },
}

/// The line to the relay.
pub(super) struct Line {
    address: Option<RelayAddress>,
    reach: Reach,
    backoff: Backoff,
    clock: LocalClock,
}

impl Line {
    /// A line that leads nowhere yet.
    pub(super) fn new(clock: LocalClock) -> Self {
        Self { address: None, reach: Reach::Nowhere, backoff: Backoff::new(), clock }
    }

    /// Gives up on whatever it led to, and tries that address now.
    pub(super) fn dial(&mut self, address: RelayAddress) {
        self.address = Some(address);
        self.backoff = Backoff::new();
        self.reach = Reach::Waiting(Instant::now());
    }

    /// Gives up on whatever it led to.
    pub(super) fn hang_up(&mut self) {
        self.address = None;
        self.reach = Reach::Nowhere;
    }

    /// Does not wait for the back-off any longer.
    pub(super) fn retry_now(&mut self) {
        if let Reach::Waiting(until) = &mut self.reach {
            *until = Instant::now();
        }
    }

    /// Where it leads.
    pub(super) fn address(&self) -> Option<&RelayAddress> {
        self.address.as_ref()
    }

    /// What happens next. Safe to cancel.
    pub(super) async fn next(&mut self) -> LineNews {
        match &mut self.reach {
            Reach::Nowhere => future::pending().await,
            Reach::Waiting(until) => {
                sleep_until(*until).await;
                let Some(address) = &self.address else { return future::pending().await };
                self.reach =
                    Reach::Connecting(Box::pin(Link::connect(address.clone(), self.clock)));
                LineNews::Trying
            }
            Reach::Connecting(connecting) => match connecting.await {
                Ok(link) => {
                    self.reach = Reach::Up(Box::new(link));
                    LineNews::Up
                }
                Err(error) => self.down(&error),
            },
            Reach::Up(link) => match link.next_text().await {
                Ok((text, arrived)) => LineNews::Text(text, arrived),
                Err(error) => self.down(&error),
            },
        }
    }

    /// The far end has answered as it should: the next loss starts with short waits again.
    pub(super) fn answered(&mut self) {
        self.backoff = Backoff::new();
    }

    /// Sends a message, without waiting for the network: see [`Link::send`].
    ///
    /// # Errors
    /// That the line is down, if it is or has just been lost.
    pub(super) fn say<M: Message>(&mut self, message: &M) -> Result<(), LineNews> {
        self.say_text(encode(message))
    }

    /// Sends a text as it is.
    ///
    /// # Errors
    /// As [`Line::say`].
    pub(super) fn say_text(&mut self, text: String) -> Result<(), LineNews> {
        let Reach::Up(link) = &mut self.reach else { return Ok(()) };
        let sent = link.send(text);
        sent.map_err(|error| self.down(&error))
    }

    /// Asks a silent far end whether it is there, and gives up on a dead one. To be called every
    /// second or so.
    ///
    /// # Errors
    /// As [`Line::say`].
    pub(super) fn check(&mut self) -> Result<(), LineNews> {
        let Reach::Up(link) = &mut self.reach else { return Ok(()) };
        let silent_nanos = self.clock.now().nanos_since(link.last_heard());
        let checked = if silent_nanos > LOST_AFTER_NANOS {
            let silence = Duration::from_nanos(LOST_AFTER_NANOS.unsigned_abs());
            Err(LinkError::TimedOut(silence))
        } else if silent_nanos > PING_AFTER_NANOS {
            link.ping()
        } else {
            Ok(())
        };
        checked.map_err(|error| self.down(&error))
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        if let Reach::Up(link) = self.reach {
            link.close().await;
        }
    }

    fn down(&mut self, error: &LinkError) -> LineNews {
        if error.is_refusal() {
            self.backoff.be_patient();
        }
        let retry_in = self.backoff.next_wait(fastrand::f64());
        self.reach = Reach::Waiting(Instant::now() + retry_in);
        LineNews::Down { reason: error.to_string(), retry_in }
    }
}

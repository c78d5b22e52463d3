//! The entrance to the broadcast: one lane per wire, each behind a bounded queue of commands.
//!
//! There are two, so that clients of `downbeat.v1` never wait for those of the tutorial wire, which are
//! sent to at the instant of the sound, well after the others.

use std::{
    io,
    sync::{Arc, mpsc::sync_channel},
};

use tokio::sync::mpsc::{Permit, Sender, channel};

use super::{
    lane::{self, Command, Lane},
    writer_pool::{MAX_WRITERS, WriterPool},
};
use crate::{
    clock::RelayClock, counters::Counters, supervise::Supervisor, websocket::client::Wire,
};

/// How many commands may wait for a lane: a burst from every machine of a large lab. Beyond it the
/// clients that send triggers wait, so that TCP slows them down and no trigger is lost.
const MAX_QUEUED_COMMANDS: usize = 1024;

/// Passes commands to the lanes.
#[derive(Debug)]
pub(crate) struct FanOut {
    tutorial: Sender<Command>,
    v1: Sender<Command>,
    writer_priority: Result<(), String>,
}

impl FanOut {
    /// Starts the lanes on the caller's runtime. They end when this is dropped; the supervisor learns if a
    /// lane or a writer panics. Waits until each writer has its priority or a refusal, which takes a
    /// second at most: no thread should be missing when the first trigger arrives.
    ///
    /// # Errors
    /// If the system does not start the writer threads.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn start(
        clock: RelayClock,
        counters: &Arc<Counters>,
        supervisor: &Arc<Supervisor>,
    ) -> io::Result<Self> {
        // Each writer of either lane sends one answer, so that none ever waits.
        let (priorities, answers) = sync_channel(2 * MAX_WRITERS);
        let start = |name, writer| {
            let (sender, commands) = channel(MAX_QUEUED_COMMANDS);
            let writers = WriterPool::start(writer, counters, supervisor, &priorities)?;
            let lane = Lane::new(writers, clock, counters.clone());
            tokio::spawn(supervisor.clone().watch(name, lane::run(commands, lane)));
            io::Result::Ok(sender)
        };
        let tutorial = start("lane tutorial", "writer tutorial")?;
        let v1 = start("lane v1", "writer v1")?;
        drop(priorities);
        // Collected first, so that all writers are waited for even if one is refused.
        let answers: Vec<_> = answers.iter().collect();
        let writer_priority = answers.into_iter().try_for_each(|answer| answer.map(drop));
        Ok(Self { tutorial, v1, writer_priority })
    }

    /// Whether every writer has a real-time priority.
    ///
    /// # Errors
    /// Why one of them has none.
    pub(crate) fn writer_priority(&self) -> Result<(), String> {
        self.writer_priority.clone()
    }

    /// Reserves a place in the queue of a wire's lane; waits while [`MAX_QUEUED_COMMANDS`] are in it.
    /// `None` only if the lane is gone, and then the relay is ending.
    pub(crate) async fn reserve(&self, wire: Wire) -> Option<Permit<'_, Command>> {
        let sender = match wire {
            Wire::Tutorial => &self.tutorial,
            Wire::V1 => &self.v1,
        };
        sender.reserve().await.ok()
    }

    /// Sends a command to a wire's lane, when there is a place for it.
    pub(crate) async fn send(&self, wire: Wire, command: Command) {
        if let Some(place) = self.reserve(wire).await {
            place.send(command);
        }
    }

    /// Sends a command to both lanes.
    pub(crate) async fn send_to_both(&self, command: Command) {
        self.send(Wire::V1, command.clone()).await;
        self.send(Wire::Tutorial, command).await;
    }
}

//! The glides that wait for their instant.

use super::super::message::{Glide, GlideTarget};
use downbeat_platform::local_time::LocalTime;

/// Capacity: sixty changes a second of sixteen voices, a second ahead. Beyond it the earliest begins at once.
const WAITING: usize = 1024;

/// The glides that wait, by their instants. It never allocates after its creation.
#[derive(Debug)]
pub(super) struct WaitingGlides {
    /// Latest first, so that the next one is taken from the end; of equal instants, the one that came first is
    /// taken first.
    glides: Vec<(GlideTarget, Glide)>,
}

impl WaitingGlides {
    pub(super) fn new() -> Self {
        Self { glides: Vec::with_capacity(WAITING) }
    }

    /// Adds a glide. Returns the earliest, if there are too many.
    pub(super) fn insert(
        &mut self,
        target: GlideTarget,
        glide: Glide,
    ) -> Option<(GlideTarget, Glide)> {
        let earliest = if self.glides.len() == WAITING { self.glides.pop() } else { None };
        let place = self.glides.partition_point(|(_, other)| other.at > glide.at);
        self.glides.insert(place, (target, glide));
        earliest
    }

    /// Removes those of a target that begin at `from` or later.
    pub(super) fn cancel(&mut self, target: GlideTarget, from: LocalTime) {
        self.glides.retain(|(other, glide)| *other != target || glide.at < from);
    }

    /// The instant of the next one.
    pub(super) fn next_at(&self) -> Option<LocalTime> {
        self.glides.last().map(|(_, next)| next.at)
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<(GlideTarget, Glide)> {
        self.glides.pop()
    }
}

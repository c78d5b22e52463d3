//! The voices that wait for their instant.

use super::super::message::{VoiceId, VoiceStart};
use downbeat_platform::local_time::LocalTime;

/// Capacity: a second of the heaviest fire that a relay lets through. Beyond it a voice is refused.
const WAITING: usize = 512;

/// A voice that waits for its instant.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) start: VoiceStart,
    pub(super) stop_at: Option<LocalTime>,
}

/// The voices that wait, by their instants. It never allocates after its creation.
#[derive(Debug)]
pub(super) struct WaitingVoices {
    /// Latest first, so that the next one is taken from the end.
    voices: Vec<Waiting>,
}

impl WaitingVoices {
    pub(super) fn new() -> Self {
        Self { voices: Vec::with_capacity(WAITING) }
    }

    /// Adds a voice.
    ///
    /// # Errors
    /// The voice, if too many are waiting.
    pub(super) fn insert(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        if self.voices.len() == WAITING {
            return Err(waiting);
        }
        let place = self.voices.partition_point(|other| other.start.at > waiting.start.at);
        self.voices.insert(place, waiting);
        Ok(())
    }

    /// The instant of the next one.
    pub(super) fn next_at(&self) -> Option<LocalTime> {
        self.voices.last().map(|next| next.start.at)
    }

    /// Takes the next one.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.voices.pop()
    }

    /// The one of this identity.
    pub(super) fn get_mut(&mut self, id: VoiceId) -> Option<&mut Waiting> {
        self.voices.iter_mut().find(|waiting| waiting.start.id == id)
    }

    /// Takes the one of this identity.
    pub(super) fn remove(&mut self, id: VoiceId) -> Option<Waiting> {
        let place = self.voices.iter().position(|waiting| waiting.start.id == id)?;
        Some(self.voices.remove(place))
    }
}

//! A place for a voice. It never drops a sound: what cannot be sent waits here.

use rtrb::{Producer, PushError};

use super::super::message::FromMixer;
use super::super::voice::Voice;

/// A place for a voice.
#[derive(Debug, Default)]
#[allow(clippy::large_enum_variant)] // A box would be allocated and freed in the callback.
pub(super) enum Slot {
    #[default]
    Free,
    Sounding(Voice),
    /// The ring to the handle was full: the message, and the sound in it, wait here.
    Unsent(FromMixer),
}

impl Slot {
    /// Frees the slot of a voice that has ended, or keeps in it the message that could not be sent.
    pub(super) fn end(&mut self, to_handle: &mut Producer<FromMixer>) {
        match std::mem::take(self) {
            Self::Sounding(voice) => self.send(to_handle, voice.into_message()),
            other => *self = other,
        }
    }

    /// Sends a message, or keeps it in this slot, which is free.
    pub(super) fn send(&mut self, to_handle: &mut Producer<FromMixer>, message: FromMixer) {
        if let Err(PushError::Full(message)) = to_handle.push(message) {
            *self = Self::Unsent(message);
        }
    }

    /// Sends the message that waits in this slot, if one does.
    pub(super) fn retry_send(&mut self, to_handle: &mut Producer<FromMixer>) {
        if matches!(self, Self::Unsent(_))
            && let Self::Unsent(message) = std::mem::take(self)
        {
            self.send(to_handle, message);
        }
    }
}

/// A free slot for a fading voice; if need be, that of the one that has faded most.
pub(super) fn free_tail<'a>(
    tails: &'a mut [Slot],
    to_handle: &mut Producer<FromMixer>,
) -> Option<&'a mut Slot> {
    let fade = |slot: &Slot| match slot {
        Slot::Free => -1.0,
        Slot::Sounding(voice) => voice.fade(),
        Slot::Unsent(_) => 2.0,
    };
    let tail = tails.iter_mut().min_by(|a, b| fade(a).total_cmp(&fade(b)))?;
    tail.end(to_handle);
    matches!(tail, Slot::Free).then_some(tail)
}

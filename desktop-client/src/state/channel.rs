//! The bounded channel of events from the session to the window.
//!
//! The session must not wait for the window, and no event that matters may be lost: a hidden window may
//! not run for hours. So the sender keeps a copy of the state. Once the queue is full, it puts that copy beside the
//! queue, and applies further events to it, until the window runs again and takes it.

use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use super::{State, urgency::Urgency};
use crate::{event::SessionEvent, time::LocalTime};

/// Capacity of the queue: half a minute of a meter that moves. When it is full, the state takes the place
/// of all further events.
const QUEUE: usize = 1024;

/// The state after an overflow; none while there is none.
type Snapshot = Arc<Mutex<Option<Box<State>>>>;

/// The session's end.
pub(crate) struct StateSender {
    events: SyncSender<(SessionEvent, LocalTime)>,
    snapshot: Snapshot,
    state: State,
    has_overflowed: bool,
}

/// The window's end.
pub(crate) struct StateReceiver {
    events: Receiver<(SessionEvent, LocalTime)>,
    snapshot: Snapshot,
}

/// A channel whose receiver starts from `state`.
pub(crate) fn channel(state: State) -> (StateSender, StateReceiver) {
    let (sender, receiver) = sync_channel(QUEUE);
    let snapshot = Snapshot::default();
    let sender = StateSender {
        events: sender,
        snapshot: Arc::clone(&snapshot),
        state,
        has_overflowed: false,
    };
    (sender, StateReceiver { events: receiver, snapshot })
}

impl StateSender {
    /// Sends an event that came at `now`, and returns how soon the window has to show it. Never waits for the window.
    pub(crate) fn send(&mut self, event: SessionEvent, now: LocalTime) -> Urgency {
        let urgency = self.state.apply_and_weigh(&event, now);
        if self.has_overflowed {
            let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waiting) = &mut *snapshot {
                // A copy of all of the state at each event would keep the session from its work.
                waiting.apply(event, now);
                return urgency;
            }
            self.has_overflowed = false;
        }
        // It also fails when the window is closed, which needs no events.
        if self.events.try_send((event, now)).is_err() {
            self.has_overflowed = true;
            let mut snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
            *snapshot = Some(Box::new(self.state.clone()));
        }
        urgency
    }
}

impl StateReceiver {
    /// Brings `state` up to date.
    pub(crate) fn update(&self, state: &mut State) {
        for (event, came) in self.events.try_iter() {
            state.apply(event, came);
        }
        // The lock is held for a moment only: the session waits for it.
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(snapshot) = snapshot {
            *state = *snapshot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OutputChoice;

    const NOW: LocalTime = LocalTime::from_nanos(0);

    fn volume(volume: f32) -> SessionEvent {
        SessionEvent::VolumeChanged { volume }
    }

    fn state() -> State {
        State::new("lab".to_owned(), "lab-3".to_owned(), 0.5, OutputChoice::SystemDefault)
    }

    #[test]
    fn a_window_that_has_not_run_for_long_still_gets_the_latest_state() {
        let mut shown = state();
        let (mut sender, receiver) = channel(shown.clone());
        sender.send(SessionEvent::StoppedLocally, NOW);
        for _ in 0..2 * QUEUE {
            sender.send(volume(0.1), NOW);
        }
        sender.send(volume(0.25), NOW);
        receiver.update(&mut shown);
        assert_eq!(shown, sender.state);
        assert!(shown.stopped_locally);

        sender.send(volume(0.75), NOW);
        receiver.update(&mut shown);
        assert_eq!(shown, sender.state);
        assert!(!sender.has_overflowed);
    }

    #[test]
    fn while_the_window_stands_still_the_state_is_copied_once() {
        let mut shown = state();
        let (mut sender, receiver) = channel(shown.clone());
        for _ in 0..=QUEUE {
            sender.send(volume(0.1), NOW);
        }
        let place = |sender: &StateSender| {
            let snapshot = sender.snapshot.lock().unwrap();
            std::ptr::from_ref::<State>(snapshot.as_deref().unwrap())
        };
        let first = place(&sender);
        for _ in 0..100 {
            sender.send(volume(0.2), NOW);
            assert_eq!(place(&sender), first);
        }
        receiver.update(&mut shown);
        assert_eq!(shown, sender.state);
    }
}

//! The messages to and from the output manager, and the bounded queue to it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::device::{DeviceInfo, StreamEvent};
use crate::mixer_handle::MixerHandle;

/// Capacity of the queue to the output manager. Its senders are threads of the sound system and the
/// session, none of which may wait. When it is full:
///
/// - a choice is not lost, because it is kept beside the queue, the latest only; neither is a restart;
/// - a change of the devices is found when they are listed the next time;
/// - an event of a stream is dropped. A stream that has failed is found by its frames standing still.
const QUEUE: usize = 64;

/// The device to play on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The system's default, also when it changes.
    #[default]
    Default,
    /// The device that [answers to](DeviceInfo::answers_to) this. While it is missing, the default.
    Named(String),
}

/// From the output manager to the session.
#[derive(Debug)]
pub enum OutputEvent {
    /// A device is open. The mixer of the former device, if any, has ended.
    Opened {
        /// The handle of its mixer.
        mixer: MixerHandle,
        /// The device, which is not always the chosen one.
        device: DeviceInfo,
    },
    /// There is no output until the next [`OutputEvent::Opened`].
    Lost {
        /// Why, for people.
        reason: String,
    },
    /// Why the device is not the chosen one, for people; none once it is. Precedes the
    /// [`OutputEvent::Opened`] that it is about, if the device is not open yet.
    Fallback(Option<String>),
    /// The latency of the open device was adapted: to what and why, for people.
    LatencyAdapted(String),
    /// The devices, at first and after every change.
    Devices(Vec<DeviceInfo>),
}

/// To the output manager.
pub(super) enum ToManager {
    /// An event of the stream of this number.
    Stream(u64, StreamEvent),
    /// The devices have changed.
    DevicesChanged,
    /// There is a new choice, or the manager is to open its output again, or to end.
    Wake,
}

/// What is kept beside the queue.
#[derive(Debug, Default)]
struct Shared {
    choice: Mutex<Option<DeviceChoice>>,
    is_ending: AtomicBool,
    is_restart_wanted: AtomicBool,
    /// Whether [`ToManager::DevicesChanged`] is in the queue.
    is_change_queued: AtomicBool,
}

/// The sending end of the queue. Nothing here waits.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    queue: SyncSender<ToManager>,
    shared: Arc<Shared>,
}

/// The receiving end.
pub(super) struct Inbox {
    queue: Receiver<ToManager>,
    shared: Arc<Shared>,
}

/// A queue to the output manager.
pub(super) fn queue() -> (Outbox, Inbox) {
    let (sender, receiver) = sync_channel(QUEUE);
    let shared = Arc::new(Shared::default());
    (Outbox { queue: sender, shared: Arc::clone(&shared) }, Inbox { queue: receiver, shared })
}

impl Outbox {
    pub(super) fn choose(&self, choice: DeviceChoice) {
        *self.shared.choice.lock().unwrap_or_else(PoisonError::into_inner) = Some(choice);
        self.send(ToManager::Wake);
    }

    pub(super) fn restart(&self) {
        self.shared.is_restart_wanted.store(true, Relaxed);
        self.send(ToManager::Wake);
    }

    pub(super) fn end(&self) {
        self.shared.is_ending.store(true, Relaxed);
        self.send(ToManager::Wake);
    }

    pub(super) fn stream_event(&self, number: u64, event: StreamEvent) {
        self.send(ToManager::Stream(number, event));
    }

    /// Reports a change of the devices, once until it is received.
    pub(super) fn devices_changed(&self) {
        if !self.shared.is_change_queued.swap(true, Relaxed)
            && !self.send(ToManager::DevicesChanged)
        {
            self.shared.is_change_queued.store(false, Relaxed);
        }
    }

    fn send(&self, message: ToManager) -> bool {
        // A full queue wakes the manager as well as a message would.
        self.queue.try_send(message).is_ok()
    }
}

impl Inbox {
    /// The next message, or none after this time.
    pub(super) fn receive(&self, timeout: Duration) -> Option<ToManager> {
        let received = self.queue.recv_timeout(timeout);
        if matches!(received, Ok(ToManager::DevicesChanged)) {
            self.shared.is_change_queued.store(false, Relaxed);
        }
        received.ok()
    }

    /// The latest choice since the last call, if any.
    pub(super) fn take_choice(&self) -> Option<DeviceChoice> {
        self.shared.choice.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the output is to be closed and opened again; once.
    pub(super) fn take_restart(&self) -> bool {
        self.shared.is_restart_wanted.swap(false, Relaxed)
    }

    pub(super) fn is_ending(&self) -> bool {
        self.shared.is_ending.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_neither_the_latest_choice_nor_a_restart_nor_the_end() {
        let (outbox, inbox) = queue();
        for number in 0..2 * QUEUE as u64 {
            outbox.stream_event(number, StreamEvent::Failed("it failed".to_owned()));
        }
        outbox.choose(DeviceChoice::Named("usb".to_owned()));
        outbox.choose(DeviceChoice::Named("hdmi".to_owned()));
        outbox.restart();
        outbox.end();
        let received = std::iter::from_fn(|| inbox.receive(Duration::ZERO)).count();
        assert_eq!(received, QUEUE);
        assert_eq!(inbox.take_choice(), Some(DeviceChoice::Named("hdmi".to_owned())));
        assert_eq!(inbox.take_choice(), None);
        assert!(inbox.take_restart() && !inbox.take_restart());
        assert!(inbox.is_ending());
    }

    #[test]
    fn a_change_of_the_devices_is_queued_once_until_it_is_received() {
        let (outbox, inbox) = queue();
        let changes = || std::iter::from_fn(|| inbox.receive(Duration::ZERO)).count();
        outbox.devices_changed();
        outbox.devices_changed();
        assert_eq!(changes(), 1);
        outbox.devices_changed();
        assert_eq!(changes(), 1);
    }
}

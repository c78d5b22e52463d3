//! This machine in the room: its name, volume and mute, what the relay keeps of it, and the watch of the room.

use downbeat_protocol::{ClientToRelay, MachineRecord, Rights, WatchRequest};
use tokio::time::Instant;

use super::session::Session;
use crate::event::SessionEvent;

impl Session {
    pub(super) fn set_name(&mut self, name: String) {
        self.protocol.set_name(name.clone());
        self.emit(SessionEvent::NameChanged { name });
    }

    pub(super) fn set_volume(&mut self, volume: f32, now: Instant) {
        let volume = volume.clamp(0.0, 1.0);
        self.settings.set_volume(volume, now);
        self.cues.set_volume(volume);
        self.emit(SessionEvent::VolumeChanged { volume });
    }

    pub(super) fn set_muted(&mut self, muted: bool, _now: Instant) {
        self.cues.set_muted(muted);
        self.emit(SessionEvent::MuteChanged { muted });
    }

    /// The relay has said what it keeps of this machine.
    pub(super) fn machine_changed(&mut self, record: MachineRecord) {
        self.rights = record.rights;
        self.emit(SessionEvent::Machine(record));
        self.update_watch();
    }

    /// The observer wants to be told about all machines, or no longer.
    pub(super) fn watch(&mut self, is_wanted: bool) {
        self.wants_room = is_wanted;
        self.update_watch();
    }

    /// Asks the relay for what the observer wants, as far as this machine may.
    pub(super) fn update_watch(&mut self) {
        let may = self.protocol.own_id().is_some() && self.rights == Rights::Conductor;
        let room = self.wants_room && may;
        if self.watches_room != room {
            self.watches_room = room;
            // Before the relay's first answer, which the observer adds to an empty room.
            self.emit(SessionEvent::Watching(room));
            self.send(&ClientToRelay::Watch(WatchRequest { room, ack: None }));
        }
    }
}

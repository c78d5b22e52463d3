//! This machine in the room: its name, volume and mute, what the relay keeps of it, what became of triggers, and the
//! watch of the room.

use downbeat_audio::DeviceInfo;
use downbeat_protocol::{
    ClientToRelay, Command, CommandNow, MAX_NAME_CHARS, MachineRecord, Missed, Rights,
    TriggerOutcome, WatchRequest, clean_name,
};
use tokio::time::Instant;

use super::{
    super::own_machine::{Change, Wanted},
    session::Session,
};
use crate::{event::SessionEvent, settings::ExtraLatency, time::LocalTime};

/// Volumes that differ by less are the same: in dB and back they are rounded.
const SAME_VOLUME: f32 = 1e-4;

impl Session {
    /// The person at this machine has changed something, which is to be told to the relay.
    pub(super) fn change(&mut self, change: Change) {
        let now = Instant::now();
        match change.clone() {
            Change::Name(name) => self.set_name(name, now),
            Change::Volume(volume) => self.set_volume(volume, now),
            Change::Muted(muted) => self.set_muted(muted, now),
            Change::ExtraLatency(micros) => self.set_extra_latency(micros, now),
        }
        self.own_machine.change(change);
    }

    /// Tells the relay what the person has changed.
    pub(super) fn send_changes(&mut self) {
        let Some(id) = self.protocol.own_id() else { return };
        let now = self.clock.now();
        if self.own_machine.due().is_none_or(|due| due > now) {
            return;
        }
        let ack = self.next_ack();
        if let Some(request) = self.own_machine.take_request(id, ack, now) {
            // The relay keeps an extra latency for the output that it was told of last.
            if request.extra_latency_micros.is_some() && self.reported_output != self.output_name()
            {
                self.report();
            }
            self.send(&ClientToRelay::Assign(request));
        }
    }

    /// The relay has said what it keeps of this machine.
    pub(super) fn machine_changed(&mut self, record: MachineRecord) {
        let now = Instant::now();
        let output = self.output_name();
        let wanted = self.own_machine.receive(record.clone(), output.as_deref());
        let Wanted { name, volume, muted, extra_latency_micros } = wanted;
        if let Some(name) = name {
            self.set_name(name, now);
        }
        if let Some(volume) = volume {
            self.set_volume(volume, now);
        }
        if let Some(muted) = muted {
            self.set_muted(muted, now);
        }
        if let Some(micros) = extra_latency_micros {
            self.set_extra_latency(micros, now);
        }
        self.emit(SessionEvent::Machine(record));
        self.update_watch();
    }

    fn set_name(&mut self, name: String, now: Instant) {
        self.protocol.set_name(name.clone());
        if self.shown_name == name {
            return;
        }
        self.shown_name.clone_from(&name);
        if self.has_window {
            self.settings.set_name(&self.own_name, name.clone(), now);
        }
        self.emit(SessionEvent::NameChanged { name });
    }

    fn set_volume(&mut self, volume: f32, now: Instant) {
        if (volume - self.cues.volume()).abs() < SAME_VOLUME {
            return;
        }
        if self.has_window {
            self.settings.set_volume(volume, now);
        }
        self.cues.set_volume(volume);
        self.emit(SessionEvent::VolumeChanged { volume });
    }

    fn set_muted(&mut self, muted: bool, now: Instant) {
        if muted == self.cues.is_muted() {
            return;
        }
        if self.has_window {
            self.settings.set_muted(muted, now);
        }
        self.cues.set_muted(muted);
        self.emit(SessionEvent::MuteChanged { muted });
    }

    /// Sets the extra latency of the open output.
    pub(super) fn set_extra_latency(&mut self, micros: i32, now: Instant) {
        let extra_latency = ExtraLatency::from_millis(f64::from(micros) / 1000.0);
        if let Ok(device) = &self.output
            && self.extra_latency() != extra_latency
        {
            self.settings.set_extra_latency(&device.id, extra_latency, now);
            self.cues.set_extra_latency(extra_latency, self.clock.now());
            self.emit(SessionEvent::ExtraLatencyChanged { extra_latency });
        }
    }

    /// The name of the open output, as the relay is told.
    pub(super) fn output_name(&self) -> Option<String> {
        let DeviceInfo { name, .. } = self.output.as_ref().ok()?;
        clean_name(&name.chars().take(MAX_NAME_CHARS).collect::<String>())
    }

    /// Does what someone else asks of this machine.
    pub(super) fn obey(&mut self, CommandNow { command, by }: CommandNow, now: LocalTime) {
        match command {
            Command::Identify => self.emit(SessionEvent::Identify { at: now, by: by.name }),
            Command::RestartOutput => self.outputs.restart(),
            Command::Other => {}
        }
    }

    /// Tells the relay what became of triggers, as far as it is due.
    pub(super) fn send_outcomes(&mut self) {
        let now = self.clock.now();
        for outcome in self.cues.take_outcomes() {
            self.outcomes.add(outcome, now);
        }
        while let Some(outcomes) = self.outcomes.take(now) {
            self.send(&ClientToRelay::Outcomes(outcomes));
        }
    }

    /// A trigger cannot sound here: the bank lacks its sound.
    pub(super) fn miss(&mut self, seq: u64) {
        let outcome = TriggerOutcome { seq, lateness_micros: 0, missed: Some(Missed::NotReady) };
        self.outcomes.add(outcome, self.clock.now());
    }

    /// The observer wants to be told about all machines, or no longer.
    pub(super) fn watch(&mut self, is_wanted: bool) {
        self.watch.is_wanted = is_wanted;
        self.update_watch();
    }

    /// Asks the relay for what the observer wants, as far as this machine may.
    fn update_watch(&mut self) {
        let may =
            self.protocol.own_id().is_some() && self.own_machine.rights() == Rights::Conductor;
        let room = self.watch.is_wanted && may;
        if self.watch.is_asked != room {
            self.watch.is_asked = room;
            // Before the relay's first answer, which the observer adds to an empty room.
            self.emit(SessionEvent::Watching(room));
            self.send(&ClientToRelay::Watch(WatchRequest { room, ack: None }));
        }
    }
}

//! What the room's variables do: their values apply at their instants, and drive what sounds.

use downbeat_protocol::{ValueChange, VariablesChange};

use super::session::Session;
use crate::{event::SessionEvent, time::LocalTime};

impl Session {
    /// A variable takes a value, if it is for this machine.
    pub(super) fn value_set(&mut self, change: &ValueChange, now: LocalTime) {
        if !self.protocol.is_in(change.target.as_ref()) {
            return;
        }
        if let Some(value) = change.value.as_f64() {
            let ValueChange { name, apply_at, over_micros, .. } = change;
            self.cues.set_variable(name, value, *apply_at, *over_micros, now);
        }
        self.variables.receive(change);
        self.apply_values(now);
    }

    /// Variables were declared or removed.
    pub(super) fn variables_changed(&mut self, change: VariablesChange, now: LocalTime) {
        self.cues.remove_variables(&change.removed, now);
        self.cues.add_variables(&change.declared, now);
        self.variables.change(&change);
        self.emit(SessionEvent::VariablesChanged(change));
    }

    /// When the next value applies. Without an estimate of relay time it has applied already.
    pub(super) fn value_due(&self) -> Option<LocalTime> {
        Some(self.relay_clock.estimate()?.local_at(self.variables.next_at()?))
    }

    /// Reports the values that apply by now.
    pub(super) fn apply_values(&mut self, now: LocalTime) {
        let Some(next) = self.variables.next_at() else { return };
        let relay_now = self.relay_clock.estimate().map_or(next, |clock| clock.relay_at(now));
        while let Some((name, value)) = self.variables.take_due(relay_now) {
            self.emit(SessionEvent::ValueApplied { name, value });
        }
    }

    /// Reports what happened to voices.
    pub(super) fn emit_voice_updates(&mut self) {
        for update in self.cues.take_updates() {
            self.emit(SessionEvent::Voice(update));
        }
    }
}

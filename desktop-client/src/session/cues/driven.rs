//! What variables drive: their values as glides of voices and of the volume.

use downbeat_audio::{Glide, GlideTarget};
use downbeat_protocol::{PastValue, RelayTime, VariableState};

use super::{Cues, cue::Instant};
use crate::time::LocalTime;

/// How much of the past of the variables is kept while nothing sounds.
pub(super) const KEPT_MICROS: u64 = 2_000_000;

impl Cues {
    /// Replaces all variables. What they drive has their values from now on.
    pub(in crate::session) fn set_variables(
        &mut self,
        variables: &[VariableState],
        now: LocalTime,
    ) {
        self.automation.clear();
        self.add_variables(variables, now);
    }

    /// Drops all variables: a tutorial relay has none, and no time at which the volume could change.
    pub(in crate::session) fn clear_variables(&mut self, now: LocalTime) {
        self.automation.clear();
        self.volume_glides = None;
        if let Some(mixer) = &mut self.output {
            let glide = Glide { at: now, to: 1.0, over_nanos: 0 };
            // The ring is full after hundreds of messages within one block.
            let _ = mixer.glide(GlideTarget::RoomVolume, glide);
        }
    }

    /// Adds variables, or replaces those of the same names.
    pub(in crate::session) fn add_variables(
        &mut self,
        variables: &[VariableState],
        now: LocalTime,
    ) {
        for VariableState { variable, value, past } in variables {
            let base = past.as_ref().map_or(value, |past| &past.from);
            let Some(base) = base.as_f64() else { continue };
            self.automation.declare(variable, base);
            for PastValue { apply_at, value, over_micros } in past.iter().flat_map(|p| &p.values) {
                let Some(value) = value.as_f64() else { continue };
                self.automation.set(&variable.name, value, *apply_at, *over_micros);
            }
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// Removes variables.
    pub(in crate::session) fn remove_variables(&mut self, names: &[String], now: LocalTime) {
        for name in names {
            self.automation.remove(name);
        }
        self.glides_changed(now);
        self.update_mixer(now);
    }

    /// A variable takes a value at an instant.
    pub(in crate::session) fn set_variable(
        &mut self,
        name: &str,
        value: f64,
        apply_at: RelayTime,
        over_micros: u64,
        now: LocalTime,
    ) {
        if self.automation.set(name, value, apply_at, over_micros) {
            self.glides_changed_from(apply_at);
            self.update_mixer(now);
        }
    }

    pub(super) fn glides_changed(&mut self, now: LocalTime) {
        if let Some(clock) = self.clock {
            self.glides_changed_from(clock.relay_at(now));
        }
    }

    fn glides_changed_from(&mut self, from: RelayTime) {
        for cue in &mut self.entries {
            cue.glides.changed(from);
        }
        if let Some(glides) = &mut self.volume_glides {
            glides.changed(from);
        }
    }

    /// Forgets values of variables from before everything that sounds.
    pub(super) fn forget_past(&mut self, now: LocalTime) {
        let Some(clock) = self.clock else { return };
        let now = clock.relay_at(now).as_micros().saturating_sub(KEPT_MICROS);
        let starts = self.entries.iter().filter_map(|cue| match cue.start {
            Instant::Relay(at) => Some(at),
            Instant::Local(_) => None,
        });
        self.automation.forget_before(starts.fold(RelayTime::from_micros(now), RelayTime::min));
    }
}

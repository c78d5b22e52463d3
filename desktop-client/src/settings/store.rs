//! The settings of a running session: what earlier runs left, what this run was given, and what the
//! person changes.
//!
//! Changes are written a moment after the first one, on a thread of their own: the session must not
//! wait for a disk while a trigger waits for the session.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use super::{
    extra_latency::ExtraLatency,
    file::SettingsFile,
    values::{Appearance, OutputChoice, RelayLink, Settings},
};

/// From the first change to the write, so that a fader that is dragged is written once.
const WRITE_DELAY: Duration = Duration::from_secs(1);

/// The settings of a running session.
#[derive(Debug)]
pub(crate) struct SettingsStore {
    file: SettingsFile,
    /// The extra latencies of earlier runs, by the outputs' ids.
    extra_latencies: BTreeMap<String, ExtraLatency>,
    given: Option<Given>,
    /// What the person changed in this run.
    changes: Settings,
    write_at: Option<Instant>,
    writing: Option<JoinHandle<()>>,
}

/// An extra latency that was given for this run alone. It applies to the output that was asked for, not
/// to one that stands in for it.
#[derive(Debug)]
struct Given {
    extra_latency: ExtraLatency,
    output: OutputChoice,
    /// That output's id, once it has been open.
    id: Option<String>,
}

impl SettingsStore {
    /// A store with the extra latencies of earlier runs, and the one that was given for `output`.
    pub(crate) fn new(
        file: SettingsFile,
        extra_latencies: BTreeMap<String, ExtraLatency>,
        given: Option<ExtraLatency>,
        output: OutputChoice,
    ) -> Self {
        let given = given.map(|extra_latency| Given { extra_latency, output, id: None });
        let changes = Settings::default();
        Self { file, extra_latencies, given, changes, write_at: None, writing: None }
    }

    /// The output with this id is open: returns its extra latency. `answers_to` says whether a name
    /// means this output.
    pub(crate) fn output_opened(
        &mut self,
        id: &str,
        answers_to: impl Fn(&str) -> bool,
    ) -> ExtraLatency {
        if let Some(given) = &mut self.given {
            let is_meant = match &given.output {
                OutputChoice::SystemDefault => true,
                OutputChoice::Device(name) => answers_to(name),
            };
            if is_meant {
                given.id.get_or_insert_with(|| id.to_owned());
            }
        }
        self.extra_latency(id)
    }

    /// The extra latency of the output with this id.
    pub(crate) fn extra_latency(&self, id: &str) -> ExtraLatency {
        let given = self.given.as_ref().filter(|given| given.id.as_deref() == Some(id));
        let known =
            || self.changes.extra_latencies.get(id).or_else(|| self.extra_latencies.get(id));
        given.map(|given| given.extra_latency).or_else(|| known().copied()).unwrap_or_default()
    }

    /// The person set the volume.
    pub(crate) fn set_volume(&mut self, volume: f32, now: Instant) {
        self.change(now, |changes| changes.volume = Some(volume.clamp(0.0, 1.0)));
    }

    /// The machine was silenced, or is heard again.
    pub(crate) fn set_muted(&mut self, muted: bool, now: Instant) {
        self.change(now, |changes| changes.muted = Some(muted));
    }

    /// The player that calls itself `own` is known by another name.
    pub(crate) fn set_name(&mut self, own: &str, name: String, now: Instant) {
        self.change(now, |changes| {
            changes.names.insert(own.to_owned(), name);
        });
    }

    /// A relay was joined.
    pub(crate) fn set_relay(&mut self, relay: RelayLink, now: Instant) {
        self.change(now, |changes| changes.relay = Some(relay));
    }

    /// The person chose an output.
    pub(crate) fn set_output(&mut self, output: OutputChoice, now: Instant) {
        self.change(now, |changes| changes.output = Some(output));
    }

    /// The person chose the sound of a bang.
    pub(crate) fn set_sound(&mut self, name: String, now: Instant) {
        self.change(now, |changes| changes.sound = Some(name));
    }

    /// The person chose the colours of the window.
    pub(crate) fn set_appearance(&mut self, appearance: Appearance, now: Instant) {
        self.change(now, |changes| changes.appearance = Some(appearance));
    }

    /// The person set the extra latency of the output with this id. It replaces one that was given.
    pub(crate) fn set_extra_latency(&mut self, id: &str, latency: ExtraLatency, now: Instant) {
        self.given.take_if(|given| given.id.as_deref() == Some(id));
        self.change(now, |changes| {
            changes.extra_latencies.insert(id.to_owned(), latency);
        });
    }

    fn change(&mut self, now: Instant, change: impl FnOnce(&mut Settings)) {
        let before = self.changes.clone();
        change(&mut self.changes);
        if self.changes != before {
            self.write_at.get_or_insert(now + WRITE_DELAY);
        }
    }

    /// When changes are due to be written.
    pub(crate) fn write_at(&self) -> Option<Instant> {
        self.write_at
    }

    /// Writes changes that are due. Does not block; must be called within an event loop.
    pub(crate) fn write(&mut self, now: Instant) {
        if self.write_at.is_none_or(|at| at > now) {
            return;
        }
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            // One write at a time, however slow the disk.
            self.write_at = Some(now + WRITE_DELAY);
            return;
        }
        self.write_at = None;
        let (file, changes) = (self.file.clone(), self.changes.clone());
        self.writing = Some(spawn_blocking(move || write(&file, &changes)));
    }

    /// Writes what has not been written yet.
    pub(crate) async fn close(self) {
        if let Some(writing) = self.writing {
            // A panic has been printed.
            let _ = writing.await;
        }
        if self.write_at.is_some() {
            write(&self.file, &self.changes);
        }
    }
}

fn write(file: &SettingsFile, changes: &Settings) {
    if let Err(error) = file.update(changes) {
        tracing::warn!(%error, "settings not saved");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(given: Option<f64>, output: OutputChoice) -> SettingsStore {
        let known = BTreeMap::from([("usb".to_owned(), ExtraLatency::from_millis(3.0))]);
        let given = given.map(ExtraLatency::from_millis);
        SettingsStore::new(SettingsFile::none(), known, given, output)
    }

    fn opened(store: &mut SettingsStore, id: &str) -> f64 {
        store.output_opened(id, |name| name == format!("the {id}")).millis()
    }

    fn set(store: &mut SettingsStore, id: &str, millis: f64) {
        store.set_extra_latency(id, ExtraLatency::from_millis(millis), Instant::now());
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn each_output_has_its_own_extra_latency() {
        let mut store = store(None, OutputChoice::SystemDefault);
        assert_eq!(opened(&mut store, "usb"), 3.0);
        assert_eq!(opened(&mut store, "hdmi"), 0.0);
        set(&mut store, "hdmi", 80.0);
        assert_eq!(opened(&mut store, "usb"), 3.0);
        assert_eq!(opened(&mut store, "hdmi"), 80.0);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn a_given_extra_latency_applies_to_its_output_until_another_is_set() {
        let mut store = store(Some(20.0), OutputChoice::Device("the usb".to_owned()));
        assert_eq!(opened(&mut store, "hdmi"), 0.0, "it only stands in");
        set(&mut store, "hdmi", 80.0);
        assert_eq!(opened(&mut store, "usb"), 20.0);
        set(&mut store, "usb", 0.0);
        assert_eq!(opened(&mut store, "usb"), 0.0);
        assert_eq!(opened(&mut store, "hdmi"), 80.0);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn an_extra_latency_given_for_the_default_output_applies_to_the_first_that_opens() {
        let mut store = store(Some(20.0), OutputChoice::SystemDefault);
        assert_eq!(opened(&mut store, "hdmi"), 20.0);
        assert_eq!(opened(&mut store, "usb"), 3.0);
        assert_eq!(opened(&mut store, "hdmi"), 20.0);
    }

    #[test]
    fn many_changes_are_written_once_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = SettingsFile::at(folder.path().join("window.json"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut store = SettingsStore::new(
                file.clone(),
                BTreeMap::new(),
                None,
                OutputChoice::SystemDefault,
            );
            let start = Instant::now();
            for step in 0..50_u8 {
                let now = start + Duration::from_millis(10 * u64::from(step));
                store.set_volume(f32::from(step) / 50.0, now);
                store.write(now);
            }
            assert_eq!(store.write_at(), Some(start + WRITE_DELAY));
            assert_eq!(file.read(), Settings::default(), "nothing is written yet");
            store.write(start + WRITE_DELAY);
            assert_eq!(store.write_at(), None);
            store.set_volume(0.98, start + WRITE_DELAY);
            assert_eq!(store.write_at(), None, "what does not change is not written");
            store.set_sound("bell".to_owned(), start + WRITE_DELAY);
            store.close().await;
        });
        assert_eq!(file.read().volume, Some(0.98));
        assert_eq!(file.read().sound.as_deref(), Some("bell"));
    }
}

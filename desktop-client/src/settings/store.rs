//! What the person chose: the trim of whichever output is open, and all that is to be there the
//! next time.
//!
//! It is written a moment after the first change, on a thread of its own: the session must not wait
//! for a disk while a trigger waits for the session.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use crate::{
    action::{Action, OutputChoice, Trim},
    audio::DeviceInfo,
    remembered::{Remembered, RememberedFile},
};

/// A fader that is drawn across the window is one change, not a hundred.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// What the person chose.
#[derive(Debug)]
pub(super) struct Choices {
    file: RememberedFile,
    /// The trims of earlier runs.
    trims: BTreeMap<String, Trim>,
    given: Option<Given>,
    /// What was picked in this run.
    picked: Remembered,
    due: Option<Instant>,
    writing: Option<JoinHandle<()>>,
}

/// A trim that was given for this run alone. It is for the output that was asked for, and not for
/// one that stands in for it.
#[derive(Debug)]
struct Given {
    trim: Trim,
    asked_for: OutputChoice,
    /// That output's id, once it has been open.
    id: Option<String>,
}

impl Choices {
    /// The choices of earlier runs, and the trim that was given with the output it is for.
    pub(super) fn new(
        file: RememberedFile,
        trims: BTreeMap<String, Trim>,
        given: Option<Trim>,
        asked_for: OutputChoice,
    ) -> Self {
        let given = given.map(|trim| Given { trim, asked_for, id: None });
        Self { file, trims, given, picked: Remembered::default(), due: None, writing: None }
    }

    /// An output is open: its trim.
    pub(super) fn opened(&mut self, device: &DeviceInfo) -> Trim {
        if let Some(given) = &mut self.given {
            let meant = match &given.asked_for {
                OutputChoice::SystemDefault => true,
                OutputChoice::Device(name) => device.answers_to(name),
            };
            if meant {
                given.id.get_or_insert_with(|| device.id.clone());
            }
        }
        self.trim(&device.id)
    }

    /// The trim of the output with this id.
    pub(super) fn trim(&self, id: &str) -> Trim {
        let given = self.given.as_ref().filter(|given| given.id.as_deref() == Some(id));
        let known = || self.picked.trims.get(id).or_else(|| self.trims.get(id)).copied();
        given.map(|given| given.trim).or_else(known).unwrap_or_default()
    }

    /// Takes in what the person picked, while the output with this id is open.
    pub(super) fn pick(&mut self, action: &Action, open_output: Option<&str>, now: Instant) {
        if matches!(action, Action::SetTrim(_)) {
            // What is picked later counts.
            self.given.take_if(|given| given.id.is_some() && given.id.as_deref() == open_output);
        }
        if self.picked.pick(action, open_output) {
            self.due.get_or_insert(now + WRITE_AFTER);
        }
    }

    /// When there is something to write.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes what is due. Never blocks; must be called within an event loop.
    pub(super) fn write(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            // A disk that is this slow gets one file at a time.
            self.due = Some(now + WRITE_AFTER);
            return;
        }
        self.due = None;
        let (file, picked) = (self.file.clone(), self.picked.clone());
        self.writing = Some(spawn_blocking(move || keep(&file, &picked)));
    }

    /// Writes what has not been written yet.
    pub(super) async fn close(self) {
        if let Some(writing) = self.writing {
            // If it panicked, that has been printed.
            let _ = writing.await;
        }
        if self.due.is_some() {
            keep(&self.file, &self.picked);
        }
    }
}

fn keep(file: &RememberedFile, picked: &Remembered) {
    if let Err(error) = file.keep(picked) {
        tracing::warn!(%error, "what was chosen cannot be kept for the next time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> DeviceInfo {
        DeviceInfo {
            id: id.to_owned(),
            name: format!("the {id}"),
            is_default: false,
            channels: 2,
            rate: 48_000,
        }
    }

    fn choices(given: Option<f64>, asked_for: OutputChoice) -> Choices {
        let trims = BTreeMap::from([("usb".to_owned(), Trim::from_millis(3.0))]);
        let given = given.map(Trim::from_millis);
        Choices::new(RememberedFile::none(), trims, given, asked_for)
    }

    fn opened(choices: &mut Choices, id: &str) -> f64 {
        choices.opened(&device(id)).millis()
    }

    fn set(choices: &mut Choices, id: &str, millis: f64) {
        let action = Action::SetTrim(Trim::from_millis(millis));
        choices.pick(&action, Some(id), Instant::now());
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn each_output_has_its_own_trim() {
        let mut choices = choices(None, OutputChoice::SystemDefault);
        assert_eq!(opened(&mut choices, "usb"), 3.0);
        assert_eq!(opened(&mut choices, "hdmi"), 0.0);
        set(&mut choices, "hdmi", 80.0);
        assert_eq!(opened(&mut choices, "usb"), 3.0);
        assert_eq!(opened(&mut choices, "hdmi"), 80.0);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn a_given_trim_is_for_the_output_that_was_asked_for_until_another_is_picked() {
        let mut choices = choices(Some(20.0), OutputChoice::Device("the usb".to_owned()));
        assert_eq!(opened(&mut choices, "hdmi"), 0.0, "it only stands in");
        set(&mut choices, "hdmi", 80.0);
        assert_eq!(opened(&mut choices, "usb"), 20.0);
        set(&mut choices, "usb", 0.0);
        assert_eq!(opened(&mut choices, "usb"), 0.0);
        assert_eq!(opened(&mut choices, "hdmi"), 80.0);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "whole milliseconds")]
    fn a_trim_given_for_the_default_output_is_for_the_first_that_opens() {
        let mut choices = choices(Some(20.0), OutputChoice::SystemDefault);
        assert_eq!(opened(&mut choices, "hdmi"), 20.0);
        assert_eq!(opened(&mut choices, "usb"), 3.0);
        assert_eq!(opened(&mut choices, "hdmi"), 20.0);
    }

    #[test]
    fn many_changes_are_written_once_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let file = RememberedFile::at(folder.path().join("window.json"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let trims = BTreeMap::new();
            let mut choices = Choices::new(file.clone(), trims, None, OutputChoice::SystemDefault);
            let start = Instant::now();
            for step in 0..50_u8 {
                let now = start + Duration::from_millis(10 * u64::from(step));
                choices.pick(&Action::SetVolume(f32::from(step) / 50.0), None, now);
                choices.write(now);
            }
            assert_eq!(choices.due(), Some(start + WRITE_AFTER));
            assert_eq!(file.read(), Remembered::default(), "nothing is written yet");
            choices.write(start + WRITE_AFTER);
            assert_eq!(choices.due(), None);
            choices.pick(&Action::SelectSound("bell".to_owned()), None, start + WRITE_AFTER);
            choices.close().await;
        });
        assert_eq!(file.read().volume, Some(0.98));
        assert_eq!(file.read().sound.as_deref(), Some("bell"));
    }
}

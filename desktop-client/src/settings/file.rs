//! What a person chose in the window, kept for the next time: volume, output, sound, and the trim
//! of each output.
//!
//! Only what was picked is kept, never what a flag said. The file may be lost or damaged at any
//! time: then the choices begin afresh, and nothing else suffers. Nothing here runs by itself; who
//! writes decides when, and on which thread.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use downbeat_protocol::clean_name;
use serde::{Deserialize, Serialize};

use crate::action::{Action, OutputChoice, Trim};

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    /// This machine's volume, 0 to 1.
    pub volume: Option<f32>,
    /// What to play through.
    pub output: Option<OutputChoice>,
    /// The sound that a bang plays.
    pub sound: Option<String>,
    /// The trim of each output that was given one, by the output's id.
    pub trims: BTreeMap<String, Trim>,
}

/// The same as it stands in the file. What is missing, or unknown to this version, is passed over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<f32>,
    /// None is the system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    trim_millis: BTreeMap<String, f64>,
}

impl Remembered {
    /// Takes in what the person picked, with the id of the output that is open. Says whether there
    /// is anything new to keep.
    pub fn pick(&mut self, action: &Action, open_output: Option<&str>) -> bool {
        let before = self.clone();
        match action {
            Action::SetVolume(volume) => self.volume = Some(volume.clamp(0.0, 1.0)),
            Action::SetOutput(choice) => self.output = Some(choice.clone()),
            Action::SelectSound(name) => self.sound = Some(name.clone()),
            Action::SetTrim(trim) => {
                if let Some(id) = open_output {
                    self.trims.insert(id.to_owned(), *trim);
                }
            }
            // Which relay is the command line's to say: a machine that was once shown another
            // room should be back in its own after a restart.
            Action::SetRelay(_) | Action::Bang { .. } | Action::StopAll | Action::RetryNow => {}
        }
        *self != before
    }

    /// Lays what was picked since over what was known.
    pub fn overlay(&mut self, picked: &Self) {
        let Self { volume, output, sound, trims } = picked.clone();
        self.volume = volume.or(self.volume);
        self.output = output.or_else(|| self.output.take());
        self.sound = sound.or_else(|| self.sound.take());
        self.trims.extend(trims);
    }

    /// What a file's text says; values that are out of range are brought into it.
    fn read(text: &str) -> Result<Self, serde_json::Error> {
        let Written { volume, output, sound, trim_millis } = serde_json::from_str(text)?;
        Ok(Self {
            volume: volume.filter(|volume| volume.is_finite()).map(|volume| volume.clamp(0.0, 1.0)),
            output: output.map(OutputChoice::Device),
            sound: sound.and_then(|sound| clean_name(&sound)),
            trims: trim_millis.into_iter().map(|(id, ms)| (id, Trim::from_millis(ms))).collect(),
        })
    }

    fn written(&self) -> Result<String, serde_json::Error> {
        let output = match &self.output {
            Some(OutputChoice::Device(id)) => Some(id.clone()),
            Some(OutputChoice::SystemDefault) | None => None,
        };
        let trimmed = self.trims.iter().filter(|(_, trim)| **trim != Trim::NONE);
        let written = Written {
            volume: self.volume,
            output,
            sound: self.sound.clone(),
            trim_millis: trimmed.map(|(id, trim)| (id.clone(), trim.millis())).collect(),
        };
        serde_json::to_string_pretty(&written)
    }
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub struct RememberedFile {
    path: Option<PathBuf>,
}

impl RememberedFile {
    /// The file of this user.
    #[must_use]
    pub fn of_user() -> Self {
        let folders = directories::ProjectDirs::from("", "", "downbeat");
        let path = folders.map(|folders| {
            // Only Linux has a folder for what is neither a setting nor a document.
            let folder = folders.state_dir().unwrap_or_else(|| folders.data_local_dir());
            folder.join("window.json")
        });
        Self { path }
    }

    /// A file at `path`. Its folder is made when it is first needed.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path: Some(path) }
    }

    /// No file: nothing is remembered.
    #[must_use]
    pub fn none() -> Self {
        Self { path: None }
    }

    /// What it holds. A file that is not there holds nothing; neither does one that cannot be
    /// read, which is said in the log.
    #[must_use]
    pub fn read(&self) -> Remembered {
        let Some(path) = &self.path else { return Remembered::default() };
        read(path).unwrap_or_else(|reason| {
            tracing::warn!(
                path = %path.display(), reason,
                "what was chosen last time cannot be read: the choices begin afresh"
            );
            Remembered::default()
        })
    }

    /// Lays `picked` over what the file holds by now: another window of this user may have written
    /// there too. It may block for as long as the disk does.
    ///
    /// # Errors
    /// If it cannot be written; the file is then as it was.
    pub fn keep(&self, picked: &Remembered) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // What is damaged has been told of when it was read, and ends here.
        let mut kept = read(path).unwrap_or_default();
        kept.overlay(picked);
        let text = kept.written().map_err(io::Error::other)?;
        write_whole(path, &text)
    }
}

fn read(path: &Path) -> Result<Remembered, String> {
    match fs::read_to_string(path) {
        Ok(text) => Remembered::read(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Remembered::default()),
        Err(error) => Err(error.to_string()),
    }
}

/// A reader never sees a half-written file, and a machine that loses its power keeps the old one.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{:016x}.part", fastrand::u64(..)));
    let written = File::create_new(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // There is no more to be done if this fails too.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use crate::address::TypedAddress;

    use super::*;

    fn file(folder: &tempfile::TempDir) -> (PathBuf, RememberedFile) {
        let path = folder.path().join("made/when needed").join("window.json");
        (path.clone(), RememberedFile::at(path))
    }

    fn picked(actions: &[Action], output: &str) -> Remembered {
        let mut picked = Remembered::default();
        for action in actions {
            assert!(picked.pick(action, Some(output)), "{action:?} is kept");
        }
        picked
    }

    #[test]
    fn what_is_picked_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        assert_eq!(file.read(), Remembered::default());
        let speaker = OutputChoice::Device("card:speaker \"2\"".to_owned());
        let first = picked(
            &[
                Action::SetVolume(0.25),
                Action::SetOutput(speaker.clone()),
                Action::SelectSound("bell".to_owned()),
                Action::SetTrim(Trim::from_millis(180.5)),
            ],
            "card:speaker \"2\"",
        );
        file.keep(&first).unwrap();
        assert_eq!(file.read(), first);

        // What another window has written meanwhile stays.
        let trim = Trim::from_millis(-3.0);
        let second = picked(&[Action::SetVolume(0.5), Action::SetTrim(trim)], "usb");
        file.keep(&second).unwrap();
        let both = file.read();
        assert_eq!(both.volume, Some(0.5));
        assert_eq!(both.output, Some(speaker));
        assert_eq!(both.sound.as_deref(), Some("bell"));
        assert_eq!(both.trims["usb"], trim);
        assert_eq!(both.trims["card:speaker \"2\""].millis().to_string(), "180.5");

        // Neither the default output nor no trim leaves anything behind.
        let actions = [Action::SetOutput(OutputChoice::SystemDefault), Action::SetTrim(Trim::NONE)];
        file.keep(&picked(&actions, "usb")).unwrap();
        assert_eq!(file.read().output, None);
        assert_eq!(file.read().trims.len(), 1);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no unfinished file");
    }

    #[test]
    fn a_damaged_file_costs_only_what_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        file.keep(&picked(&[Action::SetVolume(0.5)], "usb")).unwrap();
        fs::write(&path, b"{\"volume\": 0.\xff}").unwrap();
        assert_eq!(file.read(), Remembered::default());
        fs::write(&path, "{\"volume\": 0.5,").unwrap();
        assert_eq!(file.read(), Remembered::default());
        file.keep(&picked(&[Action::SetVolume(0.75)], "usb")).unwrap();
        assert_eq!(file.read().volume, Some(0.75));
    }

    #[test]
    fn wild_values_are_brought_into_range_and_unknown_ones_passed_over() {
        let text = r#"{"volume": 7, "later": true, "trim_millis": {"usb": 9000, "hdmi": -1e300}}"#;
        let read = Remembered::read(text).unwrap();
        assert_eq!(read.volume, Some(1.0));
        assert_eq!(read.trims["usb"], Trim::from_millis(500.0));
        assert_eq!(read.trims["hdmi"], Trim::from_millis(-500.0));
    }

    #[test]
    fn what_is_no_choice_is_not_kept() {
        let mut picked = Remembered::default();
        for action in [
            Action::StopAll,
            Action::RetryNow,
            Action::Bang { sound: None },
            Action::SetRelay(TypedAddress::new("stage")),
        ] {
            assert!(!picked.pick(&action, Some("usb")));
        }
        assert!(!picked.pick(&Action::SetTrim(Trim::from_millis(1.0)), None), "nothing is open");
        assert!(picked.pick(&Action::SetVolume(0.5), None));
        assert!(!picked.pick(&Action::SetVolume(0.5), None), "it is known");
    }
}

//! The settings file. It holds what was set in the window, never what a flag said. Only its user can read it: it
//! contains the machine's identity, and may contain a token.
//!
//! A file that is missing or damaged costs only what it held. Nothing here runs by itself: the caller
//! decides when to write, and on which thread.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use downbeat_protocol::{MachineId, clean_name};
use serde::{Deserialize, Serialize};

use super::{
    extra_latency::ExtraLatency,
    values::{Appearance, OutputChoice, RelayLink, Settings},
};

/// The file's format. A key that is missing or unknown to this version is ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<String>,
    /// Absent for the system's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known_or_none")]
    appearance: Option<Appearance>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra_latency_millis: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    machines: BTreeMap<String, MachineId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<String, String>,
}

/// A value of a later version counts as absent.
fn known_or_none<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Appearance>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(Appearance::deserialize(value).ok())
}

/// Parses the file's text; values out of range are clamped.
fn parse(text: &str) -> Result<Settings, serde_json::Error> {
    let document: Document = serde_json::from_str(text)?;
    let Document { volume, muted, relay, output, sound, appearance, .. } = document;
    Ok(Settings {
        muted,
        relay: relay.map(RelayLink),
        volume: volume.filter(|volume| volume.is_finite()).map(|volume| volume.clamp(0.0, 1.0)),
        output: output.map(OutputChoice::Device),
        sound: sound.and_then(|sound| clean_name(&sound)),
        appearance,
        extra_latencies: document
            .extra_latency_millis
            .into_iter()
            .map(|(id, millis)| (id, ExtraLatency::from_millis(millis)))
            .collect(),
        machines: document.machines,
        names: document
            .names
            .into_iter()
            .filter_map(|(own, name)| Some((own, clean_name(&name)?)))
            .collect(),
    })
}

fn format(settings: &Settings) -> Result<String, serde_json::Error> {
    let output = match &settings.output {
        Some(OutputChoice::Device(id)) => Some(id.clone()),
        Some(OutputChoice::SystemDefault) | None => None,
    };
    let extra =
        settings.extra_latencies.iter().filter(|(_, latency)| **latency != ExtraLatency::NONE);
    serde_json::to_string_pretty(&Document {
        volume: settings.volume,
        muted: settings.muted,
        relay: settings.relay.as_ref().map(|relay| relay.0.clone()),
        output,
        sound: settings.sound.clone(),
        appearance: settings.appearance,
        extra_latency_millis: extra.map(|(id, latency)| (id.clone(), latency.millis())).collect(),
        machines: settings.machines.clone(),
        names: settings.names.clone(),
    })
}

/// The settings file of a user, or none.
#[derive(Clone, Debug)]
pub(crate) struct SettingsFile {
    path: Option<PathBuf>,
}

impl SettingsFile {
    /// The file of this user.
    pub(crate) fn of_user() -> Self {
        let folders = directories::ProjectDirs::from("", "", "downbeat");
        let path = folders.map(|folders| {
            // Only Linux has a folder for state, which is neither configuration nor a document.
            let folder = folders.state_dir().unwrap_or_else(|| folders.data_local_dir());
            folder.join("window.json")
        });
        Self { path }
    }

    /// A file at `path`. Its folder is created when it is first needed.
    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path: Some(path) }
    }

    /// No file: nothing is remembered.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { path: None }
    }

    /// The settings in the file. One that is missing holds none; neither does one that is unreadable,
    /// which is logged.
    pub(crate) fn read(&self) -> Settings {
        let Some(path) = &self.path else { return Settings::default() };
        read(path).unwrap_or_else(|reason| {
            tracing::warn!(
                path = %path.display(), reason,
                "settings file unreadable, starting with the defaults"
            );
            Settings::default()
        })
    }

    /// The identity of the player of this name, which is made at its first start. Without a file it lasts for
    /// this run. Blocks for as long as the disk does.
    pub(crate) fn machine(&self, name: &str) -> MachineId {
        let known = || self.read().machines.get(name).copied();
        if let Some(machine) = known() {
            return machine;
        }
        let mut bytes = [0; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::warn!(%error, "no randomness from the system, the identity can be guessed");
            bytes = fastrand::u128(..).to_ne_bytes();
        }
        let machine = MachineId(u128::from_ne_bytes(bytes));
        let machines = BTreeMap::from([(name.to_owned(), machine)]);
        match self.update(&Settings { machines, ..Settings::default() }) {
            // Another player of this name may have been first.
            Ok(()) => known().unwrap_or(machine),
            Err(error) => {
                tracing::warn!(%error, "this machine's identity is not saved");
                machine
            }
        }
    }

    /// Merges `changes` into the file's present content: another window of this user may have written
    /// it. Blocks for as long as the disk does.
    ///
    /// # Errors
    /// If it cannot be written; the file is then unchanged.
    pub(super) fn update(&self, changes: &Settings) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // A damaged file was logged when it was read; it is replaced here.
        let mut settings = read(path).unwrap_or_default();
        settings.merge(changes);
        let text = format(&settings).map_err(io::Error::other)?;
        write_atomically(path, &text)
    }
}

fn read(path: &Path) -> Result<Settings, String> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes a temporary file, and renames it: a reader never sees half a file, and after a power failure
/// the old one is still there.
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{:016x}.part", fastrand::u64(..)));
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // If this fails too, there is nothing left to try.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir) -> (PathBuf, SettingsFile) {
        let path = folder.path().join("made/when needed").join("window.json");
        (path.clone(), SettingsFile::at(path))
    }

    fn extra(id: &str, millis: f64) -> BTreeMap<String, ExtraLatency> {
        BTreeMap::from([(id.to_owned(), ExtraLatency::from_millis(millis))])
    }

    fn volume(volume: f32) -> Settings {
        Settings { volume: Some(volume), ..Settings::default() }
    }

    #[test]
    fn settings_are_merged_into_the_file_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        assert_eq!(file.read(), Settings::default());
        let id = "card:speaker \"2\"";
        let first = Settings {
            volume: Some(0.25),
            muted: Some(true),
            relay: Some(RelayLink("lab#token=x".to_owned())),
            output: Some(OutputChoice::Device(id.to_owned())),
            sound: Some("bell".to_owned()),
            appearance: Some(Appearance::Light),
            extra_latencies: extra(id, 180.5),
            machines: BTreeMap::from([("lab-3".to_owned(), MachineId(7))]),
            names: BTreeMap::from([("lab-3".to_owned(), "harp".to_owned())]),
        };
        file.update(&first).unwrap();
        assert_eq!(file.read(), first);

        // What another window has written meanwhile is kept.
        let second = Settings { extra_latencies: extra("usb", -3.0), ..volume(0.5) };
        file.update(&second).unwrap();
        let both = file.read();
        assert_eq!(both.volume, Some(0.5));
        assert_eq!(both.output, first.output);
        assert_eq!(both.sound.as_deref(), Some("bell"));
        assert_eq!(both.extra_latencies["usb"], ExtraLatency::from_millis(-3.0));
        assert_eq!(both.extra_latencies[id].millis().to_string(), "180.5");

        // Neither the default output nor an extra latency of zero leaves an entry.
        let output = Some(OutputChoice::SystemDefault);
        let extra_latencies = extra("usb", 0.0);
        file.update(&Settings { output, extra_latencies, ..Settings::default() }).unwrap();
        assert_eq!(file.read().output, None);
        assert_eq!(file.read().extra_latencies.len(), 1);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        file.update(&volume(0.5)).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let secret = Settings { relay: Some(RelayLink("x".to_owned())), ..Settings::default() };
        assert!(format!("{secret:?}").contains("RelayLink(..)"));
    }

    #[test]
    fn a_damaged_file_costs_only_what_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        file.update(&volume(0.5)).unwrap();
        fs::write(&path, b"{\"volume\": 0.\xff}").unwrap();
        assert_eq!(file.read(), Settings::default());
        fs::write(&path, "{\"volume\": 0.5,").unwrap();
        assert_eq!(file.read(), Settings::default());
        file.update(&volume(0.75)).unwrap();
        assert_eq!(file.read().volume, Some(0.75));
    }

    #[test]
    fn an_identity_is_made_once_for_each_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = file(&folder);
        let first = file.machine("lab-3");
        assert_ne!(first, file.machine("lab-4"));
        file.update(&volume(0.5)).unwrap();
        assert_eq!(SettingsFile::at(path).machine("lab-3"), first);
        assert_ne!(SettingsFile::none().machine("lab-3"), SettingsFile::none().machine("lab-3"));
    }

    #[test]
    fn values_are_clamped_and_unknown_keys_ignored() {
        let text = r#"{
            "volume": 7, "later": true, "appearance": "sepia", "trim_millis": {"usb": 5},
            "extra_latency_millis": {"usb": 9000, "hdmi": -1e300}
        }"#;
        let settings = parse(text).unwrap();
        assert_eq!(settings.volume, Some(1.0));
        assert_eq!(settings.appearance, None);
        assert_eq!(settings.extra_latencies["usb"], ExtraLatency::from_millis(500.0));
        assert_eq!(settings.extra_latencies["hdmi"], ExtraLatency::from_millis(-500.0));
    }
}

//! The description of a device, and why it cannot be used.

use unicode_normalization::UnicodeNormalization as _;

/// The prefix of ids on the sound server's host, which cpal calls a custom one.
const SERVER: &str = "pulseaudio";

/// An output device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Identifies it on this machine, also after a restart.
    pub id: String,
    /// Its name, for people. Two devices may have the same.
    pub name: String,
    /// Whether it is the system's default.
    pub is_default: bool,
    /// Values per frame.
    pub channels: u16,
    /// Frames per second.
    pub rate: u32,
}

impl DeviceInfo {
    /// Whether `wanted` means this device: its id, with or without the host before the colon, or its
    /// name, however its accents are encoded.
    #[must_use]
    pub fn answers_to(&self, wanted: &str) -> bool {
        let without_host = self.id.split_once(':').map(|(_, id)| id);
        self.id == wanted || without_host == Some(wanted) || self.name.nfc().eq(wanted.nfc())
    }

    /// Whether it is a sound server's, rather than a driver's.
    pub(crate) fn is_of_server(&self) -> bool {
        self.id.split_once(':').is_some_and(|(host, _)| host == SERVER)
    }
}

/// The id of the sound server's device of this name.
pub(super) fn server_id(name: &str) -> String {
    format!("{SERVER}:{name}")
}

/// Why a device or the sound system cannot be used, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub(super) String);

impl DeviceError {
    pub(super) fn new(what: &str, error: &cpal::Error) -> Self {
        Self(format!("{what}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_however_its_accents_are_encoded() {
        let device = DeviceInfo {
            id: "pulseaudio:usb".to_owned(),
            name: "Bo\u{ee}te \u{e0} sons".to_owned(),
            is_default: false,
            channels: 2,
            rate: 48_000,
        };
        for wanted in ["pulseaudio:usb", "usb", &device.name, "Boi\u{302}te a\u{300} sons"] {
            assert!(device.answers_to(wanted), "{wanted}");
        }
        assert!(!device.answers_to("Boite a sons"));
    }
}

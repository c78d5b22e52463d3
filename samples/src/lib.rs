//! Sounds as files: the bank embedded in Downbeat's binaries, and the WAV reader of all packages.
//!
//! It does not depend on the relay, the player or devices. `README.md` describes the sounds; the
//! example `make` generates them.

pub mod loops;
pub mod speakers;
pub mod wav;

/// A sound of the embedded bank.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedSound {
    /// Its name in the bank.
    pub name: &'static str,
    /// Its file.
    pub wav: &'static [u8],
}

macro_rules! embedded {
    ($($name:literal),+) => {
        &[$(EmbeddedSound { name: $name, wav: include_bytes!(concat!("../", $name, ".wav")) }),+]
    };
}

/// The embedded bank, the default sound first.
pub const EMBEDDED: &[EmbeddedSound] =
    embedded!["click", "kick", "clap", "bell", "chord", "texture"];

//! Sounds as files: the bank that Downbeat's programs carry in their binaries, and the one place
//! that reads WAVs.
//!
//! It knows nothing of relays, players and devices. `README.md` says what the sounds are; the
//! example `make` makes them.

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

//! Sounds as files: the bank that Downbeat's programs carry in their binaries, and the one place
//! that reads WAVs.

pub mod wav;

/// A sound of the embedded bank.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedSound {
    /// Its name in the bank.
    pub name: &'static str,
    /// Its file.
    pub wav: &'static [u8],
}

/// The embedded bank, the default sound first.
pub const EMBEDDED: &[EmbeddedSound] = &[];

//! The flags of `downbeat add`.

use std::path::PathBuf;

use clap::Args;

use super::relay::NamedRelayConfig;

/// The settings of `add`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AddConfig {
    /// The files: WAV, FLAC, Ogg Vorbis, MP3 or AIFF. The name of each without its ending is that of its sound.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Seconds to wait until all players can play them; 0 does not wait.
    #[arg(long, value_name = "S", env = "DOWNBEAT_TIMEOUT", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) timeout: u64,
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: NamedRelayConfig,
}

//! The flags of `downbeat set` and `downbeat get`.

use clap::Args;

use super::{
    bang::{TargetConfig, WhenConfig},
    relay::{NamedRelayConfig, name},
};

/// The settings of `set`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SetConfig {
    /// The variable's name.
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) variable: String,
    /// Its new value: a number, true or false, a text, a colour such as #ff8800, or JSON.
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
    /// Milliseconds in which what it drives gets there, up to a minute.
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub(crate) over_ms: u64,
    /// The machines whose value it is, if the variable has one for each.
    #[command(flatten)]
    pub(crate) target: TargetConfig,
    /// When it takes effect.
    #[command(flatten)]
    pub(crate) when: WhenConfig,
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: NamedRelayConfig,
}

/// The settings of `get`.
#[derive(Clone, Debug, Args)]
pub(crate) struct GetConfig {
    /// The variable's name. If absent, all variables are printed: name, tab, value as JSON.
    #[arg(value_name = "NAME", value_parser = name)]
    pub(crate) variable: Option<String>,
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: NamedRelayConfig,
}

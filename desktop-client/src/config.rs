//! The flags of the command line, with their defaults, units and ranges.
//!
//! Each also comes from the environment and from `downbeat.toml`; see [`downbeat_command_line`].

mod add;
mod bang;
mod relay;
mod variables;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::BoolishValueParser};
use tracing::level_filters::LevelFilter;

pub(crate) use self::{
    add::AddConfig,
    bang::{BangConfig, StopConfig},
    relay::RelayConfig,
    variables::{GetConfig, SetConfig},
};
use crate::settings::{ExtraLatency, OutputChoice};

/// Press once, and every machine in the room sounds at the same instant.
#[derive(Clone, Debug, Parser)]
#[command(name = "downbeat", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Config {
    /// The command; without one, open the window.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Level of the log on stderr: error, warn, info, debug or trace.
    // Warnings, because stdout or the window shows what a player does.
    #[arg(long, value_name = "LEVEL", env = "DOWNBEAT_LOG", global = true,
          default_value_t = LevelFilter::WARN)]
    pub(crate) log: LevelFilter,
    /// The settings of the window.
    #[command(flatten)]
    pub(crate) window: PlayerConfig,
}

/// The commands besides the window.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Play without a window.
    Play(PlayerConfig),
    /// Bang, and exit once the relay has sent it to everyone.
    Bang(BangConfig),
    /// Stop a sound or everything, and exit once the relay has sent it to everyone.
    Stop(StopConfig),
    /// Set a variable of the room, and exit once the relay has kept the value.
    Set(SetConfig),
    /// Print the value of a variable, or all variables.
    Get(GetConfig),
    /// Add sounds to the bank, and exit once all players can play them.
    Add(AddConfig),
    /// Print what happens in the room: one JSON object a line.
    Watch(RelayConfig),
    /// List the relays that announce themselves on the network.
    Relays(RelaysConfig),
    /// List the outputs, as --device takes them.
    Devices,
}

/// The settings of `relays`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RelaysConfig {
    /// Seconds to wait for answers.
    #[arg(long, value_name = "S", env = "DOWNBEAT_TIMEOUT", default_value_t = 3,
          value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) timeout: u64,
}

/// The settings of a player.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlayerConfig {
    /// The relay, and this machine's name.
    #[command(flatten)]
    pub(crate) relay: RelayConfig,
    /// Output to play through: a name or an id from `downbeat devices`. If absent, the system's
    /// default; in the window, the one chosen there last.
    #[arg(long, value_name = "NAME", env = "DOWNBEAT_DEVICE")]
    pub(crate) device: Option<String>,
    /// This machine's volume, 0 to 1. If absent, 1; in the window, the one set there last.
    #[arg(long, value_name = "V", env = "DOWNBEAT_VOLUME", value_parser = volume)]
    pub(crate) volume: Option<f32>,
    /// Latency of the output that it does not report, in milliseconds, -500 to 500; the player plays
    /// earlier by as much. If absent, the one set for it in the window.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_EXTRA_LATENCY_MS", value_parser = extra_latency,
          allow_negative_numbers = true)]
    pub(crate) extra_latency_ms: Option<ExtraLatency>,
    /// Milliseconds of sound that the sound server's output is asked to hold, 5 to 200. If absent, it
    /// is adapted to the sound server.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_OUTPUT_LATENCY_MS",
          value_parser = clap::value_parser!(u32).range(5..=200))]
    pub(crate) output_latency_ms: Option<u32>,
    /// Memory that decoded sounds may take, in MiB. Of a larger bank, the sounds that are rarely
    /// triggered are decoded on first use.
    #[arg(long, value_name = "MIB", env = "DOWNBEAT_SOUND_MEMORY_MIB", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sound_memory_mib: u32,
    /// Reduce motion: the window glows instead of flashing. It flashes at most three times a second
    /// anyway.
    #[arg(long, env = "DOWNBEAT_REDUCED_MOTION", value_parser = BoolishValueParser::new())]
    pub(crate) reduced_motion: bool,
    /// Record the timestamps of the outputs to FILE, to analyse synchrony. The manual describes the
    /// format.
    #[arg(long, value_name = "FILE", env = "DOWNBEAT_RECORD_TIMING")]
    pub(crate) record_timing: Option<PathBuf>,
}

impl PlayerConfig {
    /// The output that the flags name, if any.
    #[must_use]
    pub(crate) fn output(&self) -> Option<OutputChoice> {
        self.device.clone().map(OutputChoice::Device)
    }
}

fn volume(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(volume) if (0.0..=1.0).contains(&volume) => Ok(volume),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

fn extra_latency(text: &str) -> Result<ExtraLatency, String> {
    let max = ExtraLatency::MAX_MILLIS;
    match text.parse::<f64>() {
        Ok(millis) if (-max..=max).contains(&millis) => Ok(ExtraLatency::from_millis(millis)),
        _ => Err(format!("it must be a number of milliseconds from -{max} to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn no_command_has_two_flags_of_one_name() {
        Config::command().debug_assert();
    }

    fn window(arguments: &[&str]) -> Result<PlayerConfig, String> {
        let parsed = Config::try_parse_from(["downbeat"].iter().chain(arguments));
        parsed.map(|config| config.window).map_err(|error| error.to_string())
    }

    #[test]
    fn an_extra_latency_is_milliseconds_of_either_sign() {
        let extra =
            |text| window(&["--extra-latency-ms", text]).map(|config| config.extra_latency_ms);
        assert_eq!(extra("12.5"), Ok(Some(ExtraLatency::from_millis(12.5))));
        assert_eq!(extra("-3"), Ok(Some(ExtraLatency::from_millis(-3.0))));
        assert_eq!(window(&[]).unwrap().extra_latency_ms, None);
        for wrong in ["501", "-500.1", "nan", "much"] {
            let error = extra(wrong).unwrap_err();
            assert!(error.contains("--extra-latency-ms"), "{error}");
            assert!(error.contains("-500 to 500"), "{error}");
        }
    }

    #[test]
    fn an_output_latency_is_5_to_200_milliseconds_or_automatic() {
        let latency =
            |text| window(&["--output-latency-ms", text]).map(|config| config.output_latency_ms);
        assert_eq!(latency("5"), Ok(Some(5)));
        assert_eq!(latency("200"), Ok(Some(200)));
        assert_eq!(window(&[]).unwrap().output_latency_ms, None);
        for wrong in ["4", "201", "7.5", "much"] {
            let error = latency(wrong).unwrap_err();
            assert!(error.contains("--output-latency-ms"), "{error}");
        }
    }

    #[test]
    fn a_relay_is_given_by_its_address_or_by_credentials() {
        for (arguments, is_given) in [
            (&["lab"] as &[&str], true),
            (&["--token", "let-me"], true),
            (&[], false),
            (&["--name", "lab-3"], false),
        ] {
            let relay = window(arguments).unwrap().relay;
            assert_eq!(relay.is_given(), is_given, "{arguments:?}");
            let host = relay.address().unwrap().host_and_port().0;
            assert_eq!(host, if arguments == ["lab"] { "lab" } else { "127.0.0.1" });
        }
    }

    #[test]
    fn files_are_added_with_the_relay_beside_them() {
        let arguments = ["downbeat", "add", "--relay", "lab", "kick.wav", "bell.flac"];
        let parsed = Config::try_parse_from(arguments).unwrap();
        let Some(Command::Add(add)) = parsed.command else { panic!("{arguments:?}") };
        assert_eq!(add.files.len(), 2);
        assert_eq!(add.relay.address().unwrap().host_and_port().0, "lab");
        assert!(Config::try_parse_from(["downbeat", "add"]).is_err());
    }

    #[test]
    fn names_that_look_alike_ask_for_the_same_sound() {
        for given in ["caf\u{e9}", "cafe\u{301}", "ca\u{200b}f\u{e9}\u{202e}"] {
            let arguments = ["downbeat", "bang", "--sound", given, "--name", given];
            let parsed = Config::try_parse_from(arguments).unwrap();
            let Some(Command::Bang(bang)) = parsed.command else { panic!("{arguments:?}") };
            assert_eq!(bang.request().unwrap().sound.as_deref(), Some("caf\u{e9}"));
            assert_eq!(bang.relay.name(), "caf\u{e9}");
        }
    }
}

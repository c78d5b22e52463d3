//! The settings of the player's programs: every flag, its default, its unit and its reason.
//!
//! Each flag also comes from the environment and from `downbeat.toml`; see
//! [`downbeat_command_line`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::BoolishValueParser};
use downbeat_protocol::{MAX_NAME_CHARS, TriggerRequest, clean_name};
use tracing::level_filters::LevelFilter;

use crate::{
    access::{Fingerprint, Token},
    action::{OutputChoice, Trim},
    address::{AddressError, RelayAddress, TypedAddress},
};

/// Press once, and every machine in the room sounds at the same instant.
#[derive(Clone, Debug, Parser)]
#[command(name = "downbeat", version, args_conflicts_with_subcommands = true)]
pub struct Config {
    /// What to do; without a command, open the window.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How much is logged on stderr: error, warn, info, debug or trace.
    // Warnings, because what a player does is said on stdout or shown in the window.
    #[arg(long, value_name = "LEVEL", env = "DOWNBEAT_LOG", global = true,
          default_value_t = LevelFilter::WARN)]
    pub log: LevelFilter,
    /// The settings of the window.
    #[command(flatten)]
    pub window: PlayerConfig,
}

/// What else the program can do than open its window.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Play without a window.
    Play(PlayerConfig),
    /// Bang, and exit once the relay has sent it to everyone.
    Bang(BangConfig),
    /// List the outputs, as --device takes them.
    Devices,
}

/// The settings of a player.
#[derive(Clone, Debug, Args)]
pub struct PlayerConfig {
    /// Which relay, and under which name.
    #[command(flatten)]
    pub relay: RelayConfig,
    /// Output to play through: a name or an id of `downbeat devices`. If absent, the system's
    /// default; in the window, what was chosen there last.
    #[arg(long, value_name = "NAME", env = "DOWNBEAT_DEVICE")]
    pub device: Option<String>,
    /// This machine's volume, 0 to 1. If absent, 1; in the window, what was chosen there last.
    #[arg(long, value_name = "V", env = "DOWNBEAT_VOLUME", value_parser = volume)]
    pub volume: Option<f32>,
    /// Milliseconds by which this output sounds earlier, -500 to 500, for a delay that it does not
    /// report. If absent, what was set for it in the window.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_TRIM", value_parser = trim,
          allow_negative_numbers = true)]
    pub trim: Option<Trim>,
    /// Milliseconds of sound that the sound server's output is asked to hold, 5 to 200. If absent, as
    /// few as it does well with.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_OUTPUT_LATENCY_MS",
          value_parser = clap::value_parser!(u32).range(5..=200))]
    pub output_latency_ms: Option<u32>,
    /// Most memory that decoded sounds may take, in MiB. Of a larger bank, the sounds that are seldom
    /// triggered are decoded when they are.
    #[arg(long, value_name = "MIB", env = "DOWNBEAT_SOUND_MEMORY_MIB", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub sound_memory_mib: u32,
    /// The window's bang only glows where it would flash. Without this it flashes at most three times a
    /// second.
    #[arg(long, env = "DOWNBEAT_REDUCED_MOTION", value_parser = BoolishValueParser::new())]
    pub reduced_motion: bool,
    /// Record what the outputs say of their time to FILE, to look into synchrony. The manual says what the
    /// file holds.
    #[arg(long, value_name = "FILE", env = "DOWNBEAT_RECORD_TIMING")]
    pub record_timing: Option<PathBuf>,
}

/// Full, because level is set where the loudspeaker is; the bank leaves room for overlaps.
pub const FIRST_VOLUME: f32 = 1.0;

impl PlayerConfig {
    /// The output that was asked for, if any was.
    #[must_use]
    pub fn output(&self) -> Option<OutputChoice> {
        self.device.clone().map(OutputChoice::Device)
    }
}

/// Which relay, and under which name.
#[derive(Clone, Debug, Args)]
pub struct RelayConfig {
    /// The relay: HOST, HOST:PORT, or an http://, https://, ws:// or wss:// URL, which may end with
    /// #token=TOKEN. If absent, this machine.
    // This machine, because the first thing anyone tries is both programs on one. Read later: the
    // parser would show what it refuses, and with it the token.
    #[arg(
        value_name = "RELAY",
        env = "DOWNBEAT_RELAY",
        hide_env_values = true,
        hide_default_value = true,
        default_value = "127.0.0.1"
    )]
    pub relay: TypedAddress,
    /// The token that the relay asks for; better set by `DOWNBEAT_TOKEN` or the settings file, where
    /// other users of this machine do not see it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "DOWNBEAT_TOKEN",
        hide_env_values = true,
        hide_default_value = true
    )]
    pub token: Option<Token>,
    /// Fingerprint of the relay's certificate, as the relay prints it: that one alone is believed.
    #[arg(long, value_name = "SHA256", env = "DOWNBEAT_FINGERPRINT")]
    pub fingerprint: Option<Fingerprint>,
    /// What others call this machine. Its host name if absent.
    #[arg(long, env = "DOWNBEAT_NAME", value_parser = name)]
    pub name: Option<String>,
}

impl RelayConfig {
    /// Where the relay is, and what opens its door.
    ///
    /// # Errors
    /// If that is no address.
    pub fn address(&self) -> Result<RelayAddress, AddressError> {
        self.relay.read(self.token.clone(), self.fingerprint)
    }

    /// The name that was given, or the machine's own.
    #[must_use]
    pub fn name(&self) -> String {
        let host = || clean_name(&gethostname::gethostname().to_string_lossy());
        self.name.clone().or_else(host).unwrap_or_else(|| "player".to_owned())
    }
}

/// The settings of a bang.
#[derive(Clone, Debug, Args)]
pub struct BangConfig {
    /// Which relay, and under which name.
    #[command(flatten)]
    pub relay: RelayConfig,
    /// The sound to play. The relay's default sound if absent.
    #[arg(long, value_name = "NAME", env = "DOWNBEAT_SOUND", value_parser = name)]
    pub sound: Option<String>,
    /// Linear factor on its level, 0 to 4.
    #[arg(long, value_name = "G", env = "DOWNBEAT_GAIN", default_value_t = 1.0)]
    pub gain: f32,
    /// Factor on its speed, 0.25 to 4.
    #[arg(long, value_name = "R", env = "DOWNBEAT_RATE", default_value_t = 1.0)]
    pub rate: f32,
    /// How many times.
    #[arg(long, value_name = "N", env = "DOWNBEAT_COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Milliseconds from one to the next.
    #[arg(long, value_name = "MS", env = "DOWNBEAT_EVERY", default_value_t = 500)]
    pub every: u64,
}

impl BangConfig {
    /// What to ask of the relay.
    ///
    /// # Errors
    /// The value that is out of its range.
    pub fn request(&self) -> Result<TriggerRequest, downbeat_protocol::InvalidValue> {
        let Self { sound, gain, rate, .. } = self;
        let request = TriggerRequest {
            sound: sound.clone(),
            gain: *gain,
            rate: *rate,
            ..TriggerRequest::default()
        };
        request.validate()?;
        Ok(request)
    }
}

fn volume(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(volume) if (0.0..=1.0).contains(&volume) => Ok(volume),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

fn trim(text: &str) -> Result<Trim, String> {
    let most = Trim::MOST_MILLIS;
    match text.parse::<f64>() {
        Ok(millis) if (-most..=most).contains(&millis) => Ok(Trim::from_millis(millis)),
        _ => Err(format!("it must be a number of milliseconds from -{most} to {most}")),
    }
}

fn name(text: &str) -> Result<String, String> {
    clean_name(text)
        .ok_or_else(|| format!("a name has 1 to {MAX_NAME_CHARS} characters that can be seen"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(arguments: &[&str]) -> Result<PlayerConfig, String> {
        let parsed = Config::try_parse_from(["downbeat"].iter().chain(arguments));
        parsed.map(|config| config.window).map_err(|error| error.to_string())
    }

    #[test]
    fn a_trim_is_milliseconds_either_way() {
        let trim = |text| window(&["--trim", text]).map(|config| config.trim);
        assert_eq!(trim("12.5"), Ok(Some(Trim::from_millis(12.5))));
        assert_eq!(trim("-3"), Ok(Some(Trim::from_millis(-3.0))));
        assert_eq!(window(&[]).unwrap().trim, None);
        for wrong in ["501", "-500.1", "nan", "much"] {
            let error = trim(wrong).unwrap_err();
            assert!(error.contains("--trim") && error.contains("-500 to 500"), "{error}");
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

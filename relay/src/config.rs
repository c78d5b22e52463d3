//! The relay's settings, with their defaults, and the command line that sets them.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::{Parser, ValueEnum, builder::BoolishValueParser};
use downbeat_protocol::{DEFAULT_PORT, Variable};

/// The settings of a relay.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "downbeat-relay",
    version,
    about = "The relay of Downbeat: press once, and every machine in the room sounds at the same instant."
)]
pub struct Config {
    /// Address and port to listen on; port 0 is any free one
    #[arg(long, env = "DOWNBEAT_LISTEN", value_name = "ADDR:PORT", default_value_t = DEFAULT_LISTEN, value_parser = address)]
    pub listen: SocketAddr,

    /// Folder of WAV files to serve instead of the built-in sounds
    #[arg(long, env = "DOWNBEAT_SAMPLES", value_name = "DIR")]
    pub samples: Option<PathBuf>,

    /// Sound that repeats as a whole until a stop, by name. A WAV file with a loop repeats without this
    #[arg(long, env = "DOWNBEAT_LOOP", value_name = "NAME", value_delimiter = ',')]
    pub r#loop: Vec<String>,

    /// Folder for what survives the relay: variables, values, machines, the lock, uploaded sounds and edits of
    /// sounds. Without one they end with it
    #[arg(long, env = "DOWNBEAT_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Variable, as in a `declare` of the protocol; in the settings file a table `[[variable]]`
    #[arg(long, env = "DOWNBEAT_VARIABLE", value_name = "JSON", value_parser = variable)]
    pub variable: Vec<Variable>,

    /// Minimum lead: the shortest time from a bang to its sound, in milliseconds
    #[arg(long, env = "DOWNBEAT_MIN_LEAD_MS", value_name = "MS", default_value_t = DEFAULT_MIN_LEAD_MS, value_parser = clap::value_parser!(u32).range(0..=LARGEST_LEAD_MS))]
    pub min_lead_ms: u32,

    /// Maximum lead: the longest time from a bang to its sound, in milliseconds. A machine that needs
    /// more starts each sound late, at the position that the others have reached
    #[arg(long, env = "DOWNBEAT_MAX_LEAD_MS", value_name = "MS", default_value_t = DEFAULT_MAX_LEAD_MS, value_parser = clap::value_parser!(u32).range(0..=LARGEST_LEAD_MS))]
    pub max_lead_ms: u32,

    /// Token that clients must present. Set it with `DOWNBEAT_TOKEN` or in the settings file: other users
    /// of this machine can see the command line
    #[arg(
        long,
        env = "DOWNBEAT_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub token: Option<Secret>,

    /// Token of conductors, who may do everything. With it, others are players: they bang, and set the
    /// variables that are open to them
    #[arg(
        long,
        env = "DOWNBEAT_CONDUCTOR_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub conductor_token: Option<Secret>,

    /// Token of players, beside a --token
    #[arg(
        long,
        env = "DOWNBEAT_PLAYER_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub player_token: Option<Secret>,

    /// Token of listeners, who sound with the others and do not bang, beside a --token
    #[arg(
        long,
        env = "DOWNBEAT_LISTEN_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub listen_token: Option<Secret>,

    /// Accept TLS only; without the files below, with a self-signed certificate
    #[arg(long, env = "DOWNBEAT_TLS", value_parser = BoolishValueParser::new())]
    pub tls: bool,

    /// Certificate chain (PEM); implies --tls
    #[arg(long, env = "DOWNBEAT_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM)
    #[arg(long, env = "DOWNBEAT_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Origin of another page that may connect; its host name is also accepted as the relay's
    #[arg(long, env = "DOWNBEAT_ALLOW_ORIGIN", value_name = "URL", value_delimiter = ',')]
    pub allow_origin: Vec<String>,

    /// Do not announce the relay on the network (mDNS). One that serves its own machine only never does
    #[arg(long, env = "DOWNBEAT_NO_ANNOUNCE", value_parser = BoolishValueParser::new())]
    pub no_announce: bool,

    /// Maximum number of connections
    #[arg(long, env = "DOWNBEAT_CONNECTIONS", value_name = "N", default_value_t = DEFAULT_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,

    /// Maximum number of connections from one address; loopback is exempt
    #[arg(long, env = "DOWNBEAT_CONNECTIONS_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_CONNECTIONS_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address: u32,

    /// Maximum messages per second on one connection, of 256 bytes on average; bursts may have four
    /// times as many
    #[arg(long, env = "DOWNBEAT_MESSAGES", value_name = "N", default_value_t = DEFAULT_MESSAGES, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: u32,

    /// Maximum messages per second from one address; loopback is exempt
    #[arg(long, env = "DOWNBEAT_MESSAGES_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_MESSAGES_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_address: u32,

    /// Maximum HTTP requests per second on one connection; bursts may have four times as many
    #[arg(long, env = "DOWNBEAT_REQUESTS", value_name = "N", default_value_t = DEFAULT_REQUESTS, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests: u32,

    /// Maximum HTTP requests per second from one address; a new connection counts as one or, with TLS, as
    /// four; loopback is exempt
    #[arg(long, env = "DOWNBEAT_REQUESTS_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_REQUESTS_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_address: u32,

    /// Maximum data queued for all clients together, in MiB; the clients with the longest queues are
    /// disconnected first
    #[arg(long, env = "DOWNBEAT_BACKLOG_MIB", value_name = "MIB", default_value_t = DEFAULT_BACKLOG_MIB, value_parser = clap::value_parser!(u32).range(1..=MAX_BACKLOG_MIB))]
    pub backlog_mib: u32,

    /// Log level, on stderr
    #[arg(long, env = "DOWNBEAT_LOG", value_name = "LEVEL", default_value_t = LogLevel::Info, value_enum)]
    pub log: LogLevel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            samples: None,
            r#loop: Vec::new(),
            data: None,
            variable: Vec::new(),
            min_lead_ms: DEFAULT_MIN_LEAD_MS,
            max_lead_ms: DEFAULT_MAX_LEAD_MS,
            token: None,
            conductor_token: None,
            player_token: None,
            listen_token: None,
            tls: false,
            tls_cert: None,
            tls_key: None,
            allow_origin: Vec::new(),
            no_announce: false,
            connections: DEFAULT_CONNECTIONS,
            connections_per_address: DEFAULT_CONNECTIONS_PER_ADDRESS,
            messages: DEFAULT_MESSAGES,
            messages_per_address: DEFAULT_MESSAGES_PER_ADDRESS,
            requests: DEFAULT_REQUESTS,
            requests_per_address: DEFAULT_REQUESTS_PER_ADDRESS,
            backlog_mib: DEFAULT_BACKLOG_MIB,
            log: LogLevel::Info,
        }
    }
}

/// A secret setting. Its `Debug` output does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(crate) String);

impl FromStr for Secret {
    type Err = Infallible;

    // Checked later, by `Access`: the error of the argument parser would print it.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures of the relay.
    Error,
    /// Also problems with a single client or sound.
    Warn,
    /// Also clients that connect and disconnect.
    Info,
    /// Also every trigger.
    Debug,
    /// Everything.
    Trace,
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}

fn variable(text: &str) -> Result<Variable, String> {
    let variable: Variable = serde_json::from_str(text).map_err(|error| error.to_string())?;
    variable.validate().map_err(|error| error.to_string())?;
    Ok(variable)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected ADDR:PORT, such as 0.0.0.0:3000 or 127.0.0.1:0".to_owned())
}

/// All interfaces: a relay is there for other machines.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT);

/// What a wired network and a small audio buffer need.
const DEFAULT_MIN_LEAD_MS: u32 = 5;

/// Half a second between a press and its sound still feels like cause and effect; more does not.
const DEFAULT_MAX_LEAD_MS: u32 = 500;

/// Largest lead that can be set: a larger value is a typing error.
const LARGEST_LEAD_MS: i64 = 10_000;

/// A large school. All of them idle take 100 MB, and 400 MB if each has sent a message of the largest
/// size, because its read buffer stays that large.
const DEFAULT_CONNECTIONS: u32 = 16_384;

/// A building behind one router. A hostile address that uses all of it leaves most of the capacity free.
const DEFAULT_CONNECTIONS_PER_ADDRESS: u32 = 2048;

/// 500 triggers a second and a burst of 2000, beside reports and probes.
const DEFAULT_MESSAGES: u32 = 600;

/// Twenty connections at their limit: a classroom behind one router.
const DEFAULT_MESSAGES_PER_ADDRESS: u32 = 12_000;

/// A page and its sounds are some 160 requests; a proxy sends those of a whole class on one connection.
const DEFAULT_REQUESTS: u32 = 500;

/// A burst serves the page to some 300 browsers, also over TLS (some 160 requests each, connections and sounds
/// included), or lets all clients of a large school reconnect after a power cut.
const DEFAULT_REQUESTS_PER_ADDRESS: u32 = 12_000;

/// A quarter of a small machine's memory: 256 clients with a full outbox of 1 MiB, or 16 KiB for each of
/// the maximum number of clients.
const DEFAULT_BACKLOG_MIB: u32 = 256;

/// One tebibyte: a larger value is a typing error.
const MAX_BACKLOG_MIB: i64 = 1 << 20;

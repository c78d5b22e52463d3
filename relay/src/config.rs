//! Every setting with its default, and every number that bounds the relay, with units and reasons.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Parser, ValueEnum, builder::BoolishValueParser};
use downbeat_protocol::DEFAULT_PORT;

use crate::access::Secret;

/// What the person who starts the relay can choose.
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

    /// Least time from a bang to its sound, in milliseconds
    #[arg(long, env = "DOWNBEAT_LEAST_LEAD_MS", value_name = "MS", default_value_t = DEFAULT_LEAST_LEAD_MS, value_parser = clap::value_parser!(u32).range(0..=GREATEST_LEAD_MS))]
    pub least_lead_ms: u32,

    /// Greatest time from a bang to its sound, in milliseconds: a machine that needs more joins
    /// each sound in the middle
    #[arg(long, env = "DOWNBEAT_MOST_LEAD_MS", value_name = "MS", default_value_t = DEFAULT_MOST_LEAD_MS, value_parser = clap::value_parser!(u32).range(0..=GREATEST_LEAD_MS))]
    pub most_lead_ms: u32,

    /// Token that is needed to come in; better set by `DOWNBEAT_TOKEN` or the settings file, where
    /// other users of this machine do not see it
    #[arg(
        long,
        env = "DOWNBEAT_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub token: Option<Secret>,

    /// A second token, for those who may only listen
    #[arg(
        long,
        env = "DOWNBEAT_LISTEN_TOKEN",
        hide_env_values = true,
        hide_default_value = true,
        value_name = "TOKEN"
    )]
    pub listen_token: Option<Secret>,

    /// Speak TLS only; without the files below, with a certificate of the relay's own making
    #[arg(long, env = "DOWNBEAT_TLS", value_parser = BoolishValueParser::new())]
    pub tls: bool,

    /// Certificate to show (PEM, with those that vouch for it); implies --tls
    #[arg(long, env = "DOWNBEAT_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM)
    #[arg(long, env = "DOWNBEAT_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Origin of another page that may connect, and a name under which the relay may be asked
    #[arg(long, env = "DOWNBEAT_ALLOW_ORIGIN", value_name = "URL", value_delimiter = ',')]
    pub allow_origin: Vec<String>,

    /// Most connections in all
    #[arg(long, env = "DOWNBEAT_CONNECTIONS", value_name = "N", default_value_t = DEFAULT_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,

    /// Most connections from one address; this machine's own are not counted
    #[arg(long, env = "DOWNBEAT_CONNECTIONS_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_CONNECTIONS_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address: u32,

    /// Most messages a second from one connection, of 256 bytes on average; four times as many pass
    /// at once
    #[arg(long, env = "DOWNBEAT_MESSAGES", value_name = "N", default_value_t = DEFAULT_MESSAGES, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: u32,

    /// Most messages a second from one address; this machine's own are not counted
    #[arg(long, env = "DOWNBEAT_MESSAGES_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_MESSAGES_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages_per_address: u32,

    /// Most HTTP requests a second on one connection; four times as many pass at once
    #[arg(long, env = "DOWNBEAT_REQUESTS", value_name = "N", default_value_t = DEFAULT_REQUESTS, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests: u32,

    /// Most HTTP requests a second from one address, a new connection being one or, with TLS, four;
    /// this machine's own are not counted
    #[arg(long, env = "DOWNBEAT_REQUESTS_PER_ADDRESS", value_name = "N", default_value_t = DEFAULT_REQUESTS_PER_ADDRESS, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_address: u32,

    /// Most that may wait for all clients together, in MiB; whoever has most waiting is cut off first
    #[arg(long, env = "DOWNBEAT_BACKLOG_MIB", value_name = "MIB", default_value_t = DEFAULT_BACKLOG_MIB, value_parser = clap::value_parser!(u32).range(1..=MAX_BACKLOG_MIB))]
    pub backlog_mib: u32,

    /// How much to log on stderr
    #[arg(long, env = "DOWNBEAT_LOG", value_name = "LEVEL", default_value_t = LogLevel::Info, value_enum)]
    pub log: LogLevel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            samples: None,
            least_lead_ms: DEFAULT_LEAST_LEAD_MS,
            most_lead_ms: DEFAULT_MOST_LEAD_MS,
            token: None,
            listen_token: None,
            tls: false,
            tls_cert: None,
            tls_key: None,
            allow_origin: Vec::new(),
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

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What keeps the relay from doing its work.
    Error,
    /// Also what is wrong with one client or one sound.
    Warn,
    /// Also who comes and goes.
    Info,
    /// Also every trigger.
    Debug,
    /// Everything.
    Trace,
}

impl std::fmt::Display for LogLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected ADDR:PORT, such as 0.0.0.0:3000 or 127.0.0.1:0".to_owned())
}

/// All interfaces: the other machines of the room are the point of it.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT);

/// A wired network and a small buffer need about this much; less is only asked for by mistake.
const DEFAULT_LEAST_LEAD_MS: u32 = 5;

/// Half a second between a press and its sound still feels like cause and effect; more does not.
const DEFAULT_MOST_LEAD_MS: u32 = 500;

/// Longest lead that can be configured: beyond it a value is a slip of the finger.
const GREATEST_LEAD_MS: i64 = 10_000;

/// A large school; and some 100 MB, should all of them be idle (and 400, had each said the largest
/// there is: its buffer stays as large).
const DEFAULT_CONNECTIONS: u32 = 16_384;

/// A building behind one router; strangers who fill an address leave most of the house free.
const DEFAULT_CONNECTIONS_PER_ADDRESS: u32 = 2048;

/// 500 bangs a second and a burst of 2000 pass, beside what a client says of itself and its clock.
const DEFAULT_MESSAGES: u32 = 600;

/// Twenty connections at their most: a router's classroom in a frenzy.
const DEFAULT_MESSAGES_PER_ADDRESS: u32 = 12_000;

/// A page and its sounds are some thirty requests; a proxy asks for a class on one connection.
const DEFAULT_REQUESTS: u32 = 500;

/// At once, the page for more than three hundred, over TLS as well (some sixty requests each then, the
/// connections included), or everyone of a large school back after a power cut.
const DEFAULT_REQUESTS_PER_ADDRESS: u32 = 5000;

/// A fourth of a small machine's memory. A quarter of a thousand clients may have their
/// [most](OUTBOX_BYTES) waiting, or 16 KiB each of the most that may connect.
pub const DEFAULT_BACKLOG_MIB: u32 = 256;

/// One tebibyte: beyond it a value is a slip of the finger.
const MAX_BACKLOG_MIB: i64 = 1 << 20;

/// Bytes in a MiB.
pub const MIB: usize = 1 << 20;

/// What it costs to come in, in requests: about as much, without TLS.
pub const ENTRANCE: u32 = 1;

/// The same with TLS: its handshake takes some tenths of a millisecond, though others have their turn
/// before and after it.
pub const TLS_ENTRANCE: u32 = 4;

/// Most bytes that a client may send without completing a message. The largest message in
/// fragments of eight bytes fits; fragments of nothing, without end, do not.
pub const UNFINISHED_BYTES: usize = 2 * MESSAGE_BYTES;

/// How long a connection may speak HTTP, and then its last answer last. A sound of 96 MB at 160 KB a
/// second fits; a browser that wants more connects again, and one that takes nothing does not stay.
pub const HTTP_LIFETIME: Duration = Duration::from_mins(10);

/// How long an answer may take when the relay ends: what is under way is mostly on its way already.
pub const LAST_ANSWER: Duration = Duration::from_secs(2);

/// Largest message that is read, in bytes. The largest valid one is a trigger with 4096 bytes of
/// data and 256 targets of usual length; this is twice that.
pub const MESSAGE_BYTES: usize = 16 * 1024;

/// How large the messages of a connection may be on average for as many to pass as its rate says;
/// larger ones are fewer, and so are those of which everyone is told something larger. So what one
/// client has said at once fits the [outbox](OUTBOX_BYTES) of another that is not reading just then. A
/// bang as players make it is told in some 150 bytes.
pub const MESSAGE_BYTES_ON_AVERAGE: u32 = 256;

/// The read buffer of a connection, in bytes: several of the usual messages of about 200. It grows
/// for a larger one; the library's own default would cost 128 KiB for each idle client.
pub const READ_BUFFER_BYTES: usize = 1024;

/// How long a request's head may take. A browser on a bad network needs a second or two.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TLS handshake may take, from the accepted socket on: as long as a head.
pub const HANDSHAKE_TIMEOUT: Duration = HEADER_TIMEOUT;

/// What sealing a usual frame adds, in bytes, with some to spare; more is only a reallocation.
pub const RECORD_OVERHEAD_BYTES: usize = 32;

/// How long one may stay who speaks without TLS where TLS is spoken: a head, and an answer of some
/// bytes.
pub const UNENCRYPTED_LIFETIME: Duration = Duration::from_secs(12);

/// Largest head of a request, in bytes; browsers send about one kilobyte, cookies included.
pub const HEADER_BYTES: usize = 16 * 1024;

/// How long a client of `downbeat.v1` may take to say hello. It says it in the same breath as it
/// connects; ten seconds forgive a network that stutters.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that was silent for this long is pinged: a machine that lost its power says no
/// goodbye, and routers forget a silent connection after a minute or more.
pub const PING_AFTER: Duration = Duration::from_secs(10);

/// A client that was silent for this long, two pings unanswered and a third on its way, is gone.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);

/// A client whose waiting frames made no progress for this long is cut off: whatever waits for it
/// should have sounded long ago, and it comes back to a fresh start.
pub const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Most bytes that wait for one client beyond what the kernel holds. A welcome with the
/// [largest bank](MAX_SOUNDS) and all that is usually sounding fits, and so does what one client may
/// say at once.
pub const OUTBOX_BYTES: usize = 1024 * 1024;

/// What the kernel may hold for one client, in bytes (Linux counts its own part and takes twice as
/// much), before frames begin to wait here. Left to itself it grows to 4 MB for one that never
/// reads, from a memory that all sockets of the machine share; and that one is found out only then.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Most frames that wait for one client, so that small ones are bounded too: each costs a handle
/// of 32 bytes besides its own.
pub const OUTBOX_FRAMES: usize = 4096;

/// Frames that go out in one system call; writing more at once gains nothing measurable.
pub const FRAMES_PER_WRITE: usize = 64;

/// What the fan-out may fall behind, in messages, before those who bang are slowed to its pace:
/// a burst from every machine of a large lab.
pub const FAN_OUT_QUEUE: usize = 1024;

/// Most frames that wait for the instant at which the seed's clients are told: a burst of 2000 from
/// each of eight machines within one lead. Each costs 40 bytes.
pub const DUE_FRAMES: usize = 16 * 1024;

/// A frame that is due is handed to a thread this long before, because the runtime wakes to the
/// millisecond and a thread to the microsecond. Whoever comes or goes on that wire waits meanwhile.
pub const DUE_HANDOVER: Duration = Duration::from_millis(2);

/// Most messages that the fan-out joins into one write a client. More would only make those wait
/// that come first.
pub const FAN_OUT_BATCH: usize = 64;

/// A thread is woken to write to so many clients: to wake one costs some ten microseconds, and so
/// does it to write to three or four. Fewer are written to by the thread that reads everything, which
/// keeps it, and a probe, for about half a millisecond at most.
pub const CLIENTS_PER_WRITER: usize = 128;

/// How many clients a writer takes at a time: enough that to take them costs nothing beside a write,
/// and few enough that they are soon done.
pub const CLIENTS_AT_A_TIME: usize = 8;

/// Most threads that write at once: beyond them the kernel's own locks are what they wait for.
pub const MOST_WRITERS: usize = 4;

/// How often the room is looked after: the roster, the fall of the lead, what has ended. It is
/// also the shortest time between two rosters, which `docs/PROTOCOL.md` promises.
pub const TICK: Duration = Duration::from_millis(250);

/// How often clients are looked after: who is silent, who stalls.
pub const SWEEP: Duration = Duration::from_secs(1);

/// How often a second a report may raise the lead at once, instead of at the next tick: as often as
/// players of a large lab come to need more, and no oftener than a room of thousands can be judged
/// for little.
pub const JUDGEMENTS_PER_SECOND: u32 = 100;

/// Rosters that differ only in reports or the lead are this far apart: nobody reads faster.
pub const REPORTS_ROSTER_EVERY: Duration = Duration::from_secs(2);

/// For each client they wait this much longer. In a room of a thousand those of 64 come to some 16 KB
/// for each client, and so to some 1.6 MB a second in all.
pub const REPORTS_ROSTER_EVERY_PER_CLIENT: Duration = Duration::from_millis(10);

/// For each client the roster waits this much longer, so that a thousand arrivals in a room of a
/// thousand are not told one by one to a thousand.
pub const ROSTER_EVERY_PER_CLIENT: Duration = Duration::from_millis(1);

/// Most triggers remembered as sounding. A player mixes 64 voices: no newcomer could join more.
pub const SOUNDING: usize = 64;

/// How long the end may take before what is left is dropped.
pub const DRAIN: Duration = Duration::from_secs(4);

/// How long a client has to answer a close frame before its socket is closed anyway.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause after an accept that failed for lack of file descriptors or memory: trying at once would
/// only burn the processor, and a new client does not notice a tenth of a second.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long no accept must have failed for the next failure to be logged again.
pub const ACCEPT_EPISODE: Duration = Duration::from_secs(10);

/// How often the folder of sounds is looked at: a change is heard of within two of these, and a few
/// hundred questions to a file system in that time are nothing.
pub const FOLDER_EVERY: Duration = Duration::from_secs(2);

/// Largest sound, in bytes: five minutes of stereo at 24 bits and 48 kHz are 86 MB. The relay
/// holds its bank in memory, and each player holds it decoded, which is larger still.
pub const SOUND_BYTES: u64 = 96 * 1024 * 1024;

/// Most sounds of a bank. Each is some 170 bytes of a welcome, 410 at most, and a welcome must leave
/// room in the [outbox](OUTBOX_BYTES) for what follows it before the client has read it.
pub const MAX_SOUNDS: usize = 2048;

/// Largest bank, in bytes: it must fit the memory of a small computer.
pub const BANK_BYTES: u64 = 512 * 1024 * 1024;

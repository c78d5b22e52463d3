//! What the commands share: the options of a session, the printer, the event loop.

use std::io;

use anyhow::Context as _;
use downbeat_audio::{OutputContext, TimingTrace};
use downbeat_command_line::Printer;
use downbeat_protocol::ClientKind;

use crate::{
    config::PlayerConfig,
    net::address::RelayAddress,
    session::SessionOptions,
    settings::{Settings, SettingsFile},
    sounds::Cache,
    time::LocalClock,
};

/// Full: the level is set at the loudspeaker, and the bank leaves headroom for overlaps.
const DEFAULT_VOLUME: f32 = 1.0;

/// The options of a session: what the command line says, and else the settings.
pub(super) fn session_options(
    config: &PlayerConfig,
    relay: RelayAddress,
    settings: Settings,
    kind: ClientKind,
    clock: LocalClock,
) -> anyhow::Result<SessionOptions> {
    let trace = config.record_timing.as_deref().map(|path| {
        TimingTrace::create(path).with_context(|| format!("cannot record to {}", path.display()))
    });
    let (own_name, file) = (config.relay.name(), SettingsFile::of_user());
    let remembered = settings.names.get(&own_name).filter(|_| !config.relay.is_named());
    Ok(SessionOptions {
        relay,
        is_relay_given: config.relay.is_given(),
        machine: file.machine(&own_name),
        name: remembered.unwrap_or(&own_name).clone(),
        own_name,
        kind,
        output: config.output().or(settings.output).unwrap_or_default(),
        volume: config.volume.or(settings.volume).unwrap_or(DEFAULT_VOLUME),
        muted: settings.muted.unwrap_or(false),
        extra_latency: config.extra_latency_ms,
        extra_latencies: settings.extra_latencies,
        settings: file,
        outputs: OutputContext {
            clock,
            trace: trace.transpose()?,
            latency_millis: config.output_latency_ms,
        },
        cache: Cache::of_user(),
        sound_memory: u64::from(config.sound_memory_mib) << 20,
    })
}

/// Prints lines to stdout from a thread of its own.
pub(super) fn printer() -> anyhow::Result<Printer> {
    Printer::start(io::stdout()).context("the system gives no thread to print from")
}

/// An event loop on this thread.
pub(super) fn event_loop() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("the system gives no event loop")
}

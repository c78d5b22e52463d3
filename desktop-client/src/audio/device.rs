//! The devices of this machine, and an open one. The only room that names cpal.
//!
//! Everything here blocks, and belongs on the thread of [`DeviceKeeper`](super::DeviceKeeper); the
//! one exception is the callback, which does nothing but look at the clock and call the renderer.

#[cfg(target_os = "linux")]
mod pulse;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{
    BufferSize, ErrorKind, FromSample, I24, OutputCallbackInfo, SampleFormat, SizedSample,
    StreamConfig, SupportedBufferSize, SupportedStreamConfig, U24,
};
use unicode_normalization::UnicodeNormalization as _;

use super::player::{OutputFormat, Player, player};
use super::renderer::Renderer;
use super::stats::SharedStats;
use super::timing_trace::TimingTrace;
use crate::time::LocalClock;

/// How long a device may take to open before it counts as missing.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The block asked for, in seconds: short enough not to be heard as delay, long enough for a
/// machine that does other things too.
const BLOCK_SECONDS: f64 = 0.010;

/// How ids begin on the sound server's host, which cpal calls a custom one.
const SERVER: &str = "pulseaudio";

/// Frames converted at a time for a device that does not take floats.
const SCRATCH_FRAMES: usize = 1024;

/// The hosts whose list of devices costs so much that one does not look at it while all is well:
/// ALSA opens every device to ask what it can do.
const SLOW_TO_LIST: [&str; 1] = ["ALSA"];

/// ALSA's device that throws everything away, as fast as it gets it.
const NOWHERE: &str = "null";

/// An output device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Names it on this machine, also after a restart.
    pub id: String,
    /// Names it to people. Two devices may have the same.
    pub name: String,
    /// Whether it is the one that the system plays on if not told otherwise.
    pub is_default: bool,
    /// Values per frame.
    pub channels: u16,
    /// Frames per second.
    pub rate: u32,
}

impl DeviceInfo {
    /// Whether somebody who asks for `wanted` means this device: by its id, with or without the
    /// host before the colon, or by its name, however its accents are encoded.
    #[must_use]
    pub fn answers_to(&self, wanted: &str) -> bool {
        let without_host = self.id.split_once(':').map(|(_, id)| id);
        self.id == wanted || without_host == Some(wanted) || self.name.nfc().eq(wanted.nfc())
    }

    /// Whether it is a sound server's, rather than a driver's.
    pub(super) fn is_of_server(&self) -> bool {
        self.id.split_once(':').is_some_and(|(host, _)| host == SERVER)
    }
}

/// Why there is no sound, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(String);

impl DeviceError {
    fn new(what: &str, error: &cpal::Error) -> Self {
        Self(format!("{what}: {error}"))
    }
}

/// What all outputs of this process share.
#[derive(Clone, Debug)]
pub struct OutputContext {
    /// The process's clock.
    pub clock: LocalClock,
    /// Where to record what the outputs say of their time, if anywhere.
    pub trace: Option<TimingTrace>,
    /// Milliseconds that a sound server's output is asked to hold; if none, as few as it does well with.
    pub latency_millis: Option<u32>,
}

/// Lists the output devices of this machine.
///
/// # Errors
/// If the sound system cannot be asked.
pub fn list() -> Result<Vec<DeviceInfo>, DeviceError> {
    let context = OutputContext { clock: LocalClock::start(), trace: None, latency_millis: None };
    Ok(Host::connect(&context, || {})?.outputs()?.into_iter().map(|output| output.info).collect())
}

/// The connection to the sound system.
pub(super) struct Host {
    cpal: cpal::Host,
    /// Whether a sound server mixes what programs play, rather than the driver alone.
    is_server: bool,
    /// Tells of changes, where the sound system does.
    #[cfg(target_os = "linux")]
    subscription: Option<pulse::Subscription>,
}

/// What an open stream says of itself, on some other thread.
pub(super) enum StreamNews {
    /// It plays no more.
    Failed(String),
    /// The sound server moved it to the device with this id.
    Moved(String),
    /// It has another latency from now on; which and why, in words for people.
    Latency(String),
}

/// A device that could be opened.
pub(super) struct Output {
    pub(super) info: DeviceInfo,
    device: cpal::Device,
    config: SupportedStreamConfig,
    is_server: bool,
}

/// A device that is open, and plays what its renderer renders. Dropping it closes it.
pub(super) struct OpenOutput {
    pub(super) info: DeviceInfo,
    stats: Arc<SharedStats>,
    broken: Arc<AtomicBool>,
    _stream: cpal::Stream,
}

impl Host {
    /// Connects to the sound server if one is running, else to the system's own host: on its own,
    /// ALSA has seconds of delay on top of a sound server, and tells its time less well.
    ///
    /// `changed` is called, on some other thread, when the devices change, if the host
    /// [tells](Self::tells_of_changes) that.
    pub(super) fn connect(
        context: &OutputContext,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        match Self::connect_to_server(context, changed) {
            Ok(host) => return Ok(host),
            Err(_) if has_own_devices() => {}
            Err(DeviceError(error)) => {
                return Err(DeviceError(format!(
                    "no output device was found: {error}, and this machine has no sound card"
                )));
            }
        }
        // cpal's default host panics rather than fail; every platform has one of its own.
        catch_unwind(cpal::default_host)
            .map(|cpal| Self {
                cpal,
                is_server: false,
                #[cfg(target_os = "linux")]
                subscription: None,
            })
            .map_err(|_| DeviceError("there is no sound system on this machine".into()))
    }

    /// Connects to the sound server, or to nothing.
    #[cfg(target_os = "linux")]
    pub(super) fn connect_to_server(
        context: &OutputContext,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let server = pulse::Host::connect(context.clone())
            .map_err(|error| DeviceError(error.to_string()))?;
        let subscription = server
            .subscribe(changed)
            .inspect_err(|error| tracing::info!(%error, "the sound server tells of no changes"))
            .ok();
        let cpal = cpal::platform::CustomHost::from_host(server).into();
        Ok(Self { cpal, is_server: true, subscription })
    }

    /// There is none but the system's own.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn connect_to_server(
        _: &OutputContext,
        _: impl FnMut() + Send + 'static,
    ) -> Result<Self, DeviceError> {
        Err(DeviceError("this system has one host".into()))
    }

    /// Whether no other host would be chosen if it were asked for anew.
    pub(super) fn is_preferred(&self) -> bool {
        self.is_server
    }

    /// Whether nobody has to ask whether the devices have changed.
    pub(super) fn tells_of_changes(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.subscription.as_ref().is_some_and(pulse::Subscription::is_alive);
        #[cfg(not(target_os = "linux"))]
        false
    }

    pub(super) fn is_slow_to_list(&self) -> bool {
        SLOW_TO_LIST.contains(&self.cpal.id().name())
    }

    pub(super) fn outputs(&self) -> Result<Vec<Output>, DeviceError> {
        let default = self.cpal.default_output_device().and_then(|device| device.id().ok());
        let devices = self
            .cpal
            .output_devices()
            .map_err(|error| DeviceError::new("the sound system does not answer", &error))?;
        let outputs = devices.filter_map(|device| {
            // A device that cannot say what it is cannot be played on either.
            let id = device.id().ok().filter(|id| id.id() != NOWHERE)?;
            let config = device.default_output_config().ok()?;
            let name = device.description().ok()?.name().to_owned();
            let info = DeviceInfo {
                is_default: default.as_ref() == Some(&id),
                id: if self.is_server { server_id(id.id()) } else { id.to_string() },
                name,
                channels: config.channels(),
                rate: config.sample_rate(),
            };
            let is_server = self.is_server;
            (info.channels > 0 && info.rate > 0).then_some(Output {
                info,
                device,
                config,
                is_server,
            })
        });
        Ok(outputs.collect())
    }
}

impl Output {
    /// Opens the device at its own rate and channels, and lets it play. `tell` is called, on some
    /// other thread, with what becomes of the stream.
    pub(super) fn open(
        &self,
        context: &OutputContext,
        tell: impl FnMut(StreamNews) + Clone + Send + 'static,
    ) -> Result<(Player, OpenOutput), DeviceError> {
        // The fixed size is a wish: a device that does not grant it is asked again without one.
        let wish = BufferSize::Fixed(self.block_frames());
        match self.open_with(wish, context, tell.clone()) {
            Ok(opened) => Ok(opened),
            Err(_) => self.open_with(BufferSize::Default, context, tell),
        }
        .map_err(|error| DeviceError::new(&format!("{} cannot be opened", self.info.name), &error))
    }

    fn open_with(
        &self,
        buffer_size: BufferSize,
        context: &OutputContext,
        mut tell: impl FnMut(StreamNews) + Send + 'static,
    ) -> Result<(Player, OpenOutput), cpal::Error> {
        let format =
            OutputFormat { rate: self.config.sample_rate(), channels: self.config.channels() };
        let (player, mut renderer) = player(format);
        if let Some(trace) = &context.trace {
            renderer.record(trace.tap());
        }
        let stats = Arc::clone(renderer.stats());
        let broken = Arc::new(AtomicBool::new(false));
        let feed = Feed { renderer, clock: context.clock, broken: Arc::clone(&broken) };
        let config =
            StreamConfig { channels: format.channels, sample_rate: format.rate, buffer_size };
        let counts = Arc::clone(&stats);
        let is_server = self.is_server;
        let on_error = move |error: cpal::Error| match (error.kind(), error.message()) {
            (ErrorKind::Xrun, _) => counts.note_xrun(),
            (ErrorKind::DeviceChanged, Some(name)) if is_server => {
                tell(StreamNews::Moved(server_id(name)));
            }
            #[cfg(target_os = "linux")]
            (pulse::LATENCY_CHANGED, Some(change)) if is_server => {
                tell(StreamNews::Latency(change.to_owned()));
            }
            // Rerouted already, or merely less urgent than wished: the stream plays on.
            (ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied, _) => tracing::info!("{error}"),
            _ => tell(StreamNews::Failed(error.to_string())),
        };
        let stream = self.build(config, feed, on_error)?;
        stream.play()?;
        tracing::info!(
            device = %self.info.id,
            rate = format.rate,
            channels = format.channels,
            asked = ?buffer_size,
            block = stream.buffer_size().ok(),
            "output open"
        );
        let info = self.info.clone();
        Ok((player, OpenOutput { info, stats, broken, _stream: stream }))
    }

    fn build(
        &self,
        config: StreamConfig,
        feed: Feed,
        on_error: impl FnMut(cpal::Error) + Send + 'static,
    ) -> Result<cpal::Stream, cpal::Error> {
        match self.sample_format() {
            SampleFormat::F32 => {
                let mut feed = feed;
                let callback = move |out: &mut [f32], info: &OutputCallbackInfo| {
                    let latency = latency(info);
                    feed.fill(out, latency);
                };
                self.device.build_output_stream(config, callback, on_error, Some(OPEN_TIMEOUT))
            }
            SampleFormat::F64 => self.build_converted::<f64>(config, feed, on_error),
            SampleFormat::I8 => self.build_converted::<i8>(config, feed, on_error),
            SampleFormat::I16 => self.build_converted::<i16>(config, feed, on_error),
            SampleFormat::I24 => self.build_converted::<I24>(config, feed, on_error),
            SampleFormat::I32 => self.build_converted::<i32>(config, feed, on_error),
            SampleFormat::I64 => self.build_converted::<i64>(config, feed, on_error),
            SampleFormat::U8 => self.build_converted::<u8>(config, feed, on_error),
            SampleFormat::U16 => self.build_converted::<u16>(config, feed, on_error),
            SampleFormat::U24 => self.build_converted::<U24>(config, feed, on_error),
            SampleFormat::U32 => self.build_converted::<u32>(config, feed, on_error),
            SampleFormat::U64 => self.build_converted::<u64>(config, feed, on_error),
            _ => Err(cpal::Error::from(ErrorKind::UnsupportedConfig)),
        }
    }

    fn build_converted<T: SizedSample + FromSample<f32>>(
        &self,
        config: StreamConfig,
        mut feed: Feed,
        on_error: impl FnMut(cpal::Error) + Send + 'static,
    ) -> Result<cpal::Stream, cpal::Error> {
        let channels = usize::from(config.channels);
        let mut scratch = vec![0.0; SCRATCH_FRAMES * channels];
        let chunk_nanos = SCRATCH_FRAMES as i64 * 1_000_000_000 / i64::from(config.sample_rate);
        let callback = move |out: &mut [T], info: &OutputCallbackInfo| {
            let mut latency = latency(info);
            for out in out.chunks_mut(scratch.len()) {
                let floats = &mut scratch[..out.len()];
                feed.fill(floats, latency);
                for (out, float) in out.iter_mut().zip(floats) {
                    *out = T::from_sample(*float);
                }
                latency += chunk_nanos;
            }
        };
        self.device.build_output_stream(config, callback, on_error, Some(OPEN_TIMEOUT))
    }

    /// Floats if the device takes them, as all sound servers do; else what it likes best.
    fn sample_format(&self) -> SampleFormat {
        let takes_floats = self.device.supported_output_configs().is_ok_and(|mut configs| {
            configs.any(|range| {
                range.sample_format() == SampleFormat::F32
                    && range.channels() == self.config.channels()
                    && range.contains_rate(self.config.sample_rate())
            })
        });
        if takes_floats { SampleFormat::F32 } else { self.config.sample_format() }
    }

    /// A sound server is asked for exactly [`BLOCK_SECONDS`]. It counts time in microseconds, of
    /// which 10 ms are a whole number and 512 frames are not: its virtual sinks then run off by
    /// hundreds of ppm. Other hosts hand the wish on to hardware, which likes powers of two.
    fn block_frames(&self) -> u32 {
        let wish = f64::from(self.config.sample_rate()) * BLOCK_SECONDS;
        let wish = if self.is_server {
            wish.round() as u32
        } else {
            2_f64.powi(wish.log2().round() as i32) as u32
        };
        match *self.config.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => wish.clamp(min, max),
            _ => wish,
        }
    }
}

impl OpenOutput {
    /// Frames played so far: when it stands still, the device has gone away without a word.
    pub(super) fn frames(&self) -> u64 {
        self.stats.frames()
    }

    /// Whether the renderer panicked, and is silent for good.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

/// The id of the sound server's device of this name.
fn server_id(name: &str) -> String {
    format!("{SERVER}:{name}")
}

/// Whether this machine has devices without a sound server: a card that the kernel knows, or what
/// somebody has told ALSA of, such as a Bluetooth loudspeaker. Otherwise ALSA only has pretended
/// devices to offer, and complains on stderr while it looks for others.
#[cfg(target_os = "linux")]
fn has_own_devices() -> bool {
    // Each card begins with its number and its name in brackets.
    let has_card = std::fs::read_to_string("/proc/asound/cards").is_ok_and(|c| c.contains('['));
    let own = std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".asoundrc"));
    has_card
        || std::env::var_os("ALSA_CONFIG_PATH").is_some()
        || own.is_some_and(|file| file.exists())
        || std::path::Path::new("/etc/asound.conf").exists()
}

/// Every other system has devices of its own.
#[cfg(not(target_os = "linux"))]
fn has_own_devices() -> bool {
    true
}

/// Nanoseconds from the callback until its first frame leaves the converter, as the host tells.
/// Negative if it should have left already: the callback comes late.
fn latency(info: &OutputCallbackInfo) -> i64 {
    let timestamp = info.timestamp();
    let nanos =
        |instant: cpal::StreamInstant| i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX);
    nanos(timestamp.playback) - nanos(timestamp.callback)
}

/// What the callback owns.
struct Feed {
    renderer: Renderer,
    clock: LocalClock,
    broken: Arc<AtomicBool>,
}

impl Feed {
    /// Fills a block that leaves the converter `latency` nanoseconds from now.
    ///
    /// The host's own instants are not used, only their difference: they may be of another clock.
    fn fill(&mut self, out: &mut [f32], latency: i64) {
        let dac = self.clock.now().plus_nanos(latency);
        if self.broken.load(Relaxed) {
            out.fill(0.0);
            return;
        }
        // A panic is a bug; it must not unwind into the host's C, and it must not be repeated.
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            self.renderer.note_latency(latency);
            self.renderer.render(out, dac);
        }));
        if rendered.is_err() {
            out.fill(0.0);
            self.broken.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_however_its_accents_are_encoded() {
        let device = DeviceInfo {
            id: "pulseaudio:usb".to_owned(),
            name: "Bo\u{ee}te \u{e0} sons".to_owned(),
            is_default: false,
            channels: 2,
            rate: 48_000,
        };
        for wanted in ["pulseaudio:usb", "usb", &device.name, "Boi\u{302}te a\u{300} sons"] {
            assert!(device.answers_to(wanted), "{wanted}");
        }
        assert!(!device.answers_to("Boite a sons"));
    }
}

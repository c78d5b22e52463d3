//! An output device, and an open one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use cpal::traits::{DeviceTrait as _, StreamTrait as _};
use cpal::{
    BufferSize, ErrorKind, FromSample, I24, OutputCallbackInfo, SampleFormat, SizedSample,
    StreamConfig, SupportedBufferSize, SupportedStreamConfig, U24,
};

use super::callback::{Callback, latency};
use super::context::OutputContext;
use super::info::{DeviceError, DeviceInfo, server_id};
#[cfg(target_os = "linux")]
use super::pulse;
use crate::format::OutputFormat;
use crate::mixer_handle::{MixerHandle, mixer};
use crate::stats::SharedStats;

/// How long a device may take to open before it counts as missing.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The requested block, in seconds: short enough not to be heard as delay, long enough for a machine
/// that does other things too.
const BLOCK_SECONDS: f64 = 0.010;

/// Frames converted at a time for a device that does not accept floats.
const SCRATCH_FRAMES: usize = 1024;

/// An event of an open stream, reported on another thread.
pub(crate) enum StreamEvent {
    /// It no longer plays.
    Failed(String),
    /// The sound server moved it to the device with this id.
    Moved(String),
    /// Its latency was adapted: to what and why, for people.
    LatencyAdapted(String),
}

/// A device that can be opened.
pub(crate) struct OutputDevice {
    pub(crate) info: DeviceInfo,
    device: cpal::Device,
    config: SupportedStreamConfig,
    is_server: bool,
}

/// An open device, which plays what its mixer renders. Dropping it closes it.
pub(crate) struct OpenOutput {
    pub(crate) info: DeviceInfo,
    stats: Arc<SharedStats>,
    broken: Arc<AtomicBool>,
    _stream: cpal::Stream,
}

impl OutputDevice {
    pub(super) fn new(
        info: DeviceInfo,
        device: cpal::Device,
        config: SupportedStreamConfig,
        is_server: bool,
    ) -> Self {
        Self { info, device, config, is_server }
    }

    /// Opens the device at its own rate and channels, and starts to play. `report` is called, on another
    /// thread, with the stream's events.
    pub(crate) fn open(
        &self,
        context: &OutputContext,
        report: impl FnMut(StreamEvent) + Clone + Send + 'static,
    ) -> Result<(MixerHandle, OpenOutput), DeviceError> {
        // A device may reject a fixed block size; it is then opened without one.
        let requested = BufferSize::Fixed(self.block_frames());
        match self.open_with(requested, context, report.clone()) {
            Ok(opened) => Ok(opened),
            Err(_) => self.open_with(BufferSize::Default, context, report),
        }
        .map_err(|error| DeviceError::new(&format!("{} cannot be opened", self.info.name), &error))
    }

    fn open_with(
        &self,
        buffer_size: BufferSize,
        context: &OutputContext,
        mut report: impl FnMut(StreamEvent) + Send + 'static,
    ) -> Result<(MixerHandle, OpenOutput), cpal::Error> {
        let format =
            OutputFormat { rate: self.config.sample_rate(), channels: self.config.channels() };
        let (handle, mut mixer) = mixer(format);
        if let Some(trace) = &context.trace {
            mixer.record(trace.tap());
        }
        let stats = Arc::clone(mixer.stats());
        let broken = Arc::new(AtomicBool::new(false));
        let callback = Callback::new(mixer, context.clock, Arc::clone(&broken));
        let config =
            StreamConfig { channels: format.channels, sample_rate: format.rate, buffer_size };
        let xruns = Arc::clone(&stats);
        let is_server = self.is_server;
        let on_error = move |error: cpal::Error| match (error.kind(), error.message()) {
            (ErrorKind::Xrun, _) => xruns.note_xrun(),
            (ErrorKind::DeviceChanged, Some(name)) if is_server => {
                report(StreamEvent::Moved(server_id(name)));
            }
            #[cfg(target_os = "linux")]
            (pulse::LATENCY_CHANGED, Some(change)) if is_server => {
                report(StreamEvent::LatencyAdapted(change.to_owned()));
            }
            // Rerouted already, or without real-time priority: the stream plays on.
            (ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied, _) => tracing::info!("{error}"),
            _ => report(StreamEvent::Failed(error.to_string())),
        };
        let stream = self.build(config, callback, on_error)?;
        stream.play()?;
        tracing::info!(
            device = %self.info.id,
            rate = format.rate,
            channels = format.channels,
            requested = ?buffer_size,
            block = stream.buffer_size().ok(),
            "output open"
        );
        let info = self.info.clone();
        Ok((handle, OpenOutput { info, stats, broken, _stream: stream }))
    }

    fn build(
        &self,
        config: StreamConfig,
        callback: Callback,
        on_error: impl FnMut(cpal::Error) + Send + 'static,
    ) -> Result<cpal::Stream, cpal::Error> {
        match self.sample_format() {
            SampleFormat::F32 => {
                let mut callback = callback;
                let data = move |out: &mut [f32], info: &OutputCallbackInfo| {
                    let latency = latency(info);
                    callback.fill(out, latency);
                };
                self.device.build_output_stream(config, data, on_error, Some(OPEN_TIMEOUT))
            }
            SampleFormat::F64 => self.build_converted::<f64>(config, callback, on_error),
            SampleFormat::I8 => self.build_converted::<i8>(config, callback, on_error),
            SampleFormat::I16 => self.build_converted::<i16>(config, callback, on_error),
            SampleFormat::I24 => self.build_converted::<I24>(config, callback, on_error),
            SampleFormat::I32 => self.build_converted::<i32>(config, callback, on_error),
            SampleFormat::I64 => self.build_converted::<i64>(config, callback, on_error),
            SampleFormat::U8 => self.build_converted::<u8>(config, callback, on_error),
            SampleFormat::U16 => self.build_converted::<u16>(config, callback, on_error),
            SampleFormat::U24 => self.build_converted::<U24>(config, callback, on_error),
            SampleFormat::U32 => self.build_converted::<u32>(config, callback, on_error),
            SampleFormat::U64 => self.build_converted::<u64>(config, callback, on_error),
            _ => Err(cpal::Error::from(ErrorKind::UnsupportedConfig)),
        }
    }

    fn build_converted<T: SizedSample + FromSample<f32>>(
        &self,
        config: StreamConfig,
        mut callback: Callback,
        on_error: impl FnMut(cpal::Error) + Send + 'static,
    ) -> Result<cpal::Stream, cpal::Error> {
        let channels = usize::from(config.channels);
        let mut scratch = vec![0.0; SCRATCH_FRAMES * channels];
        let chunk_nanos = SCRATCH_FRAMES as i64 * 1_000_000_000 / i64::from(config.sample_rate);
        let data = move |out: &mut [T], info: &OutputCallbackInfo| {
            let mut latency = latency(info);
            for out in out.chunks_mut(scratch.len()) {
                let floats = &mut scratch[..out.len()];
                callback.fill(floats, latency);
                for (out, float) in out.iter_mut().zip(floats) {
                    *out = T::from_sample(*float);
                }
                latency += chunk_nanos;
            }
        };
        self.device.build_output_stream(config, data, on_error, Some(OPEN_TIMEOUT))
    }

    /// Floats if the device accepts them, as all sound servers do; else its default.
    fn sample_format(&self) -> SampleFormat {
        let accepts_floats = self.device.supported_output_configs().is_ok_and(|mut configs| {
            configs.any(|range| {
                range.sample_format() == SampleFormat::F32
                    && range.channels() == self.config.channels()
                    && range.contains_rate(self.config.sample_rate())
            })
        });
        if accepts_floats { SampleFormat::F32 } else { self.config.sample_format() }
    }

    /// Of a sound server, exactly [`BLOCK_SECONDS`] are requested. It counts time in microseconds, and
    /// 512 frames are not a whole number of them: the clocks of its virtual sinks would drift by
    /// hundreds of ppm. Other hosts pass the request on to hardware, which prefers powers of two.
    fn block_frames(&self) -> u32 {
        let requested = f64::from(self.config.sample_rate()) * BLOCK_SECONDS;
        let requested = if self.is_server {
            requested.round() as u32
        } else {
            2_f64.powi(requested.log2().round() as i32) as u32
        };
        match *self.config.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => requested.clamp(min, max),
            _ => requested,
        }
    }
}

impl OpenOutput {
    /// Frames played so far: if it stands still, the device has stopped without an error.
    pub(crate) fn frames(&self) -> u64 {
        self.stats.frames()
    }

    /// Whether the mixer has panicked, and is silent for good.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

//! A cpal host for PulseAudio, and for PipeWire by the same protocol.
//!
//! cpal has one too. This one serves synchrony: its streams keep the server's timeline through a missed
//! block, use the timestamp of the server's answer instead of that of its arrival, run at the priority of
//! the server's own threads, and cost a quarter. Only outputs are listed, and only floats are accepted; the
//! server converts them.

mod channels;
mod client_settings;
mod connection;
mod latency;
mod server_address;
mod stream;
mod subscription;
mod timing;

use std::ffi::CString;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{
    BufferSize, Data, DeviceDescription, DeviceDescriptionBuilder, DeviceDirection, DeviceId,
    ErrorKind, HostId, InputCallbackInfo, OutputCallbackInfo, SampleFormat, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
};
use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    self, ChannelMap, Command, GetSinkInfo, PlaybackStreamParams, Prop, Props, SampleSpec,
    SinkInfo, SinkInfoList,
};

use channels::stream_map;
use client_settings::ClientSettings;
use connection::{PulseError, ServerConnection};
use latency::{Latency, buffer_attr};
use server_address::ServerAddress;
pub(super) use stream::LATENCY_CHANGED;
use stream::Stream;
pub(super) use subscription::Subscription;

use super::context::OutputContext;

/// The longest block, in frames.
const MAX_BLOCK_FRAMES: u32 = 1 << 16;
const BLOCKS: SupportedBufferSize = SupportedBufferSize::Range { min: 1, max: MAX_BLOCK_FRAMES };

/// The connection to the user's sound server.
pub(super) struct Host {
    /// Only one thread sends requests; the lock proves it.
    connection: Mutex<ServerConnection>,
    /// The server's address: a stream must not connect to another server.
    server: ServerAddress,
    context: OutputContext,
}

impl Host {
    /// Connects to the server, if one is running.
    pub(super) fn connect(context: OutputContext) -> Result<Self, cpal::Error> {
        let (connection, server) = ServerConnection::open_any()?;
        Ok(Self { connection: Mutex::new(connection), server, context })
    }

    /// Calls `changed` when an output appears, disappears or changes, until the result is dropped.
    pub(super) fn subscribe(
        &self,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Subscription, cpal::Error> {
        Ok(Subscription::start(&self.server, changed)?)
    }

    fn sink(&self, info: SinkInfo) -> Sink {
        Sink::new(info, self.server.clone(), self.context.clone())
    }

    fn ask<R: protocol::CommandReply>(&self, command: &Command) -> Result<R, cpal::Error> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(connection.ask(command)?)
    }
}

impl HostTrait for Host {
    type Devices = std::vec::IntoIter<Sink>;
    type Device = Sink;

    fn is_available() -> bool {
        ServerConnection::open_any().is_ok()
    }

    fn devices(&self) -> Result<Self::Devices, cpal::Error> {
        let sinks: SinkInfoList = self.ask(&Command::GetSinkInfoList)?;
        let sinks: Vec<_> = sinks.into_iter().map(|info| self.sink(info)).collect();
        Ok(sinks.into_iter())
    }

    fn default_input_device(&self) -> Option<Self::Device> {
        None
    }

    fn default_output_device(&self) -> Option<Self::Device> {
        let find = |name: CString| {
            let which = GetSinkInfo { index: None, name: Some(name) };
            self.ask::<SinkInfo>(&Command::GetSinkInfo(which)).ok()
        };
        let configured = ClientSettings::read().sink.and_then(|name| CString::new(name).ok());
        let info = configured.and_then(find).or_else(|| find(protocol::DEFAULT_SINK.to_owned()));
        info.map(|info| self.sink(info))
    }
}

/// An output of the server.
#[derive(Clone, Debug)]
pub struct Sink {
    index: u32,
    name: String,
    title: String,
    rate: u32,
    map: ChannelMap,
    server: ServerAddress,
    context: OutputContext,
}

/// Names of sinks are unique.
impl PartialEq for Sink {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Sink {}

impl Hash for Sink {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Sink {
    fn new(info: SinkInfo, server: ServerAddress, context: OutputContext) -> Self {
        let name = info.name.to_string_lossy().into_owned();
        let title = info.description.map(|title| title.to_string_lossy().into_owned());
        Self {
            index: info.index,
            title: title.unwrap_or_else(|| name.clone()),
            name,
            rate: info.sample_spec.sample_rate,
            map: info.channel_map,
            server,
            context,
        }
    }

    fn params(&self, config: &StreamConfig, latency: Option<&Latency>) -> PlaybackStreamParams {
        let format = if cfg!(target_endian = "little") {
            protocol::SampleFormat::Float32Le
        } else {
            protocol::SampleFormat::Float32Be
        };
        let mut props = Props::new();
        props.set(Prop::MediaName, c"Downbeat");
        let frame_bytes = u32::from(config.channels) * size_of::<f32>() as u32;
        let buffer_attr = match (config.buffer_size, latency) {
            (BufferSize::Fixed(frames), Some(latency)) => {
                let block = frames.min(MAX_BLOCK_FRAMES);
                buffer_attr(block, latency.millis(), config.sample_rate, frame_bytes)
            }
            _ => BufferAttr { pre_buffering: 0, ..BufferAttr::default() },
        };
        PlaybackStreamParams {
            sample_spec: SampleSpec {
                format,
                channels: self.map.num_channels(),
                sample_rate: config.sample_rate,
            },
            channel_map: stream_map(self.map),
            sink_index: Some(self.index),
            buffer_attr,
            props,
            flags: StreamFlags {
                start_corked: true,
                // The requested latency includes the sink's, if the sink supports that.
                adjust_latency: true,
                ..StreamFlags::default()
            },
            ..PlaybackStreamParams::default()
        }
    }
}

impl std::fmt::Display for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)
    }
}

impl DeviceTrait for Sink {
    type SupportedInputConfigs = std::iter::Empty<SupportedStreamConfigRange>;
    type SupportedOutputConfigs = std::iter::Once<SupportedStreamConfigRange>;
    type Stream = Stream;

    fn description(&self) -> Result<DeviceDescription, cpal::Error> {
        let described = DeviceDescriptionBuilder::new(&self.title);
        Ok(described.direction(DeviceDirection::Output).build())
    }

    fn id(&self) -> Result<DeviceId, cpal::Error> {
        Ok(DeviceId::new(HostId::Custom, &self.name))
    }

    fn supported_input_configs(&self) -> Result<Self::SupportedInputConfigs, cpal::Error> {
        Ok(std::iter::empty())
    }

    fn supported_output_configs(&self) -> Result<Self::SupportedOutputConfigs, cpal::Error> {
        Ok(std::iter::once(SupportedStreamConfigRange::new(
            u16::from(self.map.num_channels()),
            self.rate,
            self.rate,
            BLOCKS,
            SampleFormat::F32,
        )))
    }

    fn default_input_config(&self) -> Result<SupportedStreamConfig, cpal::Error> {
        Err(ErrorKind::UnsupportedOperation.into())
    }

    fn default_output_config(&self) -> Result<SupportedStreamConfig, cpal::Error> {
        let channels = u16::from(self.map.num_channels());
        Ok(SupportedStreamConfig::new(channels, self.rate, BLOCKS, SampleFormat::F32))
    }

    fn build_input_stream_raw<D, E>(
        &self,
        _: StreamConfig,
        _: SampleFormat,
        _: D,
        _: E,
        _: Option<Duration>,
    ) -> Result<Self::Stream, cpal::Error>
    where
        D: FnMut(&Data, &InputCallbackInfo) + Send + 'static,
        E: FnMut(cpal::Error) + Send + 'static,
    {
        Err(ErrorKind::UnsupportedOperation.into())
    }

    /// The timeout is the connection's own.
    fn build_output_stream_raw<D, E>(
        &self,
        config: StreamConfig,
        sample_format: SampleFormat,
        data_callback: D,
        error_callback: E,
        _: Option<Duration>,
    ) -> Result<Self::Stream, cpal::Error>
    where
        D: FnMut(&mut Data, &OutputCallbackInfo) + Send + 'static,
        E: FnMut(cpal::Error) + Send + 'static,
    {
        let channels = u16::from(self.map.num_channels());
        if sample_format != SampleFormat::F32 || config.channels != channels {
            return Err(ErrorKind::UnsupportedConfig.into());
        }
        let (callback, on_error) = (Box::new(data_callback), Box::new(error_callback));
        let connection = ServerConnection::open(&self.server)?;
        // Without a block size, the server chooses the latency.
        let OutputContext { clock, latency_millis, .. } = self.context;
        let latency = matches!(config.buffer_size, BufferSize::Fixed(_))
            .then(|| Latency::new(latency_millis, clock.now().as_nanos()));
        let params = self.params(&config, latency.as_ref());
        Ok(Stream::new(connection, params, latency, &self.context, callback, on_error)?)
    }
}

impl From<PulseError> for cpal::Error {
    fn from(error: PulseError) -> Self {
        let kind = match &error {
            PulseError::NoServer | PulseError::NoneAnswers(_) => ErrorKind::HostUnavailable,
            PulseError::Gone(_) => ErrorKind::StreamInvalidated,
            PulseError::Refused(_) | PulseError::Killed => ErrorKind::DeviceNotAvailable,
            PulseError::Unexpected(_) => ErrorKind::BackendError,
        };
        Self::with_message(kind, error.to_string())
    }
}

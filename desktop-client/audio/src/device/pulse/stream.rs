//! A playing stream: a thread that receives the server's requests, calls the callback, and sends the audio.
//!
//! The server's timeline is kept whatever happens. Without pre-buffering (`pre_buffering` is 0) it
//! does not stop when it has run dry, but asks for what it has missed as well; so the stream's
//! frame `n` always leaves the converter at the same instant, and a block that came too late is
//! silence where it should have been, and shifts nothing after it.
//!
//! Outside of the callback the thread may make system calls, which it does: one write per block and one per
//! latency query, and one read per message of the server.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use cpal::traits::StreamTrait;
use cpal::{
    Data, ErrorKind, FrameCount, OutputCallbackInfo, OutputStreamTimestamp, SampleFormat,
    StreamInstant,
};
use downbeat_platform::scheduling::{self, ThreadRole};
use pulseaudio::protocol::{
    self, Command, CorkStreamParams, CreatePlaybackStreamReply, LatencyParams, PlaybackLatency,
    PlaybackStreamParams, SetPlaybackStreamBufferAttrParams, SetPlaybackStreamBufferAttrReply,
};
use socket2::Socket;

use super::connection::{PulseError, ServerConnection, ServerMessage};
use super::latency::{Change, Latency, buffer_attr};
use super::timing::{Answer, Timing};
use crate::device::context::OutputContext;
use crate::timing_trace::{Entry, Tap, TimingTrace};
use downbeat_platform::local_time::LocalClock;
use downbeat_platform::supervise;

/// Callbacks get no more than this many times the usual block at once.
const MAX_BLOCKS: usize = 4;

/// If the server has waited for longer than this many seconds, the machine was suspended, and what was
/// missed is skipped.
const MAX_BEHIND_SECONDS: usize = 1;

/// The kind of error that reports an adapted latency, with its description. The stream plays on.
pub(crate) const LATENCY_CHANGED: ErrorKind = ErrorKind::Other;

const VALUE_BYTES: usize = size_of::<f32>();

/// Fills a buffer that leaves the converter at a given instant.
pub(super) type Callback = Box<dyn FnMut(&mut Data, &OutputCallbackInfo) + Send>;

/// Takes errors.
pub(super) type ErrorCallback = Box<dyn FnMut(cpal::Error) + Send>;

/// A stream. It plays from [`StreamTrait::play`] until it is dropped.
pub struct Stream {
    clock: LocalClock,
    block_frames: FrameCount,
    /// What the thread will own, until it is started.
    waiting: Mutex<Option<Playback>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Shutting it down wakes the thread.
    socket: Socket,
    /// Tells the thread to end without an error.
    ending: Arc<AtomicBool>,
}

impl Stream {
    /// Creates a stream, corked. `latency` adapts what the server is asked to hold.
    pub(super) fn new(
        mut connection: ServerConnection,
        params: PlaybackStreamParams,
        latency: Option<Latency>,
        context: &OutputContext,
        callback: Callback,
        on_error: ErrorCallback,
    ) -> Result<Self, PulseError> {
        let clock = context.clock;
        let asked_block_bytes = params.buffer_attr.minimum_request_length;
        let command = Command::CreatePlaybackStream(params);
        let granted: CreatePlaybackStreamReply = connection.ask(&command)?;
        connection.wait_forever()?;
        let frame_bytes = usize::from(granted.sample_spec.channels) * VALUE_BYTES;
        let block_bytes = granted.buffer_attr.minimum_request_length as usize;
        let block_frames = (block_bytes / frame_bytes).max(1);
        let asked_block_frames = asked_block_bytes / frame_bytes as u32;
        let channels = usize::from(granted.sample_spec.channels);
        let ending = Arc::new(AtomicBool::new(false));
        Ok(Self {
            clock,
            block_frames: block_frames as FrameCount,
            thread: Mutex::new(None),
            socket: connection.socket()?,
            ending: Arc::clone(&ending),
            waiting: Mutex::new(Some(Playback {
                clock,
                trace: context.trace.as_ref().map(TimingTrace::tap),
                connection,
                channel: granted.channel,
                frame_bytes,
                rate: granted.sample_spec.sample_rate,
                callback,
                on_error,
                ending,
                samples: vec![0.0; block_frames * MAX_BLOCKS * channels],
                out: Vec::new(),
                wanted_bytes: granted.requested_bytes as usize,
                written: 0,
                timing: Timing::new(granted.sample_spec.sample_rate),
                query: None,
                asked_block_frames,
                latency,
                has_underrun: false,
                change: None,
            })),
        })
    }
}

impl StreamTrait for Stream {
    fn play(&self) -> Result<(), cpal::Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(playback) = waiting.take() {
            let thread =
                supervise::spawn("downbeat-pulse", move || playback.run()).map_err(|error| {
                    cpal::Error::with_message(ErrorKind::BackendError, error.to_string())
                })?;
            *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
        Ok(())
    }

    fn pause(&self) -> Result<(), cpal::Error> {
        // An output stays open: after a pause, its device clock would have to settle again.
        Err(ErrorKind::UnsupportedOperation.into())
    }

    fn now(&self) -> StreamInstant {
        StreamInstant::from_nanos(self.clock.now().as_nanos().cast_unsigned())
    }

    fn buffer_size(&self) -> Result<FrameCount, cpal::Error> {
        Ok(self.block_frames)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ending.store(true, Relaxed);
        // If the server is gone already, the thread has noticed.
        let _ = self.socket.shutdown(Shutdown::Both);
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread would have ended the process.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Playback {
    clock: LocalClock,
    trace: Option<Tap>,
    connection: ServerConnection,
    channel: u32,
    frame_bytes: usize,
    rate: u32,
    callback: Callback,
    on_error: ErrorCallback,
    ending: Arc<AtomicBool>,
    samples: Vec<f32>,
    /// The bytes of the next write.
    out: Vec<u8>,
    /// Bytes that the server has requested.
    wanted_bytes: usize,
    /// Frames sent so far, including skipped ones.
    written: u64,
    timing: Timing,
    query: Option<LatencyQuery>,
    asked_block_frames: u32,
    /// What the server's output is asked to hold; none if the server chooses.
    latency: Option<Latency>,
    /// Whether there was an underrun that `latency` has not been told of.
    has_underrun: bool,
    /// A requested change of the latency, with the number of the request.
    change: Option<(u32, Change)>,
}

/// A pending query of the latency.
struct LatencyQuery {
    number: u32,
    asked: i64,
    /// The first frame that had not been sent by then.
    frame: u64,
}

impl Playback {
    fn run(mut self) {
        // Before the first block: it may take a second, and the server requests nothing yet.
        match scheduling::raise_priority(ThreadRole::Audio) {
            Ok(priority) => tracing::info!("real-time priority of the output: {priority}"),
            Err(reason) => {
                let reason = format!("real-time priority of the output unavailable: {reason}");
                (self.on_error)(cpal::Error::with_message(ErrorKind::RealtimeDenied, reason));
            }
        }
        if let Err(error) = self.play()
            && !self.ending.load(Relaxed)
        {
            (self.on_error)(error.into());
        }
    }

    /// Plays until an error ends the stream.
    fn play(&mut self) -> Result<(), PulseError> {
        // The buffer is filled before the server starts to play. Its latency is not queried yet: nothing
        // moves.
        self.fill()?;
        let cork = CorkStreamParams { channel: self.channel, cork: false };
        let command = Command::CorkPlaybackStream(cork);
        self.connection.write_request(&command, &mut self.out)?;
        self.send()?;
        loop {
            if self.query_is_next()? {
                self.query_latency()?;
            } else {
                self.receive()?;
            }
            self.adapt()?;
            self.fill()?;
            if !self.out.is_empty() {
                self.send()?;
            }
        }
    }

    /// Waits for a message, or until the latency is to be queried if that is earlier.
    fn query_is_next(&self) -> Result<bool, PulseError> {
        let Some(due) = self.timing.query_due() else { return Ok(false) };
        let left = (due - self.clock.now().as_nanos()).max(0);
        Ok(!self.connection.wait(Duration::from_nanos(left.cast_unsigned()))?)
    }

    fn receive(&mut self) -> Result<(), PulseError> {
        match self.connection.receive()? {
            ServerMessage::Requested(bytes) => self.wanted_bytes += bytes,
            ServerMessage::Underrun => {
                self.has_underrun = true;
                (self.on_error)(ErrorKind::Xrun.into());
            }
            ServerMessage::Moved(sink) => {
                (self.on_error)(cpal::Error::with_message(ErrorKind::DeviceChanged, sink));
            }
            ServerMessage::Killed => return Err(PulseError::Killed),
            ServerMessage::Reply(number, payload) => {
                if let Some((_, change)) = self.change.take_if(|(asked, _)| *asked == number) {
                    let granted: SetPlaybackStreamBufferAttrReply = payload.read()?;
                    tracing::debug!(?granted, "latency change granted");
                    let change = cpal::Error::with_message(LATENCY_CHANGED, change.to_string());
                    (self.on_error)(change);
                    return Ok(());
                }
                let Some(query) = self.query.take_if(|asked| asked.number == number) else {
                    return Ok(());
                };
                let latency: PlaybackLatency = payload.read()?;
                let looked = looked_at(&query, latency.remote_time, self.clock);
                let held_bytes = latency.write_offset - latency.read_offset;
                let held_frames = held_bytes / self.frame_bytes as i64;
                let sink_nanos = i64::try_from(latency.sink_usec).unwrap_or(0) * 1000;
                let ahead_nanos = sink_nanos + self.timing.nanos(held_frames);
                let LatencyQuery { asked, frame, .. } = query;
                self.timing.observe(Answer { asked, looked, frame, ahead_nanos });
                if let Some(trace) = &mut self.trace {
                    trace.record(Entry::Answer { asked, looked, frame, ahead: ahead_nanos });
                }
            }
            ServerMessage::Refusal(number, error) => {
                if self.change.take_if(|(asked, _)| *asked == number).is_some() {
                    tracing::info!(%error, "latency change refused");
                }
                self.query.take_if(|asked| asked.number == number);
            }
            ServerMessage::Changed | ServerMessage::Other => {}
        }
        Ok(())
    }

    /// Requests another latency, if it is to be adapted. Frames that were sent keep their instants: the
    /// server then requests more frames at once, or none for a while.
    fn adapt(&mut self) -> Result<(), PulseError> {
        let Some(latency) = &mut self.latency else { return Ok(()) };
        let now = self.clock.now().as_nanos();
        let has_underrun = std::mem::take(&mut self.has_underrun);
        let raised = if has_underrun { latency.note_underrun(now) } else { None };
        let Some(change) = raised.or_else(|| latency.tick(now)) else { return Ok(()) };
        let frame_bytes = self.frame_bytes as u32;
        let params = SetPlaybackStreamBufferAttrParams {
            index: self.channel,
            buffer_attr: buffer_attr(
                self.asked_block_frames,
                latency.millis(),
                self.rate,
                frame_bytes,
            ),
            adjust_latency: true,
            early_requests: false,
        };
        let command = Command::SetPlaybackStreamBufferAttr(params);
        self.change = Some((self.connection.write_request(&command, &mut self.out)?, change));
        Ok(())
    }

    /// Renders what the server has requested.
    fn fill(&mut self) -> Result<(), PulseError> {
        let mut offset = self.skip_after_suspension();
        while self.wanted_bytes >= self.frame_bytes {
            let values = (self.wanted_bytes / VALUE_BYTES).min(self.samples.len());
            let frames = values * VALUE_BYTES / self.frame_bytes;
            self.render(frames);
            self.write_sound(frames, offset)?;
            offset = 0;
            self.written += frames as u64;
            self.wanted_bytes -= frames * self.frame_bytes;
            self.timing.block_sent(self.clock.now().as_nanos(), frames, fastrand::f64());
        }
        Ok(())
    }

    /// Skips what was missed while the machine was suspended. Returns how many bytes that is.
    fn skip_after_suspension(&mut self) -> u64 {
        let most = self.rate as usize * self.frame_bytes * MAX_BEHIND_SECONDS;
        if self.wanted_bytes <= most {
            return 0;
        }
        let keep = self.samples.len() * VALUE_BYTES;
        let frames = self.wanted_bytes.saturating_sub(keep) / self.frame_bytes;
        self.wanted_bytes -= frames * self.frame_bytes;
        self.written += frames as u64;
        (frames * self.frame_bytes) as u64
    }

    fn render(&mut self, frames: usize) {
        let now = self.clock.now().as_nanos();
        // Before the first timestamp, an empty buffer is assumed.
        let playback = self.timing.leaves(self.written).unwrap_or(now);
        let timestamp = OutputStreamTimestamp {
            callback: StreamInstant::from_nanos(now.cast_unsigned()),
            playback: StreamInstant::from_nanos(playback.max(0).cast_unsigned()),
        };
        let samples = &mut self.samples[..frames * self.frame_bytes / VALUE_BYTES];
        // SAFETY: the pointer and the length are those of a slice of floats that nothing else
        // touches while `data` lives.
        #[allow(unsafe_code)]
        let mut data = unsafe {
            Data::from_parts(samples.as_mut_ptr().cast(), samples.len(), SampleFormat::F32)
        };
        (self.callback)(&mut data, &OutputCallbackInfo::new(timestamp));
    }

    fn write_sound(&mut self, frames: usize, offset: u64) -> Result<(), PulseError> {
        let header = protocol::Descriptor {
            length: (frames * self.frame_bytes) as u32,
            channel: self.channel,
            offset,
            flags: protocol::DescriptorFlags::empty(),
        };
        protocol::write_descriptor(&mut self.out, &header)?;
        let samples = &self.samples[..frames * self.frame_bytes / VALUE_BYTES];
        self.out.extend(samples.iter().flat_map(|value| value.to_ne_bytes()));
        Ok(())
    }

    /// Asks the server how much it holds, unless the last query has not been answered yet.
    fn query_latency(&mut self) -> Result<(), PulseError> {
        self.timing.query_done();
        if self.query.is_some() {
            return Ok(());
        }
        let params = LatencyParams { channel: self.channel, now: SystemTime::now() };
        let command = Command::GetPlaybackLatency(params);
        let number = self.connection.write_request(&command, &mut self.out)?;
        let asked = self.clock.now().as_nanos();
        self.query = Some(LatencyQuery { number, asked, frame: self.written });
        Ok(())
    }

    fn send(&mut self) -> Result<(), PulseError> {
        let sent = self.connection.send(&self.out);
        self.out.clear();
        sent
    }
}

/// When the server read its buffers, by its timestamp. That is of the wall clock: if it is another
/// machine's, or was just set, the middle between query and reply is the best estimate.
fn looked_at(query: &LatencyQuery, said: SystemTime, clock: LocalClock) -> i64 {
    // In this order: a delay in between makes the reply look older, and so less trusted.
    let ago = SystemTime::now().duration_since(said).ok();
    let heard = clock.now().as_nanos();
    let ago = ago.and_then(|ago| i64::try_from(ago.as_nanos()).ok());
    match ago.map(|ago| heard - ago) {
        Some(looked) if (query.asked..=heard).contains(&looked) => looked,
        _ => i64::midpoint(query.asked, heard),
    }
}

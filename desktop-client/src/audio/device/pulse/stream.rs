//! A playing stream: one thread that hears what the server wants, asks the callback for it, and
//! sends it.
//!
//! The server's timeline is kept whatever happens. Without pre-buffering (`pre_buffering` is 0) it
//! does not stop when it has run dry, but asks for what it has missed as well; so the stream's
//! frame `n` always leaves the converter at the same instant, and a block that came too late is
//! silence where it should have been, and shifts nothing after it.
//!
//! Outside of the callback the thread may make system calls, which it does: one write a block, with
//! the question how much the server holds behind the sound now and then, and one read for each
//! thing that the server says.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

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

use super::connection::{Connection, Heard, PulseError};
use super::latency::{Change, Latency, buffer_attr};
use super::timing::{Answer, Timing};
use crate::audio::device::OutputContext;
use crate::audio::timing_trace::{Entry, Tap, TimingTrace};
use crate::time::LocalClock;

/// Callbacks get no more than this many times the usual block at once.
const MOST_BLOCKS: usize = 4;

/// A server that has been kept waiting for longer than this many seconds has been asleep, and is
/// not sent all that it has missed.
const MOST_BEHIND_SECONDS: usize = 1;

/// How a stream tells of another latency: the message says which and why. The stream plays on.
pub(in crate::audio::device) const LATENCY_CHANGED: ErrorKind = ErrorKind::Other;

const VALUE_BYTES: usize = size_of::<f32>();

/// Fills a buffer that leaves the converter at the instant it is told.
pub(super) type Callback = Box<dyn FnMut(&mut Data, &OutputCallbackInfo) + Send>;

/// Is told what goes wrong.
pub(super) type Fail = Box<dyn FnMut(cpal::Error) + Send>;

/// A stream, which plays once it is told to, until it is dropped.
pub struct Stream {
    clock: LocalClock,
    block_frames: FrameCount,
    /// What the thread will own, until it is there.
    waiting: Mutex<Option<Playback>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// To shut it down wakes the thread.
    socket: Socket,
    /// The thread is to end, and need not tell of it.
    ending: Arc<AtomicBool>,
}

impl Stream {
    /// A stream as the server grants it. If its `latency` changes, the server is asked for that.
    pub(super) fn new(
        mut connection: Connection,
        params: PlaybackStreamParams,
        latency: Option<Latency>,
        context: &OutputContext,
        callback: Callback,
        fail: Fail,
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
                fail,
                ending,
                samples: vec![0.0; block_frames * MOST_BLOCKS * channels],
                out: Vec::new(),
                wanted_bytes: granted.requested_bytes as usize,
                written: 0,
                timing: Timing::new(granted.sample_spec.sample_rate),
                question: None,
                asked_block_frames,
                latency,
                ran_dry: false,
                change: None,
            })),
        })
    }
}

impl StreamTrait for Stream {
    fn play(&self) -> Result<(), cpal::Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(playback) = waiting.take() {
            let thread = thread::Builder::new().name("downbeat-pulse".to_owned());
            let thread = thread.spawn(move || playback.run()).map_err(|error| {
                cpal::Error::with_message(ErrorKind::BackendError, error.to_string())
            })?;
            *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        }
        Ok(())
    }

    fn pause(&self) -> Result<(), cpal::Error> {
        // A player's output stays open: one that pauses has to find its device clock again.
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
            // A panic of it has been printed by then.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Playback {
    clock: LocalClock,
    trace: Option<Tap>,
    connection: Connection,
    channel: u32,
    frame_bytes: usize,
    rate: u32,
    callback: Callback,
    fail: Fail,
    ending: Arc<AtomicBool>,
    samples: Vec<f32>,
    /// What goes out with the next write.
    out: Vec<u8>,
    /// How much the server waits for.
    wanted_bytes: usize,
    /// Frames sent so far, with those that were passed over.
    written: u64,
    timing: Timing,
    question: Option<Question>,
    asked_block_frames: u32,
    /// What the server's output is asked to hold; nothing if it was not asked for anything.
    latency: Option<Latency>,
    /// The server has run dry, and `latency` has not been told of it.
    ran_dry: bool,
    /// A change that the server has been asked for, and the number of that question.
    change: Option<(u32, Change)>,
}

/// How much the server holds, as it has been asked.
struct Question {
    number: u32,
    asked: i64,
    /// The first frame that it had not been sent by then.
    frame: u64,
}

impl Playback {
    fn run(mut self) {
        // Before the first block: it may take a second, and the server does not ask for any yet.
        match scheduling::raise_priority(ThreadRole::Audio) {
            Ok(priority) => tracing::info!("real-time priority of the output: {priority}"),
            Err(reason) => {
                let reason = format!("real-time priority of the output unavailable: {reason}");
                (self.fail)(cpal::Error::with_message(ErrorKind::RealtimeDenied, reason));
            }
        }
        if let Err(error) = self.play()
            && !self.ending.load(Relaxed)
        {
            (self.fail)(error.into());
        }
    }

    /// Plays until the stream ends, which is always for a reason.
    fn play(&mut self) -> Result<(), PulseError> {
        // The buffer is full when the server begins to play. Until then it is not asked: what it
        // holds does not move yet.
        self.fill()?;
        let cork = CorkStreamParams { channel: self.channel, cork: false };
        let command = Command::CorkPlaybackStream(cork);
        self.connection.write_question(&command, &mut self.out)?;
        self.send()?;
        loop {
            self.hear()?;
            self.adapt()?;
            self.fill()?;
            if !self.out.is_empty() {
                self.ask()?;
                self.send()?;
            }
        }
    }

    fn hear(&mut self) -> Result<(), PulseError> {
        match self.connection.hear()? {
            Heard::Wants(bytes) => self.wanted_bytes += bytes,
            Heard::RanDry => {
                self.ran_dry = true;
                (self.fail)(ErrorKind::Xrun.into());
            }
            Heard::Moved(sink) => {
                (self.fail)(cpal::Error::with_message(ErrorKind::DeviceChanged, sink));
            }
            Heard::Killed => return Err(PulseError::Killed),
            Heard::Answer(number, payload) => {
                if let Some((_, change)) = self.change.take_if(|(asked, _)| *asked == number) {
                    let granted: SetPlaybackStreamBufferAttrReply = payload.read()?;
                    tracing::debug!(?granted, "the sound server holds more or less");
                    let change = cpal::Error::with_message(LATENCY_CHANGED, change.to_string());
                    (self.fail)(change);
                    return Ok(());
                }
                let Some(question) = self.question.take_if(|asked| asked.number == number) else {
                    return Ok(());
                };
                let latency: PlaybackLatency = payload.read()?;
                let looked = looked_at(&question, latency.remote_time, self.clock);
                let held_bytes = latency.write_offset - latency.read_offset;
                let held_frames = held_bytes / self.frame_bytes as i64;
                let sink_nanos = i64::try_from(latency.sink_usec).unwrap_or(0) * 1000;
                let ahead_nanos = sink_nanos + self.timing.nanos(held_frames);
                let Question { asked, frame, .. } = question;
                self.timing.hear(Answer { asked, looked, frame, ahead_nanos });
                if let Some(trace) = &mut self.trace {
                    trace.record(Entry::Answer { asked, looked, frame, ahead: ahead_nanos });
                }
            }
            Heard::Refusal(number, error) => {
                if self.change.take_if(|(asked, _)| *asked == number).is_some() {
                    tracing::info!(%error, "the sound server keeps its latency");
                }
                self.question.take_if(|asked| asked.number == number);
            }
            Heard::Changed | Heard::Other => {}
        }
        Ok(())
    }

    /// Asks the server to hold more or less, if that has become necessary. The frames that it has keep
    /// their instants: it then asks for more frames at once, or for none for a while.
    fn adapt(&mut self) -> Result<(), PulseError> {
        let Some(latency) = &mut self.latency else { return Ok(()) };
        let now = self.clock.now().as_nanos();
        let ran_dry = std::mem::take(&mut self.ran_dry);
        let raised = if ran_dry { latency.note_underrun(now) } else { None };
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
        self.change = Some((self.connection.write_question(&command, &mut self.out)?, change));
        Ok(())
    }

    /// Renders what the server waits for, to be sent.
    fn fill(&mut self) -> Result<(), PulseError> {
        let mut offset = self.skip_what_was_slept_through();
        while self.wanted_bytes >= self.frame_bytes {
            let values = (self.wanted_bytes / VALUE_BYTES).min(self.samples.len());
            let frames = values * VALUE_BYTES / self.frame_bytes;
            self.render(frames);
            self.write_sound(frames, offset)?;
            offset = 0;
            self.written += frames as u64;
            self.wanted_bytes -= frames * self.frame_bytes;
        }
        Ok(())
    }

    /// Returns how many bytes the next block is further on than the one before it.
    fn skip_what_was_slept_through(&mut self) -> u64 {
        let most = self.rate as usize * self.frame_bytes * MOST_BEHIND_SECONDS;
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
        // Before the server has said anything, its empty buffer is as good a guess as any.
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

    /// Adds the question how much the server holds to what is to be sent, if it is time for it.
    fn ask(&mut self) -> Result<(), PulseError> {
        if !self.timing.is_to_ask() || self.question.is_some() {
            return Ok(());
        }
        let params = LatencyParams { channel: self.channel, now: SystemTime::now() };
        let command = Command::GetPlaybackLatency(params);
        let number = self.connection.write_question(&command, &mut self.out)?;
        let asked = self.clock.now().as_nanos();
        self.question = Some(Question { number, asked, frame: self.written });
        Ok(())
    }

    fn send(&mut self) -> Result<(), PulseError> {
        let sent = self.connection.send(&self.out);
        self.out.clear();
        sent
    }
}

/// When the server looked. It says so by the clock on the wall; should that be another machine's,
/// or be set just now, half the way there and back is as good as can be known.
fn looked_at(question: &Question, said: SystemTime, clock: LocalClock) -> i64 {
    // In this order, because whatever comes between makes the way longer, and the answer worse.
    let ago = SystemTime::now().duration_since(said).ok();
    let heard = clock.now().as_nanos();
    let ago = ago.and_then(|ago| i64::try_from(ago.as_nanos()).ok());
    match ago.map(|ago| heard - ago) {
        Some(looked) if (question.asked..=heard).contains(&looked) => looked,
        _ => i64::midpoint(question.asked, heard),
    }
}

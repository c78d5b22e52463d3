//! Makes a WAV file of an audio file, which all clients play alike.
//!
//! A WAV file that players read is kept byte for byte. FLAC, MP3, AIFF and Ogg Vorbis are decoded by
//! `symphonia`, without the delay and the padding that an encoder has added, so that a sound begins at its
//! first frame. Files are untrusted. What a header promises is never allocated: memory is bounded by the size
//! of the file and by `MAX_WAV_BYTES`, and time by a deadline.
//!
//! It is slow, and must run on a thread that may wait.

mod excerpt;
mod ogg;
mod vorbis;
mod wav_file;

use std::{
    borrow::Cow,
    fmt,
    io::ErrorKind,
    time::{Duration, Instant},
};

use bytes::Bytes;
use downbeat_protocol::MAX_UPLOAD_BYTES;
use downbeat_samples::wav::{self, MAX_CHANNELS, RATES, WavError, WavInfo};
use symphonia::{
    core::{
        audio::{Channels, GenericAudioBufferRef},
        codecs::audio::{AudioCodecParameters, AudioDecoderOptions},
        errors::Error as LibraryError,
        formats::{FormatOptions, FormatReader},
    },
    default::{
        formats::{AiffReader, FlacReader, MpaReader},
        get_codecs,
    },
};
use thiserror::Error;

use self::{excerpt::Excerpt, wav_file::WavFile};

/// Largest WAV file: that of an upload, whichever format it has.
pub(super) const MAX_WAV_BYTES: usize = MAX_UPLOAD_BYTES as usize;

/// How long decoding may take: of any file, and for each MiB of it. What it becomes takes some seconds at most on a
/// small computer. Files are decoded one after the other, so a small one must not let the others wait for a minute.
const MIN_DECODE_TIME: Duration = Duration::from_secs(10);
const DECODE_TIME_PER_MIB: Duration = Duration::from_millis(500);

/// Resolution of what a lossy format becomes. Rounding to 16 bits is an error of -98 dB, far below that of the
/// format itself; 24 bits would make every transfer and the bank half as large again for nothing that is heard.
const LOSSY_BITS: u32 = 16;

/// A format other than WAV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Free Lossless Audio Codec.
    Flac,
    /// MPEG audio, layer 3.
    Mp3,
    /// Audio Interchange File Format, also AIFF-C.
    Aiff,
    /// Vorbis in an Ogg container.
    OggVorbis,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Aiff => "AIFF",
            Self::OggVorbis => "Ogg Vorbis",
        })
    }
}

/// Why a file cannot become a sound. The messages are for the user who has sent the file.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// It has none of the formats.
    #[error("this is no sound file: send a WAV, FLAC, Ogg Vorbis, MP3 or AIFF file")]
    Unknown,
    /// It is a WAV file that cannot be played, or would become one.
    #[error(transparent)]
    Unplayable(#[from] WavError),
    /// It is damaged, or of a kind of its format that is not supported.
    #[error("the {format} file cannot be decoded: {reason}")]
    Undecodable {
        /// Its format.
        format: Format,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// It would become too large a WAV file.
    #[error(
        "the file is too long: as a WAV file it has more than {} MiB; shorten it, or lower its rate",
        MAX_WAV_BYTES >> 20
    )]
    TooLong,
    /// Decoding takes too long.
    #[error("decoding the file takes too long; shorten it")]
    TooSlow,
}

/// How long decoding a file of so many bytes may take.
pub(super) fn decode_time(bytes: usize) -> Duration {
    // A file has 96 MiB at most.
    let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    MIN_DECODE_TIME + DECODE_TIME_PER_MIB.saturating_mul(mib)
}

/// The WAV file of `file`, and its properties.
///
/// # Errors
/// If it cannot be played or decoded, or not by the `deadline`.
pub fn to_wav(file: &Bytes, deadline: Instant) -> Result<(Bytes, WavInfo), DecodeError> {
    if [b"RIFF", b"RIFX", b"RF64", b"BW64"].iter().any(|magic| file.starts_with(*magic)) {
        let info = wav::inspect(file)?;
        return Ok((file.clone(), info));
    }
    let format = excerpt::format_of(file).ok_or(DecodeError::Unknown)?;
    let wav = match format {
        Format::OggVorbis => vorbis::decode(file, deadline)?,
        Format::Flac | Format::Mp3 | Format::Aiff => decode(format, file, deadline)?,
    };
    let wav = wav.finish();
    // What players will read is checked by their reader.
    let info = wav::inspect(&wav)?;
    Ok((wav.into(), info))
}

impl Format {
    fn fails(self, reason: impl Into<Cow<'static, str>>) -> DecodeError {
        DecodeError::Undecodable { format: self, reason: reason.into() }
    }

    /// What an error of the library means.
    fn explain(self, error: &LibraryError) -> DecodeError {
        match error {
            LibraryError::IoError(error) if error.kind() == ErrorKind::TimedOut => {
                DecodeError::TooSlow
            }
            LibraryError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.fails("it ends too early")
            }
            error => self.fails(error.to_string()),
        }
    }
}

/// Decodes a file by the library's reader of its format.
fn decode(format: Format, file: &[u8], deadline: Instant) -> Result<WavFile, DecodeError> {
    let explain = |error| format.explain(&error);
    let stream = Excerpt::of(format, file)?.open(deadline);
    let options = FormatOptions::default();
    let mut reader: Box<dyn FormatReader + '_> = match format {
        Format::Flac => Box::new(FlacReader::try_new(stream, options).map_err(explain)?),
        Format::Aiff => Box::new(AiffReader::try_new(stream, options).map_err(explain)?),
        Format::Mp3 | Format::OggVorbis => {
            Box::new(MpaReader::try_new(stream, options).map_err(explain)?)
        }
    };
    let track = reader.tracks().first().ok_or_else(|| format.fails("it has no track"))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| format.fails("it has no audio"))?.clone();
    // The header of an MP3 file is an estimate of the encoder's; that of the others is exact.
    let promised = track.num_frames.filter(|_| format != Format::Mp3);
    let mut sink = Sink::new(format, &params)?;
    if promised.is_some_and(|frames| !sink.wav.has_space_for(frames)) {
        return Err(DecodeError::TooLong);
    }
    let options = AudioDecoderOptions::default();
    let mut decoder = get_codecs().make_audio_decoder(&params, &options).map_err(explain)?;
    let (mut intact, mut damaged) = (0_u64, 0_u64);
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // It is cut off; by how much is told below.
            Err(LibraryError::IoError(error))
                if error.kind() == ErrorKind::UnexpectedEof && promised.is_some() =>
            {
                break;
            }
            Err(error) => return Err(explain(error)),
        };
        match decoder.decode(&packet) {
            Ok(buffer) => {
                sink.push(&buffer)?;
                intact += 1;
            }
            // A file that was cut from a longer one begins with frames that need those before it.
            Err(LibraryError::DecodeError(_)) if format == Format::Mp3 => {
                sink.wav.add_silence(packet.dur.get())?;
                damaged += 1;
            }
            Err(error) => return Err(explain(error)),
        }
    }
    if damaged > intact {
        return Err(format.fails("most of it is damaged"));
    }
    let present = sink.wav.frames();
    if let Some(promised) = promised
        && present < promised
    {
        return Err(WavError::Truncated { promised, present }.into());
    }
    Ok(sink.wav)
}

/// Takes what a decoder returns, and checks that it is what the file's header has said.
struct Sink {
    format: Format,
    channels: u16,
    rate: u32,
    wav: WavFile,
    values: Vec<f64>,
}

impl Sink {
    fn new(format: Format, params: &AudioCodecParameters) -> Result<Self, DecodeError> {
        let count = params.channels.as_ref().map_or(0, Channels::count);
        let channels = u16::try_from(count).unwrap_or(u16::MAX);
        let rate = params.sample_rate.unwrap_or(0);
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(WavError::Channels(channels).into());
        }
        if !RATES.contains(&rate) {
            return Err(WavError::Rate(rate).into());
        }
        let bits = match format {
            Format::Mp3 | Format::OggVorbis => LOSSY_BITS,
            // Floating point has no such number.
            Format::Flac | Format::Aiff => params.bits_per_sample.unwrap_or(u32::MAX),
        };
        let wav = WavFile::new(channels, rate, bits <= 16);
        Ok(Self { format, channels, rate, wav, values: Vec::new() })
    }

    fn push(&mut self, buffer: &GenericAudioBufferRef<'_>) -> Result<(), DecodeError> {
        if buffer.is_empty() {
            return Ok(());
        }
        let spec = buffer.spec();
        if spec.rate() != self.rate || buffer.num_planes() != usize::from(self.channels) {
            return Err(self.format.fails("its rate or its channels change in the middle"));
        }
        if let Channels::Positioned(positions) = spec.channels() {
            // The loudspeakers of eight channels at most: the lower bits, as in WAV files.
            self.wav.set_mask(positions.bits() as u32);
        }
        buffer.copy_to_vec_interleaved(&mut self.values);
        self.wav.add(&self.values)
    }
}

#[cfg(test)]
mod tests;

//! The one place that reads WAVs: the relay looks into a file with [`inspect`] before it offers it,
//! a player turns it into numbers with [`decode`], and both refuse the same files.
//!
//! Files come from anywhere, so nothing a header says is believed before it is checked against the
//! bytes that are there: no file, however mangled, makes this panic or allocate more than it holds.
//!
//! hound reads the values. It is strict about fields it has no need of and does not know that
//! chunks of odd length are padded, which common programs rely on; so the chunks are found here,
//! and hound is given a plain header of the same meaning.

use std::{
    borrow::Cow,
    io::{Chain, Cursor, Read},
};

use hound::{SampleFormat, WavReader};
use thiserror::Error;

/// Most channels of a sound: 7.1.
pub const MAX_CHANNELS: u16 = 8;

/// Least and greatest rate of a sound, in frames per second. Below, resampling to a device's rate
/// would multiply a file's size by more than 200; above, nothing records.
pub const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Most values (frames times channels) of a sound: 11 minutes of stereo at 48 kHz, 256 MiB once
/// decoded. A player holds a sound whole, so that it can start anywhere in it without reading a
/// disk, and twice while it resamples; small computers must survive that.
pub const MAX_VALUES: u64 = 64 << 20;

/// Greatest level that a floating-point file may hold, as a factor of full scale: +36 dB. Mixes
/// are stored above full scale on purpose, but what goes beyond this was scaled as integers.
pub const MAX_LEVEL: f32 = 64.0;

/// What a WAV holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavInfo {
    /// Frames in it: one frame holds one value per channel.
    pub frames: u64,
    /// Frames per second, within [`RATES`].
    pub rate: u32,
    /// Channels, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
}

/// A WAV's frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// All frames, interleaved, full scale at ±1. Every value is finite.
    pub samples: Vec<f32>,
    /// Values per frame, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
    /// Frames per second, within [`RATES`].
    pub rate: u32,
}

/// Why a file cannot be played, in words for the person who put it there.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WavError {
    /// It is something else, or its header is damaged beyond reading.
    #[error("not a WAV file: {0}")]
    NotWav(Cow<'static, str>),
    /// It ends before its header says.
    #[error(
        "the file is cut off: its header promises {promised} frames, but only {present} are there"
    )]
    Truncated {
        /// Frames that the header promises.
        promised: u64,
        /// Whole frames that are there.
        present: u64,
    },
    /// It has a header and no sound.
    #[error("the file has no frames: there is nothing to play")]
    NoFrames,
    /// Its rate is outside [`RATES`].
    #[error("a rate of {0} Hz cannot be played: it must be {least} to {most} Hz", least = RATES.start(), most = RATES.end())]
    Rate(u32),
    /// Its number of channels is 0 or above [`MAX_CHANNELS`].
    #[error("{0} channels cannot be played: there must be 1 to {MAX_CHANNELS}")]
    Channels(u16),
    /// Its values are stored in a way that is not read.
    #[error("{0} is not read: save it as 8, 16, 24 or 32-bit integers or 32-bit float")]
    Encoding(Cow<'static, str>),
    /// It has more than [`MAX_VALUES`] values.
    #[error(
        "the file is too long: {0} values (frames times channels), and at most {MAX_VALUES} are played"
    )]
    TooLong(u64),
    /// A value is not a number, infinite or above [`MAX_LEVEL`]. Such a file is refused rather
    /// than mended: the damage is seldom one value, and what was meant cannot be known.
    #[error("frame {frame} holds {value}, which is no level of sound (full scale is 1.0)")]
    Level {
        /// The first frame with such a value, from 0.
        frame: u64,
        /// The value.
        value: f32,
    },
}

/// Reads the whole of `file` and says what it holds.
///
/// # Errors
/// If it cannot be played. A file that passes is decoded by [`decode`] without error.
pub fn inspect(file: &[u8]) -> Result<WavInfo, WavError> {
    let wav = Wav::open(file)?;
    let info = wav.info;
    wav.read_values(|_| ())?;
    Ok(info)
}

/// Reads the whole of `file`.
///
/// # Errors
/// If it cannot be played.
pub fn decode(file: &[u8]) -> Result<Decoded, WavError> {
    let wav = Wav::open(file)?;
    let WavInfo { frames, rate, channels } = wav.info;
    // No more than the file has bytes, nor than MAX_VALUES: both were checked.
    let mut samples = Vec::with_capacity((frames * u64::from(channels)) as usize);
    wav.read_values(|value| samples.push(value))?;
    Ok(Decoded { samples, channels, rate })
}

/// `wFormatTag` of integers, of floating point, and of a format whose tag is in an extension.
const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of the `fmt ` chunk that every format has, and that an extensible one has.
const PLAIN_FORMAT: usize = 16;
const EXTENSIBLE_FORMAT: usize = 40;

/// A file of which all was checked that can be without reading the values.
struct Wav<'a> {
    info: WavInfo,
    /// Reads a header made here, then the file's whole frames, and nothing else of the file.
    reader: WavReader<Chain<Cursor<Vec<u8>>, &'a [u8]>>,
}

impl<'a> Wav<'a> {
    fn open(file: &'a [u8]) -> Result<Self, WavError> {
        let (format, data, promised) = find_chunks(file)?;
        if format.len() < PLAIN_FORMAT {
            return Err(WavError::NotWav("its description is too short".into()));
        }
        let tag = half(format, 0);
        let (channels, rate) = (half(format, 2), word(format, 4));
        let (frame_bytes, bits) = (half(format, 12), half(format, 14));
        if let Some(name) = other_encoding(tag) {
            return Err(WavError::Encoding(name));
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !RATES.contains(&rate) {
            return Err(WavError::Rate(rate));
        }
        if frame_bytes == 0 || frame_bytes % channels != 0 {
            return Err(WavError::NotWav(
                format!("it claims {frame_bytes} bytes for a frame of {channels} channels").into(),
            ));
        }

        let present = (data.len() / usize::from(frame_bytes)) as u64;
        let promised = promised / u64::from(frame_bytes);
        if present < promised {
            return Err(WavError::Truncated { promised, present });
        }
        if present == 0 {
            return Err(WavError::NoFrames);
        }
        let values = present * u64::from(channels);
        if values > MAX_VALUES {
            return Err(WavError::TooLong(values));
        }

        // Whole frames: what little may follow the last one says nothing.
        let data = &data[..data.len() - data.len() % usize::from(frame_bytes)];
        let header = plain_header(format, data.len() as u32);
        let reader = WavReader::new(Cursor::new(header).chain(data)).map_err(|error| {
            WavError::Encoding(match error {
                hound::Error::FormatError(why) => format!("{bits}-bit sound ({why})").into(),
                _ => "an extensible format of another kind".into(),
            })
        })?;
        let spec = reader.spec();
        match (spec.sample_format, spec.bits_per_sample, frame_bytes / channels) {
            // 24 bits are stored in three bytes, or in the lower three of four.
            (SampleFormat::Int, 8, 1)
            | (SampleFormat::Int, 16, 2)
            | (SampleFormat::Int, 24, 3 | 4)
            | (_, 32, 4) => {}
            (SampleFormat::Int, bits, bytes) => {
                let what = format!("an integer of {bits} bits in {bytes} bytes");
                return Err(WavError::Encoding(what.into()));
            }
            (SampleFormat::Float, bits, _) => {
                let what = format!("floating point of {bits} bits");
                return Err(WavError::Encoding(what.into()));
            }
        }
        Ok(Self { info: WavInfo { frames: present, rate, channels }, reader })
    }

    /// Hands all values to `take`, in order, full scale at ±1.
    fn read_values(mut self, mut take: impl FnMut(f32)) -> Result<(), WavError> {
        let damaged = |error: hound::Error| WavError::NotWav(error.to_string().into());
        match self.reader.spec().sample_format {
            SampleFormat::Int => {
                let full_scale = f64::from(self.reader.spec().bits_per_sample - 1).exp2();
                for value in self.reader.samples::<i32>() {
                    take((f64::from(value.map_err(damaged)?) / full_scale) as f32);
                }
            }
            SampleFormat::Float => {
                for (index, value) in self.reader.samples::<f32>().enumerate() {
                    let value = value.map_err(damaged)?;
                    if value.is_nan() || value.abs() > MAX_LEVEL {
                        let frame = index as u64 / u64::from(self.info.channels);
                        return Err(WavError::Level { frame, value });
                    }
                    take(value);
                }
            }
        }
        Ok(())
    }
}

/// The contents of the `fmt ` and the `data` chunk, and the length that the latter's head claims.
fn find_chunks(file: &[u8]) -> Result<(&[u8], &[u8], u64), WavError> {
    if file.len() < 12 || &file[..4] != b"RIFF" || &file[8..12] != b"WAVE" {
        return Err(WavError::NotWav("it does not begin with RIFF and WAVE".into()));
    }
    let mut rest = &file[12..];
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let promised = word(head, 4) as usize;
        let present = &body[..promised.min(body.len())];
        match &head[..4] {
            b"fmt " => format = Some(present),
            b"data" => {
                return match format {
                    Some(format) => Ok((format, present, promised as u64)),
                    None => Err(WavError::NotWav("it does not say how its data is stored".into())),
                };
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = body.get(promised.saturating_add(promised % 2)..).unwrap_or_default();
    }
    Err(WavError::NotWav("it has no data chunk".into()))
}

/// A header that hound takes, with what `format` means, before `data_bytes` of data.
fn plain_header(format: &[u8], data_bytes: u32) -> Vec<u8> {
    let extensible = half(format, 0) == EXTENSIBLE && format.len() >= EXTENSIBLE_FORMAT;
    let length = if extensible { EXTENSIBLE_FORMAT } else { PLAIN_FORMAT };
    let mut format = Vec::from(&format[..length]);
    // Bytes per second: nobody needs it, and some files have it wrong.
    let byte_rate = word(&format, 4).saturating_mul(half(&format, 12).into());
    format[8..12].copy_from_slice(&byte_rate.to_le_bytes());
    if extensible {
        // The extension's length, which some programs leave at 0 or count otherwise.
        format[16..18].copy_from_slice(&22_u16.to_le_bytes());
        // Valid bits that do not fill whole bytes, such as 20 of 24, are the upper ones, so that
        // all of the container may be read: hound does that where it finds 0.
        if !half(&format, 18).is_multiple_of(8) {
            format[18..20].fill(0);
        }
    }
    let mut header = Vec::with_capacity(28 + length);
    header.extend_from_slice(b"RIFF\0\0\0\0WAVEfmt ");
    header.extend_from_slice(&(length as u32).to_le_bytes());
    header.extend_from_slice(&format);
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data_bytes.to_le_bytes());
    header
}

/// The name of an encoding that is not read; none if this may be one that is.
fn other_encoding(tag: u16) -> Option<Cow<'static, str>> {
    match tag {
        PCM | IEEE_FLOAT | EXTENSIBLE => None,
        2 | 0x11 => Some("ADPCM".into()),
        6 => Some("A-law".into()),
        7 => Some("µ-law".into()),
        0x50 | 0x55 => Some("MPEG audio".into()),
        _ => Some(format!("format {tag:#06x}").into()),
    }
}

/// The little-endian number of two bytes at `at`, which the caller knows to be there.
fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The little-endian number of four bytes at `at`, which the caller knows to be there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

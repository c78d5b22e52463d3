//! The one place that reads WAVs: the relay looks into a file with [`inspect`] before it offers it,
//! a player turns it into numbers with [`decode`], and both refuse the same files.
//!
//! Files come from anywhere, so nothing a header says is believed before it is checked against the
//! bytes that are there: no file, however mangled, makes this panic or allocate more than it holds.
//!
//! RIFF, RF64 and BW64 are read. A file that was written into a pipe, or whose recorder did not get to
//! its end, has no true length in its header: the frames that are there are its sound.

use std::borrow::Cow;

use thiserror::Error;

use crate::speakers;

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
    /// Which loudspeaker each channel is for: the file's `dwChannelMask`, or the
    /// [usual one](speakers::usual_mask) if the file has none with a bit for each channel.
    pub mask: u32,
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
    #[error("{0} is not read: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float")]
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
    wav.read_values(|_| ())?;
    Ok(wav.info)
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
    Ok(Decoded { samples, channels, mask: wav.mask, rate })
}

/// `wFormatTag` of integers, of floating point, and of a format whose tag is in an extension.
const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Bytes of the `fmt ` chunk that every format has, and that an extensible one has.
const PLAIN_FORMAT: usize = 16;
const EXTENSIBLE_FORMAT: usize = 40;

/// What follows the format's tag in the GUID of an extensible format.
const GUID_TAIL: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// How one value is stored.
#[derive(Clone, Copy)]
enum Encoding {
    /// One byte, 128 is silence.
    Unsigned8,
    /// A signed integer of so many bytes, its most significant bit on top. A file with fewer valid
    /// bits than the container has leaves the lower ones at zero, so the whole container is read.
    Integer(usize),
    /// 24 bits in the lower three of four bytes, as ALSA's `S24_LE` has it.
    Low24,
    Float32,
    Float64,
}

/// A file of which all was checked that can be without reading the values.
struct Wav<'a> {
    info: WavInfo,
    mask: u32,
    encoding: Encoding,
    /// Whole frames.
    data: &'a [u8],
    value_bytes: usize,
}

impl<'a> Wav<'a> {
    fn open(file: &'a [u8]) -> Result<Self, WavError> {
        let Chunks { format, data, promised } = find_chunks(file)?;
        if format.len() < PLAIN_FORMAT {
            return Err(WavError::NotWav("its description is too short".into()));
        }
        let (channels, rate) = (half(format, 2), word(format, 4));
        let (frame_bytes, bits) = (half(format, 12), half(format, 14));
        let tag = format_tag(format)?;
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
        if let Some(promised) = promised.map(|bytes| bytes / u64::from(frame_bytes))
            && present < promised
        {
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
        let value_bytes = frame_bytes / channels;
        let encoding = match (tag, bits, value_bytes) {
            (PCM, 1..=8, 1) => Encoding::Unsigned8,
            (PCM, 24, 4) if !is_left_aligned(data) => Encoding::Low24,
            (PCM, 9.., 2..=4) if bits <= value_bytes * 8 => {
                Encoding::Integer(usize::from(value_bytes))
            }
            (IEEE_FLOAT, 32, 4) => Encoding::Float32,
            (IEEE_FLOAT, 64, 8) => Encoding::Float64,
            (PCM, ..) => {
                let what = format!("an integer of {bits} bits in {value_bytes} bytes");
                return Err(WavError::Encoding(what.into()));
            }
            _ => {
                let what = format!("floating point of {bits} bits in {value_bytes} bytes");
                return Err(WavError::Encoding(what.into()));
            }
        };
        let info = WavInfo { frames: present, rate, channels };
        let mask = channel_mask(format, channels);
        Ok(Self { info, mask, encoding, data, value_bytes: value_bytes.into() })
    }

    /// Hands all values to `take`, in order, full scale at ±1.
    fn read_values(&self, mut take: impl FnMut(f32)) -> Result<(), WavError> {
        for (index, bytes) in self.data.chunks_exact(self.value_bytes).enumerate() {
            let value = match self.encoding {
                Encoding::Unsigned8 => (f32::from(bytes[0]) - 128.0) / 128.0,
                Encoding::Integer(count) => integer(&bytes[..count]),
                Encoding::Low24 => integer(&bytes[..3]),
                Encoding::Float32 => f32::from_bits(word(bytes, 0)),
                Encoding::Float64 => f64::from_bits(long(bytes, 0)) as f32,
            };
            if value.is_nan() || value.abs() > MAX_LEVEL {
                let frame = index as u64 / u64::from(self.info.channels);
                return Err(WavError::Level { frame, value });
            }
            take(value);
        }
        Ok(())
    }
}

/// The level of a signed little-endian integer of at most four bytes.
fn integer(bytes: &[u8]) -> f32 {
    let mut on_top = [0; 4];
    on_top[4 - bytes.len()..].copy_from_slice(bytes);
    (f64::from(i32::from_le_bytes(on_top)) / f64::from(1_u32 << 31)) as f32
}

/// Whether 24 bits in containers of 32 are the upper ones: nothing is below them, and what is above
/// the lower ones is not their sign.
///
/// This is asked only of a format that says 24 bits and has four bytes a value; one that says 32 bits,
/// of which 24 are valid, has them on top by definition. The whole file is looked at. One in which every
/// value fits either reading is taken for right-aligned, as `S24_LE` is: it is then a recording of at
/// most 16 bits, which is common. The other reading would be a left-aligned one that stays below -48 dB
/// from its first frame to its last; such a file sounds 48 dB too loud, but not as noise.
fn is_left_aligned(data: &[u8]) -> bool {
    let values = || data.chunks_exact(4);
    values().all(|value| value[0] == 0)
        && values().any(|value| value[3] != if value[2] & 0x80 == 0 { 0 } else { 0xFF })
}

/// The two chunks that matter.
struct Chunks<'a> {
    format: &'a [u8],
    data: &'a [u8],
    /// The data's length as the header has it; none if whoever wrote it did not know.
    promised: Option<u64>,
}

fn find_chunks(file: &[u8]) -> Result<Chunks<'_>, WavError> {
    if file.starts_with(b"RIFX") {
        return Err(WavError::Encoding("RIFX (a WAV of big-endian values)".into()));
    }
    let is_long = file.starts_with(b"RF64") || file.starts_with(b"BW64");
    if file.len() < 12 || !(is_long || file.starts_with(b"RIFF")) || &file[8..12] != b"WAVE" {
        return Err(WavError::NotWav("it does not begin with RIFF and WAVE".into()));
    }
    let mut rest = &file[12..];
    let mut format = None;
    let mut long_data = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let length = word(head, 4);
        let bytes = length as usize;
        let present = &body[..bytes.min(body.len())];
        match &head[..4] {
            b"fmt " => format = Some(present),
            b"ds64" if is_long && present.len() >= 16 => long_data = Some(long(present, 8)),
            b"data" => {
                let Some(format) = format else {
                    return Err(WavError::NotWav("it does not say how its data is stored".into()));
                };
                let starts_at = file.len() - body.len();
                let promised = match long_data.filter(|_| length == u32::MAX) {
                    Some(0 | u64::MAX) => None,
                    Some(bytes) => Some(bytes),
                    None if is_unfinished(length, word(file, 4), starts_at) => None,
                    None => Some(length.into()),
                };
                let end = promised.map_or(body.len() as u64, |bytes| bytes.min(body.len() as u64));
                return Ok(Chunks { format, data: &body[..end as usize], promised });
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = body.get(bytes.saturating_add(bytes % 2)..).unwrap_or_default();
    }
    Err(WavError::NotWav("it has no data chunk".into()))
}

/// Whether a data chunk's `length` was never filled in. Programs that cannot go back to it write the
/// greatest number, or one just below 2 GiB or 4 GiB; those that mean to go back write 0, in a file
/// whose own length (`riff`) then ends where the data begins.
fn is_unfinished(length: u32, riff: u32, data_starts_at: usize) -> bool {
    matches!(length, 0x7FFF_0000..=0x8000_0000 | 0xFFFF_0000..)
        || length == 0 && (riff as usize).saturating_add(8) <= data_starts_at
}

/// [`PCM`] or [`IEEE_FLOAT`], wherever the format says so.
fn format_tag(format: &[u8]) -> Result<u16, WavError> {
    let name = match half(format, 0) {
        tag @ (PCM | IEEE_FLOAT) => return Ok(tag),
        EXTENSIBLE => {
            if format.len() >= EXTENSIBLE_FORMAT
                && format[26..40] == *GUID_TAIL
                && let tag @ (PCM | IEEE_FLOAT) = half(format, 24)
            {
                return Ok(tag);
            }
            "an extensible format of another kind".into()
        }
        2 | 0x11 => "ADPCM".into(),
        6 => "A-law".into(),
        7 => "µ-law".into(),
        0x50 | 0x55 => "MPEG audio".into(),
        tag => format!("format {tag:#06x}").into(),
    };
    Err(WavError::Encoding(name))
}

/// The format's `dwChannelMask`, or the usual mask. One without a bit for each channel is as good as
/// none: programs that do not know write 0, and what the other channels are for is nowhere said.
fn channel_mask(format: &[u8], channels: u16) -> u32 {
    if half(format, 0) == EXTENSIBLE && format.len() >= EXTENSIBLE_FORMAT {
        let mask = word(format, 20);
        if mask.count_ones() == u32::from(channels) {
            return mask;
        }
    }
    speakers::usual_mask(channels).unwrap_or(0)
}

/// The little-endian number of two bytes at `at`, which the caller knows to be there.
fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The little-endian number of four bytes at `at`, which the caller knows to be there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

/// The little-endian number of eight bytes at `at`, which the caller knows to be there.
fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

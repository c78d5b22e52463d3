//! Reads WAV files. The relay validates a file with [`inspect`] before it serves it, a player
//! decodes it with [`decode`], and both reject the same files.
//!
//! Files are untrusted, so every header field is checked against the actual bytes: no malformed
//! file makes this panic or allocate more than the file's size.
//!
//! RIFF, RF64 and BW64 are supported. A file that was written to a pipe, or whose recorder was
//! interrupted, has no valid length in its header; all frames in the file are then its sound.

use std::borrow::Cow;

use thiserror::Error;

use crate::speakers;

/// Maximum number of channels: 7.1.
pub const MAX_CHANNELS: u16 = 8;

/// Permitted sample rates, in frames per second. A sound at a lower rate would grow by more than
/// 200 times when resampled to a device's rate; no recorder uses a higher rate.
pub const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Maximum number of values (frames times channels): 11 minutes of stereo at 48 kHz, 256 MiB when
/// decoded. A player holds the whole sound in memory, so that it can start anywhere in it without
/// disk reads, and holds it twice while resampling. The limit protects small computers.
pub const MAX_VALUES: u64 = 64 << 20;

/// Maximum level in a floating-point file, as a factor of full scale: +36 dB. Mixes may exceed full
/// scale on purpose, but higher values are integers stored as floats.
pub const MAX_LEVEL: f32 = 64.0;

/// The properties of a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavInfo {
    /// Number of frames. A frame holds one value per channel.
    pub frames: u64,
    /// Frames per second, within [`RATES`].
    pub rate: u32,
    /// Number of channels, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
}

/// The decoded frames of a WAV file.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// All frames, interleaved, full scale at ±1. Every value is finite.
    pub samples: Vec<f32>,
    /// Values per frame, 1 to [`MAX_CHANNELS`].
    pub channels: u16,
    /// The loudspeaker of each channel: the file's `dwChannelMask`, or the [default
    /// mask](speakers::usual_mask) if the file has none with a bit for each channel.
    pub mask: u32,
    /// Frames per second, within [`RATES`].
    pub rate: u32,
}

/// Why a file cannot be played. The messages are for the user who added the file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WavError {
    /// It is not a WAV file, or its header is damaged.
    #[error("not a WAV file: {0}")]
    NotWav(Cow<'static, str>),
    /// It ends before the length in its header.
    #[error(
        "the file is cut off: its header declares {promised} frames, but only {present} are there"
    )]
    Truncated {
        /// Frames that the header declares.
        promised: u64,
        /// Whole frames in the file.
        present: u64,
    },
    /// It has no frames.
    #[error("the file has no frames: there is nothing to play")]
    NoFrames,
    /// Its rate is outside [`RATES`].
    #[error("a rate of {0} Hz cannot be played: it must be {least} to {most} Hz", least = RATES.start(), most = RATES.end())]
    Rate(u32),
    /// Its number of channels is 0 or above [`MAX_CHANNELS`].
    #[error("{0} channels cannot be played: there must be 1 to {MAX_CHANNELS}")]
    Channels(u16),
    /// Its encoding is not supported.
    #[error(
        "{0} is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float"
    )]
    Encoding(Cow<'static, str>),
    /// It has more than [`MAX_VALUES`] values.
    #[error(
        "the file is too long: {0} values (frames times channels), and at most {MAX_VALUES} are played"
    )]
    TooLong(u64),
    /// A value is NaN, infinite or above [`MAX_LEVEL`]. Such a file is rejected and not repaired:
    /// such damage rarely affects a single value, and the intended values are unknown.
    #[error("frame {frame} holds {value}, which is not an audio level (full scale is 1.0)")]
    Level {
        /// The first frame with such a value, from 0.
        frame: u64,
        /// The value.
        value: f32,
    },
}

/// Validates all of `file` and returns its properties.
///
/// # Errors
/// If it cannot be played. [`decode`] succeeds on every file that passes.
pub fn inspect(file: &[u8]) -> Result<WavInfo, WavError> {
    let wav = Wav::open(file)?;
    wav.read_values(|_| ())?;
    Ok(wav.info)
}

/// Decodes all of `file`.
///
/// # Errors
/// If it cannot be played.
pub fn decode(file: &[u8]) -> Result<Decoded, WavError> {
    let wav = Wav::open(file)?;
    let WavInfo { frames, rate, channels } = wav.info;
    // The count is checked against the file's size and MAX_VALUES.
    let mut samples = Vec::with_capacity((frames * u64::from(channels)) as usize);
    wav.read_values(|value| samples.push(value))?;
    Ok(Decoded { samples, channels, mask: wav.mask, rate })
}

/// `wFormatTag` of integers, of floating point, and of formats whose tag is in the extension.
const PCM: u16 = 1;
const IEEE_FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Minimum size of the `fmt ` chunk, and its size with the extension, in bytes.
const PLAIN_FORMAT: usize = 16;
const EXTENSIBLE_FORMAT: usize = 40;

/// The bytes after the format tag in the GUID of an extensible format.
const GUID_TAIL: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// The encoding of a value.
#[derive(Clone, Copy)]
enum Encoding {
    /// One unsigned byte; 128 is silence.
    Unsigned8,
    /// A left-aligned signed integer of this many bytes. A file with fewer valid bits than the
    /// container leaves the lower bits zero, so the whole container is read.
    Integer(usize),
    /// 24 bits in the lower three of four bytes, like ALSA's `S24_LE`.
    Low24,
    Float32,
    Float64,
}

/// A file whose header and length have been validated, but not its values.
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
        let (channels, rate) = (u16_at(format, 2), u32_at(format, 4));
        let (frame_bytes, bits) = (u16_at(format, 12), u16_at(format, 14));
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

        // Whole frames; a partial frame at the end is ignored.
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

    /// Passes all values to `take`, in order, full scale at ±1.
    fn read_values(&self, mut take: impl FnMut(f32)) -> Result<(), WavError> {
        for (index, bytes) in self.data.chunks_exact(self.value_bytes).enumerate() {
            let value = match self.encoding {
                Encoding::Unsigned8 => (f32::from(bytes[0]) - 128.0) / 128.0,
                Encoding::Integer(count) => integer(&bytes[..count]),
                Encoding::Low24 => integer(&bytes[..3]),
                Encoding::Float32 => f32::from_bits(u32_at(bytes, 0)),
                Encoding::Float64 => f64::from_bits(u64_at(bytes, 0)) as f32,
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

/// Whether 24 valid bits in 32-bit containers are left-aligned: the lowest byte is always zero, and
/// the highest byte is not always a sign extension.
///
/// Needed only for a format that declares 24 bits and uses four bytes per value; a format of 32
/// bits with 24 valid ones is left-aligned by definition. The whole file is examined. A file whose
/// values all fit both readings is taken as right-aligned (`S24_LE`): it is then a recording of at
/// most 16 bits, which is common. The alternative is a left-aligned recording that stays below -48
/// dB throughout; such a file plays 48 dB too loud, but not as noise.
fn is_left_aligned(data: &[u8]) -> bool {
    let values = || data.chunks_exact(4);
    values().all(|value| value[0] == 0)
        && values().any(|value| value[3] != if value[2] & 0x80 == 0 { 0 } else { 0xFF })
}

/// The `fmt ` and `data` chunks.
struct Chunks<'a> {
    format: &'a [u8],
    data: &'a [u8],
    /// The length in the data chunk's header; `None` if it was never filled in.
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
        let length = u32_at(head, 4);
        let bytes = length as usize;
        let present = &body[..bytes.min(body.len())];
        match &head[..4] {
            b"fmt " => format = Some(present),
            b"ds64" if is_long && present.len() >= 16 => long_data = Some(u64_at(present, 8)),
            b"data" => {
                let Some(format) = format else {
                    return Err(WavError::NotWav("it does not say how its data is stored".into()));
                };
                let starts_at = file.len() - body.len();
                let promised = match long_data.filter(|_| length == u32::MAX) {
                    Some(0 | u64::MAX) => None,
                    Some(bytes) => Some(bytes),
                    None if is_unfinished(length, u32_at(file, 4), starts_at) => None,
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

/// The chunks of a RIFF file, each with as much of its body as is there. It follows lengths that the data chunk
/// of an unfinished file does not have, and then finds nothing more.
pub(crate) fn chunks_of(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = file.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, body) = rest.split_first_chunk::<8>()?;
        let length = u32_at(head, 4) as usize;
        // Chunks begin at even offsets.
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some((&head[..4], &body[..length.min(body.len())]))
    })
}

/// Whether a data chunk's `length` was never filled in. Programs that cannot seek write the largest
/// number, or one just below 2 GiB or 4 GiB. Programs that intend to fill it in later write 0, in a
/// file whose own length (`riff`) ends where the data begins.
fn is_unfinished(length: u32, riff: u32, data_starts_at: usize) -> bool {
    matches!(length, 0x7FFF_0000..=0x8000_0000 | 0xFFFF_0000..)
        || length == 0 && (riff as usize).saturating_add(8) <= data_starts_at
}

/// [`PCM`] or [`IEEE_FLOAT`], from the format tag or the extension.
fn format_tag(format: &[u8]) -> Result<u16, WavError> {
    let name = match u16_at(format, 0) {
        tag @ (PCM | IEEE_FLOAT) => return Ok(tag),
        EXTENSIBLE => {
            if format.len() >= EXTENSIBLE_FORMAT
                && format[26..40] == *GUID_TAIL
                && let tag @ (PCM | IEEE_FLOAT) = u16_at(format, 24)
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

/// The format's `dwChannelMask`, or the default mask. A mask without a bit for each channel is
/// ignored: programs that do not know the positions write 0, and the positions of the remaining
/// channels are undefined.
fn channel_mask(format: &[u8], channels: u16) -> u32 {
    if u16_at(format, 0) == EXTENSIBLE && format.len() >= EXTENSIBLE_FORMAT {
        let mask = u32_at(format, 20);
        if mask.count_ones() == u32::from(channels) {
            return mask;
        }
    }
    speakers::usual_mask(channels).unwrap_or(0)
}

/// The little-endian `u16` at `at`. The caller guarantees that the bytes exist.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The little-endian `u32` at `at`. The caller guarantees that the bytes exist.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// The little-endian `u64` at `at`. The caller guarantees that the bytes exist.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

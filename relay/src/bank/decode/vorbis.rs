//! Decodes Ogg Vorbis: the packets of [`ogg`](super::ogg) by the library's decoder.
//!
//! Which frames are the sound's is told by the positions in the pages, as the Vorbis specification says: an
//! encoder fills its last block, and may put frames before the first.

use std::time::Instant;

use downbeat_samples::wav::WavError;
use symphonia::{
    core::{
        audio::Channels,
        codecs::audio::{
            AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions,
            well_known::CODEC_ID_VORBIS,
        },
        io::{BitReaderRtl, ReadBitsRtl as _},
        packet::Packet as LibraryPacket,
        units::{Duration, Timestamp},
    },
    default::codecs::VorbisDecoder,
};

use super::{DecodeError, Format, Sink, ogg::Packets, wav_file::WavFile};

/// The format of all errors here.
const FORMAT: Format = Format::OggVorbis;

/// What the three packets before the audio begin with.
const IDENTIFICATION: &[u8] = b"\x01vorbis";
const COMMENTS: &[u8] = b"\x03vorbis";
const SETUP: &[u8] = b"\x05vorbis";

/// Size of the identification, in bytes.
const IDENTIFICATION_BYTES: usize = 30;

/// Most entries of all codebooks together, and most values of their vectors. Encoders write some ten thousand
/// of each. The library allows 128 000 entries for each of 256 codebooks, and as many vectors of 32 values: four
/// gigabytes, from a file of some kilobytes.
const MAX_ENTRIES: u64 = 1 << 16;
const MAX_VALUES: u64 = 1 << 19;

/// Most channels. With more, each is stored as its difference to others, which the library undoes in the wrong
/// order; and encoders do not agree which channel is for which loudspeaker.
const MAX_VORBIS_CHANNELS: u8 = 2;

/// Decodes a file.
///
/// # Errors
/// If it is damaged, cannot be played, or takes longer than until the `deadline`.
pub(super) fn decode(file: &[u8], deadline: Instant) -> Result<WavFile, DecodeError> {
    let mut packets = Packets::new(file, IDENTIFICATION);
    let mut next = || packets.next().map_err(|reason| FORMAT.fails(reason));
    let mut header = |magic: &[u8]| match next()? {
        Some(packet) if packet.data.is_empty() || packet.data.starts_with(magic) => Ok(packet.data),
        _ => Err(FORMAT.fails("its header is incomplete")),
    };
    let mut headers = header(IDENTIFICATION)?;
    // Comments that are too large are empty here. Nobody reads them.
    header(COMMENTS)?;
    let setup = header(SETUP)?;
    let params = parameters(&headers)?;
    let mut sink = Sink::new(FORMAT, &params)?;
    check_codebooks(&setup).map_err(|reason| FORMAT.fails(reason))?;
    headers.extend(setup);
    let params = AudioCodecParameters { extra_data: Some(headers.into()), ..params };
    let options = AudioDecoderOptions::default();
    let decoder = VorbisDecoder::try_new(&params, &options);
    let mut decoder = decoder.map_err(|error| FORMAT.explain(&error))?;

    let mut span = Span::default();
    while let Some(packet) = next()? {
        if Instant::now() >= deadline {
            return Err(DecodeError::TooSlow);
        }
        if !packet.data.is_empty() {
            // Its time is not used: nothing is trimmed by the library.
            let data = LibraryPacket::new(0, Timestamp::ZERO, Duration::ZERO, packet.data);
            let buffer = decoder.decode(&data).map_err(|error| FORMAT.explain(&error))?;
            sink.push(&buffer)?;
        }
        if let Some(position) = packet.position {
            span.reach(position, sink.wav.frames(), packet.is_last);
        }
    }
    let present = sink.wav.frames();
    let (first, count) = span.frames().unwrap_or((0, present));
    let promised = first.saturating_add(count);
    if promised > present {
        return Err(WavError::Truncated { promised, present }.into());
    }
    sink.wav.keep(first, count);
    Ok(sink.wav)
}

/// What the identification tells.
fn parameters(identification: &[u8]) -> Result<AudioCodecParameters, DecodeError> {
    let Ok(bytes) = <&[u8; IDENTIFICATION_BYTES]>::try_from(identification) else {
        return Err(FORMAT.fails("its header is incomplete"));
    };
    if bytes[11] > MAX_VORBIS_CHANNELS {
        return Err(FORMAT.fails("it has more than two channels: send it as WAV or FLAC"));
    }
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(CODEC_ID_VORBIS)
        .with_channels(Channels::Discrete(bytes[11].into()))
        .with_sample_rate(u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]));
    Ok(params)
}

/// Which of the decoded frames are the sound's.
#[derive(Debug, Default)]
struct Span {
    /// How many more frames were decoded than the stream counts, at the first page that tells. The frames
    /// before the first are to be left out; if it is negative, the stream was cut from a longer one.
    ahead: Option<i64>,
    /// The last position.
    end: i64,
}

impl Span {
    /// A page ends at `position` in the stream, and `decoded` frames are there by then.
    fn reach(&mut self, position: u64, decoded: u64, is_last: bool) {
        self.end = i64::try_from(position).unwrap_or(i64::MAX);
        let decoded = decoded as i64;
        // With a single page it is not known which end the surplus belongs to: it is the encoder's last block.
        let is_single = self.ahead.is_none() && is_last && decoded > self.end;
        if decoded > 0 {
            self.ahead.get_or_insert(if is_single { 0 } else { decoded.saturating_sub(self.end) });
        }
    }

    /// The first frame, and how many there are from it on. `None` if no page has told.
    fn frames(&self) -> Option<(u64, u64)> {
        let ahead = self.ahead?;
        let end = self.end.saturating_add(ahead);
        let first = ahead.max(0);
        Some((first as u64, (end - first).max(0) as u64))
    }
}

/// Reads the codebooks as far as needed to know how much memory they take.
///
/// # Errors
/// If it is too much, or they cannot be read.
fn check_codebooks(setup: &[u8]) -> Result<(), &'static str> {
    const CUT_OFF: &str = "its header is incomplete";
    let mut bits = BitReaderRtl::new(setup.get(SETUP.len()..).unwrap_or_default());
    let mut read = |count| bits.read_bits_leq32(count).map_err(|_| CUT_OFF);
    let (mut all_entries, mut all_values) = (0, 0);
    for _ in 0..=read(8)? {
        if read(24)? != 0x56_4342 {
            return Err(CUT_OFF);
        }
        let (dimensions, entries) = (read(16)?, read(24)?);
        all_entries += u64::from(entries);
        if all_entries > MAX_ENTRIES {
            return Err("its codebooks are too large");
        }
        let is_ordered = read(1)? == 1;
        if is_ordered {
            read(5)?;
            let mut seen = 0;
            while seen < entries {
                seen += read(width(entries - seen))?;
            }
        } else {
            let is_sparse = read(1)? == 1;
            for _ in 0..entries {
                if !is_sparse || read(1)? == 1 {
                    read(5)?;
                }
            }
        }
        let lookup = read(4)?;
        if lookup == 0 {
            continue;
        }
        all_values += u64::from(entries) * u64::from(dimensions);
        if all_values > MAX_VALUES {
            return Err("its codebooks are too large");
        }
        read(32)?;
        read(32)?;
        let value_bits = read(4)? + 1;
        read(1)?;
        let values = if lookup == 1 { root(entries, dimensions) } else { entries * dimensions };
        for _ in 0..values {
            read(value_bits)?;
        }
    }
    Ok(())
}

/// How many bits a number takes.
fn width(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}

/// The largest number whose power to `dimensions` is at most `entries`.
fn root(entries: u32, dimensions: u32) -> u32 {
    let fits = |value: u64| {
        let mut power = 1_u64;
        (0..dimensions).all(|_| {
            power = power.saturating_mul(value);
            power <= u64::from(entries)
        })
    };
    let mut value = 0;
    // At most 2^16 entries, and a dimension or more.
    while dimensions > 0 && value < entries && fits(u64::from(value) + 1) {
        value += 1;
    }
    value
}

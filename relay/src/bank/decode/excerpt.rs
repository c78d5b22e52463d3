//! What the library is shown of a file: its audio, and none of its tags, pictures and markers.
//!
//! The library keeps each of them in memory, in many times the bytes that it takes in a file. A few megabytes
//! of empty tags would become gigabytes.

use std::{
    io::{self, Cursor, ErrorKind, Read},
    time::Instant,
};

use downbeat_samples::wav::{MAX_CHANNELS, WavError};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};

use super::{DecodeError, Format};

/// Largest `COMM` chunk of an AIFF file: 22 bytes, and the name of its compression.
const MAX_COMM_BYTES: usize = 22 + 256;

/// The length of the stream information of a FLAC file, which its first block contains.
const STREAM_INFO_BYTES: usize = 34;

/// The format that a file begins with, if it is one that can be decoded.
pub(super) fn format_of(file: &[u8]) -> Option<Format> {
    let file = without_id3(file);
    match file {
        [b'f', b'L', b'a', b'C', ..] => Some(Format::Flac),
        [b'O', b'g', b'g', b'S', ..] => Some(Format::OggVorbis),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => {
            Some(Format::Aiff)
        }
        // A frame of layer 3, of any version.
        [0xff, second, ..] if second & 0xe6 == 0xe2 => Some(Format::Mp3),
        _ => None,
    }
}

/// The file without the tags that some programs put before it.
fn without_id3(mut file: &[u8]) -> &[u8] {
    while let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = *file {
        // Seven bits of each.
        let size = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        let footer = if flags & 0x10 == 0 { 0 } else { 10 };
        file = file.get(10 + size + footer..).unwrap_or_default();
    }
    file
}

/// A header, and what follows it in the file.
pub(super) struct Excerpt<'a> {
    head: Vec<u8>,
    body: &'a [u8],
}

impl<'a> Excerpt<'a> {
    /// The excerpt of a file of this format.
    ///
    /// # Errors
    /// Why its header is unusable.
    pub(super) fn of(format: Format, file: &'a [u8]) -> Result<Self, DecodeError> {
        let file = without_id3(file);
        match format {
            Format::Flac => Self::of_flac(file).map_err(|reason| format.fails(reason)),
            Format::Aiff => Self::of_aiff(file),
            Format::Mp3 | Format::OggVorbis => Ok(Self { head: Vec::new(), body: file }),
        }
    }

    /// The first block of metadata, and the frames.
    fn of_flac(file: &'a [u8]) -> Result<Self, &'static str> {
        let mut rest = file.get(4..).unwrap_or_default();
        let mut head = Vec::new();
        loop {
            let (block, after) =
                rest.split_first_chunk::<4>().ok_or("its header ends too early")?;
            let [kind, a, b, c] = *block;
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            let body = after.get(..length).ok_or("its header ends too early")?;
            if head.is_empty() {
                if kind & 0x7f != 0 || length != STREAM_INFO_BYTES {
                    return Err("it does not begin with its stream information");
                }
                // Marked as the last block.
                head.extend(b"fLaC\x80\0\0\x22");
                head.extend(body);
            }
            rest = &after[length..];
            if kind & 0x80 != 0 {
                return Ok(Self { head, body: rest });
            }
        }
    }

    /// The chunks `COMM` and `SSND`, in this order.
    fn of_aiff(file: &'a [u8]) -> Result<Self, DecodeError> {
        let fails = |reason: &'static str| Format::Aiff.fails(reason);
        let mut rest = file.get(12..).unwrap_or_default();
        let (mut common, mut sound) = (None, None);
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            let present = &body[..body.len().min(length as usize)];
            match &head[..4] {
                b"COMM" if common.is_none() => common = Some(present),
                b"SSND" if sound.is_none() => sound = Some((length, present)),
                _ => {}
            }
            // Chunks begin at even offsets.
            rest = body.get(length.saturating_add(length % 2) as usize..).unwrap_or_default();
        }
        let common: &[u8] =
            common.ok_or_else(|| fails("it does not say how its sound is stored"))?;
        let (length, body) = sound.ok_or_else(|| fails("it has no sound"))?;
        if common.len() > MAX_COMM_BYTES {
            return Err(fails("its header is too long"));
        }
        // The library multiplies it without a check.
        if let [a, b, ..] = *common
            && u16::from_be_bytes([a, b]) > MAX_CHANNELS
        {
            return Err(WavError::Channels(u16::from_be_bytes([a, b])).into());
        }
        let padded = common.len() + common.len() % 2;
        let total = length.saturating_add(4 + 8 + padded as u32 + 8);
        let mut head = b"FORM".to_vec();
        head.extend(total.to_be_bytes());
        head.extend(&file[8..12]);
        head.extend(b"COMM");
        head.extend((common.len() as u32).to_be_bytes());
        head.extend(common);
        head.resize(12 + 8 + padded, 0);
        head.extend(b"SSND");
        head.extend(length.to_be_bytes());
        Ok(Self { head, body })
    }

    /// A stream for the library, which ends at the `deadline`. It cannot seek: a reader that can looks for more
    /// in the file, and guesses the length of an MP3 file, by which it cuts its end.
    pub(super) fn open(self, deadline: Instant) -> MediaSourceStream<'a> {
        let source = Cursor::new(self.head).chain(self.body);
        let source = ReadOnlySource::new(Timed { source, deadline });
        MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default())
    }
}

/// Reads until the deadline.
struct Timed<R> {
    source: R,
    deadline: Instant,
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        self.source.read(buffer)
    }
}

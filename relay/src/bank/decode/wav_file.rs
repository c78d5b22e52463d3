//! Writes a WAV file of integers, with 16 or 24 bits, in memory.

use super::{DecodeError, MAX_WAV_BYTES};

/// Size of the header, in bytes: RIFF, an extensible format, and the head of the data.
const EXTENSIBLE_HEADER: usize = 12 + 8 + 40 + 8;
const PLAIN_HEADER: usize = 12 + 8 + 16 + 8;

/// The sub-format of an extensible format with integers: `KSDATAFORMAT_SUBTYPE_PCM`.
const PCM_GUID: &[u8; 16] = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// A WAV file that is being written.
#[derive(Debug)]
pub(super) struct WavFile {
    channels: u16,
    /// A bit for the loudspeaker of each channel, or 0.
    mask: u32,
    rate: u32,
    /// Bytes of a value.
    width: usize,
    /// With space for the header at its beginning.
    bytes: Vec<u8>,
}

impl WavFile {
    /// A file without frames.
    pub(super) fn new(channels: u16, rate: u32, has_16_bits: bool) -> Self {
        let width = if has_16_bits { 2 } else { 3 };
        let mut file = Self { channels, mask: 0, rate, width, bytes: Vec::new() };
        file.bytes.resize(file.header_bytes(), 0);
        file
    }

    /// Tells which loudspeaker each channel is for: a bit of each, in the order of the channels.
    pub(super) fn set_mask(&mut self, mask: u32) {
        self.mask = mask;
    }

    /// Bytes of a frame.
    fn frame_bytes(&self) -> usize {
        self.width * usize::from(self.channels)
    }

    /// With more than two channels the header tells which is which.
    fn header_bytes(&self) -> usize {
        if self.channels > 2 { EXTENSIBLE_HEADER } else { PLAIN_HEADER }
    }

    pub(super) fn frames(&self) -> u64 {
        ((self.bytes.len() - self.header_bytes()) / self.frame_bytes()) as u64
    }

    /// Whether `frames` more still fit.
    pub(super) fn has_space_for(&self, frames: u64) -> bool {
        let more = frames.saturating_mul(self.frame_bytes() as u64);
        more <= (MAX_WAV_BYTES - self.bytes.len()) as u64
    }

    /// Adds interleaved values, full scale at ±1. What is beyond is clipped.
    pub(super) fn add(&mut self, values: &[f64]) -> Result<(), DecodeError> {
        if !self.has_space_for((values.len() / usize::from(self.channels)) as u64) {
            return Err(DecodeError::TooLong);
        }
        let scale = f64::from(1_u32 << (8 * self.width - 1));
        for value in values {
            let value = (value * scale).round().clamp(-scale, scale - 1.0) as i32;
            self.bytes.extend_from_slice(&value.to_le_bytes()[..self.width]);
        }
        Ok(())
    }

    pub(super) fn add_silence(&mut self, frames: u64) -> Result<(), DecodeError> {
        if !self.has_space_for(frames) {
            return Err(DecodeError::TooLong);
        }
        let more = frames as usize * self.frame_bytes();
        self.bytes.resize(self.bytes.len() + more, 0);
        Ok(())
    }

    /// Removes `frames` at the beginning, and those after the `count` that follow.
    pub(super) fn keep(&mut self, frames: u64, count: u64) {
        let (start, frame_bytes) = (self.header_bytes(), self.frame_bytes());
        let first = frames.min(self.frames()) as usize * frame_bytes;
        self.bytes.drain(start..start + first);
        self.bytes.truncate(start + count.min(self.frames()) as usize * frame_bytes);
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let (start, frame_bytes) = (self.header_bytes(), self.frame_bytes() as u32);
        let data = (self.bytes.len() - start) as u32;
        // Chunks have an even size.
        if data % 2 == 1 {
            self.bytes.push(0);
        }
        let bits = 8 * self.width as u16;
        let mut head = Vec::with_capacity(start);
        head.extend(b"RIFF");
        head.extend((self.bytes.len() as u32 - 8).to_le_bytes());
        head.extend(b"WAVEfmt ");
        let is_extensible = start == EXTENSIBLE_HEADER;
        head.extend(if is_extensible { 40_u32 } else { 16 }.to_le_bytes());
        head.extend(if is_extensible { 0xfffe_u16 } else { 1 }.to_le_bytes());
        head.extend(self.channels.to_le_bytes());
        head.extend(self.rate.to_le_bytes());
        head.extend((self.rate * frame_bytes).to_le_bytes());
        head.extend((frame_bytes as u16).to_le_bytes());
        head.extend(bits.to_le_bytes());
        if is_extensible {
            head.extend(22_u16.to_le_bytes());
            head.extend(bits.to_le_bytes());
            head.extend(self.mask.to_le_bytes());
            head.extend(PCM_GUID);
        }
        head.extend(b"data");
        head.extend(data.to_le_bytes());
        self.bytes[..start].copy_from_slice(&head);
        self.bytes.shrink_to_fit();
        self.bytes
    }
}

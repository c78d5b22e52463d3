//! Writes WAV files for the tests' banks: valid files, and invalid files of each kind.

use std::path::Path;

use anyhow::{Context, Result};

/// Frames of a valid file.
const FRAMES: u32 = 4_800;

/// Writes a valid file: a tenth of a second of a tone, mono, 16 bits, 48 kHz.
///
/// # Errors
/// If the file cannot be written.
pub fn write_good(file: &Path) -> Result<()> {
    write(file, &good())
}

/// Writes invalid files: headers that contradict the data, and unplayable formats. The names say
/// what is wrong.
///
/// Returns the names of the files in `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn write_broken(folder: &Path) -> Result<Vec<&'static str>> {
    let good = good();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let files = [
        ("truncated.wav", good[..good.len() / 2].to_vec()),
        ("cut-in-header.wav", good[..30].to_vec()),
        ("empty.wav", Vec::new()),
        ("wrong-header.wav", with(0, b"RIFX")),
        ("not-a-wav.wav", b"I am a text with the wrong name.\n".repeat(20)),
        ("zero-frames.wav", header(0, 48_000).to_vec()),
        ("zero-hertz.wav", with(RATE_AT, &0_u32.to_le_bytes())),
        ("one-gigabyte.wav", with(DATA_BYTES_AT, &0x4000_0000_u32.to_le_bytes())),
        ("no-channels.wav", with(CHANNELS_AT, &0_u16.to_le_bytes())),
    ];
    let mut names = Vec::new();
    for (name, bytes) in files {
        write(&folder.join(name), &bytes)?;
        names.push(name);
    }
    Ok(names)
}

const CHANNELS_AT: usize = 22;
const RATE_AT: usize = 24;
const DATA_BYTES_AT: usize = 40;

fn good() -> Vec<u8> {
    let tone = (0..FRAMES).map(|frame| (f64::from(frame) * 0.1).sin() * 8000.0);
    let tone = tone.flat_map(|value| (value as i16).to_le_bytes());
    header(FRAMES, 48_000).into_iter().chain(tone).collect()
}

/// The 44 bytes of the simplest header (Microsoft and IBM, Multimedia Programming Interface and
/// Data Specifications 1.0).
fn header(frames: u32, rate: u32) -> [u8; 44] {
    let data_bytes = 2 * frames;
    let mut header = [0; 44];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RIFF");
    put(4, &(36 + data_bytes).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16_u32.to_le_bytes());
    put(20, &1_u16.to_le_bytes()); // integers
    put(CHANNELS_AT, &1_u16.to_le_bytes());
    put(RATE_AT, &rate.to_le_bytes());
    put(28, &(2 * rate).to_le_bytes()); // bytes per second
    put(32, &2_u16.to_le_bytes()); // bytes per frame
    put(34, &16_u16.to_le_bytes()); // bits per value
    put(36, b"data");
    put(DATA_BYTES_AT, &data_bytes.to_le_bytes());
    header
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
}

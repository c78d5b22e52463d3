//! The WAV reader: accepted files, and the errors for rejected ones.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fmt::Write, io::Cursor};

use downbeat_samples::{
    EMBEDDED,
    wav::{MAX_CHANNELS, MAX_VALUES, WavError, WavInfo, decode, inspect},
};
use hound::{Sample, SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;

fn written<S: Sample + Copy>(spec: WavSpec, values: &[S]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for value in values {
        writer.write_sample(*value).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn integers(bits_per_sample: u16, channels: u16, values: &[i32]) -> Vec<u8> {
    let sample_format = SampleFormat::Int;
    written(WavSpec { channels, sample_rate: 44_100, bits_per_sample, sample_format }, values)
}

fn floats(channels: u16, values: &[f32]) -> Vec<u8> {
    let sample_format = SampleFormat::Float;
    written(WavSpec { channels, sample_rate: 44_100, bits_per_sample: 32, sample_format }, values)
}

/// A file of chunks, padded to even lengths.
fn chunks(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
    for (name, body) in chunks {
        file.extend_from_slice(*name);
        file.extend_from_slice(&(body.len() as u32).to_le_bytes());
        file.extend_from_slice(body);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    file
}

/// The first 16 bytes of a `fmt ` chunk.
fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let frame_bytes = bits / 8 * channels;
    let mut format = Vec::new();
    format.extend_from_slice(&tag.to_le_bytes());
    format.extend_from_slice(&channels.to_le_bytes());
    format.extend_from_slice(&rate.to_le_bytes());
    format.extend_from_slice(&rate.wrapping_mul(frame_bytes.into()).to_le_bytes());
    format.extend_from_slice(&frame_bytes.to_le_bytes());
    format.extend_from_slice(&bits.to_le_bytes());
    format
}

/// A well-formed extension for integers.
fn extension(valid_bits: u16) -> Vec<u8> {
    let mut extension = vec![22, 0];
    extension.extend_from_slice(&valid_bits.to_le_bytes());
    extension.extend_from_slice(&[0; 4]);
    extension.extend_from_slice(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    extension
}

#[test]
fn every_bit_depth_decodes_to_the_same_levels() {
    for bits in [8, 16, 24, 32] {
        let full = 1_i64 << (bits - 1);
        let values = [0, -full, full / 2, -full / 4].map(|v| v as i32);
        let decoded = decode(&integers(bits, 1, &values)).unwrap();
        assert_eq!(decoded.samples, [0.0, -1.0, 0.5, -0.25], "{bits} bits");
    }
    let decoded = decode(&floats(1, &[0.0, -1.0, 0.5, 2.5])).unwrap();
    assert_eq!(decoded.samples, [0.0, -1.0, 0.5, 2.5]);
}

#[test]
fn all_channels_are_read_in_order() {
    for channels in 1..=MAX_CHANNELS {
        let values: Vec<i32> = (0..i32::from(channels) * 3).map(|v| v * 256).collect();
        let file = integers(16, channels, &values);
        let decoded = decode(&file).unwrap();
        assert_eq!((decoded.channels, decoded.rate), (channels, 44_100));
        let expected: Vec<f32> = values.iter().map(|v| *v as f32 / 32_768.0).collect();
        assert_eq!(decoded.samples, expected);
        assert_eq!(inspect(&file), Ok(WavInfo { frames: 3, rate: 44_100, channels }));
    }
}

#[test]
fn channels_have_the_loudspeakers_of_the_mask_or_the_default_ones() {
    let mask = |format: Vec<u8>| {
        let data = vec![1; 2 * usize::from(format[2])];
        decode(&chunks(&[(b"fmt ", &format), (b"data", &data)])).unwrap().mask
    };
    let usual = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3F, 0x70F, 0x63F];
    let extensible = |channels, mask: u32| {
        let mut extension = extension(16);
        extension[4..8].copy_from_slice(&mask.to_le_bytes());
        [format(0xFFFE, channels, 48_000, 16), extension].concat()
    };
    for (channels, usual) in (1..).zip(usual) {
        assert_eq!(mask(format(1, channels, 48_000, 16)), usual, "{channels} channels");
        assert_eq!(mask(extensible(channels, 0)), usual, "{channels} channels of no mask");
    }
    assert_eq!(mask(extensible(6, 0x60F)), 0x60F, "5.1 with side loudspeakers");
    assert_eq!(mask(extensible(3, 0xB)), 0xB, "2.1");
    assert_eq!(mask(extensible(6, 0x3)), 0x3F, "a mask that names two of six");
}

#[test]
fn files_of_common_programs_are_read() {
    let data: &[u8] = &[0, 0x40, 0, 0xC0];
    let plain = format(1, 1, 48_000, 16);
    let with = |extra: &[u8]| [plain.as_slice(), extra].concat();
    let wrong_byte_rate = [&plain[..8], &[1, 2, 3, 4], &plain[12..]].concat();
    let files = [
        ("a plain one", chunks(&[(b"fmt ", &plain), (b"data", data)])),
        ("an empty extension", chunks(&[(b"fmt ", &with(&[0, 0])), (b"data", data)])),
        ("a long description", chunks(&[(b"fmt ", &with(&[9; 34])), (b"data", data)])),
        ("an odd chunk first", chunks(&[(b"LIST", b"odd"), (b"fmt ", &plain), (b"data", data)])),
        ("an odd chunk between", chunks(&[(b"fmt ", &plain), (b"id3 ", b"x"), (b"data", data)])),
        ("a chunk behind", chunks(&[(b"fmt ", &plain), (b"data", data), (b"LIST", b"junk")])),
        ("a long fact", chunks(&[(b"fmt ", &plain), (b"fact", &[7; 12]), (b"data", data)])),
        ("a wrong byte rate", chunks(&[(b"fmt ", &wrong_byte_rate), (b"data", data)])),
        ("half a frame at the end", chunks(&[(b"fmt ", &plain), (b"data", &[0, 64, 0, 192, 5])])),
    ];
    for (what, file) in files {
        let decoded = decode(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(decoded.samples, [0.5, -0.5], "{what}");
    }

    let extensible = [format(0xFFFE, 1, 48_000, 24), extension(20)].concat();
    let file = chunks(&[(b"fmt ", &extensible), (b"data", &[0, 0, 0x40, 0, 0, 0xC0])]);
    assert_eq!(decode(&file).unwrap().samples, [0.5, -0.5], "20 bits of 24");

    let wide = [format(1, 1, 48_000, 32).as_slice(), &[0, 0]].concat();
    let file = chunks(&[(b"fmt ", &wide), (b"data", &[0, 0, 0, 0x40])]);
    assert_eq!(decode(&file).unwrap().samples, [0.5], "32 bits with an empty extension");

    let float = [format(3, 1, 48_000, 32).as_slice(), &[0; 24]].concat();
    let file = chunks(&[(b"fmt ", &float), (b"data", &0.5_f32.to_le_bytes())]);
    assert_eq!(decode(&file).unwrap().samples, [0.5], "float with a long description");
}

/// A file whose header has these two lengths.
fn with_lengths(riff: u32, data: u32) -> Vec<u8> {
    let mut file =
        chunks(&[(b"fmt ", &format(1, 1, 48_000, 16)), (b"data", &[0, 0x40, 0, 0xC0, 0, 0x20])]);
    file[4..8].copy_from_slice(&riff.to_le_bytes());
    file[40..44].copy_from_slice(&data.to_le_bytes());
    file
}

#[test]
fn a_file_without_a_valid_length_plays_all_of_its_frames() {
    let lengths = [
        ("ffmpeg into a pipe", u32::MAX, u32::MAX),
        ("4 GiB less a header", u32::MAX - 8, u32::MAX - 44),
        ("sox into a pipe", 0x7FFF_F024, 0x7FFF_F000),
        ("2 GiB less one", 0x7FFF_FFFF, 0x7FFF_FFFF),
        ("arecord that was killed", 0x8000_0024, 0x8000_0000),
        ("a recorder that wrote zeros", 0, 0),
        ("a recorder that began with an empty file", 36, 0),
    ];
    for (what, riff, data) in lengths {
        let decoded = decode(&with_lengths(riff, data));
        assert_eq!(decoded.map(|wav| wav.samples), Ok(vec![0.5, -0.5, 0.25]), "{what}");
    }
}

#[test]
fn a_plausible_length_beyond_the_end_is_rejected() {
    for length in [8, 1_000_000, 0x4000_0000, 0xC000_0000] {
        let errors = inspect(&with_lengths(length + 36, length));
        assert!(
            matches!(errors, Err(WavError::Truncated { present: 3, .. })),
            "{length}: {errors:?}"
        );
    }
    // The file's own length implies that something follows the empty data.
    assert_eq!(inspect(&with_lengths(42, 0)), Err(WavError::NoFrames));
}

#[test]
fn valid_bits_are_read_at_either_end_of_their_container() {
    let extensible =
        |container, valid| [format(0xFFFE, 1, 48_000, container), extension(valid)].concat();
    let plain = |bits: u8, container| {
        let mut format = format(1, 1, 48_000, container);
        format[14] = bits;
        format
    };
    let files: [(&str, Vec<u8>, &[u8]); 9] = [
        ("24 in 32, left", extensible(32, 24), &[0, 0, 0, 0x40, 0, 0, 0, 0xC0, 0, 1, 0, 0]),
        ("24 in 32, plain, left", plain(24, 32), &[0, 0, 0, 0x40, 0, 0, 0, 0xC0, 0, 1, 0, 0]),
        ("24 in 32, right", plain(24, 32), &[0, 0, 0x40, 0, 0, 0, 0xC0, 0xFF, 1, 0, 0, 0]),
        ("24 in 32, right, no sign", plain(24, 32), &[0, 0, 0x40, 0, 0, 0, 0xC0, 0, 1, 0, 0, 0]),
        ("20 in 24", extensible(24, 20), &[0, 0, 0x40, 0, 0, 0xC0, 0x10, 0, 0]),
        ("16 in 24", extensible(24, 16), &[0, 0, 0x40, 0, 0, 0xC0, 0, 1, 0]),
        ("20 in 24, plain", plain(20, 24), &[0, 0, 0x40, 0, 0, 0xC0, 0x10, 0, 0]),
        ("12 in 16", extensible(16, 12), &[0, 0x40, 0, 0xC0, 0x10, 0]),
        ("12 in 16, plain", plain(12, 16), &[0, 0x40, 0, 0xC0, 0x10, 0]),
    ];
    let least = [0.5_f32.powi(23), 0.5_f32.powi(19), 0.5_f32.powi(15), 0.5_f32.powi(11)];
    for (what, format, data) in files {
        let samples = decode(&chunks(&[(b"fmt ", &format), (b"data", data)])).unwrap().samples;
        assert_eq!(samples[..2], [0.5, -0.5], "{what}");
        assert!(least.contains(&samples[2]), "{what}: {}", samples[2]);
    }
}

#[test]
fn values_that_fit_both_alignments_are_taken_as_right_aligned() {
    let mut format = format(1, 1, 48_000, 32);
    format[14] = 24;
    let wav =
        |data: &[u8]| decode(&chunks(&[(b"fmt ", &format), (b"data", data)])).unwrap().samples;
    // 16 bits in S24_LE, or left-aligned 24 bits below -48 dB.
    assert_eq!(wav(&[0, 0, 0x40, 0, 0, 0, 0xC0, 0xFF]), [0.5, -0.5]);
    // One louder value decides for the whole file.
    assert_eq!(wav(&[0, 0, 0x40, 0, 0, 0, 0, 0x40]), [0.5 / 256.0, 0.5]);
}

#[test]
fn rf64_and_bw64_files_are_read_by_their_64_bit_lengths() {
    for name in [b"RF64", b"BW64"] {
        for (bytes, expected) in [(4_u64, Ok(2)), (u64::MAX, Ok(3)), (0, Ok(3)), (8, Err(4))] {
            let mut lengths = [0; 28];
            lengths[8..16].copy_from_slice(&bytes.to_le_bytes());
            let plain = format(1, 1, 48_000, 16);
            let data = [0, 0x40, 0, 0xC0, 0, 0x20];
            let mut file = chunks(&[(b"ds64", &lengths), (b"fmt ", &plain), (b"data", &data)]);
            file[..4].copy_from_slice(name);
            file[76..80].fill(0xFF);
            let frames = decode(&file).map(|wav| wav.samples.len());
            let expected =
                expected.map_err(|promised| WavError::Truncated { promised, present: 3 });
            assert_eq!(frames, expected, "{bytes} bytes");
        }
    }
}

#[test]
fn floats_of_64_bits_are_read() {
    let wav = |values: [f64; 2]| {
        let data = values.map(f64::to_le_bytes).concat();
        chunks(&[(b"fmt ", &format(3, 1, 48_000, 64)), (b"data", &data)])
    };
    assert_eq!(decode(&wav([0.5, -2.0])).unwrap().samples, [0.5, -2.0]);
    for wrong in [f64::NAN, f64::INFINITY, 1e300, -65.0] {
        assert!(matches!(inspect(&wav([0.0, wrong])), Err(WavError::Level { frame: 1, .. })));
    }
}

/// The error for each broken file, as a readable list.
#[test]
fn each_broken_file_is_rejected_with_its_own_message() {
    let plain = format(1, 1, 48_000, 16);
    let data: &[u8] = &[1, 2, 3, 4];
    let wav = |format: &[u8], data: &[u8]| chunks(&[(b"fmt ", format), (b"data", data)]);
    let mut cut = integers(16, 2, &[7; 2000]);
    cut.truncate(cut.len() - 1000);
    let mut claims_1_gb = wav(&plain, data);
    claims_1_gb[40..44].copy_from_slice(&0x4000_0000_u32.to_le_bytes());
    let mut odd_frame = plain.clone();
    odd_frame[12] = 3;
    odd_frame[2] = 2;

    let files = [
        ("empty", vec![]),
        ("a picture", b"\x89PNG\r\n\x1a\n and so on".to_vec()),
        ("only a head", b"RIFF\x04\0\0\0WAVE".to_vec()),
        ("no description", chunks(&[(b"data", data)])),
        ("a short description", wav(&plain[..12], data)),
        ("frames that do not divide", wav(&odd_frame, data)),
        ("cut off", cut),
        ("1 GB claimed", claims_1_gb),
        ("no frames", wav(&plain, &[])),
        ("0 Hz", wav(&format(1, 1, 0, 16), data)),
        ("1 MHz", wav(&format(1, 1, 1_000_000, 16), data)),
        ("no channels", wav(&format(1, 0, 48_000, 16), data)),
        ("nine channels", wav(&format(1, 9, 48_000, 16), data)),
        ("24 bits in 2 bytes", wav(&[&plain[..14], &[24, 0]].concat(), data)),
        ("RIFX", [b"RIFX", &wav(&plain, data)[4..]].concat()),
        ("16-bit float", wav(&format(3, 1, 48_000, 16), data)),
        ("64-bit integer", wav(&format(1, 1, 48_000, 64), &[0; 16])),
        ("ADPCM", wav(&format(2, 1, 48_000, 16), data)),
        ("A-law", wav(&format(6, 1, 8_000, 8), data)),
        ("a format nobody knows", wav(&format(0x1234, 1, 48_000, 16), data)),
        ("another extension", wav(&[format(0xFFFE, 1, 48_000, 16), vec![22; 24]].concat(), data)),
        ("not a number", floats(2, &[0.0, 0.0, 0.0, f32::NAN])),
        ("infinite", floats(1, &[f32::INFINITY])),
        ("integers stored as float", floats(1, &[0.0, 12_000.0])),
    ];
    let mut errors = String::new();
    for (what, file) in &files {
        let error = inspect(file).expect_err(what);
        // Compared as text, since NaN is not equal to itself.
        assert_eq!(decode(file).expect_err(what).to_string(), error.to_string(), "{what}");
        writeln!(errors, "{what}: {error}").unwrap();
    }
    let expected = "\
empty: not a WAV file: it does not begin with RIFF and WAVE
a picture: not a WAV file: it does not begin with RIFF and WAVE
only a head: not a WAV file: it has no data chunk
no description: not a WAV file: it does not say how its data is stored
a short description: not a WAV file: its description is too short
frames that do not divide: not a WAV file: it claims 3 bytes for a frame of 2 channels
cut off: the file is cut off: its header declares 1000 frames, but only 750 are there
1 GB claimed: the file is cut off: its header declares 536870912 frames, but only 2 are there
no frames: the file has no frames: there is nothing to play
0 Hz: a rate of 0 Hz cannot be played: it must be 1000 to 768000 Hz
1 MHz: a rate of 1000000 Hz cannot be played: it must be 1000 to 768000 Hz
no channels: 0 channels cannot be played: there must be 1 to 8
nine channels: 9 channels cannot be played: there must be 1 to 8
24 bits in 2 bytes: an integer of 24 bits in 2 bytes is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
RIFX: RIFX (a WAV of big-endian values) is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
16-bit float: floating point of 16 bits in 2 bytes is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
64-bit integer: an integer of 64 bits in 8 bytes is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
ADPCM: ADPCM is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
A-law: A-law is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
a format nobody knows: format 0x1234 is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
another extension: an extensible format of another kind is not supported: save it as 8, 16, 24 or 32-bit integers or as 32 or 64-bit float
not a number: frame 1 holds NaN, which is not an audio level (full scale is 1.0)
infinite: frame 0 holds inf, which is not an audio level (full scale is 1.0)
integers stored as float: frame 1 holds 12000, which is not an audio level (full scale is 1.0)
";
    assert_eq!(errors, expected);
}

#[test]
fn a_file_beyond_the_limit_is_rejected_before_it_is_decoded() {
    let values = MAX_VALUES as usize + 1;
    let mut file = chunks(&[(b"fmt ", &format(1, 1, 48_000, 8)), (b"data", &[])]);
    file[40..44].copy_from_slice(&(values as u32).to_le_bytes());
    file.resize(44 + values, 128);
    assert_eq!(inspect(&file), Err(WavError::TooLong(values as u64)));
    assert_eq!(decode(&file), Err(WavError::TooLong(values as u64)));
}

proptest! {
    /// Any mutation of a header gives a result, and `inspect` and `decode` agree.
    #[test]
    fn no_mutation_panics(
        kind in 0..6_usize,
        changes in prop::collection::vec((0..68_usize, any::<u8>()), 0..12),
        length in 0..140_usize,
    ) {
        let mut file = match kind {
            0 => integers(8, 1, &[1, -2, 3, -4]),
            1 => integers(16, 2, &[1, -2, 3, -4]),
            2 => integers(24, 3, &[1, -2, 3, -4, 5, -6]),
            3 => integers(32, 8, &[9; 16]),
            4 => floats(2, &[0.5, -0.5, 0.25, 1.0]),
            _ => chunks(&[
                (b"fmt ", &[format(0xFFFE, 1, 48_000, 24), extension(20)].concat()),
                (b"data", &[0; 9]),
            ]),
        };
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        file.truncate(length);
        match (inspect(&file), decode(&file)) {
            (Ok(info), Ok(decoded)) => {
                let values = info.frames * u64::from(info.channels);
                prop_assert_eq!(decoded.samples.len() as u64, values);
                prop_assert!(values <= file.len() as u64);
                prop_assert!(decoded.samples.iter().all(|value| value.is_finite()));
                prop_assert_eq!((decoded.rate, decoded.channels), (info.rate, info.channels));
            }
            (Err(inspected), Err(decoded)) => {
                prop_assert_eq!(inspected.to_string(), decoded.to_string());
            }
            (inspected, decoded) => prop_assert!(false, "{:?} but {:?}", inspected, decoded.err()),
        }
    }

    #[test]
    fn no_bytes_whatever_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let file = chunks(&[(b"fmt ", &bytes[..bytes.len() / 2]), (b"data", &bytes)]);
        prop_assert_eq!(inspect(&file).is_ok(), decode(&file).is_ok());
        prop_assert!(inspect(&bytes).is_err());
    }
}

#[test]
fn the_embedded_bank_is_accepted() {
    for sound in EMBEDDED {
        inspect(sound.wav).unwrap_or_else(|error| panic!("{}: {error}", sound.name));
    }
}

//! Real files of each format, and files that were made to harm.

use std::path::{Path, PathBuf};

use downbeat_samples::speakers::usual_mask;

use super::*;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/audio")
}

fn vector(name: &str) -> Bytes {
    std::fs::read(vectors().join(name)).unwrap().into()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn decoded(file: &Bytes) -> Result<wav::Decoded, DecodeError> {
    let (wav, info) = to_wav(file, soon())?;
    let decoded = wav::decode(&wav).unwrap();
    assert_eq!(decoded.samples.len() as u64, info.frames * u64::from(info.channels));
    Ok(decoded)
}

fn error(file: impl Into<Bytes>) -> String {
    let error = decoded(&file.into()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

/// The energy of the difference of two sounds, as a part of that of the second, after a check that they have the
/// same length.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let energy: f32 = b.iter().map(|b| b * b).sum();
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / energy
}

#[test]
fn a_wav_file_is_kept_byte_for_byte() {
    let file = vector("pluck.wav");
    let (wav, info) = to_wav(&file, soon()).unwrap();
    assert_eq!((wav, info.frames, info.rate, info.channels), (file, 7000, 44_100, 1));
}

#[test]
fn lossless_files_become_exactly_what_they_were_made_of() {
    for (name, original) in
        [("pluck.flac", "pluck.wav"), ("pluck24.flac", "pluck24.wav"), ("pluck.aiff", "pluck.wav")]
    {
        let (wav, _) = to_wav(&vector(name), soon()).unwrap();
        let (decoded, expected) =
            (wav::decode(&wav).unwrap(), wav::decode(&vector(original)).unwrap());
        assert_eq!((decoded.rate, decoded.channels), (expected.rate, expected.channels), "{name}");
        assert_eq!(decoded.samples, expected.samples, "{name}");
        // As many bits as the source has.
        assert_eq!(
            u16::from_le_bytes([wav[34], wav[35]]),
            if name.contains("24") { 24 } else { 16 }
        );
    }
}

#[test]
fn lossy_files_have_the_length_and_the_onset_of_what_they_were_made_of() {
    let original = wav::decode(&vector("pluck.wav")).unwrap();
    for name in ["pluck.ogg", "pluck.mp3", "pluck-vbr.mp3"] {
        let decoded = decoded(&vector(name)).unwrap();
        assert_eq!((decoded.rate, decoded.channels), (44_100, 1));
        let far = difference(&decoded.samples, &original.samples);
        assert!(far < 0.02, "{name} is {far} off");
        let correlation = |shift: usize| -> f32 {
            decoded.samples[shift..].iter().zip(&original.samples[20..]).map(|(a, b)| a * b).sum()
        };
        let best = (0..=40).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap();
        assert_eq!(best, 20, "{name} is shifted");
    }
}

#[test]
fn each_channel_is_for_its_loudspeaker() {
    let surround = decoded(&vector("surround.flac")).unwrap();
    assert_eq!((surround.channels, surround.samples.len()), (6, 6 * 3000));
    assert_eq!(surround.mask, usual_mask(6).unwrap());
    for (channel, value) in surround.samples[6 * 1500..][..6].iter().enumerate() {
        let level = 0.1 * (1 + channel) as f32;
        assert!((value - level).abs() < 1e-4, "{channel} is at {value}");
    }
}

#[test]
fn ogg_vorbis_with_more_than_two_channels_is_refused() {
    let identification = b"\x01vorbis\0\0\0\0\x06\x80\xbb\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb8\x01";
    let headers: [&[u8]; 3] = [identification, b"\x03vorbis", b"\x05vorbis"];
    let message = error(ogg::tests::page(2, 0, 1, &headers));
    assert!(message.contains("more than two channels: send it as WAV or FLAC"), "{message}");
}

#[test]
fn tags_and_pictures_are_skipped() {
    let id3 = |size: u8, flags: u8| [b"ID3\x04\0", &[flags, 0, 0, 1, size][..], &[7; 128]].concat();
    let tags = [id3(0, 0), id3(0, 0)].concat();
    for name in ["pluck.mp3", "pluck.flac"] {
        let file = vector(name);
        let plain = decoded(&file).unwrap();
        assert_eq!(decoded(&[&tags[..], &file].concat().into()).unwrap(), plain, "{name}");
    }
    // A tag at the end, as older programs write it.
    let file = [&vector("pluck.mp3")[..], b"TAG", &[b' '; 125]].concat();
    assert_eq!(decoded(&file.into()).unwrap(), decoded(&vector("pluck.mp3")).unwrap());
    // A block of comments that promises more than it has, between header and frames of a FLAC file.
    let flac = vector("pluck.flac");
    let comments = [b"\x04\0\0\x08".as_slice(), &[0xff; 8]].concat();
    let file = [&flac[..42], &comments, &flac[42..]].concat();
    assert_eq!(decoded(&file.into()).unwrap(), decoded(&flac).unwrap());
    // A chunk in front of the others in an AIFF file.
    let aiff = vector("pluck.aiff");
    let file = [&aiff[..12], b"ANNO\0\0\0\x03odd\0", &aiff[12..]].concat();
    assert_eq!(decoded(&file.into()).unwrap(), decoded(&aiff).unwrap());
}

#[test]
fn an_mp3_file_that_was_cut_from_a_longer_one_keeps_its_time() {
    let file = vector("pluck.mp3");
    // The frames have 313 or 314 bytes; the first one describes the others.
    let cut = file.slice(313 * 3..);
    let whole = decoded(&file).unwrap();
    let start = cut.windows(2).position(|pair| pair == [0xff, 0xfb]).unwrap();
    let part = decoded(&cut.slice(start..)).unwrap();
    assert_eq!(part.samples.len() % 1152, 0, "whole frames");
    assert!(part.samples.len() < whole.samples.len() + 1152);
}

#[test]
fn what_is_no_sound_is_named() {
    for file in
        [&b""[..], b"x", b"hello world, this is a text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]
    {
        assert!(error(file).contains("no sound file: send a WAV"), "{}", error(file));
    }
    assert!(error(&b"RIFF\x04\0\0\0WAVE"[..]).contains("not a WAV file"));
    let opus = ogg::tests::page(2, 0, 1, &[b"OpusHead\x01\x02"]);
    assert!(error(opus).contains("no Vorbis: save it as"));
    // Formats in a WAV file that players do not read.
    let mut adpcm = vector("pluck.wav").to_vec();
    adpcm[20..22].copy_from_slice(&[2, 0]);
    assert!(error(adpcm).contains("ADPCM is not supported: save it as"));
}

#[test]
fn headers_that_promise_gigabytes_are_refused_at_once() {
    // 2^36 - 1 frames.
    let mut flac = vector("pluck.flac").to_vec();
    flac[21] |= 0x0f;
    flac[22..26].fill(0xff);
    let message = error(flac);
    assert!(message.contains("too long: as a WAV file it has more than 96 MiB"), "{message}");
    // A block of metadata of 16 MiB that is not there.
    let file = [&vector("pluck.flac")[..42], b"\x86\xff\xff\xff"].concat();
    assert!(error(file).contains("ends too early"));
    let mut wav = vector("pluck.wav").to_vec();
    wav[64..68].copy_from_slice(&0x7ffe_0000_u32.to_le_bytes());
    let message = error(wav);
    assert!(message.contains("cut off: its header declares"), "{message}");
    let mut aiff = vector("pluck.aiff").to_vec();
    let at = aiff.windows(4).position(|name| name == b"SSND").unwrap() + 4;
    aiff[at..at + 4].copy_from_slice(&0xf000_0000_u32.to_be_bytes());
    let message = error(aiff);
    assert!(message.contains("too long"), "{message}");
    let mut channels = vector("pluck.aiff").to_vec();
    let at = channels.windows(4).position(|name| name == b"COMM").unwrap() + 8;
    channels[at..at + 2].fill(0xff);
    assert!(error(channels).contains("65535 channels cannot be played"));
}

#[test]
fn codebooks_that_would_take_gigabytes_are_refused() {
    // 256 codebooks of 131 000 vectors of 32 values, in 20 bytes each.
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    put(255, 8);
    for _ in 0..256 {
        for (value, count) in [(0x56_4342, 24), (32, 16), (1 << 17, 24)] {
            put(value, count);
        }
        // All of the same length, 17 bits.
        for (value, count) in [(1, 1), (16, 5), (1 << 17, 18)] {
            put(value, count);
        }
        for (value, count) in [(1, 4), (0, 32), (0, 32), (0, 4), (0, 1), (0, 1)] {
            put(value, count);
        }
    }
    let bytes = bits
        .chunks(8)
        .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at));
    let setup = [b"\x05vorbis".to_vec(), bytes.collect()].concat();
    let identification =
        b"\x01vorbis\0\0\0\0\x01\x80\xbb\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb8\x01".to_vec();
    let segments = [vec![255; setup.len() / 255], vec![(setup.len() % 255) as u8]].concat();
    let file = [
        ogg::tests::page(2, 0, 1, &[&identification]),
        ogg::tests::page(0, 0, 1, &[b"\x03vorbis"]),
        ogg::tests::page_of(0, 0, 1, &segments, &setup),
    ]
    .concat();
    assert!(file.len() < 10_000, "{}", file.len());
    assert!(error(file).contains("codebooks are too large"));
}

#[test]
fn a_small_file_that_becomes_a_large_one_is_refused() {
    let mut sink = WavFile::new(8, 48_000, true);
    assert!(sink.has_space_for(MAX_WAV_BYTES as u64 / 16 - 8));
    assert!(!sink.has_space_for(MAX_WAV_BYTES as u64 / 16));
    assert!(!sink.has_space_for(u64::MAX));
    assert!(matches!(sink.add_silence(u64::MAX), Err(DecodeError::TooLong)));
    let tenth = MAX_WAV_BYTES as u64 / 160 + 1;
    let added = (0..20).take_while(|_| sink.add_silence(tenth).is_ok()).count();
    assert_eq!(added, 9, "with its header the tenth does not fit");
}

#[test]
fn a_file_that_is_cut_off_or_damaged_is_refused() {
    for name in ["pluck.flac", "pluck24.flac", "pluck.aiff", "pluck.ogg"] {
        let file = vector(name);
        for length in [20, 50, file.len() / 2, file.len() - 100] {
            let error = error(file.slice(..length));
            let known =
                ["cut off", "too early", "incomplete", "no sound", "how its sound is stored"];
            assert!(known.iter().any(|text| error.contains(text)), "{name} of {length}: {error}");
        }
    }
    // Nothing panics or is accepted with another length, wherever a byte is wrong.
    for name in ["pluck.flac", "pluck.ogg", "pluck.aiff", "surround.flac", "pluck.mp3"] {
        let file = vector(name);
        let frames = decoded(&file).unwrap().samples.len();
        for at in (0..file.len()).step_by(file.len() / 60) {
            let mut wrong = file.to_vec();
            wrong[at] ^= 0x55;
            if let Ok(decoded) = decoded(&wrong.into())
                && name != "pluck.mp3"
                && at > 60
            {
                assert_eq!(decoded.samples.len(), frames, "{name} at {at}");
            }
        }
    }
}

#[test]
fn a_small_file_has_ten_seconds_and_the_largest_one_a_minute() {
    assert_eq!(decode_time(1000), Duration::from_secs(10));
    assert_eq!(decode_time(10 << 20), Duration::from_secs(15));
    assert_eq!(decode_time(MAX_WAV_BYTES), Duration::from_secs(58));
}

#[test]
fn decoding_ends_at_its_deadline() {
    for name in ["pluck.flac", "pluck.mp3", "pluck.aiff", "pluck.ogg"] {
        let error = to_wav(&vector(name), Instant::now()).unwrap_err();
        assert!(matches!(error, DecodeError::TooSlow), "{name}: {error}");
    }
}

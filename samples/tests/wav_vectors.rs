//! The files of `tests/vectors/wav.json`, which also test the page's reader: browser and player
//! decode the same frames, and reject the same files with the same messages.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use downbeat_samples::wav::{decode, inspect};
use serde_json::Value;

/// The bytes of a file: hexadecimal digits, and text between apostrophes.
fn bytes(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in notation.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits = part.replace(' ', "");
        for pair in digits.as_bytes().chunks(2) {
            let pair = std::str::from_utf8(pair).unwrap();
            bytes.push(u8::from_str_radix(pair, 16).unwrap());
        }
    }
    bytes
}

#[test]
fn every_file_decodes_as_in_the_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/wav.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(vectors.len() > 40);
    for vector in &vectors {
        let name = &vector["name"];
        let file = bytes(vector["file"].as_str().unwrap());
        let read = decode(&file);
        assert_eq!(inspect(&file).is_ok(), read.is_ok(), "{name}");
        match read {
            Err(error) => assert_eq!(vector["error"], error.to_string(), "{name}"),
            Ok(wav) => {
                assert_eq!(vector["rate"], wav.rate, "{name}");
                assert_eq!(vector["mask"], wav.mask, "{name}");
                let channels = vector["channels"].as_array().unwrap();
                assert_eq!(channels.len(), usize::from(wav.channels), "{name}");
                for (index, values) in channels.iter().enumerate() {
                    let values = values.as_array().unwrap().iter();
                    let expected: Vec<f32> =
                        values.map(|value| value.as_f64().unwrap() as f32).collect();
                    let read = wav.samples.iter().skip(index).step_by(channels.len());
                    assert_eq!(read.copied().collect::<Vec<_>>(), expected, "{name}");
                }
            }
        }
    }
}

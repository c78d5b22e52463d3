//! Generates the sounds of the embedded bank. Every run generates the same files.
//!
//! `cargo run -p downbeat-samples --example make` writes them to the folder of the bank, or to the
//! folder given as argument.

mod file;
mod instruments;
mod synth;
mod texture;

use std::{env, fs, path::PathBuf, process::ExitCode};

use synth::Sound;

/// Every sound of the bank, by name.
fn bank() -> Vec<(&'static str, Sound)> {
    vec![
        ("click", instruments::click()),
        ("kick", instruments::kick()),
        ("clap", instruments::clap()),
        ("bell", instruments::bell()),
        ("chord", instruments::chord()),
        ("texture", texture::texture()),
    ]
}

fn main() -> ExitCode {
    let folder = env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    for (name, sound) in bank() {
        let path = folder.join(name).with_extension("wav");
        let written = file::encode(&sound)
            .map_err(|error| error.to_string())
            .and_then(|file| fs::write(&path, file).map_err(|error| error.to_string()));
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{}: {:.3} s", path.display(), sound.seconds());
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use downbeat_samples::{EMBEDDED, wav};

    /// Platforms differ in the last bit of a sine, and so, rarely, in the last bit of a value.
    #[test]
    fn the_bank_equals_the_generated_files() {
        let made = super::bank();
        assert_eq!(made.len(), EMBEDDED.len());
        for ((name, sound), embedded) in made.iter().zip(EMBEDDED) {
            assert_eq!(*name, embedded.name);
            let kept = wav::decode(embedded.wav).unwrap();
            let made = wav::decode(&super::file::encode(sound).unwrap()).unwrap();
            assert_eq!((kept.channels, kept.rate), (made.channels, made.rate), "{name}");
            assert_eq!(kept.samples.len(), made.samples.len(), "{name}");
            let furthest = kept
                .samples
                .iter()
                .zip(&made.samples)
                .map(|(kept, made)| (kept - made).abs())
                .fold(0.0, f32::max);
            assert!(furthest <= 1.0 / 32768.0, "{name} is off by {furthest}");
        }
    }
}

//! The sounds that the relay was started with: those of a folder, or the built-in ones.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use downbeat_protocol::{TONE, clean_name};
use downbeat_samples::wav::WavError;
use thiserror::Error;

use super::{
    served::Bank,
    sound::{Sound, hash_of},
    space::{MAX_BANK_BYTES, MAX_SOUND_BYTES, MAX_SOUNDS, Space},
};

/// Why a folder cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the samples folder {folder}: {source}")]
pub struct FolderError {
    folder: PathBuf,
    source: io::Error,
}

impl FolderError {
    pub(super) fn new(folder: &Path, source: io::Error) -> Self {
        Self { folder: folder.to_owned(), source }
    }
}

/// A file that is not in the bank.
#[derive(Debug)]
pub(super) struct SkippedFile {
    pub(super) path: PathBuf,
    pub(super) reason: SkipReason,
}

/// Why a file is not in the bank.
#[derive(Debug, Error)]
pub(super) enum SkipReason {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A link that leads out of the folder, or no file at all.
    #[error("not a file of this folder")]
    Elsewhere,
    #[error("cannot be played: {0}")]
    Broken(#[from] WavError),
    #[error("too large: {0} bytes, the limit is {MAX_SOUND_BYTES}")]
    TooLarge(u64),
    #[error("the bank is full: the limit is {MAX_BANK_BYTES} bytes")]
    BankFull,
    #[error("the bank is full: the limit is {MAX_SOUNDS} sounds")]
    TooMany,
    #[error("its name must have 1 to 64 visible characters")]
    Nameless,
    #[error("the name \"{TONE}\" is that of the built-in tone; rename the file")]
    Reserved,
    #[error("another sound has the same name, \"{0}\"")]
    SameName(String),
}

/// The names of sounds that repeat as a whole, as they are compared.
pub(super) fn clean_names(names: &[String]) -> Vec<String> {
    names.iter().filter_map(|name| clean_name(name)).collect()
}

/// The built-in sounds, of which those of these names repeat.
pub(super) fn embedded(looped: &[String]) -> Vec<Sound> {
    let sounds = downbeat_samples::EMBEDDED.iter();
    let sounds = sounds.map(|sound| (sound.name.to_owned(), Bytes::from_static(sound.wav)));
    // The package that contains them tests that they can be played.
    let mut sounds: Vec<_> =
        sounds.filter_map(|(name, wav)| Sound::of_wav(name, wav).ok()).collect();
    repeat(&mut sounds, looped);
    sounds
}

/// The WAV files of a folder, by name, and those that were skipped. Subfolders are not entered. Sounds that the
/// `current` bank has share its memory, and there are as many as fit beside its uploaded ones.
///
/// # Errors
/// If the folder cannot be listed.
pub(super) fn read(
    folder: &Path,
    looped: &[String],
    current: &Bank,
) -> Result<(Vec<Sound>, Vec<SkippedFile>), FolderError> {
    let (home, paths) = list_wavs(folder).map_err(|source| FolderError::new(folder, source))?;
    let mut files = Files { space: current.space_for_folder(), ..Files::default() };
    let mut skipped = Vec::new();
    for path in paths {
        if let Err(reason) = files.add(&home, &path, current) {
            skipped.push(SkippedFile { path, reason });
        }
    }
    repeat(&mut files.sounds, looped);
    Ok((files.sounds, skipped))
}

/// The sounds of a folder, as far as they were read.
#[derive(Default)]
struct Files {
    sounds: Vec<Sound>,
    names: HashSet<String>,
    space: Space,
}

impl Files {
    fn add(&mut self, home: &Path, path: &Path, current: &Bank) -> Result<(), SkipReason> {
        if self.space.sounds == 0 {
            return Err(SkipReason::TooMany);
        }
        let real = path.canonicalize()?;
        let metadata = fs::metadata(&real)?;
        if !real.starts_with(home) || !metadata.is_file() {
            return Err(SkipReason::Elsewhere);
        }
        if metadata.len() > MAX_SOUND_BYTES {
            return Err(SkipReason::TooLarge(metadata.len()));
        }
        if metadata.len() > self.space.bytes {
            return Err(SkipReason::BankFull);
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = clean_name(&stem).ok_or(SkipReason::Nameless)?;
        if name == TONE {
            return Err(SkipReason::Reserved);
        }
        if self.names.contains(&name) {
            return Err(SkipReason::SameName(name));
        }
        let mut file: Bytes = fs::read(&real)?.into();
        if let Some((_, same)) = current.file(&hash_of(&file)) {
            file = same.clone();
        }
        let sound = Sound::of_wav(name.clone(), file)?;
        self.space.sounds -= 1;
        self.space.bytes = self.space.bytes.saturating_sub(sound.info.bytes);
        self.names.insert(name);
        self.sounds.push(sound);
        Ok(())
    }
}

/// Lets the sounds of these names repeat.
fn repeat(sounds: &mut [Sound], looped: &[String]) {
    for name in looped {
        if let Some(sound) = sounds.iter_mut().find(|sound| sound.info.name == *name) {
            sound.repeat();
        } else {
            tracing::warn!(name, "no sound of this name can repeat (--loop)");
        }
    }
}

/// The folder's canonical path, and the paths of its WAV files, sorted. Hidden files are skipped: macOS leaves
/// a `._kick.wav` beside each `kick.wav` on a USB stick.
///
/// # Errors
/// If the folder cannot be listed.
pub(super) fn list_wavs(folder: &Path) -> io::Result<(PathBuf, Vec<PathBuf>)> {
    let home = folder.canonicalize()?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(&home)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_wav = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav"));
        if is_wav && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok((home, paths))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sounds: &[Sound]) -> Vec<&str> {
        sounds.iter().map(|sound| sound.info.name.as_str()).collect()
    }

    fn read(folder: &Path) -> (Vec<Sound>, Vec<SkippedFile>) {
        super::read(folder, &[], &Bank::default()).unwrap()
    }

    #[test]
    fn hidden_files_are_ignored_without_a_warning() {
        let home = tempfile::tempdir().unwrap();
        for name in ["kick.wav", "._kick.wav", ".hidden.wav"] {
            fs::write(home.path().join(name), downbeat_samples::EMBEDDED[0].wav).unwrap();
        }
        let (sounds, skipped) = read(home.path());
        assert_eq!(names(&sounds), ["kick"]);
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn of_two_names_that_look_alike_the_second_is_skipped() {
        let home = tempfile::tempdir().unwrap();
        for (index, name) in ["cafe\u{301}", "caf\u{e9}", "ki\u{200b}ck"].iter().enumerate() {
            let wav = downbeat_samples::EMBEDDED[index].wav;
            fs::write(home.path().join(format!("{name}.wav")), wav).unwrap();
        }
        let (sounds, skipped) = read(home.path());
        assert_eq!(names(&sounds), ["caf\u{e9}", "kick"]);
        // The first by path is served.
        assert_eq!(sounds[0].file, downbeat_samples::EMBEDDED[0].wav);
        let [other] = &skipped[..] else { panic!("{skipped:?}") };
        assert!(other.path.ends_with("caf\u{e9}.wav"), "{other:?}");
        assert!(matches!(&other.reason, SkipReason::SameName(name) if name == "caf\u{e9}"));
    }

    #[test]
    fn the_name_of_the_tone_is_reserved() {
        let home = tempfile::tempdir().unwrap();
        for name in ["to\u{200b}ne", "Tone", "tone 2"] {
            let wav = downbeat_samples::EMBEDDED[0].wav;
            fs::write(home.path().join(format!("{name}.wav")), wav).unwrap();
        }
        let (sounds, skipped) = read(home.path());
        assert_eq!(names(&sounds), ["Tone", "tone 2"]);
        let [reserved] = &skipped[..] else { panic!("{skipped:?}") };
        assert!(reserved.reason.to_string().contains("rename"), "{reserved:?}");
    }

    #[test]
    fn a_file_that_does_not_fit_beside_the_uploaded_sounds_is_skipped() {
        let home = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.wav"] {
            fs::write(home.path().join(name), downbeat_samples::EMBEDDED[0].wav).unwrap();
        }
        let uploaded = Space { sounds: MAX_SOUNDS - 1, bytes: 0 };
        let (sounds, skipped) =
            super::read(home.path(), &[], &Bank { uploaded, ..Bank::default() }).unwrap();
        assert_eq!((names(&sounds), skipped.len()), (vec!["a"], 1));
        let uploaded = Space { sounds: 0, bytes: MAX_BANK_BYTES - 10 };
        let (sounds, skipped) =
            super::read(home.path(), &[], &Bank { uploaded, ..Bank::default() }).unwrap();
        assert_eq!((sounds.len(), skipped.len()), (0, 2));
        assert!(matches!(skipped[0].reason, SkipReason::BankFull));
    }
}

//! The bank: the sounds that the relay serves, in memory, by name and by content.
//!
//! Files are read when the bank is loaded. Requests are answered from memory and never from disk, so that
//! none can reach outside the folder. The `watcher` reloads the bank when the folder changes.

pub mod decode;
pub(crate) mod watcher;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use downbeat_protocol::{DEFAULT_SOUND, LoopFrames, SoundInfo, TONE, clean_name};
use downbeat_samples::{
    loops::{self, Loop, MIN_LOOP_FRAMES},
    wav::{self, WavError},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::text::hex;

/// Largest sound, in bytes: five minutes of stereo with 24 bits at 48 kHz are 86 MB. The relay holds the
/// bank in memory, and each player holds it decoded, which is larger still.
const MAX_SOUND_BYTES: u64 = 96 * 1024 * 1024;

/// Most sounds of a bank. Each takes 170 bytes of a welcome, at most 460, and a welcome must leave space in
/// the outbox for what is sent before the client has read it.
pub const MAX_SOUNDS: usize = 2048;

/// Largest bank, in bytes: it must fit the memory of a small computer.
const MAX_BANK_BYTES: u64 = 512 * 1024 * 1024;

/// A sound and its file.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    /// What clients are sent about it.
    pub(crate) info: SoundInfo,
    pub(crate) file: Bytes,
}

/// The sounds that the relay serves.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    sounds: Vec<Sound>,
    by_hash: HashMap<String, usize>,
    /// Sounds that only the previous bank had, by hash: clients may be fetching them.
    previous: HashMap<String, Sound>,
    /// The names of sounds that repeat as a whole.
    looped: Arc<[String]>,
}

/// Why a folder cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the samples folder {folder}: {source}")]
pub struct FolderError {
    folder: PathBuf,
    source: io::Error,
}

impl FolderError {
    fn new(folder: &Path, source: io::Error) -> Self {
        Self { folder: folder.to_owned(), source }
    }
}

/// A file that is not in the bank.
#[derive(Debug)]
struct SkippedFile {
    path: PathBuf,
    reason: SkipReason,
}

/// Why a file is not in the bank.
#[derive(Debug, Error)]
enum SkipReason {
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

impl Bank {
    /// An empty bank, which repeats the sounds of these names.
    pub(crate) fn with_loops(names: &[String]) -> Self {
        let looped = names.iter().filter_map(|name| clean_name(name)).collect();
        Self { looped, ..Self::default() }
    }

    /// The built-in sounds, of which those of these names repeat.
    pub(crate) fn embedded(looped: &[String]) -> Self {
        let mut bank = Self::with_loops(looped);
        for sound in downbeat_samples::EMBEDDED {
            let file = Bytes::from_static(sound.wav);
            let added = bank.add(sound.name.to_owned(), file, &Self::default());
            // The package that contains them tests that they can be played.
            debug_assert!(added.is_ok(), "{}: {added:?}", sound.name);
        }
        bank
    }

    /// The WAV files of a folder, by name, and those that were skipped. Subfolders are not entered. Sounds of
    /// the `previous` bank share its memory, and can still be fetched.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    fn from_folder(
        folder: &Path,
        previous: &Self,
    ) -> Result<(Self, Vec<SkippedFile>), FolderError> {
        let (home, paths) = list_wavs(folder).map_err(|source| FolderError::new(folder, source))?;
        let mut bank = Self { looped: previous.looped.clone(), ..Self::default() };
        let mut skipped = Vec::new();
        for path in paths {
            if let Err(reason) = bank.add_file(&home, &path, previous) {
                skipped.push(SkippedFile { path, reason });
            }
        }
        bank.previous = previous
            .sounds
            .iter()
            .filter(|sound| !bank.by_hash.contains_key(&sound.info.hash))
            .map(|sound| (sound.info.hash.clone(), sound.clone()))
            .collect();
        Ok((bank, skipped))
    }

    /// What clients are sent about the sounds.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &SoundInfo> {
        self.sounds.iter().map(|sound| &sound.info)
    }

    /// The sound of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Sound> {
        self.sounds.iter().find(|sound| sound.info.name == name)
    }

    /// The sound of this content, in this bank or the previous one.
    pub(crate) fn by_hash(&self, hash: &str) -> Option<&Sound> {
        match self.by_hash.get(hash) {
            Some(&index) => Some(&self.sounds[index]),
            None => self.previous.get(hash),
        }
    }

    /// The sound of a trigger that names none: `click` if the bank has it, else the first. The name is
    /// `click` in an empty bank too.
    pub(crate) fn default_name(&self) -> &str {
        let first = self.sounds.first().map(|sound| sound.info.name.as_str());
        match self.get(DEFAULT_SOUND) {
            Some(_) => DEFAULT_SOUND,
            None => first.unwrap_or(DEFAULT_SOUND),
        }
    }

    fn add_file(&mut self, home: &Path, path: &Path, previous: &Self) -> Result<(), SkipReason> {
        if self.sounds.len() >= MAX_SOUNDS {
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
        let held: u64 = self.infos().map(|info| info.bytes).sum();
        if held + metadata.len() > MAX_BANK_BYTES {
            return Err(SkipReason::BankFull);
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = clean_name(&stem).ok_or(SkipReason::Nameless)?;
        self.add(name, fs::read(&real)?.into(), previous)
    }

    fn add(&mut self, name: String, mut file: Bytes, previous: &Self) -> Result<(), SkipReason> {
        if name == TONE {
            return Err(SkipReason::Reserved);
        }
        if self.get(&name).is_some() {
            return Err(SkipReason::SameName(name));
        }
        let wav = wav::inspect(&file)?;
        let hash = hex(&Sha256::digest(&file));
        if let Some(same) = previous.by_hash(&hash) {
            file = same.file.clone();
        }
        let looped = self.loop_of(&name, &file, wav.frames);
        let info = SoundInfo {
            name,
            hash: hash.clone(),
            bytes: file.len() as u64,
            frames: wav.frames,
            rate: wav.rate,
            channels: wav.channels,
            looped: looped.map(|Loop { start, end }| LoopFrames { start, end }),
            gain_db: 0.0,
        };
        self.by_hash.insert(hash, self.sounds.len());
        self.sounds.push(Sound { info, file });
        Ok(())
    }
}

impl Bank {
    /// The loop of a file: its own, or, if the settings say so, all of it.
    fn loop_of(&self, name: &str, file: &[u8], frames: u64) -> Option<Loop> {
        let own = loops::loop_of(file, frames).unwrap_or_else(|reason| {
            tracing::warn!(name, %reason, "the sound is played without its loop");
            None
        });
        if own.is_some() || !self.looped.iter().any(|looped| looped == name) {
            return own;
        }
        let whole = loops::whole(frames);
        if whole.is_none() {
            tracing::warn!(
                name,
                frames,
                "too short to repeat: the least is {MIN_LOOP_FRAMES} frames"
            );
        }
        whole
    }

    /// The names of sounds that are to repeat and are not there.
    fn missing_loops(&self) -> impl Iterator<Item = &str> {
        self.looped.iter().map(String::as_str).filter(|name| self.get(name).is_none())
    }
}

/// The folder's canonical path, and the paths of its WAV files, sorted. Hidden files are skipped: macOS leaves
/// a `._kick.wav` beside each `kick.wav` on a USB stick.
///
/// # Errors
/// If the folder cannot be listed.
fn list_wavs(folder: &Path) -> io::Result<(PathBuf, Vec<PathBuf>)> {
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

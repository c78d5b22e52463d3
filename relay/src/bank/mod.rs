//! The bank: the sounds that the relay serves, in memory, found by name and by content.
//!
//! Files are read when the bank is loaded. What is asked for later is looked up among what was read,
//! and never on disk, so that no request can reach outside the folder.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use downbeat_protocol::{DEFAULT_SOUND, SoundInfo, clean_name};
use downbeat_samples::wav::{self, WavError};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::config::{BANK_BYTES, MAX_SOUNDS, SOUND_BYTES};

/// A sound: what clients are told of it, and its file.
#[derive(Clone, Debug)]
pub struct Sound {
    /// What clients are told of it.
    pub info: SoundInfo,
    /// Its file, whole.
    pub file: Bytes,
}

/// The sounds that the relay serves.
#[derive(Debug, Default)]
pub struct Bank {
    sounds: Vec<Sound>,
    by_hash: HashMap<String, usize>,
    /// What the bank before this one had and this one has not, by hash: someone may be fetching it.
    former: HashMap<String, Sound>,
}

/// Why a folder is no bank.
#[derive(Debug, Error)]
#[error("cannot read the samples folder {folder}: {source}")]
pub struct FolderError {
    folder: PathBuf,
    source: io::Error,
}

impl FolderError {
    /// That `folder` cannot be read.
    #[must_use]
    pub fn new(folder: &Path, source: io::Error) -> Self {
        Self { folder: folder.to_owned(), source }
    }
}

/// A file that was left out of the bank.
#[derive(Debug)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why a file is left out of the bank.
#[derive(Debug, Error)]
pub enum Reason {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A link that leads out of the folder, or something that is not a file.
    #[error("is not a file of this folder")]
    Elsewhere,
    /// It cannot be played.
    #[error("cannot be played: {0}")]
    Broken(#[from] WavError),
    /// It is larger than a sound may be.
    #[error("has {0} bytes, and a sound may have {SOUND_BYTES}")]
    TooLarge(u64),
    /// The bank is full.
    #[error("does not fit: a bank may have {BANK_BYTES} bytes")]
    BankFull,
    /// The bank has as many sounds as it may have.
    #[error("does not fit: a bank may have {MAX_SOUNDS} sounds")]
    TooMany,
    /// Its name cannot be shown.
    #[error("needs a name of 1 to 64 characters that can be seen")]
    Nameless,
    /// Another file of the same name is in the bank.
    #[error("has the name of another sound, \"{0}\"")]
    SameName(String),
}

impl Bank {
    /// The sounds that the relay carries with it.
    #[must_use]
    pub fn embedded() -> Self {
        let mut bank = Self::default();
        for sound in downbeat_samples::EMBEDDED {
            let file = Bytes::from_static(sound.wav);
            let added = bank.add(sound.name.to_owned(), file, &Self::default());
            // The package that makes them tests that each can be played.
            debug_assert!(added.is_ok(), "{}: {added:?}", sound.name);
        }
        bank
    }

    /// The WAV files of a folder, by name, and what was left out of them. Folders inside are not
    /// entered. What the `former` bank had is held once, and can still be fetched.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn from_folder(folder: &Path, former: &Self) -> Result<(Self, Vec<LeftOut>), FolderError> {
        let (home, paths) = list_wavs(folder).map_err(|source| FolderError::new(folder, source))?;
        let mut bank = Self::default();
        let mut left_out = Vec::new();
        for path in paths {
            if let Err(reason) = bank.add_file(&home, &path, former) {
                left_out.push(LeftOut { path, reason });
            }
        }
        bank.former = former
            .sounds
            .iter()
            .filter(|sound| !bank.by_hash.contains_key(&sound.info.hash))
            .map(|sound| (sound.info.hash.clone(), sound.clone()))
            .collect();
        Ok((bank, left_out))
    }

    /// What clients are told of the sounds.
    pub fn infos(&self) -> impl Iterator<Item = &SoundInfo> {
        self.sounds.iter().map(|sound| &sound.info)
    }

    /// The sound of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Sound> {
        self.sounds.iter().find(|sound| sound.info.name == name)
    }

    /// The sound of this content, in this bank or the one before.
    #[must_use]
    pub fn by_hash(&self, hash: &str) -> Option<&Sound> {
        match self.by_hash.get(hash) {
            Some(&index) => Some(&self.sounds[index]),
            None => self.former.get(hash),
        }
    }

    /// The sound of a bang that names none: `click` if there is one, else the first. In an empty
    /// bank it is still called `click`, and there is none.
    #[must_use]
    pub fn default_name(&self) -> &str {
        let first = self.sounds.first().map(|sound| sound.info.name.as_str());
        match self.get(DEFAULT_SOUND) {
            Some(_) => DEFAULT_SOUND,
            None => first.unwrap_or(DEFAULT_SOUND),
        }
    }

    fn add_file(&mut self, home: &Path, path: &Path, former: &Self) -> Result<(), Reason> {
        if self.sounds.len() >= MAX_SOUNDS {
            return Err(Reason::TooMany);
        }
        let real = path.canonicalize()?;
        let metadata = fs::metadata(&real)?;
        if !real.starts_with(home) || !metadata.is_file() {
            return Err(Reason::Elsewhere);
        }
        if metadata.len() > SOUND_BYTES {
            return Err(Reason::TooLarge(metadata.len()));
        }
        let held: u64 = self.infos().map(|info| info.bytes).sum();
        if held + metadata.len() > BANK_BYTES {
            return Err(Reason::BankFull);
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = clean_name(&stem).ok_or(Reason::Nameless)?;
        self.add(name, fs::read(&real)?.into(), former)
    }

    fn add(&mut self, name: String, mut file: Bytes, former: &Self) -> Result<(), Reason> {
        if self.get(&name).is_some() {
            return Err(Reason::SameName(name));
        }
        let wav = wav::inspect(&file)?;
        let hash = hex(&Sha256::digest(&file));
        if let Some(same) = former.by_hash(&hash) {
            file = same.file.clone();
        }
        let info = SoundInfo {
            name,
            hash: hash.clone(),
            bytes: file.len() as u64,
            frames: wav.frames,
            rate: wav.rate,
            channels: wav.channels,
        };
        self.by_hash.insert(hash, self.sounds.len());
        self.sounds.push(Sound { info, file });
        Ok(())
    }
}

/// The folder without links, and the paths of what looks like a WAV in it, by name. Hidden files are no
/// sounds: a Mac leaves a `._kick.wav` beside each `kick.wav` on a stick.
///
/// # Errors
/// If the folder cannot be listed.
pub fn list_wavs(folder: &Path) -> io::Result<(PathBuf, Vec<PathBuf>)> {
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

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

//! The cache on disk: storage, eviction, and harmless errors.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use downbeat::sounds::{Cache, ContentHash};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sets the time of last use of a file to `seconds` ago.
fn age(folder: &Path, hash: &ContentHash, seconds: u64) {
    let file = File::options().append(true).open(folder.join(format!("{hash}.wav"))).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_stored_file_is_found_by_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("not/there/yet");
    let hash = ContentHash::of(b"a sound");
    assert_eq!(Cache::at(folder.clone(), 100).get(&hash), None);
    Cache::at(folder.clone(), 100).put(&hash, b"a sound");
    assert_eq!(Cache::at(folder.clone(), 100).get(&hash).as_deref(), Some(&b"a sound"[..]));
    assert_eq!(names(&folder), [format!("{hash}.wav")], "no temporary file is left");
}

#[test]
fn a_damaged_file_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = Cache::at(folder.path().into(), 100);
    let hash = ContentHash::of(b"a sound");
    cache.put(&hash, b"a sound");
    fs::write(folder.path().join(format!("{hash}.wav")), b"a soun").unwrap();
    assert_eq!(cache.get(&hash), None);
    assert!(names(folder.path()).is_empty());
    cache.put(&hash, b"a sound");
    assert!(cache.get(&hash).is_some());
}

#[test]
fn the_least_recently_used_file_is_removed_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = Cache::at(folder.path().into(), 30);
    let files: Vec<[u8; 10]> = (0..4).map(|n| [n; 10]).collect();
    let hashes: Vec<ContentHash> = files.iter().map(|file| ContentHash::of(file)).collect();
    for n in 0..3 {
        cache.put(&hashes[n], &files[n]);
        age(folder.path(), &hashes[n], 1_000 - n as u64);
    }
    assert!(cache.get(&hashes[0]).is_some(), "the oldest is now the most recently used");
    cache.put(&hashes[3], &files[3]);
    let kept: Vec<bool> = hashes.iter().map(|hash| cache.get(hash).is_some()).collect();
    assert_eq!(kept, [true, false, true, true]);

    cache.put(&ContentHash::of(&[9; 31]), &[9; 31]);
    assert_eq!(names(folder.path()).len(), 3, "a file beyond the limit evicts nothing");
}

#[test]
fn temporary_files_are_removed_in_turn_and_foreign_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut cache = Cache::at(folder.path().into(), 30);
    let hash = ContentHash::of(b"cut off");
    let unfinished = folder.path().join(format!("{hash}.0123456789abcdef.part"));
    fs::write(&unfinished, [0; 25]).unwrap();
    let old = SystemTime::now() - Duration::from_secs(1_000);
    File::options().append(true).open(&unfinished).unwrap().set_modified(old).unwrap();
    fs::write(folder.path().join("thesis.wav"), [0; 1_000]).unwrap();

    let hash = ContentHash::of(b"a new sound");
    cache.put(&hash, b"a new sound");
    assert_eq!(names(folder.path()), [format!("{hash}.wav"), "thesis.wav".into()]);
}

#[test]
fn without_a_folder_nothing_is_stored_and_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let hash = ContentHash::of(b"a sound");
    for mut cache in [Cache::none(), Cache::at(file.join("below"), 100)] {
        cache.put(&hash, b"a sound");
        cache.put(&hash, b"a sound");
        assert_eq!(cache.get(&hash), None);
    }
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
}

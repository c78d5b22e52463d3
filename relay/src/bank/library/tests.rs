//! Uploads, edits and a folder that changes, together.

use downbeat_protocol::SoundEdit;

use super::{super::arrangement::tests::sound, *};

fn at(millis: u64) -> RelayTime {
    RelayTime::from_micros(millis * 1000)
}

fn library(found: &[&str]) -> Library {
    let found = found.iter().map(|name| sound(name, &name.to_uppercase(), false)).collect();
    Library::new(found, Vec::new(), 0, Vec::new())
}

fn names(library: &Library) -> Vec<&str> {
    library.bank().infos().map(|info| info.name.as_str()).collect()
}

fn upload(library: &mut Library, name: &str, hash: &str) -> Change {
    library.arrive(sound(name, hash, true));
    library.announce(at(0))
}

fn remove(library: &mut Library, hash: &str, removed: bool) -> Change {
    let edit = SoundEdit { hash: hash.into(), removed: Some(removed), ..SoundEdit::default() };
    library.edit(&EditSoundsRequest { sounds: vec![edit], ..EditSoundsRequest::default() }).unwrap()
}

#[test]
fn an_upload_gets_a_free_name_and_a_row() {
    let mut library = library(&["kick"]);
    let number = library.bank().number;
    let change = upload(&mut library, "kick", "X");
    assert!(change.is_new);
    let row = StoredSound { hash: "X".into(), name: "kick 2".into(), position: 0 };
    assert_eq!(change.writes, [Write::AddSound(row)]);
    assert_eq!(names(&library), ["kick", "kick 2"]);
    assert_eq!(library.name_of("X").as_deref(), Some("kick 2"));
    assert_eq!(library.bank().number, number + 1);
    assert!(library.has_uploaded("X") && !library.has_uploaded("KICK"));
    upload(&mut library, "tone", "Y");
    upload(&mut library, "kick", "Z");
    assert_eq!(names(&library), ["kick", "kick 2", "tone 2", "kick 3"]);
}

#[test]
fn the_same_content_is_the_sound_that_is_there() {
    let mut library = library(&["kick"]);
    for hash in ["KICK", "X", "X"] {
        upload(&mut library, "other", hash);
    }
    assert_eq!(names(&library), ["kick", "other"]);
    let number = library.bank().number;
    let change = upload(&mut library, "third", "X");
    assert!(!change.is_new && change.writes.is_empty() && change.deleted.is_empty());
    let change = upload(&mut library, "third", "KICK");
    assert!(!change.is_new && change.writes.is_empty());
    assert_eq!(change.deleted, ["KICK"], "the folder has it");
    assert_eq!(library.bank().number, number);
    // One that was removed is put back, under its name.
    remove(&mut library, "X", true);
    remove(&mut library, "KICK", true);
    assert!(names(&library).is_empty());
    assert!(upload(&mut library, "third", "X").is_new);
    assert!(upload(&mut library, "third", "KICK").is_new);
    assert_eq!(names(&library), ["kick", "other"]);
}

#[test]
fn files_that_arrive_together_are_announced_together() {
    let mut library = library(&["kick"]);
    assert_eq!(library.next_announcement(), at(0));
    for n in 0..30 {
        library.arrive(sound("s", &format!("S{n}"), true));
    }
    assert_eq!(names(&library), ["kick"], "nobody can play what nobody knows");
    let change = library.announce(at(1000));
    assert_eq!((change.writes.len(), names(&library).len()), (30, 31));
    assert_eq!(library.next_announcement(), at(1250));
    assert!(!library.announce(at(1250)).is_new);
    // A long list waits for longer.
    for n in 0..1000 {
        library.arrive(sound(&"x".repeat(60), &format!("T{n}"), true));
    }
    library.announce(at(2000));
    assert!(library.next_announcement() > at(2800), "{:?}", library.next_announcement());
}

#[test]
fn a_removed_upload_can_be_fetched_and_put_back_until_sixteen_others_are_removed() {
    let mut library = library(&[]);
    for n in 0..17 {
        upload(&mut library, "s", &format!("S{n}"));
    }
    for n in 0..16 {
        let change = remove(&mut library, &format!("S{n}"), true);
        assert!(change.deleted.is_empty());
        assert!(library.bank().file(&format!("S{n}")).is_some());
    }
    assert_eq!(names(&library).len(), 1);
    let change = remove(&mut library, "S16", true);
    assert_eq!(change.deleted, ["S0"]);
    let gone = [Write::DeleteSound { hash: "S0".into() }, Write::UneditSound { hash: "S0".into() }];
    assert_eq!(change.writes[change.writes.len() - 2..], gone);
    assert!(library.bank().file("S0").is_none() && !library.has_uploaded("S0"));
    assert_eq!(library.bank().removed().len(), 16);
    remove(&mut library, "S1", false);
    assert_eq!(names(&library), ["s 2"]);
}

#[test]
fn a_found_sound_that_was_removed_is_never_deleted() {
    let all: Vec<_> = (0..30).map(|n| format!("s{n}")).collect();
    let mut library = library(&all.iter().map(String::as_str).collect::<Vec<_>>());
    for n in 0..30 {
        assert!(remove(&mut library, &format!("S{n}"), true).deleted.is_empty());
    }
    remove(&mut library, "S0", false);
    assert_eq!(names(&library), ["s0"]);
}

#[test]
fn an_edit_that_changes_nothing_makes_no_other_bank() {
    let mut library = library(&["a", "b"]);
    remove(&mut library, "A", true);
    let bank = library.bank().clone();
    let change = remove(&mut library, "A", true);
    assert!(!change.is_new && change.writes.is_empty());
    assert!(Arc::ptr_eq(library.bank(), &bank));
}

#[test]
fn a_folder_keeps_its_edits_and_its_last_files() {
    let mut library = library(&["a", "b"]);
    upload(&mut library, "up", "UP");
    remove(&mut library, "B", true);
    let number = library.bank().number;
    let found = || vec![sound("b", "B", false), sound("c", "C", false)];
    let change = library.replace_found(found());
    assert!(change.is_new && change.writes.is_empty());
    assert_eq!(library.bank().number, number + 1);
    assert_eq!(names(&library), ["c", "up"]);
    assert!(library.bank().file("A").is_some(), "it can be fetched for a while");
    // Also over an edit, but not over the next change of the folder.
    remove(&mut library, "C", true);
    assert!(library.bank().file("A").is_some() && library.bank().file("C").is_some());
    assert!(!library.replace_found(found()).is_new, "the same list");
    assert!(library.bank().file("A").is_none());
    // The file of an upload, found in the folder too, is one sound.
    library.replace_found(vec![sound("again", "UP", false)]);
    assert_eq!(names(&library), ["up"]);
    remove(&mut library, "UP", true);
    assert!(names(&library).is_empty());
}

#[test]
fn uploads_take_the_place_of_removed_ones_and_no_more() {
    let mut library = library(&["a"]);
    let large = |hash: &str, mib: u64| {
        let mut sound = sound("x", hash, true);
        sound.info.bytes = mib << 20;
        sound
    };
    let free = |library: &Library| library.space().bytes >> 20;
    assert_eq!((free(&library), library.space().sounds), (511, MAX_SOUNDS - 1));
    for (hash, left) in [("P", 311), ("Q", 111)] {
        library.arrive(large(hash, 200));
        assert_eq!(free(&library), left, "while it waits too");
        library.announce(at(0));
        assert_eq!(free(&library), left);
    }
    remove(&mut library, "Q", true);
    remove(&mut library, "P", true);
    assert_eq!((free(&library), library.space().sounds), (511, MAX_SOUNDS - 1));
    library.arrive(large("R", 100));
    assert!(library.announce(at(0)).deleted.is_empty(), "both fit");
    library.arrive(large("T", 100));
    let change = library.announce(at(0));
    assert_eq!(change.deleted, ["Q"], "the one that was removed first");
    assert_eq!(library.bank().removed().len(), 1);
    assert_eq!(free(&library), 311);
}

#[test]
fn what_is_stored_is_the_same_after_a_restart() {
    let mut library = library(&["a", "b"]);
    let mut writes = Vec::new();
    writes.extend(upload(&mut library, "up", "UP").writes);
    writes.extend(upload(&mut library, "up", "UQ").writes);
    let edit = SoundEdit {
        hash: "UQ".into(),
        position: Some(0),
        gain_db: Some(-6.0),
        ..SoundEdit::default()
    };
    let request =
        EditSoundsRequest { sounds: vec![edit], default_sound: Some("B".into()), ack: None };
    writes.extend(library.edit(&request).unwrap().writes);
    writes.extend(remove(&mut library, "A", true).writes);

    let (mut uploaded, mut edits) = (Vec::new(), HashMap::new());
    for write in writes {
        match write {
            Write::AddSound(row) => uploaded.push(sound(&row.name, &row.hash, true)),
            Write::EditSound { hash, edits: changed } => _ = edits.insert(hash, changed),
            other => panic!("{other:?}"),
        }
    }
    let found = vec![sound("a", "A", false), sound("b", "B", false)];
    let again = Library::new(found, uploaded, 2, edits.into_iter().collect());
    assert!(again.bank().is_same(library.bank()));
    assert_eq!(names(&again), ["up 2", "b", "up"]);
    assert_eq!(again.bank().default_name(), "b");
}

//! Edits, and the bank that follows from them.

use bytes::Bytes;
use downbeat_protocol::{LoopFrames, SoundEdit, SoundInfo};

use super::*;

pub(in super::super) fn sound(name: &str, hash: &str, is_uploaded: bool) -> Sound {
    let info = SoundInfo {
        name: name.into(),
        hash: hash.into(),
        bytes: 100,
        frames: 50,
        rate: 48_000,
        channels: 1,
        looped: None,
        gain_db: 0.0,
    };
    Sound { info, file: Bytes::from(hash.to_owned()), is_uploaded }
}

/// The sounds `a`, `b` and so on, with hashes of the same letters in upper case.
fn sounds() -> Vec<Sound> {
    ["a", "b", "c", "d"].iter().map(|name| sound(name, &name.to_uppercase(), false)).collect()
}

fn edit(hash: &str) -> SoundEdit {
    SoundEdit { hash: hash.into(), ..SoundEdit::default() }
}

fn rename(hash: &str, name: &str) -> SoundEdit {
    SoundEdit { name: Some(name.into()), ..edit(hash) }
}

fn remove(hash: &str, removed: bool) -> SoundEdit {
    SoundEdit { removed: Some(removed), ..edit(hash) }
}

fn place(hash: &str, position: u32) -> SoundEdit {
    SoundEdit { position: Some(position), ..edit(hash) }
}

fn request(sounds: Vec<SoundEdit>) -> EditSoundsRequest {
    EditSoundsRequest { sounds, ..EditSoundsRequest::default() }
}

fn edited(sounds: &[Sound], edits: Vec<SoundEdit>) -> Arrangement {
    Arrangement::default().edit(&request(edits), sounds).unwrap()
}

fn names(arrangement: &Arrangement, sounds: &[Sound]) -> Vec<String> {
    arrangement.arrange(sounds).sounds.into_iter().map(|sound| sound.info.name).collect()
}

fn removed(arrangement: &Arrangement, sounds: &[Sound]) -> Vec<String> {
    arrangement.arrange(sounds).removed.into_iter().map(|sound| sound.name).collect()
}

fn refused(arrangement: &Arrangement, edits: Vec<SoundEdit>) -> ErrorCode {
    arrangement.edit(&request(edits), &sounds()).unwrap_err().code
}

#[test]
fn without_edits_the_bank_is_what_was_found() {
    let Arranged { sounds: arranged, default_name, removed } =
        Arrangement::default().arrange(&sounds());
    let infos: Vec<_> = arranged.iter().map(|sound| &sound.info).collect();
    assert_eq!(infos, sounds().iter().map(|sound| &sound.info).collect::<Vec<_>>());
    assert_eq!((default_name.as_str(), removed.len()), ("a", 0), "the first");
    let with_click = [sounds(), vec![sound("click", "X", true)]].concat();
    assert_eq!(Arrangement::default().arrange(&with_click).default_name, "click");
    let renamed = edited(&with_click, vec![rename("X", "tick")]);
    assert_eq!(renamed.arrange(&with_click).default_name, "tick");
    let another = edited(&sounds(), vec![rename("C", "click")]);
    assert_eq!(another.arrange(&sounds()).default_name, "click");
    assert_eq!(Arrangement::default().arrange(&[]).default_name, "click");
}

#[test]
fn name_gain_and_loop_are_those_of_the_edit() {
    let looping =
        SoundEdit { looped: Some(true), gain_db: Some(-3.004_9), ..rename("B", "  gong ") };
    let arrangement = edited(&sounds(), vec![looping]);
    let arranged = arrangement.arrange(&sounds()).sounds;
    let info = &arranged[1].info;
    assert_eq!((info.name.as_str(), info.hash.as_str(), info.gain_db), ("gong", "B", -3.0));
    assert_eq!(info.looped, Some(LoopFrames { start: 0, end: 50 }));
    assert_eq!(arranged[0].info, sounds()[0].info);
    // Another edit changes only what it names.
    let gain = SoundEdit { gain_db: Some(1.5), ..edit("B") };
    let arrangement = arrangement.edit(&request(vec![gain]), &sounds()).unwrap();
    let info = &arrangement.arrange(&sounds()).sounds[1].info;
    assert_eq!((info.name.as_str(), info.gain_db, info.looped.is_some()), ("gong", 1.5, true));

    // A loop of the file's own is kept, or not played.
    let mut own = sounds();
    own[1].info.looped = Some(LoopFrames { start: 5, end: 30 });
    assert_eq!(arrangement.arrange(&own).sounds[1].info.looped, own[1].info.looped);
    let once = SoundEdit { looped: Some(false), ..edit("B") };
    let arrangement = arrangement.edit(&request(vec![once]), &own).unwrap();
    assert_eq!(arrangement.arrange(&own).sounds[1].info.looped, None);
}

#[test]
fn a_request_is_refused_as_a_whole() {
    let before = edited(&sounds(), vec![rename("A", "one")]);
    for (edits, code) in [
        (vec![rename("B", "two"), edit("X")], ErrorCode::UnknownSound),
        (vec![rename("B", "two"), rename("C", "one")], ErrorCode::Conflict),
        (vec![rename("B", "d")], ErrorCode::Conflict),
        (vec![rename("B", "two"), rename("C", "two")], ErrorCode::Conflict),
        (vec![rename("B", "tone")], ErrorCode::Conflict),
        (vec![rename("B", "to\u{200b}ne")], ErrorCode::Conflict),
    ] {
        assert_eq!(refused(&before, edits.clone()), code, "{edits:?}");
    }
    let default = |hash: &str| EditSoundsRequest {
        default_sound: Some(hash.into()),
        ..request(vec![remove("C", true)])
    };
    for hash in ["X", "C"] {
        let refusal = before.edit(&default(hash), &sounds()).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::UnknownSound, "{hash}");
    }
    let mut short = sounds();
    short[1].info.frames = 15;
    let looping = SoundEdit { looped: Some(true), ..edit("B") };
    let refusal = before.edit(&request(vec![looping]), &short).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidValue);
    assert!(refusal.message.contains("too short"), "{}", refusal.message);
}

#[test]
fn names_can_be_swapped_and_kept() {
    let swapped = edited(&sounds(), vec![rename("A", "b"), rename("B", "a"), rename("C", "c")]);
    assert_eq!(names(&swapped, &sounds()), ["b", "a", "c", "d"]);
    // That of a removed sound is free.
    let freed = edited(&sounds(), vec![remove("A", true), rename("B", "a")]);
    assert_eq!(names(&freed, &sounds()), ["a", "c", "d"]);
    // It gets a number when it is put back.
    let back = freed.edit(&request(vec![remove("A", false)]), &sounds()).unwrap();
    assert_eq!(names(&back, &sounds()), ["a 2", "a", "c", "d"]);
    // A number is a name as any other.
    assert_eq!(
        back.edit(&request(vec![rename("D", "a 2")]), &sounds()).unwrap_err().code,
        ErrorCode::Conflict
    );
}

#[test]
fn a_name_that_was_given_goes_before_one_that_was_found() {
    let arrangement = edited(&sounds(), vec![rename("A", "gong")]);
    let mut later = sounds();
    later.push(sound("gong", "E", false));
    later.push(sound("gong 2", "F", false));
    later.push(sound("gong", "G", true));
    assert_eq!(
        names(&arrangement, &later),
        ["gong", "b", "c", "d", "gong 3", "gong 2", "gong 4"],
        "the first that was given, and none that is free without a number is taken"
    );
}

#[test]
fn a_long_name_keeps_its_limit_with_a_number() {
    let long = "x".repeat(MAX_NAME_CHARS);
    let name = free_name(&long, |name| name == long);
    assert_eq!(name, format!("{} 2", "x".repeat(MAX_NAME_CHARS - 2)));
    let taken: HashSet<_> = (2..=120).map(|n| format!("kick {n}")).chain(["kick".into()]).collect();
    assert_eq!(free_name("kick", |name| taken.contains(name)), "kick 121");
    assert_eq!(free_name("snare", |name| taken.contains(name)), "snare");
}

#[test]
fn sounds_move_to_their_positions() {
    for (edits, expected) in [
        (vec![place("C", 0)], ["c", "a", "b", "d"]),
        (vec![place("A", 3)], ["b", "c", "d", "a"]),
        (vec![place("A", 900)], ["b", "c", "d", "a"]),
        (vec![place("D", 0), place("C", 0)], ["c", "d", "a", "b"]),
        (vec![place("B", 1)], ["a", "b", "c", "d"]),
    ] {
        let arrangement = edited(&sounds(), edits.clone());
        assert_eq!(names(&arrangement, &sounds()), expected, "{edits:?}");
    }
    let arrangement = edited(&sounds(), vec![place("D", 1)]);
    // New ones come last, and one that has gone and come back has its place again.
    let mut others = sounds();
    others.insert(0, sound("new", "N", false));
    others.remove(2);
    assert_eq!(names(&arrangement, &others), ["a", "d", "c", "new"]);
    others.push(sounds()[1].clone());
    assert_eq!(names(&arrangement, &others), ["a", "d", "b", "c", "new"]);
    // So has one that was removed.
    let gone =
        arrangement.edit(&request(vec![remove("D", true), place("D", 0)]), &sounds()).unwrap();
    let back = gone.edit(&request(vec![remove("D", false)]), &sounds()).unwrap();
    assert_eq!(names(&back, &sounds()), ["a", "d", "b", "c"]);
}

#[test]
fn removed_sounds_can_be_put_back_the_newest_first() {
    let arrangement =
        edited(&sounds(), vec![remove("B", true), remove("D", true), remove("B", true)]);
    assert_eq!(names(&arrangement, &sounds()), ["a", "c"]);
    assert_eq!(removed(&arrangement, &sounds()), ["d", "b"]);
    let back = arrangement.edit(&request(vec![remove("D", false)]), &sounds()).unwrap();
    assert_eq!(
        (names(&back, &sounds()).len(), removed(&back, &sounds())),
        (3, vec!["b".to_owned()])
    );
    // Of one whose file is gone nobody is told.
    assert!(removed(&arrangement, &[sounds()[0].clone()]).is_empty());
    let many: Vec<_> =
        (0..40).map(|n| sound(&format!("s{n}"), &format!("S{n}"), n % 2 == 0)).collect();
    let all = many.iter().map(|sound| remove(&sound.info.hash, true)).collect();
    let arrangement = edited(&many, all);
    assert_eq!(removed(&arrangement, &many).len(), MAX_REMOVED);
    assert_eq!(removed(&arrangement, &many)[0], "s39");
    assert_eq!(arrangement.removed(&many).len(), 40);
    // An older one is put back by its hash.
    let back = arrangement.edit(&request(vec![remove("S0", false)]), &many).unwrap();
    assert_eq!(names(&back, &many), ["s0"]);
}

#[test]
fn the_default_sound_stays_the_default_also_over_its_removal() {
    let default =
        |hash: &str| EditSoundsRequest { default_sound: Some(hash.into()), ..request(Vec::new()) };
    let arrangement = Arrangement::default().edit(&default("C"), &sounds()).unwrap();
    assert_eq!(arrangement.arrange(&sounds()).default_name, "c");
    let gone = arrangement.edit(&request(vec![remove("C", true)]), &sounds()).unwrap();
    assert_eq!(gone.arrange(&sounds()).default_name, "a");
    let back = gone.edit(&request(vec![remove("C", false)]), &sounds()).unwrap();
    assert_eq!(back.arrange(&sounds()).default_name, "c");
    let other = back.edit(&default("B"), &sounds()).unwrap();
    assert_eq!(other.arrange(&sounds()).default_name, "b");
    assert_eq!(other.since(&back).len(), 2, "one is it no longer, and the other is it");
}

#[test]
fn sounds_of_one_content_are_changed_together() {
    let twins = [sound("a", "A", false), sound("b", "A", false), sound("c", "C", false)];
    let both = SoundEdit { gain_db: Some(2.0), ..rename("A", "gong") };
    let arrangement = edited(&twins, vec![both, place("C", 0)]);
    let arranged = arrangement.arrange(&twins).sounds;
    let infos: Vec<_> = arranged.iter().map(|s| (s.info.name.as_str(), s.info.gain_db)).collect();
    assert_eq!(infos, [("c", 0.0), ("gong", 2.0), ("b", 2.0)]);
    let none = edited(&twins, vec![remove("A", true)]);
    assert_eq!(
        (names(&none, &twins), removed(&none, &twins)),
        (vec!["c".into()], vec!["a".into()])
    );
    assert_eq!(
        arrangement.edit(&request(vec![rename("C", "b")]), &twins).unwrap_err().code,
        ErrorCode::Conflict
    );
}

#[test]
fn only_what_has_changed_is_stored_and_all_of_it_is_read_again() {
    let before = edited(&sounds(), vec![rename("A", "one"), remove("B", true)]);
    let after =
        before.edit(&request(vec![remove("B", false), rename("C", "x")]), &sounds()).unwrap();
    let mut writes = after.since(&before);
    writes.sort_by_key(|write| format!("{write:?}"));
    let [Write::EditSound { hash, edits }, Write::UneditSound { hash: unedited }] = &writes[..]
    else {
        panic!("{writes:?}")
    };
    assert_eq!((hash.as_str(), edits.name.as_deref(), unedited.as_str()), ("C", Some("x"), "B"));
    let stored = after.edits.clone().into_iter().collect();
    assert_eq!(Arrangement::new(stored), after);
}

#[test]
fn edits_of_sounds_that_are_gone_are_bounded() {
    let mut arrangement = Arrangement::default();
    for n in 0..MAX_EDITED + 10 {
        let one = [sound("x", &format!("S{n}"), false)];
        arrangement =
            arrangement.edit(&request(vec![rename(&format!("S{n}"), "y")]), &one).unwrap();
        assert!(arrangement.edits.len() <= MAX_EDITED);
        if n > MAX_EDITED {
            break;
        }
        // The loop is quadratic otherwise.
        if n == 10 {
            let more = (0..MAX_EDITED - 12).map(|n| {
                (format!("T{n}"), SoundEdits { looped: Some(true), ..SoundEdits::default() })
            });
            arrangement.edits.extend(more);
        }
        if arrangement.edits.len() == 1 && n > 10 {
            return;
        }
    }
    panic!("nothing was forgotten");
}

//! Sounds that are brought and changed: dropped files, uploads, and the editing of the bank.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use downbeat::{
    action::Action,
    event::{SessionEvent, UploadProgress, UploadUpdate},
    state::State,
    ui::MIN_SIZE,
};
use downbeat_protocol::{EditSoundsRequest, Rights, SoundEdit};
use egui::{DroppedFile, HoveredFile, Key, Modifiers, Pos2};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions,
    support::{Window, open, open_sized, rooms, scenes},
};

/// A file as the system hands it over.
#[derive(Debug)]
struct File(PathBuf);

impl DroppedFile for File {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the window does not read files".to_owned())
    }
}

fn drop_files(window: &mut Harness<'_, Window>, paths: &[&str]) -> Vec<Action> {
    let files = paths.iter().map(|path| Arc::new(File(PathBuf::from(path))) as Arc<_>);
    window.input_mut().dropped_files = files.collect();
    window.step();
    actions(window)
}

fn edit(sound: &str, change: impl FnOnce(&mut SoundEdit)) -> [Action; 1] {
    let bank = scenes::larger_bank();
    let hash = bank.iter().find(|one| one.name == sound).expect("the sound").hash.clone();
    let mut edit = SoundEdit { hash, ..SoundEdit::default() };
    change(&mut edit);
    [Action::EditSounds(EditSoundsRequest { sounds: vec![edit], ..EditSoundsRequest::default() })]
}

fn press(window: &mut Harness<'_, Window>, label: &str) -> Vec<Action> {
    window.get_by_label(label).click();
    actions(window)
}

/// A window in which a sound is edited.
fn editing(sound: &str) -> Harness<'static, Window> {
    let mut window = open(rooms::class());
    press(&mut window, "Edit sounds");
    press(&mut window, &format!("Edit {sound}"));
    window
}

fn enter(window: &mut Harness<'_, Window>, label: &str, text: &str) -> Vec<Action> {
    window.get_by_label(label).focus();
    window.step();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.step();
    window.get_by_label(label).type_text(text);
    window.step();
    window.key_press(Key::Enter);
    actions(window)
}

#[test]
fn dropped_files_are_uploaded() {
    let mut window = open(rooms::class());
    window.input_mut().hovered_files =
        vec![HoveredFile { path: Some(PathBuf::from("/music/gong.wav")), mime: String::new() }];
    window.step();
    window.get_by_label("Drop to add to the bank");
    window.get_by_label("1 file · WAV, FLAC, Ogg, MP3, AIFF, up to 96 MiB");
    window.input_mut().hovered_files = Vec::new();
    let dropped = drop_files(&mut window, &["/music/gong.wav", "/music/choir.flac"]);
    let paths = ["/music/gong.wav", "/music/choir.flac"].map(PathBuf::from).to_vec();
    assert_eq!(dropped, [Action::Upload(paths)]);
    assert!(window.query_by_label("Drop to add to the bank").is_none());
}

#[test]
fn files_are_not_taken_without_the_right_or_a_relay() {
    let mut player = rooms::class();
    rooms::with_rights(&mut player, Rights::Player);
    let mut lost = rooms::class();
    scenes::lose(&mut lost);
    for (state, reason) in [
        (player, "Only conductors add and change sounds."),
        (lost, "There is no relay to change sounds of."),
    ] {
        let mut window = open(state);
        window.input_mut().hovered_files = vec![HoveredFile::default()];
        window.step();
        window.get_by_label("These files cannot be added");
        window.get_by_label(reason);
        window.input_mut().hovered_files = Vec::new();
        assert_eq!(drop_files(&mut window, &["/music/gong.wav"]), []);
        window.get_by_label(reason);
        assert!(window.query_by_label("Edit sounds").is_none());
    }
}

#[test]
fn a_path_is_typed_instead_of_a_drop() {
    let mut window = open(rooms::class());
    press(&mut window, "Edit sounds");
    let typed = enter(&mut window, "Path of a file to add", "/music/my gong.wav");
    assert_eq!(typed, [Action::Upload(vec![PathBuf::from("/music/my gong.wav")])]);
}

#[test]
fn paths_are_pasted_line_by_line() {
    let mut window = open(rooms::class());
    press(&mut window, "Edit sounds");
    window.get_by_label("Path of a file to add").focus();
    window.step();
    window.event(egui::Event::Paste("/my music/gong.wav\n/b.flac\n".to_owned()));
    window.step();
    window.key_press(Key::Enter);
    let paths = ["/my music/gong.wav", "/b.flac"].map(PathBuf::from).to_vec();
    assert_eq!(actions(&mut window), [Action::Upload(paths)]);
}

#[test]
fn uploads_show_how_far_they_are_and_are_cancelled() {
    let mut window = open(rooms::uploading());
    window.get_by_label("30 % of 41 MB");
    window.get_by_label("The relay decodes it…");
    window.get_by_label("bell: ready on 28 of 28");
    window.get_by_label_contains("This is no sound that the relay can read");
    assert_eq!(press(&mut window, "Cancel choir.aiff"), [Action::CancelUploads(vec![5])]);
    assert!(window.query_by_label("choir.aiff").is_none());
    let cleared = press(&mut window, "Clear");
    assert_eq!(cleared, [Action::CancelUploads(vec![1, 2])]);
    press(&mut window, "Fold the uploads");
    assert!(window.query_by_label("gong.flac").is_none());
    press(&mut window, "Show the uploads");
    window.get_by_label("gong.flac");
}

#[test]
fn an_upload_says_on_how_many_machines_it_is_ready() {
    let mut state = rooms::class();
    let progress = UploadProgress::Added {
        sound: "gong".to_owned(),
        hash: scenes::larger_bank()[3].hash.clone(),
    };
    state.apply(
        SessionEvent::Upload(UploadUpdate { id: 1, file: "gong.wav".to_owned(), progress }),
        scenes::NOW,
    );
    open(state).get_by_label("gong: ready on 27 of 28");
}

#[test]
fn a_press_on_a_pad_edits_its_sound_and_keys_still_play() {
    let mut window = editing("bell");
    assert_eq!(
        enter(&mut window, "Name of the sound", "gong"),
        edit("bell", |edit| edit.name = Some("gong".to_owned()))
    );
    assert_eq!(enter(&mut window, "Name of the sound", "kick"), []);
    window.get_by_label("Another sound is called kick.");
    assert_eq!(press(&mut window, "Loop the sound"), edit("bell", |edit| edit.looped = Some(true)));
    let hash = scenes::larger_bank()[3].hash.clone();
    let request = EditSoundsRequest { default_sound: Some(hash), ..EditSoundsRequest::default() };
    assert_eq!(press(&mut window, "Make default"), [Action::EditSounds(request)]);
    window.get_by_label("Gain of the sound").set_value_accesskit(-6.0);
    assert_eq!(actions(&mut window), edit("bell", |edit| edit.gain_db = Some(-6.0)));
    window.key_press(Key::Num2);
    assert_eq!(actions(&mut window), [crate::bang("kick")]);

    press(&mut window, "Done");
    window.get_by_label("Pad bell").click();
    assert!(matches!(actions(&mut window).as_slice(), [Action::Bang(_)]));
}

#[test]
fn the_gain_is_sent_once_the_hand_lets_go() {
    let mut window = editing("bell");
    let fader = window.get_by_label("Gain of the sound").rect();
    window.drag_at(fader.center());
    window.run();
    for step in 1..=5_u8 {
        window.hover_at(fader.center() - egui::vec2(f32::from(step) * 8.0, 0.0));
        window.step();
    }
    assert_eq!(actions(&mut window), []);
    window.drop_at(fader.center() - egui::vec2(40.0, 0.0));
    let sent = actions(&mut window);
    assert_eq!(sent.len(), 1, "{sent:?}");
}

#[test]
fn sounds_are_moved_by_keys_buttons_and_drags() {
    let to = |place| edit("bell", |edit| edit.position = Some(place));
    let mut window = editing("bell");
    assert_eq!(press(&mut window, "Move earlier"), to(2));
    assert_eq!(press(&mut window, "Move later"), to(4));
    window.key_press_modifiers(Modifiers::COMMAND, Key::ArrowLeft);
    assert_eq!(actions(&mut window), to(2));

    let pad = |window: &Harness<'_, Window>, name: &str| -> Pos2 {
        window.get_by_label(&format!("Edit {name}")).rect().center()
    };
    let (from, target) = (pad(&window, "bell"), pad(&window, "glass"));
    window.drag_at(from);
    window.step();
    for step in 1..=6_u8 {
        window.hover_at(from.lerp(target, f32::from(step) / 6.0));
        window.step();
    }
    window.drop_at(target);
    assert_eq!(actions(&mut window), to(7));
}

#[test]
fn a_removal_is_undone_by_its_message_by_key_and_from_the_list() {
    let mut window = editing("bell");
    let hash = scenes::larger_bank()[3].hash.clone();
    let undo = edit("bell", |edit| edit.removed = Some(false));
    window.key_press(Key::Delete);
    assert_eq!(actions(&mut window), edit("bell", |edit| edit.removed = Some(true)));
    assert!(window.query_by_label("Removed bell").is_none(), "the relay has not done it yet");

    let remove = |state: &mut State| {
        let mut bank = scenes::served(scenes::larger_bank(), "click");
        bank.sounds.retain(|sound| sound.hash != hash);
        let removed =
            downbeat_protocol::RemovedSound { name: "bell".to_owned(), hash: hash.clone() };
        bank.removed = vec![removed];
        state.apply(SessionEvent::BankChanged(bank), scenes::NOW);
    };
    remove(&mut window.state_mut().state);
    window.run();
    window.get_by_label("Removed bell");
    assert_eq!(press(&mut window, "Undo"), undo);
    assert!(window.query_by_label("Removed bell").is_none());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    assert_eq!(actions(&mut window), undo);

    let mut window = open(rooms::class());
    remove(&mut window.state_mut().state);
    window.run();
    assert!(window.query_by_label("Removed sounds").is_none());
    press(&mut window, "Edit sounds");
    assert_eq!(press(&mut window, "Removed sounds"), []);
    assert_eq!(press(&mut window, "Put back bell"), undo);
}

#[test]
fn a_message_goes_after_some_seconds() {
    let mut window = editing("bell");
    window.key_press(Key::Delete);
    actions(&mut window);
    let mut state = window.state().state.clone();
    rooms::removed(&mut state, &["x"]);
    window.state_mut().state = state;
    window.state_mut().now = scenes::NOW.plus_nanos(9_000_000_000);
    window.run();
    assert!(window.query_by_label("Undo").is_none());
}

#[test]
fn a_sound_is_edited_from_the_menu_of_its_pad_in_the_smallest_window_too() {
    let mut window = open_sized(rooms::class(), MIN_SIZE, 1.0);
    window.get_by_label("Pad kick").click_secondary();
    window.run();
    press(&mut window, "Edit this sound…");
    window.get_by_label("Edit kick");
    window.get_by_label("Done");
}

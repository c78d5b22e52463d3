//! Every scene in every size and in all colours: each control has a name and lies within the window. Pictures of
//! them, for people to look at, are saved to the folder that `DOWNBEAT_PICTURES` names.

use std::path::PathBuf;

use downbeat::{event::SessionEvent, settings::Appearance, state::State, ui::View};
use downbeat_protocol::Rights;
use egui::{HoveredFile, Pos2, Vec2, accesskit::Role};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use crate::support::{Window, open_sized, rooms, scenes, show};

const SIZES: [(f32, f32); 3] = [(480.0, 800.0), (960.0, 760.0), (1600.0, 1000.0)];

const COLORS: [(Appearance, &str); 3] = [
    (Appearance::Dark, "dark"),
    (Appearance::Light, "light"),
    (Appearance::HighContrast, "high-contrast"),
];

type Scene = (&'static str, fn() -> State, fn(&mut Harness<'static, Window>));

const SCENES: [Scene; 21] = [
    ("play", scenes::instrument, |_| {}),
    ("bang", scenes::instrument, |window| show(window, View::Bang)),
    ("settings", scenes::instrument, |window| show(window, View::Settings)),
    ("room-list", rooms::class, |window| show(window, View::Room)),
    ("room-one", rooms::class, select_one),
    ("room-many", rooms::class, select_many),
    ("room-forget", rooms::class, forget),
    ("room-plan", rooms::class, |window| part(window, "Plan")),
    ("room-receipts", rooms::class, receipts),
    ("room-crowd", || rooms::crowd(1000), |window| show(window, View::Room)),
    ("room-plain", listening, |window| show(window, View::Room)),
    ("play-class", rooms::class, |_| {}),
    ("play-locked", locked, |_| {}),
    ("play-listener", listening, |_| {}),
    ("play-edit", editing, edit),
    ("play-uploads", rooms::uploading, |_| {}),
    ("play-drop", rooms::class, hover_files),
    ("play-relays", relays, |_| {}),
    ("join", rooms::class, join),
    ("join-large", rooms::class, join_large),
    ("identify", identified, |_| {}),
];

#[test]
fn every_control_has_a_name_and_lies_within_the_window() {
    let folder = std::env::var_os("DOWNBEAT_PICTURES").map(PathBuf::from);
    for (scene, state, act) in SCENES {
        for (width, height) in SIZES {
            for (appearance, color) in COLORS {
                // Colours move nothing: without pictures, one is enough.
                if folder.is_none() && appearance != Appearance::Dark {
                    continue;
                }
                let mut state = state();
                state.apply(SessionEvent::AppearanceChanged(appearance), scenes::NOW);
                let mut window = open_sized(state, Vec2::new(width, height), 1.0);
                window.step();
                act(&mut window);
                window.step();
                window.hover_at(Pos2::ZERO);
                window.step();
                check_controls(&window, scene, width);
                let Some(folder) = &folder else { continue };
                let picture = window.render().expect("the window is drawn");
                let name = format!("{scene}-{width}-{color}.png");
                picture.save(folder.join(name)).expect("the folder exists");
            }
        }
    }
}

fn check_controls(window: &Harness<'_, Window>, scene: &str, width: f32) {
    let mut controls = 0;
    for role in [
        Role::Button,
        Role::CheckBox,
        Role::ColorWell,
        Role::ComboBox,
        Role::ListBoxOption,
        Role::MultilineTextInput,
        Role::RadioButton,
        Role::Slider,
        Role::SpinButton,
        Role::Tab,
        Role::TextInput,
    ] {
        for control in window.query_all_by_role(role) {
            controls += 1;
            let name = control.accesskit_node().label().unwrap_or_default();
            assert!(!name.is_empty(), "{scene}: {role:?} at {:?} has no name", control.rect());
            let rect = control.rect();
            let is_within = rect.left() >= 0.0 && rect.right() <= width;
            assert!(is_within, "{scene}: {name}: {rect:?} in {width}");
        }
    }
    assert!(controls >= 1, "{scene}: {controls} controls");
}

fn press(window: &mut Harness<'static, Window>, label: &str) {
    window.get_by_label(label).click();
    window.step();
    window.step();
}

fn part(window: &mut Harness<'static, Window>, label: &str) {
    show(window, View::Room);
    press(window, label);
}

/// In one column, the panel is opened by the bar.
fn open_panel(window: &mut Harness<'static, Window>) {
    if window.query_by_label("Open the panel").is_some() {
        press(window, "Open the panel");
    }
}

fn select_one(window: &mut Harness<'static, Window>) {
    show(window, View::Room);
    press(window, "Machine lab-4");
    open_panel(window);
}

fn select_many(window: &mut Harness<'static, Window>) {
    show(window, View::Room);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    window.step();
    open_panel(window);
}

fn forget(window: &mut Harness<'static, Window>) {
    show(window, View::Room);
    press(window, "Machine lab-9");
    window.key_press(egui::Key::Delete);
    window.step();
}

fn receipts(window: &mut Harness<'static, Window>) {
    part(window, "Receipts");
    let open = window.query_all_by_role(Role::Button).find(|button| {
        let label = button.accesskit_node().label().unwrap_or_default();
        label.starts_with("texture by cue-box")
    });
    open.expect("the receipt").click();
    window.step();
}

fn listening() -> State {
    let mut state = scenes::instrument();
    rooms::with_rights(&mut state, Rights::Listener);
    state
}

fn locked() -> State {
    let mut state = scenes::instrument();
    rooms::with_rights(&mut state, Rights::Player);
    rooms::lock(&mut state);
    state
}

fn editing() -> State {
    let mut state = rooms::class();
    rooms::removed(&mut state, &["gong", "tam-tam"]);
    rooms::lock(&mut state);
    state
}

fn edit(window: &mut Harness<'static, Window>) {
    press(window, "Edit sounds");
    press(window, "Edit bell");
}

fn hover_files(window: &mut Harness<'static, Window>) {
    let file = HoveredFile { path: Some(PathBuf::from("/music/gong.wav")), mime: String::new() };
    window.input_mut().hovered_files = vec![file.clone(), file];
}

fn relays() -> State {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    state.apply(SessionEvent::RelaysFound(rooms::found_relays()), scenes::NOW);
    state
}

fn join(window: &mut Harness<'static, Window>) {
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::J);
    window.run_steps(3);
}

fn join_large(window: &mut Harness<'static, Window>) {
    join(window);
    press(window, "Fill the window");
}

fn identified() -> State {
    let mut state = rooms::class();
    let at = scenes::NOW.plus_nanos(-700_000_000);
    state.apply(SessionEvent::Identify { at, by: "stage".to_owned() }, scenes::NOW);
    state
}

//! The views, the commands, and the appearance.

use downbeat::{
    action::Action,
    event::SessionEvent,
    settings::Appearance,
    ui::{Command, View, theme},
};
use egui::{Color32, Key, Modifiers, Pos2};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions,
    support::{Window, open, open_view, scenes, show},
};

/// Whether a view is shown, by something that only it has.
fn shows(window: &Harness<'_, Window>, view: View) -> bool {
    let label = match view {
        View::Play => "PADS",
        View::Bang => "SOUND OF THE BANG",
        View::Room => "Search the room",
        View::Settings => "APPEARANCE",
    };
    window.query_by_label(label).is_some()
}

#[test]
fn tabs_and_keys_switch_the_views() {
    let mut window = open(scenes::playing());
    assert!(shows(&window, View::Play));
    for view in [View::Settings, View::Room, View::Bang, View::Play] {
        show(&mut window, view);
        assert!(shows(&window, view), "{view:?} by its tab");
        assert_eq!(View::ALL.into_iter().filter(|view| shows(&window, *view)).count(), 1);
    }
    let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];
    for (view, key) in View::ALL.into_iter().zip(keys) {
        window.key_press_modifiers(Modifiers::COMMAND, key);
        assert_eq!(actions(&mut window), []);
        assert!(shows(&window, view), "{view:?} by its keys");
    }
    window.get_by_label("Play view").focus();
    window.run();
    window.key_press(Key::Enter);
    assert_eq!(actions(&mut window), [], "the focused tab gets the key for itself");
    assert!(shows(&window, View::Play));
}

#[test]
fn the_settings_list_every_command_with_its_keys() {
    let window = open_view(scenes::playing(), View::Settings);
    for command in Command::ALL {
        let text = match command {
            Command::Show(view) => format!("View {}", view.text()),
            _ => command.text().to_owned(),
        };
        assert!(window.query_all_by_label(&text).count() > 0, "{text}");
    }
    window.get_by_label("Space or Enter");
    window.get_by_label("/ or Ctrl+F");
}

#[test]
fn the_address_is_edited_by_key() {
    let mut window = open(scenes::playing());
    window.key_press_modifiers(Modifiers::COMMAND, Key::L);
    assert_eq!(actions(&mut window), []);
    assert!(window.get_by_label("Relay address").is_focused());
}

#[test]
fn the_appearance_is_chosen_and_all_colours_follow() {
    let mut window = open_view(scenes::playing(), View::Settings);
    for (label, appearance, palette) in [
        ("Light", Appearance::Light, &theme::LIGHT),
        ("High contrast", Appearance::HighContrast, &theme::HIGH_CONTRAST),
        ("Dark", Appearance::Dark, &theme::DARK),
    ] {
        window.get_by_label(label).click();
        assert_eq!(actions(&mut window), [Action::SetAppearance(appearance)]);
        window.hover_at(Pos2::ZERO);
        window.run();
        let picture = window.render().expect("the window is drawn");
        let [red, green, blue, _] = picture.get_pixel(4, picture.height() - 4).0;
        assert_eq!(Color32::from_rgb(red, green, blue), palette.background, "{label}");
    }
}

#[test]
fn the_system_decides_where_nothing_is_chosen() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::AppearanceChanged(Appearance::System), scenes::NOW);
    let mut window = open(state);
    for (system, palette) in [
        (Some(egui::Theme::Light), &theme::LIGHT),
        (Some(egui::Theme::Dark), &theme::DARK),
        (None, &theme::DARK),
    ] {
        window.input_mut().system_theme = system;
        window.run();
        window.run();
        let picture = window.render().expect("the window is drawn");
        let [red, green, blue, _] = picture.get_pixel(4, picture.height() - 4).0;
        assert_eq!(Color32::from_rgb(red, green, blue), palette.background, "{system:?}");
    }
}

//! How others join: the code, the links, the full window; and who looks for this machine.

use downbeat::{action::Action, event::SessionEvent};
use downbeat_protocol::Rights;
use egui::{Key, Modifiers, OutputCommand};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions,
    support::{Window, open, rooms, scenes},
};

fn joining() -> Harness<'static, Window> {
    let mut window = open(rooms::class());
    window.key_press_modifiers(Modifiers::COMMAND, Key::J);
    window.run();
    window
}

/// The link that *Copy link* copies.
fn copied(window: &mut Harness<'_, Window>) -> String {
    let label = if window.query_by_label("Copied").is_some() { "Copied" } else { "Copy link" };
    window.get_by_label(label).click();
    for _ in 0..4 {
        window.step();
        let commands = &window.output().platform_output.commands;
        let text = commands.iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        if let Some(text) = text {
            return text;
        }
    }
    panic!("nothing was copied");
}

fn press(window: &mut Harness<'_, Window>, label: &str) {
    window.get_by_label(label).click();
    window.run();
}

#[test]
fn the_panel_shows_the_room_code_and_the_link_for_players() {
    let mut window = joining();
    window.get_by_label("4827 1963");
    window.get_by_label("QR code of the link");
    window.get_by_label("Scan the code, or open http://192.168.1.20:3000 and type");
    assert_eq!(copied(&mut window), "http://192.168.1.20:3000/#token=play-07be845d");
}

#[test]
fn rights_and_address_of_the_link_are_chosen() {
    let mut window = joining();
    press(&mut window, "Conductors");
    window.get_by_label_contains("They change everything");
    press(&mut window, "Address of the link");
    press(&mut window, "http://10.42.0.1:3000");
    assert_eq!(copied(&mut window), "http://10.42.0.1:3000/#token=lead-5b1e0c4f9a7d");
    press(&mut window, "Listeners");
    assert_eq!(copied(&mut window), "http://10.42.0.1:3000/#token=listen-9f3a62c1");
}

#[test]
fn esc_leaves_the_full_window_and_then_the_panel_and_stops_nothing() {
    let mut window = joining();
    press(&mut window, "Fill the window");
    window.get_by_label("192.168.1.20:3000");
    window.get_by_label("4827 1963");
    assert!(window.query_by_label("Play view").is_none(), "it fills the window");
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Copy link");
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), []);
    assert!(window.query_by_label("Copy link").is_none());
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), [Action::StopAll]);
}

#[test]
fn without_a_code_or_a_link_or_the_right_the_panel_says_so() {
    let mut state = rooms::class();
    let mut open_to_all = rooms::joining();
    open_to_all.code = None;
    state.apply(SessionEvent::Joining(open_to_all), scenes::NOW);
    let shown = |state| {
        let mut window = open(state);
        window.key_press_modifiers(Modifiers::COMMAND, Key::J);
        window.run();
        window
    };
    shown(state.clone()).get_by_label("Scan the code, or open http://192.168.1.20:3000");
    state.apply(SessionEvent::Joining(downbeat_protocol::Joining::default()), scenes::NOW);
    shown(state.clone()).get_by_label_contains("it listens on this machine only");
    rooms::with_rights(&mut state, Rights::Player);
    shown(state).get_by_label_contains("Only conductors see how others join");
}

#[test]
fn a_machine_that_is_looked_for_shows_its_name_for_two_seconds() {
    let mut window = open(rooms::class());
    let identify = SessionEvent::Identify { at: scenes::NOW, by: "stage".to_owned() };
    window.state_mut().state.apply(identify, scenes::NOW);
    window.step();
    window.get_by_label("lab-7");
    window.get_by_label("stage looks for this machine");
    window.state_mut().now = scenes::NOW.plus_nanos(2_100_000_000);
    window.run();
    assert!(window.query_by_label("stage looks for this machine").is_none());
}

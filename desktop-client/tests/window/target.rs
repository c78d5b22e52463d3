//! The target chooser, and the requests that it leads to.

use downbeat::{action::Action, ui::MIN_SIZE};
use downbeat_protocol::{TargetRequest, TriggerRequest, When};
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    press,
    support::{Window, open, open_sized, scenes},
};

/// What a press on Space requests.
fn request(window: &mut Harness<'_, Window>) -> TriggerRequest {
    window.run();
    window.state_mut().actions.clear();
    window.key_press(Key::Space);
    window.run();
    match window.state_mut().actions.pop() {
        Some(Action::Bang(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn choose(window: &mut Harness<'_, Window>, label: &str) {
    window.get_by_label(label).click();
    window.run();
}

fn playing() -> downbeat::state::State {
    let mut state = scenes::playing();
    let mut roster = scenes::roster();
    roster.clients[0].tags = vec!["brass".to_owned()];
    state.apply(downbeat::event::SessionEvent::Roster(roster), scenes::NOW);
    state
}

#[test]
fn who_plays_is_chosen_in_the_room() {
    let mut window = open(playing());
    assert_eq!(request(&mut window).target, None);
    choose(&mut window, "Target");
    choose(&mut window, "All but me");
    assert_eq!(window.get_by_label("Target").value().as_deref(), Some("To: All but me"));
    let others = TargetRequest { others: true, ..TargetRequest::default() };
    assert_eq!(request(&mut window).target, Some(others));

    choose(&mut window, "Everyone");
    choose(&mut window, "Target stage-left");
    choose(&mut window, "Target lab-3");
    assert_eq!(window.get_by_label("Target").value().as_deref(), Some("To: 2 machines"));
    let names = vec!["lab-3".to_owned(), "stage-left".to_owned()];
    assert_eq!(request(&mut window).target.expect("a target").names, names);

    choose(&mut window, "Tag brass");
    choose(&mut window, "One of them");
    let target = request(&mut window).target.expect("a target");
    assert!(target.one);
    assert_eq!(target.tags, ["brass"]);
    choose(&mut window, "Clear");
    choose(&mut window, "Everyone");
    assert_eq!(request(&mut window).target, None);
}

#[test]
fn when_it_plays_is_chosen_too() {
    let mut window = open(playing());
    choose(&mut window, "Target");
    choose(&mut window, "Round the room");
    assert_eq!(request(&mut window).stagger_micros, 120_000);
    window.get_by_label("Stagger").set_value_accesskit(80.0);
    assert_eq!(request(&mut window).stagger_micros, 80_000);
    choose(&mut window, "Later");
    assert_eq!(request(&mut window).when, When::AfterMicros(1_000_000));
    choose(&mut window, "Now");
    assert_eq!(request(&mut window).when, When::Now);
}

#[test]
fn a_press_on_the_open_panel_plays_no_pad() {
    let mut window = open_sized(playing(), MIN_SIZE, 1.0);
    choose(&mut window, "Target");
    let pads: Vec<_> = scenes::bank()
        .iter()
        .map(|sound| format!("Pad {}", sound.name))
        .filter_map(|label| window.query_by_label(&label).map(|pad| pad.rect()))
        .collect();
    let machine = window.get_by_label("Target stage-right").rect().center();
    assert!(pads.iter().any(|pad| pad.contains(machine)), "the panel is over the pads");
    press(&window, machine, true);
    press(&window, machine, false);
    window.run();
    assert_eq!(window.state().actions, []);
    assert_eq!(window.get_by_label("Target").value().as_deref(), Some("To: stage-right"));
}

//! The plan of the room: machines are dragged to their places, or moved with keys.

use downbeat::{action::Action, event::SessionEvent, ui::View};
use downbeat_protocol::{AssignRequest, ClientId, MachinesChange, Place};
use egui::{Key, Modifiers, Pos2, Rect, vec2};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions,
    support::{Window, open_view, rooms, scenes},
};

fn plan() -> Harness<'static, Window> {
    let mut window = open_view(rooms::class(), View::Room);
    window.get_by_label("Plan").click();
    window.run();
    window
}

fn token(window: &Harness<'_, Window>, name: &str) -> Rect {
    window.get_by_label(&format!("Place of {name}")).rect()
}

/// Drags from one point to another, in steps as a hand does.
fn drag(window: &mut Harness<'_, Window>, from: Pos2, to: Pos2) -> Vec<Action> {
    window.drag_at(from);
    window.step();
    for step in 1..=8_u8 {
        window.hover_at(from.lerp(to, f32::from(step) / 8.0));
        window.step();
    }
    window.drop_at(to);
    window.step();
    actions(window)
}

/// The places that were assigned, by client.
fn placed(actions: &[Action]) -> Vec<(u32, Place)> {
    let place = |request: &AssignRequest| {
        (request.clients.first().map_or(0, |client| client.0), request.place.expect("a place"))
    };
    match actions {
        [] => Vec::new(),
        [Action::Assign(request)] => vec![place(request)],
        [Action::AssignEach(requests)] => requests.iter().map(place).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_is_dragged_to_its_place_and_shown_there_before_the_relay_says_so() {
    let mut window = plan();
    let (one, two) = (token(&window, "lab-1"), token(&window, "lab-2"));
    let eight = token(&window, "lab-8");
    let moved = placed(&drag(&mut window, one.center(), eight.center() + vec2(0.0, 9.0)));
    assert_eq!(moved.len(), 1);
    let (client, place) = moved[0];
    assert_eq!(client, 1);
    assert!((place.x - 0.26).abs() < 0.03 && (place.y - 0.325).abs() < 0.05, "{place:?}");
    let shown = token(&window, "lab-1").center();
    assert!(shown.distance(eight.center()) < 24.0, "{shown:?}");
    assert_eq!(token(&window, "lab-2"), two, "the others stay");

    let mut kept = rooms::machine(1, "lab-1");
    kept.place = Some(place);
    let change = MachinesChange { clients: vec![kept], ..MachinesChange::default() };
    window.state_mut().state.apply(SessionEvent::Machines(change), scenes::NOW);
    window.run();
    assert_eq!(token(&window, "lab-1").center(), shown);
}

#[test]
fn selected_machines_are_dragged_together() {
    let mut window = plan();
    window.get_by_label("Place of lab-1").click();
    window.run();
    window.get_by_label("Place of lab-2").click_modifiers(Modifiers::COMMAND);
    window.run();
    let from = token(&window, "lab-1").center();
    let moved = placed(&drag(&mut window, from, from + vec2(0.0, 60.0)));
    assert_eq!(moved.iter().map(|(client, _)| *client).collect::<Vec<_>>(), [1, 2]);
    assert!((moved[0].1.y - moved[1].1.y).abs() < f32::EPSILON, "their distance stays");
    assert!(moved[0].1.y > 0.25);
}

#[test]
fn a_machine_without_a_place_waits_in_the_tray() {
    let mut window = plan();
    window.get_by_label("NO PLACE YET");
    let tray = token(&window, "tablet").center();
    let target = token(&window, "lab-26").center() + vec2(80.0, 0.0);
    let moved = placed(&drag(&mut window, tray, target));
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].0, 28);
    assert!(token(&window, "tablet").center().distance(target) < 12.0);

    // Dropped beside the plan, it stays where it is.
    let tray = token(&window, "cue-box").center();
    assert_eq!(drag(&mut window, tray, tray + vec2(30.0, 6.0)), []);

    window.get_by_label("Place in rows").click();
    let rest = actions(&mut window);
    assert!(matches!(&rest[..], [Action::AssignEach(requests)] if requests.len() == 3), "{rest:?}");
    assert!(window.query_by_label("NO PLACE YET").is_none());
}

#[test]
fn keys_move_a_machine_and_take_it_out_of_the_tray() {
    let mut window = plan();
    window.get_by_label("Place of lab-1").focus();
    window.run();
    window.key_press(Key::ArrowRight);
    let right = placed(&actions(&mut window));
    assert_eq!(right, [(1, Place { x: 0.125, y: 0.15 })]);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    let down = placed(&actions(&mut window));
    assert_eq!(down, [(1, Place { x: 0.125, y: 0.25 })]);
    assert!(window.get_by_label("Place of lab-1").is_focused());

    window.get_by_label("Place of tablet").focus();
    window.run();
    window.key_press(Key::ArrowUp);
    let taken = placed(&actions(&mut window));
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].0, 28);
    assert!(window.get_by_label("Place of tablet").is_focused());
    let Some(Action::Assign(request)) = window.state().actions.first() else { return };
    assert_eq!(request.clients, [ClientId(28)]);
}

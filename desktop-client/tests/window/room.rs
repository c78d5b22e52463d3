//! The view of the room: seats, tags, order.

use downbeat::{action::Action, ui::View};
use downbeat_protocol::{AssignRequest, ClientId};
use egui::{Key, Modifiers};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions,
    support::{Window, open_view, scenes},
};

fn enter(window: &mut Harness<'_, Window>, label: &str, text: &str, key: Key) -> Vec<Action> {
    window.get_by_label(label).focus();
    window.step();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.step();
    window.get_by_label(label).type_text(text);
    window.step();
    window.key_press(key);
    window.step();
    actions(window)
}

fn room() -> downbeat::state::State {
    let mut state = scenes::playing();
    let mut roster = scenes::roster();
    roster.clients[0].seat = Some(4);
    roster.clients[0].tags = vec!["left".to_owned()];
    state.apply(downbeat::event::SessionEvent::Roster(roster));
    state
}

#[test]
fn seats_and_tags_are_typed() {
    let mut window = open_view(room(), View::Room);
    let clients = vec![ClientId(2)];
    let assign = |seat, tags: Option<&[&str]>| {
        let tags = tags.map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect());
        [Action::Assign(AssignRequest {
            clients: clients.clone(),
            seat,
            tags,
            ..AssignRequest::default()
        })]
    };
    let seat = "Seat of stage-left";
    assert_eq!(enter(&mut window, seat, "12", Key::Enter), assign(Some(12), None));
    assert_eq!(enter(&mut window, seat, "x", Key::Enter), []);
    assert_eq!(enter(&mut window, seat, "9", Key::Escape), []);
    assert_eq!(enter(&mut window, seat, " ", Key::Enter), assign(Some(0), None));
    let tags = enter(&mut window, "Tags of stage-left", "left, brass,", Key::Enter);
    assert_eq!(tags, assign(None, Some(&["left", "brass"])));
}

#[test]
fn the_order_is_chosen() {
    let mut window = open_view(room(), View::Room);
    let top = |window: &Harness<'_, Window>, name: &str| {
        window.get_by_label(&format!("Seat of {name}")).rect().top()
    };
    assert!(top(&window, "stage-left") < top(&window, "stage-right"), "it has a seat");
    window.get_by_label("Trouble").click();
    window.run();
    assert!(top(&window, "old-netbook") < top(&window, "stage-left"));
    window.get_by_label("Name").click();
    window.run();
    assert!(top(&window, "Anna’s phone") < top(&window, "client 14"));
    assert!(top(&window, "client 14") < top(&window, "cue-box"));
}

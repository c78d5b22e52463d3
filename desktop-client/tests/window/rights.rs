//! Listeners, and players in a locked room: what is disabled, and why.

use downbeat::{action::Action, event::SessionEvent, state::State, ui::View};
use downbeat_protocol::{Rights, VariableState};
use egui::Key;
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use crate::{
    actions, bang,
    support::{Window, open, open_view, rooms, scenes},
};

const LOCKED: &str = "The room is locked: only conductors bang.";
const LISTENS: &str = "This machine listens: it may not bang.";

fn with(rights: Rights, is_locked: bool) -> State {
    let mut state = scenes::instrument();
    if is_locked {
        rooms::lock(&mut state);
    }
    rooms::with_rights(&mut state, rights);
    state
}

/// What pads, keys and disc ask for.
fn banged(window: &mut Harness<'_, Window>) -> Vec<Action> {
    window.get_by_label("Pad rim").click_accesskit();
    window.get_by_label("Pad rim").click();
    window.key_press(Key::Num1);
    window.key_press(Key::Space);
    window.get_by_label("Bang").click_accesskit();
    window.run();
    std::mem::take(&mut window.state_mut().actions)
}

#[test]
fn pads_and_disc_say_why_they_do_not_play() {
    for (state, reason) in [
        (with(Rights::Player, true), LOCKED),
        (with(Rights::Listener, false), LISTENS),
        (with(Rights::Listener, true), LISTENS),
    ] {
        let mut window = open(state);
        assert_eq!(banged(&mut window), []);
        assert_eq!(window.query_all_by_label(reason).count(), 2, "at the pads, and at the disc");
        let disc = window.get_by_label("Bang");
        assert!(disc.accesskit_node().is_disabled());
        assert_eq!(disc.accesskit_node().description().as_deref(), Some(reason));
        assert!(window.query_by_label("Target").is_none(), "there is nobody to choose");
    }
}

#[test]
fn conductors_play_in_a_locked_room_and_see_that_it_is() {
    let mut window = open(with(Rights::Conductor, true));
    assert_eq!(banged(&mut window).len(), 5);
    window.get_by_label("Locked: only conductors bang");
    assert!(window.query_by_label(LOCKED).is_none());
}

#[test]
fn the_notice_goes_when_the_room_is_unlocked() {
    let mut window = open(with(Rights::Player, true));
    window.state_mut().state.apply(SessionEvent::Locked { locked: false, by: None }, scenes::NOW);
    window.run();
    assert!(window.query_by_label(LOCKED).is_none());
    window.key_press(Key::Num1);
    assert_eq!(actions(&mut window), [bang("click")]);
}

#[test]
fn variables_that_may_not_be_set_are_disabled() {
    let mut state = with(Rights::Player, false);
    let mut variables: Vec<VariableState> = scenes::variables();
    variables[1].variable.open = true;
    state.apply(SessionEvent::Variables(variables), scenes::NOW);
    let mut window = open(state);
    let notices = window.query_all_by_label("This variable is not open: only conductors set it.");
    assert!(notices.count() > 0);
    window.get_by_label("Cutoff").set_value_accesskit(2000.0);
    assert_eq!(actions(&mut window), []);
    assert!(window.get_by_label("Cutoff").accesskit_node().is_disabled());
    window.get_by_label("Resonance").set_value_accesskit(0.5);
    assert!(matches!(actions(&mut window).as_slice(), [Action::SetVariable(_)]));

    rooms::lock(&mut window.state_mut().state);
    window.run();
    let notices = window.query_all_by_label("The room is locked: only conductors set variables.");
    assert!(notices.count() > 0);
    window.get_by_label("Resonance").set_value_accesskit(0.2);
    assert_eq!(actions(&mut window), []);
}

#[test]
fn the_view_bang_says_why_too() {
    let window = open_view(with(Rights::Listener, false), View::Bang);
    window.get_by_label(LISTENS);
}

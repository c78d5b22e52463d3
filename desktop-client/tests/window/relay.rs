//! The relay: its address, its loss, and a tutorial relay.

use downbeat::{
    action::Action, event::SessionEvent, net::address::TypedAddress, state::ConnectionState,
};
use downbeat_protocol::Epoch;
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};

use crate::{
    Window, actions, bang,
    support::{open, rooms, scenes},
};

#[test]
fn escape_in_the_address_editor_only_closes_it() {
    let mut window = open(scenes::playing());
    window.get_by_label("Change relay").click();
    assert_eq!(actions(&mut window), []);
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), []);
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), [Action::StopAll]);
}

#[test]
fn typing_an_address_does_not_bang() {
    let mut window = open(scenes::playing());
    window.get_by_label("Change relay").click();
    assert_eq!(actions(&mut window), []);
    // The old address is selected, so the first letter replaces it.
    window.get_by_label("Relay address").type_text("stage:4000 ");
    window.key_press(Key::Space);
    assert_eq!(actions(&mut window), []);
    window.key_press(Key::Enter);
    assert_eq!(actions(&mut window), [Action::SetRelay(TypedAddress::new("stage:4000"))]);
    assert_eq!(window.state().state.connection, ConnectionState::Connecting);
    assert!(window.query_by_label("Relay address").is_none(), "the editor has closed");

    window.get_by_label("Change relay").click();
    window.run();
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), []);
    assert!(window.query_by_label("Relay address").is_none());

    window.get_by_label("Change relay").click();
    window.run();
    window.get_by_label("Relay address").type_text("stage:4000#token=hidden");
    window.run();
    window.get_by_label("Connect").click();
    let typed = [Action::SetRelay(TypedAddress::new("stage:4000#token=hidden"))];
    assert_eq!(actions(&mut window), typed);
    assert_eq!(window.state().state.relay, "stage:4000");
    window.get_by_label("Change relay").click();
    window.run();
    let field = window.get_by_label("Relay address");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("stage:4000"));
    // Undo does not bring back what was typed before.
    for _ in 0..3 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        window.run();
    }
    let field = window.get_by_label("Relay address");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("stage:4000"));
    field.type_text("here");
    window.run();
    window.get_by_label("Connect").click();
    assert_eq!(actions(&mut window), [Action::SetRelay(TypedAddress::new("here"))]);
}

#[test]
fn a_lost_relay_shows_its_reason_and_can_be_retried() {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    let mut window = open(state);
    window.get_by_label("No relay is running there.");
    window.get_by_label("Retrying within 2 seconds.");
    window.get_by_label("Retry now").click();
    assert_eq!(actions(&mut window), [Action::RetryNow]);
    window.key_press(Key::Space);
    window.get_by_label("Bang").click_accesskit();
    assert_eq!(actions(&mut window), [], "there is no relay");
    assert!(window.query_by_label("stage-right").is_none(), "the list is cleared");
}

#[test]
fn an_invalid_address_leads_to_the_editor() {
    let mut state = scenes::with_output();
    state.apply(
        SessionEvent::InvalidAddress { reason: "port 99999 does not exist".to_owned() },
        scenes::NOW,
    );
    let mut window = open(state);
    window.get_by_label("Port 99999 does not exist.");
    window.get_by_label("Change address").click();
    assert_eq!(actions(&mut window), []);
    assert!(window.get_by_label("Relay address").is_focused());
}

#[test]
fn a_tutorial_relay_is_named_as_one() {
    let mut state = scenes::with_output();
    scenes::connect_tutorial(&mut state);
    let mut window = open(state);
    window.get_by_label_contains("Tutorial relay:");
    window.get_by_label_contains("has no list");
    window.get_by_label("Bang").click();
    assert_eq!(actions(&mut window), [bang("click")]);
}

#[test]
fn a_relay_that_was_found_is_joined_and_one_that_needs_a_token_by_its_link_or_room_code() {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    state.apply(SessionEvent::RelaysFound(rooms::found_relays()), scenes::NOW);
    let mut window = open(state);
    window.get_by_label("FOUND ON THIS NETWORK");
    window.get_by_label("Join music-room").click();
    assert_eq!(actions(&mut window), [Action::Join(Epoch(1))]);
    window.get_by_label("Join studio-pc").click();
    assert_eq!(actions(&mut window), []);
    let field = window.get_by_label("Room code of studio-pc");
    assert!(field.is_focused());
    let value = field.value().unwrap_or_default();
    assert_eq!(value, "", "whoever announced the address would be sent the token");
    window.get_by_label("Connect").click();
    assert_eq!(actions(&mut window), [], "there is no link yet");
    let link = "https://192.168.1.40:3000/#token=s3cret&fingerprint=9f3a";
    window.get_by_label("Room code of studio-pc").focus();
    window.run();
    window.get_by_label("Room code of studio-pc").type_text(link);
    window.key_press(Key::Enter);
    assert_eq!(actions(&mut window), [Action::SetRelay(TypedAddress::new(link))]);
    window.get_by_label("Join studio-pc").click();
    enter(&mut window, "Room code of studio-pc", "4827 1963");
    assert_eq!(actions(&mut window), [code(Some(Epoch(2)))]);
    // Nobody vouches for the certificate of this one: it is shown no code.
    window.get_by_label("Join stage").click();
    enter(&mut window, "Link of stage", "48271963");
    assert_eq!(actions(&mut window), [Action::SetRelay(TypedAddress::new("48271963"))]);
}

#[test]
fn a_room_code_that_was_refused_is_asked_for_again() {
    let mut state = scenes::playing();
    let reason = "this is not the room code".to_owned();
    let refused = SessionEvent::CodeRefused { relay: Some(Epoch(2)), reason };
    state.apply(refused, scenes::NOW);
    let mut window = open(state);
    window.get_by_label("Not joined");
    window.get_by_label("This is not the room code.");
    window.get_by_label("Enter code").click();
    window.run();
    let relay = window.state().state.relay.clone();
    enter(&mut window, &format!("Room code of {relay}"), "48271963");
    assert_eq!(actions(&mut window), [code(Some(Epoch(2)))]);
}

#[test]
fn a_room_code_in_the_place_of_an_address_is_for_the_relay_at_hand() {
    let mut window = open(scenes::playing());
    window.get_by_label("Change relay").click();
    enter(&mut window, "Relay address", "48271963");
    assert_eq!(actions(&mut window), [code(None)]);
    // Eight digits with dots are the address of a host.
    window.get_by_label("Change relay").click();
    enter(&mut window, "Relay address", "192.168.1.5");
    assert_eq!(actions(&mut window), [Action::SetRelay(TypedAddress::new("192.168.1.5"))]);
}

fn code(relay: Option<Epoch>) -> Action {
    Action::EnterCode { relay, code: "48271963".parse().expect("a code") }
}

/// Types over what a field holds, and presses Enter.
fn enter(window: &mut Harness<'_, Window>, field: &str, text: &str) {
    window.run();
    let field = window.get_by_label(field);
    assert!(field.is_focused());
    field.type_text(text);
    window.key_press(Key::Enter);
}

#[test]
fn found_relays_stand_below_the_address_editor_while_none_is_joined() {
    let mut state = scenes::playing();
    state.apply(SessionEvent::RelaysFound(rooms::found_relays()), scenes::NOW);
    let mut window = open(state);
    window.get_by_label("Change relay").click();
    window.run();
    assert!(window.query_by_label("Join music-room").is_none(), "one is joined");
    scenes::lose(&mut window.state_mut().state);
    window.run();
    window.get_by_label("Join music-room").click();
    assert_eq!(actions(&mut window), [Action::Join(Epoch(1))]);
    assert!(window.query_by_label("Relay address").is_none(), "the editor has closed");
}

//! What a person does in the window, and what it asks for: everything by its accessible name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::float_cmp, reason = "the ends of the fader are exact")]

mod support;

use std::time::Duration;

use downbeat::{
    action::{Action, OutputChoice, Trim},
    address::TypedAddress,
    event::{Output, SessionEvent},
    state::{Connection, OutputState},
    ui::{FIRST_SIZE, LEAST_SIZE, Layout},
};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, ViewportId, accesskit::Role};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use support::{Window, open, open_sized, rooms};

fn bang(sound: &str) -> Action {
    Action::Bang { sound: Some(sound.to_owned()) }
}

/// What was asked for since the last time.
fn asked(window: &mut Harness<'_, Window>) -> Vec<Action> {
    window.run();
    std::mem::take(&mut window.state_mut().actions)
}

fn press(window: &Harness<'_, Window>, pos: Pos2, pressed: bool) {
    window.event(Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    });
}

#[test]
fn the_bang_sounds_when_the_pointer_goes_down_and_only_then() {
    let mut window = open(rooms::playing());
    let disc = window.get_by_label("Bang").rect();
    window.hover_at(disc.center());
    assert_eq!(asked(&mut window), []);
    press(&window, disc.center(), true);
    assert_eq!(asked(&mut window), [bang("click")]);
    press(&window, disc.center(), false);
    assert_eq!(asked(&mut window), []);
}

#[test]
fn two_presses_within_a_frame_are_two_bangs() {
    let mut window = open(rooms::playing());
    window.get_by_label("Bang").click();
    window.get_by_label("Bang").click();
    assert_eq!(asked(&mut window), [bang("click"), bang("click")]);
}

#[test]
fn the_corners_around_the_disc_are_not_the_bang() {
    let mut window = open(rooms::playing());
    let corner = window.get_by_label("Bang").rect().shrink(4.0).left_top();
    press(&window, corner, true);
    press(&window, corner, false);
    assert_eq!(asked(&mut window), []);
}

#[test]
fn space_and_enter_bang_once_however_long_they_are_held() {
    for key in [Key::Space, Key::Enter] {
        let mut window = open(rooms::playing());
        for _ in 0..5 {
            window.key_down(key);
            window.run();
        }
        assert_eq!(asked(&mut window), [bang("click")]);
        window.key_up(key);
        window.key_down(key);
        assert_eq!(asked(&mut window), [bang("click")]);
    }
}

#[test]
fn the_bang_can_be_focused_and_still_bangs_once_a_press() {
    let mut window = open(rooms::playing());
    window.get_by_label("Bang").focus();
    window.run();
    window.key_press(Key::Enter);
    assert_eq!(asked(&mut window), [bang("click")]);
}

#[test]
fn a_control_that_has_the_keyboard_gets_space_for_itself() {
    let mut window = open(rooms::playing());
    window.get_by_label("Stop all").focus();
    window.run();
    window.key_press(Key::Space);
    assert_eq!(asked(&mut window), [Action::StopAll]);
}

#[test]
fn assistive_technology_can_bang() {
    let mut window = open(rooms::playing());
    window.get_by_role_and_label(Role::Button, "Bang").click_accesskit();
    assert_eq!(asked(&mut window), [bang("click")]);
}

#[test]
fn a_sound_that_is_chosen_is_the_one_that_is_banged() {
    let mut window = open(rooms::playing());
    window.get_by_label("Sound bell").click();
    assert_eq!(asked(&mut window), [Action::SelectSound("bell".to_owned())]);
    window.key_press(Key::Space);
    assert_eq!(asked(&mut window), [bang("bell")]);
}

#[test]
fn the_volume_follows_pointer_keys_and_assistive_technology() {
    let mut window = open(rooms::playing());
    let volume = |actions: &[Action]| match actions.last() {
        Some(Action::SetVolume(volume)) => *volume,
        other => panic!("{other:?}"),
    };
    let fader = window.get_by_label("Volume").rect();
    press(&window, fader.left_center(), true);
    press(&window, fader.left_center(), false);
    assert_eq!(volume(&asked(&mut window)), 0.0);
    press(&window, fader.right_center(), true);
    press(&window, fader.right_center(), false);
    assert_eq!(volume(&asked(&mut window)), 1.0);

    window.get_by_label("Volume").focus();
    window.run();
    window.key_press(Key::ArrowLeft);
    let lower = volume(&asked(&mut window));
    assert!((lower - 0.95_f32.powi(3)).abs() < 1e-4, "{lower}");
    window.key_press(Key::ArrowRight);
    assert!(volume(&asked(&mut window)) > 0.999);

    window.get_by_label("Volume").set_value_accesskit(50.0);
    let half = volume(&asked(&mut window));
    assert!((half - 0.125).abs() < 1e-4, "{half}");
    assert_eq!(asked(&mut window), [], "what is not moved is not sent");
}

#[test]
fn the_trim_is_typed_stepped_dragged_and_reset() {
    let set = |millis| Action::SetTrim(Trim::from_millis(millis));
    let mut window = open(rooms::playing());
    assert!(window.query_by_label("Reset trim").is_none(), "there is nothing to reset");

    // A press opens it for typing, with all of it selected; neither digits nor Enter bang.
    window.get_by_label("Trim").click();
    assert_eq!(asked(&mut window), []);
    window.get_by_label("Trim").type_text("12,5");
    assert_eq!(asked(&mut window), [], "what is half typed is not meant");
    window.key_press(Key::Enter);
    assert_eq!(asked(&mut window), [set(12.5)]);
    window.get_by_label("earlier");

    window.get_by_label("Trim more").click();
    assert_eq!(asked(&mut window), [set(13.5)]);
    window.get_by_label("Trim less").click();
    assert_eq!(asked(&mut window), [set(12.5)]);
    window.get_by_label("Reset trim").click();
    assert_eq!(asked(&mut window), [set(0.0)]);
    window.get_by_label("Trim less").click();
    assert_eq!(asked(&mut window), [set(-1.0)]);
    window.get_by_label("later");

    let number = window.get_by_label("Trim").rect();
    press(&window, number.center(), true);
    window.run();
    for step in 1..=20_u8 {
        window.hover_at(number.center() + egui::vec2(f32::from(step), 0.0));
        window.step();
    }
    press(&window, number.center() + egui::vec2(20.0, 0.0), false);
    let dragged = asked(&mut window);
    let Some(Action::SetTrim(trim)) = dragged.last() else { panic!("{dragged:?}") };
    assert!((0.5..=1.5).contains(&trim.millis()), "{trim}");

    window.get_by_label("Trim").set_value_accesskit(900.0);
    assert_eq!(asked(&mut window), [set(500.0)]);
    assert_eq!(asked(&mut window), [], "what is not changed is not sent");
    window.key_press(Key::Space);
    assert_eq!(asked(&mut window), [bang("click")], "the keyboard is the bang's again");
}

#[test]
fn each_output_shows_its_own_trim_and_without_one_there_is_none_to_set() {
    let mut window = open(rooms::playing());
    let opened = |trim| SessionEvent::OutputOpened {
        id: "bluez_output.ue".to_owned(),
        name: "UE BOOM 2".to_owned(),
        trim: Trim::from_millis(trim),
        instead: None,
    };
    window.state_mut().state.apply(opened(180.0));
    window.run();
    assert_eq!(window.get_by_label("Trim").value().as_deref(), Some("+180.0 ms"));
    let lost = SessionEvent::OutputLost { reason: "it is gone".to_owned() };
    window.state_mut().state.apply(lost);
    window.run();
    assert!(window.query_by_label("Trim").is_none());
    assert_eq!(asked(&mut window), []);
}

#[test]
fn an_output_that_does_for_the_chosen_one_says_why() {
    let mut window = open(rooms::playing());
    window.state_mut().state.apply(SessionEvent::OutputOpened {
        id: "hdmi".to_owned(),
        name: "HDMI".to_owned(),
        trim: Trim::NONE,
        instead: Some("Scarlett is not there".to_owned()),
    });
    window.run();
    let shown = window.get_by_label("Output").value();
    assert_eq!(shown.as_deref(), Some("HDMI: Scarlett is not there"));
}

#[test]
fn a_machine_that_may_be_heard_apart_says_so_and_why() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) });
    let mut window = open(state);
    window.get_by_label("±2.4 ms");
    let uneven =
        "This machine can be off by ±2.4 ms: the network or the output keeps time too unevenly";
    window.get_by_label(uneven);
    rooms::straggle(&mut window.state_mut().state);
    window.run();
    window.get_by_label_contains("This machine needs 620 ms, more than the room waits for");
    window.state_mut().state.apply(SessionEvent::Roster(rooms::roster()));
    window.state_mut().state.apply(SessionEvent::Clock { error_micros: Some(300) });
    window.run();
    assert!(window.query_by_label(uneven).is_none());
    window.get_by_label("last heard");
}

#[test]
fn in_the_smallest_window_the_number_that_is_amiss_is_the_one_shown() {
    let mut state = rooms::playing();
    let shown = |state: &downbeat::state::State| {
        let window = open_sized(state.clone(), LEAST_SIZE, 1.0);
        let seen = |title| window.query_by_label(title).is_some();
        (seen("LEAD"), seen("CLOCK"))
    };
    assert_eq!(shown(&state), (true, false));
    state.apply(SessionEvent::Clock { error_micros: Some(2_400) });
    assert_eq!(shown(&state), (false, true));
}

#[test]
fn an_output_is_chosen_from_a_list() {
    let mut window = open(rooms::playing());
    window.get_by_role_and_label(Role::ComboBox, "Output").click();
    assert_eq!(asked(&mut window), []);
    window.get_by_label("Scarlett 2i2 USB").click();
    let usb = OutputChoice::Device("alsa_output.usb".to_owned());
    assert_eq!(asked(&mut window), [Action::SetOutput(usb.clone())]);
    assert_eq!(window.state().state.output_choice, usb);
    assert_eq!(window.state().state.output, OutputState::Opening);
    assert!(window.query_by_label("UE BOOM 2").is_none(), "the list has closed");
}

#[test]
fn the_open_list_does_not_bang_what_lies_below_it() {
    // In the smallest window, with many outputs, the list opens over the disc.
    let mut state = rooms::playing();
    let outputs = (0..8).map(|number| Output {
        id: format!("card-{number}"),
        name: format!("Card {number}"),
        is_default: number == 0,
    });
    state.apply(SessionEvent::Outputs(outputs.collect()));
    let mut window = open_sized(state, LEAST_SIZE, 1.0);
    window.get_by_label("Output").scroll_to_me();
    window.run();
    window.get_by_label("Output").click();
    assert_eq!(asked(&mut window), []);
    let disc = window.get_by_label("Bang").rect();
    let over = (0..8)
        .map(|number| (number, window.get_by_label(&format!("Card {number}")).rect().center()))
        .find(|(_, center)| center.distance(disc.center()) < disc.width() / 2.0 - 8.0);
    let (number, _) = over.expect("an entry lies over the disc");
    window.get_by_label(&format!("Card {number}")).click();
    let choice = OutputChoice::Device(format!("card-{number}"));
    assert_eq!(asked(&mut window), [Action::SetOutput(choice)]);
}

#[test]
fn stop_all_stops_all() {
    let mut window = open(rooms::playing());
    window.get_by_label("Stop all").click();
    assert_eq!(asked(&mut window), [Action::StopAll]);
}

#[test]
fn escape_stops_all_wherever_the_keyboard_is() {
    let mut window = open(rooms::playing());
    window.key_press(Key::Escape);
    assert_eq!(asked(&mut window), [Action::StopAll]);
    window.get_by_label("Sound bell").focus();
    window.run();
    window.key_press(Key::Escape);
    assert_eq!(asked(&mut window), [Action::StopAll]);
}

#[test]
fn escape_in_the_address_only_closes_it() {
    let mut window = open(rooms::playing());
    window.get_by_label("Change relay").click();
    assert_eq!(asked(&mut window), []);
    window.key_press(Key::Escape);
    assert_eq!(asked(&mut window), []);
    window.key_press(Key::Escape);
    assert_eq!(asked(&mut window), [Action::StopAll]);
}

#[test]
fn another_relay_is_typed_in_without_banging() {
    let mut window = open(rooms::playing());
    window.get_by_label("Change relay").click();
    assert_eq!(asked(&mut window), []);
    // The old address is selected, so the first letter replaces it.
    window.get_by_label("Relay address").type_text("stage:4000 ");
    window.key_press(Key::Space);
    assert_eq!(asked(&mut window), []);
    window.key_press(Key::Enter);
    assert_eq!(asked(&mut window), [Action::SetRelay(TypedAddress::new("stage:4000"))]);
    assert_eq!(window.state().state.connection, Connection::Connecting);
    assert!(window.query_by_label("Relay address").is_none(), "the editor has closed");

    window.get_by_label("Change relay").click();
    window.run();
    window.key_press(Key::Escape);
    assert_eq!(asked(&mut window), []);
    assert!(window.query_by_label("Relay address").is_none());

    window.get_by_label("Change relay").click();
    window.run();
    window.get_by_label("Relay address").type_text("stage:4000#token=hidden");
    window.run();
    window.get_by_label("Connect").click();
    let typed = [Action::SetRelay(TypedAddress::new("stage:4000#token=hidden"))];
    assert_eq!(asked(&mut window), typed);
    assert_eq!(window.state().state.relay, "stage:4000");
    window.get_by_label("Change relay").click();
    window.run();
    let field = window.get_by_label("Relay address");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("stage:4000"));
    // Nor does undoing bring back what was typed before.
    for _ in 0..3 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        window.run();
    }
    let field = window.get_by_label("Relay address");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("stage:4000"));
    field.type_text("here");
    window.run();
    window.get_by_label("Connect").click();
    assert_eq!(asked(&mut window), [Action::SetRelay(TypedAddress::new("here"))]);
}

#[test]
fn a_lost_relay_is_explained_and_can_be_tried_at_once() {
    let mut state = rooms::playing();
    rooms::lose(&mut state);
    let mut window = open(state);
    window.get_by_label("studio-pc:3000 refused the connection");
    window.get_by_label("Trying again within 2 seconds.");
    window.get_by_label("Try now").click();
    assert_eq!(asked(&mut window), [Action::RetryNow]);
    window.key_press(Key::Space);
    window.get_by_label("Bang").click_accesskit();
    assert_eq!(asked(&mut window), [], "there is nobody to bang at");
    assert!(window.query_by_label("stage-right").is_none(), "the room is left");
}

#[test]
fn a_wrong_address_leads_to_the_editor() {
    let mut state = rooms::with_output();
    state.apply(SessionEvent::WrongAddress { reason: "port 99999 does not exist".to_owned() });
    let mut window = open(state);
    window.get_by_label("port 99999 does not exist");
    window.get_by_label("Change address").click();
    assert_eq!(asked(&mut window), []);
    assert!(window.get_by_label("Relay address").is_focused());
}

#[test]
fn a_plain_relay_is_named_as_one() {
    let mut state = rooms::with_output();
    rooms::connect_plain(&mut state);
    let mut window = open(state);
    window.get_by_label_contains("Plain relay");
    window.get_by_label_contains("keeps no list");
    window.get_by_label("Bang").click();
    assert_eq!(asked(&mut window), [bang("click")]);
}

#[test]
fn trouble_is_told_where_it_matters() {
    let mut state = rooms::playing();
    state.apply(SessionEvent::OutputLost { reason: "the sound server has no device".to_owned() });
    state.apply(SessionEvent::SoundFailed {
        name: "chord".to_owned(),
        reason: "its file is cut short".to_owned(),
    });
    state.apply(SessionEvent::Refused { reason: "too many bangs".to_owned() });
    let mut window = open(state);
    window.get_by_label_contains("the sound server has no device");
    window.get_by_label("No output");
    window.get_by_label("chord: its file is cut short");
    window.get_by_label("The relay refused: too many bangs");

    // The next trigger that is heard says that things go on.
    let heard = rooms::heard("kick", rooms::NOW);
    window.state_mut().state.apply(SessionEvent::Heard(heard));
    window.step();
    assert!(window.query_by_label_contains("refused").is_none());
    window.get_by_label("This machine is silent: it has no output");
}

#[test]
fn the_room_is_told() {
    let window = open(rooms::playing());
    window.get_by_label("41 here");
    window.get_by_label("lab-3  you");
    window.get_by_label("window · within ±28 µs");
    window.get_by_label("page · only ±2.4 ms · 3 late");
    window.get_by_label("window · joins midway · 12 late");
    window.get_by_label("and 34 more");
    window.get_by_label("14 ms");
    window.get_by_label("bell  by  stage-left");
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let mut window = open(rooms::playing());
    window.run();
    let delay = |window: &Harness<'_, Window>| {
        window.output().viewport_output[&ViewportId::ROOT].repaint_delay
    };
    assert_eq!(delay(&window), Duration::MAX);

    // A trigger that is on its way is waited for, drawn while it flashes, and forgotten.
    let at = rooms::NOW.plus_nanos(20_000_000);
    window.state_mut().state.apply(SessionEvent::Heard(rooms::heard("bell", at)));
    window.step();
    assert!(delay(&window) <= Duration::from_millis(20));
    window.state_mut().now = at;
    window.step();
    assert!(delay(&window) <= Duration::from_millis(16));
    window.state_mut().now = at.plus_nanos(1_000_000_000);
    window.run();
    assert_eq!(delay(&window), Duration::MAX);
}

#[test]
fn the_bang_stays_where_it_is_whatever_happens() {
    for size in [FIRST_SIZE, LEAST_SIZE] {
        let places = Layout::of(Rect::from_min_size(Pos2::ZERO, size));
        for state in [rooms::connecting(), rooms::with_output(), rooms::playing()] {
            let window = open_sized(state, size, 1.0);
            let disc = window.get_by_label("Bang").rect();
            assert!(disc.center().distance(places.center) < 0.5, "{disc:?}");
        }
    }
}

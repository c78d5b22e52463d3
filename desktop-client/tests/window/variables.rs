//! The controls of the variables.

use downbeat::{action::Action, event::SessionEvent, state::State};
use downbeat_protocol::{ClientId, SetRequest, VariableState};
use egui::{Key, Modifiers, vec2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use serde_json::{Value, json};

use crate::{
    actions, press,
    support::{Window, open, scenes},
};

/// A room with one variable.
fn with(declaration: Value) -> State {
    let mut state = scenes::playing();
    let variable: VariableState = serde_json::from_value(declaration).expect("it is valid");
    state.apply(SessionEvent::Variables(vec![variable]), scenes::NOW);
    state
}

/// What was set since the last call.
fn set(window: &mut Harness<'_, Window>) -> Vec<(String, Value)> {
    actions(window)
        .into_iter()
        .map(|action| match action {
            Action::SetVariable(SetRequest { name, value, .. }) => (name, value),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn one(name: &str, value: Value) -> Vec<(String, Value)> {
    vec![(name.to_owned(), value)]
}

fn cutoff() -> Value {
    json!({ "name": "cutoff", "type": "float", "min": 0.0, "max": 1.0, "default": 0.5,
            "label": "Cutoff", "value": 0.25 })
}

#[test]
fn a_fader_sends_at_most_fifty_values_a_second_and_the_last_one_always() {
    let mut window = open(with(cutoff()));
    let fader = window.get_by_label("Cutoff").rect();
    let at = |share: f32| fader.left_center() + vec2(fader.width() * share, 0.0);
    press(&window, at(0.3), true);
    window.step();
    let mut sent = 0;
    // Two seconds of moves, one a frame of 5 ms.
    for step in 0..400_u16 {
        window.state_mut().now = scenes::NOW.plus_nanos(i64::from(step) * 5_000_000);
        window.hover_at(at(0.3 + f32::from(step) / 800.0));
        window.step();
        sent += std::mem::take(&mut window.state_mut().actions).len();
    }
    assert!((80..=105).contains(&sent), "{sent} values in two seconds");
    // It rests, and is released.
    window.hover_at(at(0.9));
    window.step();
    press(&window, at(0.9), false);
    window.step();
    window.state_mut().actions.clear();
    window.state_mut().now = scenes::NOW.plus_nanos(3_000_000_000);
    window.step();
    let last = std::mem::take(&mut window.state_mut().actions);
    let shown = match last.as_slice() {
        [Action::SetVariable(request)] => request.value.as_f64().expect("a number"),
        other => panic!("{other:?}"),
    };
    assert!((shown - 0.9).abs() < 0.03, "{shown}");
}

#[test]
fn a_fader_follows_the_hand_that_holds_it_and_others_otherwise() {
    let mut window = open(with(cutoff()));
    let value = |window: &Harness<'_, Window>| {
        let text = window.get_by_label("Cutoff").accesskit_node().numeric_value();
        text.expect("a number")
    };
    let others = |window: &mut Harness<'_, Window>, value: f64| {
        let (name, value) = ("cutoff".to_owned(), json!(value));
        window.state_mut().state.apply(SessionEvent::ValueApplied { name, value }, scenes::NOW);
        window.step();
    };
    others(&mut window, 0.4);
    assert!((value(&window) - 0.4).abs() < 1e-6, "others move it");
    let fader = window.get_by_label("Cutoff").rect();
    press(&window, fader.center(), true);
    window.step();
    window.step();
    others(&mut window, 0.1);
    assert!((value(&window) - 0.5).abs() < 0.01, "it is held: {}", value(&window));
    press(&window, fader.center(), false);
    window.step();
    window.step();
    window.state_mut().now = scenes::NOW.plus_nanos(2_000_000_000);
    window.run();
    assert!((value(&window) - 0.1).abs() < 1e-6, "what the relay says in the end");

    // A double click sets the default.
    window.state_mut().actions.clear();
    window.get_by_label("Cutoff").focus();
    window.run();
    window.key_press(Key::ArrowRight);
    assert_eq!(set(&mut window).len(), 1);
}

#[test]
fn numbers_switches_and_choices_have_fitting_controls() {
    let mut window = open(with(json!({ "name": "section", "type": "int", "min": 1, "max": 3,
        "default": 1, "label": "Section", "value": 2 })));
    window.get_by_label("More Section").click();
    assert_eq!(set(&mut window), one("section", json!(3)));
    window.get_by_label("More Section").click();
    assert_eq!(set(&mut window), [], "it is the largest");
    window.get_by_label("Less Section").click();
    window.state_mut().now = scenes::NOW.plus_nanos(1_000_000_000);
    assert_eq!(set(&mut window), one("section", json!(2)));

    let mut window =
        open(with(json!({ "name": "lights", "type": "bool", "label": "Lights", "value": false })));
    window.get_by_label("Lights").click();
    assert_eq!(set(&mut window), one("lights", json!(true)));

    let mode = |choices: &[&str]| {
        json!({ "name": "mode", "type": "enum", "choices": choices, "default": choices[0],
                "label": "Mode", "value": choices[0] })
    };
    let mut window = open(with(mode(&["low", "band", "high"])));
    window.get_by_label("high").click();
    assert_eq!(set(&mut window), one("mode", json!("high")));
    let many = ["a", "b", "c", "d", "e", "f", "g"];
    let mut window = open(with(mode(&many)));
    window.get_by_label("Mode").click();
    window.run();
    window.get_by_label("f").click();
    assert_eq!(set(&mut window), one("mode", json!("f")));
}

#[test]
fn texts_are_sent_with_enter_and_given_up_with_escape() {
    let title = json!({ "name": "title", "type": "text", "label": "Title", "value": "Opening" });
    let mut window = open(with(title));
    let typed = |window: &mut Harness<'_, Window>, text: &str| {
        window.get_by_label("Title").focus();
        window.run();
        window.key_press_modifiers(Modifiers::COMMAND, Key::A);
        window.run();
        window.get_by_label("Title").type_text(text);
        assert_eq!(set(window), [], "incomplete input has no effect");
    };
    typed(&mut window, "Finale");
    window.key_press(Key::Enter);
    assert_eq!(set(&mut window), one("title", json!("Finale")));
    typed(&mut window, "nothing");
    window.key_press(Key::Escape);
    assert_eq!(set(&mut window), []);
    let value = window.get_by_label("Title").value();
    assert_eq!(value.as_deref(), Some("Finale"));
}

#[test]
fn json_shows_its_error_and_sends_what_is_valid() {
    let score = json!({ "name": "score", "type": "any", "label": "Score", "value": [1, 2] });
    let mut window = open(with(score));
    window.get_by_label("Score").focus();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Score").type_text("{\"a\": ");
    assert_eq!(set(&mut window), []);
    window.get_by_label_contains("EOF while parsing");
    window.get_by_label("Send").click();
    assert_eq!(set(&mut window), [], "it is not valid");
    window.get_by_label("Score").focus();
    window.run();
    window.get_by_label("Score").type_text("1}");
    window.run();
    window.get_by_label("Send").click();
    assert_eq!(set(&mut window), one("score", json!({ "a": 1 })));
}

#[test]
fn events_are_buttons_and_each_press_is_sent() {
    let cue =
        json!({ "name": "cue", "type": "bool", "event": true, "label": "Cue", "value": null });
    let mut window = open(with(cue));
    for _ in 0..2 {
        window.get_by_label("Cue").click();
        assert_eq!(set(&mut window), one("cue", json!(true)));
        let (name, value) = ("cue".to_owned(), Value::Null);
        window.state_mut().state.apply(SessionEvent::ValueApplied { name, value }, scenes::NOW);
    }
    let hit = json!({ "name": "hit", "type": "float", "min": 0.0, "max": 10.0, "default": 0.0,
                      "event": true, "label": "Hit", "value": null });
    let mut window = open(with(hit));
    window.get_by_label("Hit").focus();
    window.run();
    window.get_by_label("Hit").type_text("2,5");
    window.run();
    window.get_by_label("Send").click();
    assert_eq!(set(&mut window), one("hit", json!(2.5)));
}

#[test]
fn a_variable_of_each_machine_is_set_here_or_on_all() {
    let level = json!({ "name": "mute", "type": "bool", "scope": "machine", "label": "Mute",
                        "value": false });
    let mut window = open(with(level));
    let target = |window: &mut Harness<'_, Window>| match actions(window).as_slice() {
        [Action::SetVariable(request)] => request.target.clone(),
        other => panic!("{other:?}"),
    };
    window.get_by_label("Mute").click();
    let own = target(&mut window).expect("this machine");
    assert_eq!(own.clients, [ClientId(7)]);
    window.get_by_label("All machines").click();
    assert_eq!(actions(&mut window), []);
    window.state_mut().now = scenes::NOW.plus_nanos(1_000_000_000);
    window.get_by_label("Mute").click();
    assert_eq!(target(&mut window), None);
}

#[test]
fn variables_out_of_sight_are_not_drawn() {
    let shapes = |count: usize| {
        let variable = |number: usize| -> VariableState {
            let mut declaration = cutoff();
            declaration["name"] = json!(format!("v{number}"));
            serde_json::from_value(declaration).expect("it is valid")
        };
        let mut state = scenes::playing();
        state.apply(SessionEvent::Variables((0..count).map(variable).collect()), scenes::NOW);
        let mut window = open(state);
        window.run();
        window.output().shapes.len()
    };
    assert_eq!(shapes(100), shapes(5000));
}

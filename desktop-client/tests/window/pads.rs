//! The pads: presses, velocity, keys, search, and what is drawn.

use downbeat::{
    action::Action,
    event::{SessionEvent, VoiceEnd, VoiceUpdate},
    state::State,
    ui::{FIRST_SIZE, MIN_SIZE},
};
use downbeat_protocol::{StopRequest, TONE, TriggerRequest};
use egui::{
    Event, Key, Modifiers, Pos2, Rect, TouchDeviceId, TouchId, TouchPhase, ViewportId, vec2,
};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions, bang, press,
    support::{Window, open, open_sized, scenes},
};

fn banged(actions: &[Action]) -> &TriggerRequest {
    match actions {
        [Action::Bang(request)] => request,
        other => panic!("{other:?}"),
    }
}

fn pad(window: &Harness<'_, Window>, name: &str) -> Rect {
    window.get_by_label(&format!("Pad {name}")).rect()
}

#[test]
fn a_pad_plays_on_press_and_not_on_release() {
    let mut window = open(scenes::playing());
    let top = pad(&window, "chord").center_top();
    press(&window, top, true);
    assert_eq!(actions(&mut window), [bang("chord")]);
    press(&window, top, false);
    assert_eq!(actions(&mut window), []);
}

#[test]
fn where_a_pad_is_hit_says_how_hard() {
    let mut window = open(scenes::playing());
    let rect = pad(&window, "chord");
    let mut gain_at = |position: Pos2| {
        press(&window, position, true);
        press(&window, position, false);
        banged(&actions(&mut window)).gain
    };
    assert_eq!(gain_at(rect.center_top()), 1.0);
    let middle = gain_at(rect.center());
    assert!((20.0 * middle.log10() + 6.0).abs() < 0.1, "{middle}");
    let bottom = gain_at(rect.center_bottom() - vec2(0.0, 0.01));
    assert!((20.0 * bottom.log10() + 24.0).abs() < 0.1, "{bottom}");
}

#[test]
fn every_finger_plays_once() {
    let mut window = open(scenes::playing());
    let (first, second) = (pad(&window, "chord").center_top(), pad(&window, "bell").center_top());
    let touch = |number: u64, pos: Pos2| Event::Touch {
        device_id: TouchDeviceId(0),
        id: TouchId(number),
        phase: TouchPhase::Start,
        pos,
        force: None,
    };
    // The system reports the first finger as the pointer, too.
    let pointer = Event::PointerButton {
        pos: first,
        button: egui::PointerButton::Primary,
        pressed: true,
        modifiers: Modifiers::NONE,
    };
    window.input_mut().events.extend([touch(1, first), pointer, touch(2, second)]);
    // Within a frame, the order is that of the pads.
    assert_eq!(actions(&mut window), [bang("bell"), bang("chord")]);
}

#[test]
fn digits_and_letters_play_the_pads_by_position() {
    let mut window = open(scenes::instrument());
    for (key, sound) in [(Key::Num1, "click"), (Key::Num0, "hat open"), (Key::Q, "low tom")] {
        window.key_down(key);
        assert_eq!(actions(&mut window), [bang(sound)]);
        window.key_down(key);
        assert_eq!(actions(&mut window), [], "a held key plays once");
        window.key_up(key);
    }
    // The position on the keyboard counts, not what is printed there.
    window.event(Event::Key {
        key: Key::A,
        physical_key: Some(Key::Q),
        pressed: true,
        repeat: false,
        modifiers: Modifiers::NONE,
    });
    assert_eq!(actions(&mut window), [bang("low tom")]);
    window.key_press_modifiers(Modifiers::CTRL, Key::Q);
    assert_eq!(actions(&mut window), []);
}

#[test]
fn a_focused_pad_plays_with_space_and_so_does_assistive_technology() {
    let mut window = open(scenes::playing());
    window.get_by_label("Pad bell").focus();
    window.run();
    window.key_press(Key::Space);
    assert_eq!(actions(&mut window), [bang("bell")]);
    window.get_by_label("Pad chord").click_accesskit();
    assert_eq!(actions(&mut window), [bang("chord")]);
}

#[test]
fn the_tone_plays_as_the_strip_says() {
    let mut window = open(scenes::playing());
    window.get_by_label("Square").click();
    window.get_by_label("Frequency").set_value_accesskit(220.0);
    window.get_by_label("Gain").set_value_accesskit(-6.0);
    window.get_by_label("Pitch").set_value_accesskit(12.0);
    window.get_by_label("Pan").set_value_accesskit(-0.5);
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Pad tone").click_accesskit();
    let played = actions(&mut window);
    let request = banged(&played);
    assert_eq!(request.sound.as_deref(), Some(TONE));
    let tone = request.tone.expect("a tone");
    assert!((tone.frequency.expect("a frequency") - 220.0).abs() < 0.01);
    assert_eq!(tone.shape, downbeat_protocol::Shape::Square);
    assert!((request.gain - 0.5012).abs() < 1e-3);
    assert_eq!((request.rate, request.pan), (2.0, -0.5));

    // Double click resets one, the command all.
    let gain = window.get_by_label("Gain").rect().center();
    let button = |pressed: bool| Event::PointerButton {
        pos: gain,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    window.hover_at(gain);
    window.step();
    window.input_mut().events.extend([true, false, true, false].map(button));
    assert_eq!(actions(&mut window), []);
    window.key_press(Key::Num1);
    assert_eq!(banged(&actions(&mut window)).gain, 1.0);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    assert_eq!(actions(&mut window), []);
    window.key_press(Key::Num1);
    assert_eq!(actions(&mut window), [bang("click")]);
}

#[test]
fn a_tutorial_relay_has_no_tone() {
    let mut state = scenes::with_output();
    scenes::connect_tutorial(&mut state);
    let window = open(state);
    window.get_by_label("Pad click");
    assert!(window.query_by_label("Pad tone").is_none());
}

#[test]
fn a_sounding_pad_can_be_stopped() {
    let mut state = scenes::playing();
    scenes::sounding(&mut state, 1, "texture", 1_000, Some(30_000));
    let mut window = open(state);
    assert!(window.query_by_label("Stop bell").is_none(), "it does not sound");
    let stop = window.get_by_label("Stop texture").rect().center();
    press(&window, stop, true);
    press(&window, stop, false);
    let stopped = Action::Stop(StopRequest { trigger: None, sound: Some("texture".to_owned()) });
    assert_eq!(actions_once(&mut window), std::slice::from_ref(&stopped));
    window.get_by_label("Stop texture").click_accesskit();
    assert_eq!(actions_once(&mut window), [stopped]);
    let ended = VoiceUpdate::Ended { voice: 1, reason: VoiceEnd::Finished };
    window.state_mut().state.apply(SessionEvent::Voice(ended), scenes::NOW);
    window.run();
    assert!(window.query_by_label("Stop texture").is_none());
}

/// The actions since the last call, while something moves and so every frame asks for the next.
fn actions_once(window: &mut Harness<'_, Window>) -> Vec<Action> {
    window.step();
    window.step();
    std::mem::take(&mut window.state_mut().actions)
}

#[test]
fn without_a_relay_no_pad_plays() {
    let mut state = scenes::playing();
    scenes::lose(&mut state);
    let mut window = open(state);
    window.key_press(Key::Num1);
    window.get_by_label("Pad texture").click();
    window.get_by_label("Pad texture").click_accesskit();
    assert_eq!(actions(&mut window), []);
}

#[test]
fn a_search_shows_what_it_finds_and_keys_keep_their_pads() {
    let mut window = open(scenes::instrument());
    // As the system reports it: the key and its text at once.
    let slash = Event::Key {
        key: Key::Slash,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::NONE,
    };
    window.input_mut().events.extend([slash, Event::Text("/".to_owned())]);
    assert_eq!(actions_once(&mut window), []);
    let field = window.get_by_label("Search sounds");
    assert!(field.is_focused());
    assert_eq!(field.value().as_deref().unwrap_or_default(), "", "the slash is not typed");
    field.type_text("hat");
    window.key_press(Key::H);
    assert_eq!(actions_once(&mut window), [], "what is typed does not play");
    window.get_by_label("Pad hat open");
    window.get_by_label("2 of 16");
    assert!(window.query_by_label("Pad bell").is_none());

    // Enter leaves the field, and the keys play again: each its own pad, found or not.
    window.key_press(Key::Enter);
    assert_eq!(actions_once(&mut window), []);
    window.key_press(Key::Num4);
    assert_eq!(actions_once(&mut window), [bang("bell")]);

    // Esc leaves the field first, with what is in it, and only then stops.
    window.key_press_modifiers(Modifiers::COMMAND, Key::F);
    assert_eq!(actions_once(&mut window), []);
    window.key_press(Key::Escape);
    assert_eq!(actions_once(&mut window), []);
    window.get_by_label("Pad bell");
    window.key_press(Key::Escape);
    assert_eq!(actions_once(&mut window), [Action::StopAll]);
}

fn with_bank(count: usize) -> State {
    let mut state = scenes::playing();
    let bank = scenes::bank_of(count);
    let default_sound = bank[0].name.clone();
    state.apply(
        SessionEvent::BankChanged(scenes::served(bank.clone(), &default_sound)),
        scenes::NOW,
    );
    for sound in bank {
        let waveform = scenes::waveform(&sound.name);
        state.apply(SessionEvent::SoundReady { name: sound.name, waveform }, scenes::NOW);
    }
    state
}

#[test]
fn pads_out_of_sight_are_not_drawn() {
    for size in [MIN_SIZE, FIRST_SIZE] {
        let shapes = |count: usize| {
            let mut window = open_sized(with_bank(count), size, 1.0);
            window.run();
            window.output().shapes.len()
        };
        let (hundred, thousand) = (shapes(100), shapes(1000));
        assert_eq!(hundred, thousand, "at {size:?}");
    }
    let window = open(with_bank(1000));
    assert!(window.query_by_label("Pad sound 999").is_none());
}

#[test]
fn a_hundred_pads_scroll() {
    let mut window = open(with_bank(100));
    assert!(window.query_by_label("Pad tone").is_none());
    window.hover_at(pad(&window, "sound 010").center());
    window.event(Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        source: egui::MouseWheelSource::Wheel,
        delta: vec2(0.0, -20_000.0),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
    });
    window.run_steps(12);
    window.get_by_label("Pad tone");
    assert!(window.query_by_label("Pad sound 000").is_none());
}

#[test]
fn frames_are_drawn_while_a_voice_sweeps_and_not_after() {
    let mut state = scenes::playing();
    scenes::sounding(&mut state, 1, "bell", 1_000, Some(3_000));
    let mut window = open(state);
    window.step();
    let delay = |window: &Harness<'_, Window>| {
        window.output().viewport_output[&ViewportId::ROOT].repaint_delay
    };
    assert!(delay(&window) <= std::time::Duration::from_millis(100));
    window.get_by_label("Stop bell");
    window.state_mut().now = scenes::NOW.plus_nanos(5_000_000_000);
    window.run();
    assert_eq!(delay(&window), std::time::Duration::MAX, "its end has passed");
    assert!(window.query_by_label("Stop bell").is_none());
}

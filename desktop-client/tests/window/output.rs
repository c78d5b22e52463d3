//! The output panel: volume, extra latency, and the choice of the device.

use downbeat::{
    action::Action,
    event::SessionEvent,
    settings::{ExtraLatency, OutputChoice},
    state::OutputState,
    ui::View,
};
use egui::{Key, accesskit::Role};
use egui_kittest::kittest::Queryable as _;

use crate::{
    actions, bang, press,
    support::{open, open_view, scenes, show},
};

#[test]
fn the_volume_follows_pointer_keys_and_assistive_technology() {
    let mut window = open(scenes::playing());
    let volume = |actions: &[Action]| match actions.last() {
        Some(Action::SetVolume(volume)) => *volume,
        other => panic!("{other:?}"),
    };
    let fader = window.get_by_label("Volume").rect();
    press(&window, fader.left_center(), true);
    press(&window, fader.left_center(), false);
    assert_eq!(volume(&actions(&mut window)), 0.0);
    press(&window, fader.right_center(), true);
    press(&window, fader.right_center(), false);
    assert_eq!(volume(&actions(&mut window)), 1.0);

    window.get_by_label("Volume").focus();
    window.run();
    window.key_press(Key::ArrowLeft);
    let lower = volume(&actions(&mut window));
    assert!((lower - 0.95_f32.powi(3)).abs() < 1e-4, "{lower}");
    window.key_press(Key::ArrowRight);
    assert!(volume(&actions(&mut window)) > 0.999);

    window.get_by_label("Volume").set_value_accesskit(50.0);
    let half = volume(&actions(&mut window));
    assert!((half - 0.125).abs() < 1e-4, "{half}");
    assert_eq!(actions(&mut window), [], "an unchanged value is not sent");
}

#[test]
fn the_extra_latency_is_typed_stepped_dragged_and_reset() {
    let set = |millis| Action::SetExtraLatency(ExtraLatency::from_millis(millis));
    let mut window = open_view(scenes::playing(), View::Settings);
    assert!(window.query_by_label("Reset extra latency").is_none(), "there is nothing to reset");

    // A click opens it for typing, with everything selected. Neither digits nor Enter bang.
    window.get_by_label("Extra latency").click();
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Extra latency").type_text("12,5");
    assert_eq!(actions(&mut window), [], "incomplete input has no effect");
    window.key_press(Key::Enter);
    assert_eq!(actions(&mut window), [set(12.5)]);
    window.get_by_label("Plays earlier");

    window.get_by_label("More extra latency").click();
    assert_eq!(actions(&mut window), [set(13.5)]);
    window.get_by_label("Less extra latency").click();
    assert_eq!(actions(&mut window), [set(12.5)]);
    window.get_by_label("Reset extra latency").click();
    assert_eq!(actions(&mut window), [set(0.0)]);
    window.get_by_label("Less extra latency").click();
    assert_eq!(actions(&mut window), [set(-1.0)]);
    window.get_by_label("Plays later");

    let number = window.get_by_label("Extra latency").rect();
    press(&window, number.center(), true);
    window.run();
    for step in 1..=20_u8 {
        window.hover_at(number.center() + egui::vec2(f32::from(step), 0.0));
        window.step();
    }
    press(&window, number.center() + egui::vec2(20.0, 0.0), false);
    let dragged = actions(&mut window);
    let Some(Action::SetExtraLatency(extra)) = dragged.last() else { panic!("{dragged:?}") };
    assert!((0.5..=1.5).contains(&extra.millis()), "{extra}");

    window.get_by_label("Extra latency").set_value_accesskit(900.0);
    assert_eq!(actions(&mut window), [set(500.0)]);
    assert_eq!(actions(&mut window), [], "an unchanged value is not sent");
    window.key_press(Key::Space);
    assert_eq!(actions(&mut window), [bang("click")], "the bang has the keyboard again");
}

#[test]
fn each_output_shows_its_own_extra_latency() {
    let mut window = open_view(scenes::playing(), View::Settings);
    let opened = |millis| SessionEvent::OutputOpened {
        id: "bluez_output.ue".to_owned(),
        name: "UE BOOM 2".to_owned(),
        extra_latency: ExtraLatency::from_millis(millis),
        fallback_reason: None,
    };
    window.state_mut().state.apply(opened(180.0), scenes::NOW);
    window.run();
    assert_eq!(window.get_by_label("Extra latency").value().as_deref(), Some("+180.0 ms"));
    let lost = SessionEvent::OutputLost { reason: "it is gone".to_owned() };
    window.state_mut().state.apply(lost, scenes::NOW);
    window.run();
    assert!(window.query_by_label("Extra latency").is_none());
    assert_eq!(actions(&mut window), []);
}

#[test]
fn a_fallback_output_shows_its_reason() {
    let mut window = open(scenes::playing());
    window.state_mut().state.apply(
        SessionEvent::OutputOpened {
            id: "hdmi".to_owned(),
            name: "HDMI".to_owned(),
            extra_latency: ExtraLatency::NONE,
            fallback_reason: Some("Scarlett is not available".to_owned()),
        },
        scenes::NOW,
    );
    window.run();
    window.get_by_label("HDMI: Scarlett is not available");
    show(&mut window, View::Settings);
    let shown = window.get_by_label("Output").value();
    assert_eq!(shown.as_deref(), Some("HDMI: Scarlett is not available"));
}

#[test]
fn an_output_is_chosen_from_a_menu() {
    let mut window = open_view(scenes::playing(), View::Settings);
    window.get_by_role_and_label(Role::ComboBox, "Output").click();
    assert_eq!(actions(&mut window), []);
    window.get_by_label("Scarlett 2i2 USB").click();
    let usb = OutputChoice::Device("alsa_output.usb".to_owned());
    assert_eq!(actions(&mut window), [Action::SetOutput(usb.clone())]);
    assert_eq!(window.state().state.output_choice, usb);
    assert_eq!(window.state().state.output, OutputState::Opening);
    assert!(window.query_by_label("UE BOOM 2").is_none(), "the menu has closed");
}

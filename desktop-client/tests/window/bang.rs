//! The bang, the selection of its sound, and stop-all.

use std::time::Duration;

use downbeat::{
    action::Action,
    event::SessionEvent,
    ui::{FIRST_SIZE, Layout, MIN_SIZE, View},
};
use egui::{Key, Pos2, Rect, ViewportId, accesskit::Role};
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::{
    actions, bang, press,
    support::{Window, open, open_sized, open_view, scenes, show},
};

#[test]
fn the_bang_is_on_press_and_not_on_release() {
    let mut window = open(scenes::playing());
    let disc = window.get_by_label("Bang").rect();
    window.hover_at(disc.center());
    assert_eq!(actions(&mut window), []);
    press(&window, disc.center(), true);
    assert_eq!(actions(&mut window), [bang("click")]);
    press(&window, disc.center(), false);
    assert_eq!(actions(&mut window), []);
}

#[test]
fn two_presses_within_a_frame_are_two_bangs() {
    let mut window = open(scenes::playing());
    window.get_by_label("Bang").click();
    window.get_by_label("Bang").click();
    assert_eq!(actions(&mut window), [bang("click"), bang("click")]);
}

#[test]
fn a_press_beside_the_disc_does_not_bang() {
    let mut window = open(scenes::playing());
    let corner = window.get_by_label("Bang").rect().shrink(4.0).left_top();
    press(&window, corner, true);
    press(&window, corner, false);
    assert_eq!(actions(&mut window), []);
}

#[test]
fn space_and_enter_bang_once_while_they_are_held() {
    for key in [Key::Space, Key::Enter] {
        let mut window = open(scenes::playing());
        for _ in 0..5 {
            window.key_down(key);
            window.run();
        }
        assert_eq!(actions(&mut window), [bang("click")]);
        window.key_up(key);
        window.key_down(key);
        assert_eq!(actions(&mut window), [bang("click")]);
    }
}

#[test]
fn the_focused_bang_bangs_once_per_press() {
    let mut window = open(scenes::playing());
    window.get_by_label("Bang").focus();
    window.run();
    window.key_press(Key::Enter);
    assert_eq!(actions(&mut window), [bang("click")]);
}

#[test]
fn a_focused_control_gets_space_for_itself() {
    let mut window = open(scenes::playing());
    window.get_by_label("Stop all").focus();
    window.run();
    window.key_press(Key::Space);
    assert_eq!(actions(&mut window), [Action::StopAll]);
}

#[test]
fn assistive_technology_can_bang() {
    let mut window = open(scenes::playing());
    window.get_by_role_and_label(Role::Button, "Bang").click_accesskit();
    assert_eq!(actions(&mut window), [bang("click")]);
}

#[test]
fn the_selected_sound_is_banged() {
    let mut window = open_view(scenes::playing(), View::Bang);
    window.get_by_label("Sound bell").click();
    assert_eq!(actions(&mut window), [Action::SelectSound("bell".to_owned())]);
    for view in View::ALL {
        show(&mut window, view);
        window.key_press(Key::Space);
        assert_eq!(actions(&mut window), [bang("bell")], "{view:?}");
    }
}

#[test]
fn stop_all_stops_all() {
    let mut window = open(scenes::playing());
    window.get_by_label("Stop all").click();
    assert_eq!(actions(&mut window), [Action::StopAll]);
}

#[test]
fn escape_stops_all_wherever_the_focus_is() {
    let mut window = open(scenes::playing());
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), [Action::StopAll]);
    window.get_by_label("Pad bell").focus();
    window.run();
    window.key_press(Key::Escape);
    assert_eq!(actions(&mut window), [Action::StopAll]);
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let mut window = open(scenes::playing());
    window.run();
    let delay = |window: &Harness<'_, Window>| {
        window.output().viewport_output[&ViewportId::ROOT].repaint_delay
    };
    assert_eq!(delay(&window), Duration::MAX);

    // The window wakes for a scheduled trigger, and redraws while it flashes.
    let at = scenes::NOW.plus_nanos(20_000_000);
    window.state_mut().state.apply(SessionEvent::Played(scenes::played("bell", at)), scenes::NOW);
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
fn the_bang_keeps_its_position() {
    for size in [FIRST_SIZE, MIN_SIZE] {
        let layout = Layout::of(Rect::from_min_size(Pos2::ZERO, size));
        for state in [scenes::connecting(), scenes::with_output(), scenes::instrument()] {
            let mut window = open_sized(state, size, 1.0);
            let disc = window.get_by_label("Bang").rect();
            assert!(disc.center().distance(layout.play().bang.center) < 0.5, "{disc:?}");
            show(&mut window, View::Bang);
            let disc = window.get_by_label("Bang").rect();
            assert!(disc.center().distance(layout.bang().0.center) < 0.5, "{disc:?}");
        }
    }
}

//! User input in the window, and the actions it requests. Widgets are found by their accessible
//! names.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::float_cmp, reason = "the ends of the fader are exact")]

mod bang;
mod bank;
mod joining;
mod output;
mod pads;
mod plan;
mod receipts;
mod relay;
mod rights;
mod room;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod target;
mod variables;
mod views;

use downbeat::action::Action;
use downbeat_protocol::TriggerRequest;
use egui::{Event, Modifiers, PointerButton, Pos2};
use egui_kittest::Harness;
use support::Window;

/// A bang of this sound.
fn bang(sound: &str) -> Action {
    Action::Bang(TriggerRequest { sound: Some(sound.to_owned()), ..TriggerRequest::default() })
}

/// The actions since the last call.
fn actions(window: &mut Harness<'_, Window>) -> Vec<Action> {
    window.run();
    std::mem::take(&mut window.state_mut().actions)
}

/// Presses or releases the pointer.
fn press(window: &Harness<'_, Window>, pos: Pos2, pressed: bool) {
    window.event(Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    });
}

//! The window's views. Every view is a function of the [`State`] and the time: it draws, and returns the
//! [`Action`]s that the person asked for. It reads no clock, starts nothing, and changes nothing but
//! [`Memory`], which concerns the display and the person's next press.
//!
//! Frames are drawn when something happens; between them the window costs nothing.

mod address_editor;
mod bang;
mod command;
mod extra_latency;
mod flash;
mod format;
mod hand;
mod hand_panel;
mod header;
mod keys;
mod layout;
mod memory;
mod meter;
mod output;
mod pads;
mod play;
mod press;
mod room;
mod room_order;
mod settings_view;
mod sounds;
mod streams;
mod tabs;
mod target;
mod target_panel;
pub mod theme;
mod variables;
mod view;
mod widgets;

use egui::Ui;

pub use command::Command;
pub use layout::{FIRST_SIZE, Layout, MIN_SIZE};
pub use memory::Memory;
pub use view::View;

use self::{address_editor::AddressEditor, hand::Hand};
use crate::{action::Action, state::State, time::LocalTime};

/// Draws the window, and returns what the person asked for.
#[must_use]
pub fn show(ui: &mut Ui, state: &State, now: LocalTime, memory: &mut Memory) -> Vec<Action> {
    theme::apply(ui, state.appearance);
    let window = ui.ctx().content_rect();
    let layout = Layout::of(window);
    ui.painter().rect_filled(window, 0.0, theme::palette(ui).background);

    let mut actions = Vec::new();
    // Before anything is drawn, because a field gives up the focus within this frame.
    let mut bangs = 0;
    for command in command::pressed(ui, memory) {
        match command {
            Command::Bang => bangs += 1,
            Command::StopAll => actions.push(Action::StopAll),
            Command::Show(view) => memory.view = view,
            Command::Search => {
                memory.view = View::Play;
                memory.focuses_search = true;
            }
            Command::ResetHand => memory.hand = Hand::default(),
            Command::ChangeRelay => memory.address = Some(AddressEditor::new(&state.relay)),
        }
    }
    actions.extend(variables::send_moved(ui, state, now, memory));
    match memory.view {
        View::Play => actions.extend(play::show(ui, &layout, bangs, state, now, memory)),
        View::Bang => actions.extend(show_bang(ui, &layout, bangs, state, now, memory)),
        View::Room => actions.extend(room::show(ui, &layout, state, memory)),
        View::Settings => {
            actions.extend(settings_view::show(ui, &layout, state, now, memory));
        }
    }
    if matches!(memory.view, View::Room | View::Settings) {
        // A bang is heard in every view: it is how an output is tried.
        actions.extend((0..bangs).filter_map(|_| bang::bang(state, memory)));
    }
    actions.extend(header::show(ui, &layout, state, memory));
    memory.was_typing = ui.ctx().text_edit_focused();
    actions
}

/// Shows the view *Bang*.
fn show_bang(
    ui: &mut Ui,
    layout: &Layout,
    bangs: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let (places, below, rows) = layout.bang();
    let mut actions = bang::show(ui, &places, bangs, state, now, memory);
    hand_panel::show_summary(ui, places.area, &mut memory.hand);
    widgets::scrolling(ui, "sounds", below, |ui| actions.extend(sounds::show(ui, state, rows)));
    actions.extend(bang::show_obstacle(ui, &places, state, memory));
    actions
}

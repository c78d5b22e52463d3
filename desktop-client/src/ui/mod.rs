//! The window's views. Every view is a function of the [`State`] and the time: it draws, and returns the
//! [`Action`]s that the person asked for. It reads no clock, starts nothing, and changes nothing but
//! [`Memory`], which concerns the display and the person's next press.
//!
//! Frames are drawn when something happens; between them the window costs nothing.

mod address_editor;
mod bang;
mod bank;
mod command;
mod extra_latency;
mod flash;
mod format;
mod hand;
mod hand_panel;
mod header;
mod identify;
mod join;
mod keys;
mod layout;
mod memory;
mod meter;
mod output;
mod pads;
mod play;
mod press;
mod receipt;
mod relays;
mod room;
mod settings_view;
mod sounds;
mod streams;
mod tabs;
mod target;
mod target_panel;
pub mod theme;
mod variables;
mod view;
mod watch;
mod widgets;

use egui::{Key, Modifiers, Ui};

pub use command::Command;
pub use layout::{FIRST_SIZE, Layout, MIN_SIZE};
pub use memory::Memory;
pub use view::View;

use self::{address_editor::AddressEditor, hand::Hand, join::JoinPanel};
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
    for command in command::pressed(ui, memory.view, memory.is_something_open()) {
        match command {
            Command::Bang => bangs += 1,
            _ => actions.extend(perform(command, state, now, memory)),
        }
    }
    if let Some(panel) = &mut memory.join
        && !egui::Popup::is_any_open(ui.ctx())
        && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
        && !panel.leave()
    {
        memory.join = None;
    }
    actions.extend(variables::send_moved(ui, state, now, memory));
    if let Some(wait) = state.trouble_fades_in(now) {
        ui.ctx().request_repaint_after(wait);
    }
    if memory.join.as_ref().is_some_and(JoinPanel::is_large) {
        room::leave(&mut memory.room);
        join::show_large(ui, state, &mut memory.join);
        actions.extend((0..bangs).filter_map(|_| bang::bang(state, memory)));
    } else {
        actions.extend(show_view(ui, &layout, bangs, state, now, memory));
        join::show(ui, state, &mut memory.join);
    }
    actions.extend(bank::show_over(ui, &layout, state, now, &mut memory.bank));
    identify::show(ui, state, now);
    actions.extend(watch::update(state, memory));
    memory.was_typing = ui.ctx().text_edit_focused();
    actions
}

/// Does what a key asked for.
fn perform(command: Command, state: &State, now: LocalTime, memory: &mut Memory) -> Option<Action> {
    match command {
        Command::Bang => None,
        Command::StopAll => Some(Action::StopAll),
        Command::Show(view) => {
            memory.view = view;
            None
        }
        Command::Search if memory.view == View::Room && state.is_conductor() => {
            memory.room.focuses_search = true;
            None
        }
        Command::Search => {
            memory.view = View::Play;
            memory.focuses_search = true;
            None
        }
        Command::ResetHand => {
            memory.hand = Hand::default();
            None
        }
        Command::ChangeRelay => {
            memory.address = Some(AddressEditor::new(&state.relay));
            None
        }
        Command::Join => {
            memory.join = memory.join.is_none().then(JoinPanel::default);
            None
        }
        Command::Lock => state.is_conductor().then_some(Action::Lock(!state.locked)),
        Command::EditSounds => {
            if state.is_conductor() {
                memory.bank.toggle_editing();
            }
            None
        }
        _ if memory.view == View::Room => {
            memory.room.commands.push(command);
            None
        }
        _ => bank::perform(command, state, now, &mut memory.bank),
    }
}

/// Shows the view, and the header above it.
fn show_view(
    ui: &mut Ui,
    layout: &Layout,
    bangs: usize,
    state: &State,
    now: LocalTime,
    memory: &mut Memory,
) -> Vec<Action> {
    let mut actions = Vec::new();
    if memory.view != View::Room {
        room::leave(&mut memory.room);
    }
    match memory.view {
        View::Play => actions.extend(play::show(ui, layout, bangs, state, now, memory)),
        View::Bang => actions.extend(show_bang(ui, layout, bangs, state, now, memory)),
        View::Room => {
            let Memory { room, drafts, join, .. } = memory;
            let mut kept = room::Kept { room, drafts, join };
            actions.extend(room::show(ui, layout, state, now, &mut kept));
        }
        View::Settings => {
            actions.extend(settings_view::show(ui, layout, state, now, memory));
        }
    }
    if matches!(memory.view, View::Room | View::Settings) {
        // A bang is heard in every view: it is how an output is tried.
        actions.extend((0..bangs).filter_map(|_| bang::bang(state, memory)));
    }
    actions.extend(header::show(ui, layout, state, now, memory));
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

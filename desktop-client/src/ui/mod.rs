//! The window's views. Every view is a function of the [`State`] and the time: it draws, and returns the
//! [`Action`]s that the person asked for. It reads no clock, starts nothing, and changes nothing but
//! [`Memory`], which concerns the display only.
//!
//! Frames are drawn when something happens; between them the window costs nothing.

mod address_editor;
mod bang;
mod extra_latency;
mod fader;
mod format;
mod header;
mod layout;
mod memory;
mod meter;
mod output;
mod room;
mod sounds;
pub mod theme;
mod widgets;

use egui::{Id, Key, Modifiers, Rect, ScrollArea, Ui, UiBuilder, vec2};

pub use layout::{FIRST_SIZE, Layout, MIN_SIZE};
pub use memory::Memory;

use crate::{action::Action, state::State, time::LocalTime};

/// Draws the window, and returns what the person asked for.
#[must_use]
pub fn show(ui: &mut Ui, state: &State, now: LocalTime, memory: &mut Memory) -> Vec<Action> {
    let window = ui.ctx().content_rect();
    let layout = Layout::of(window);
    // Space and Enter bang, unless the keyboard focus is elsewhere: in the address, or on a control that
    // was reached with Tab. Checked before anything is drawn, because Enter in the address returns the
    // focus within this frame.
    let focus = ui.memory(egui::Memory::focused);
    let has_keyboard = focus.is_none_or(|id| id == Id::unique("bang"));

    // Esc closes the address editor or a menu if one is open; otherwise it stops all. Checked before
    // anything is drawn, because the editor gives up the focus within this frame.
    let is_something_open = memory.address.is_some() || egui::Popup::is_any_open(ui.ctx());
    let stops =
        !is_something_open && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));

    ui.painter().rect_filled(window, 0.0, theme::color::BACKGROUND);
    let mut actions = Vec::new();
    actions.extend(stops.then_some(Action::StopAll));
    actions.extend(bang::show(ui, &layout, state, now, has_keyboard, memory));
    actions.extend(header::show(ui, layout.header, state, memory));
    if let Some(side) = layout.side {
        scrolling(ui, "sounds", layout.below, |ui| {
            actions.extend(sounds::show(ui, state, layout.sound_rows));
        });
        scrolling(ui, "side", side, |ui| {
            actions.extend(output::show(ui, state, now, &mut memory.needles));
            room::show(ui, state);
        });
    } else {
        scrolling(ui, "below", layout.below, |ui| {
            actions.extend(sounds::show(ui, state, layout.sound_rows));
            actions.extend(output::show(ui, state, now, &mut memory.needles));
            room::show(ui, state);
        });
    }
    actions
}

fn scrolling(ui: &mut Ui, name: &str, rect: Rect, contents: impl FnOnce(&mut Ui)) {
    // The scroll bar uses the gap beside the column, so that nothing moves when it appears.
    let outer = Rect::from_min_max(rect.min, rect.max + vec2(theme::PAD - 4.0, 0.0));
    let mut child = ui.new_child(UiBuilder::new().max_rect(outer).id_salt(name));
    child.shrink_clip_rect(outer);
    ScrollArea::vertical().id_salt(name).auto_shrink(false).show(&mut child, |ui| {
        ui.set_max_width(rect.width());
        ui.spacing_mut().item_spacing.y = theme::PAD;
        contents(ui);
    });
}

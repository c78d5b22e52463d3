//! The window's face. Every panel is a function of the [`State`] and the time: it draws, and
//! answers with the [`Action`]s that the person asked for. It reads no clock, starts nothing, and
//! changes no state but [`Memory`], which holds only what concerns the eye.
//!
//! Frames are drawn when something happens; between them the window costs nothing.

mod bang;
mod fader;
mod header;
mod layout;
mod meter;
mod output;
mod parts;
mod room;
mod sounds;
pub mod theme;
mod trim;
mod words;

use egui::{Id, Key, Modifiers, Rect, ScrollArea, Ui, UiBuilder, vec2};

pub use layout::{FIRST_SIZE, LEAST_SIZE, Layout};

use crate::{action::Action, state::State, time::LocalTime};

/// What the window remembers from one frame to the next.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What has been typed into the address editor, while it is open.
    address: Option<header::AddressEditor>,
    /// Where the meter's needles stand.
    needles: meter::Needles,
}

impl Memory {
    fn edit_address(&mut self, relay: &str) {
        self.address = Some(header::AddressEditor::new(relay));
    }
}

/// Draws the window, and says what the person asked for.
#[must_use]
pub fn show(ui: &mut Ui, state: &State, now: LocalTime, memory: &mut Memory) -> Vec<Action> {
    let window = ui.ctx().content_rect();
    let places = Layout::of(window);
    // Space and Enter bang, unless the keyboard is somewhere else on purpose: in the address, or
    // on a control that was reached with Tab. Asked before anything is drawn, because Enter in the
    // address gives the keyboard back within this frame.
    let focus = ui.memory(egui::Memory::focused);
    let keyboard = focus.is_none_or(|id| id == Id::unique("bang"));

    // Esc closes what is open over the window; otherwise it stops. Asked before anything is drawn,
    // because the address gives up the keyboard within this frame.
    let something_is_open = memory.address.is_some() || egui::Popup::is_any_open(ui.ctx());
    let stops =
        !something_is_open && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));

    ui.painter().rect_filled(window, 0.0, theme::color::BACKGROUND);
    let mut actions = Vec::new();
    actions.extend(stops.then_some(Action::StopAll));
    actions.extend(bang::show(ui, &places, state, now, keyboard, memory));
    actions.extend(header::show(ui, places.header, state, memory));
    if let Some(side) = places.side {
        scrolling(ui, "sounds", places.below, |ui| {
            actions.extend(sounds::show(ui, state, places.sound_rows));
        });
        scrolling(ui, "side", side, |ui| {
            actions.extend(output::show(ui, state, now, &mut memory.needles));
            room::show(ui, state);
        });
    } else {
        scrolling(ui, "below", places.below, |ui| {
            actions.extend(sounds::show(ui, state, places.sound_rows));
            actions.extend(output::show(ui, state, now, &mut memory.needles));
            room::show(ui, state);
        });
    }
    actions
}

fn scrolling(ui: &mut Ui, name: &str, rect: Rect, contents: impl FnOnce(&mut Ui)) {
    // The bar has the gap beside the column, so that nothing moves when it comes and goes.
    let outer = Rect::from_min_max(rect.min, rect.max + vec2(theme::PAD - 4.0, 0.0));
    let mut child = ui.new_child(UiBuilder::new().max_rect(outer).id_salt(name));
    child.shrink_clip_rect(outer);
    ScrollArea::vertical().id_salt(name).auto_shrink(false).show(&mut child, |ui| {
        ui.set_max_width(rect.width());
        ui.spacing_mut().item_spacing.y = theme::PAD;
        contents(ui);
    });
}

//! The sounds that were removed and can be put back: a menu, while the bank is edited.

use egui::{Id, Rect, Ui};

use crate::{
    action::Action,
    state::State,
    ui::{theme::GRID, widgets},
};

/// The width of the button that opens the menu.
pub(in crate::ui) const WIDTH: f32 = 14.5 * GRID;

/// Shows the menu, if there are any. Returns what a press asks for.
pub(in crate::ui) fn show(ui: &mut Ui, rect: Rect, state: &State) -> Option<Action> {
    let removed = &state.removed_sounds;
    let text = format!("Removed {}", removed.len());
    let id = Id::unique("removed sounds");
    let response = widgets::opener(ui, rect, id, "Removed sounds", &text);
    let names: Vec<String> =
        removed.iter().map(|sound| format!("Put back {}", sound.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let index = widgets::menu(&response, "Removed sounds", &names, None)?;
    response.on_hover_text("Sounds that were removed and can be put back");
    Some(super::put_back(&removed[index].hash))
}

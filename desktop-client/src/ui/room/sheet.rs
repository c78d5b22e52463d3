//! In one column of the window: a bar below the machines, which opens the panel over them.

use egui::{Align2, Id, Rect, Ui, pos2, vec2};

use super::{Context, inspector};
use crate::ui::room::memory::Kept;
use crate::{
    action::Action,
    ui::{
        layout::RoomPlaces,
        theme::{self, GRID, size},
        widgets,
    },
};

/// Shows the bar, and the panel over the machines while it is open.
pub(super) fn show(
    ui: &mut Ui,
    places: &RoomPlaces,
    bar: Option<Rect>,
    context: &Context<'_>,
    memory: &mut Kept<'_>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    if memory.room.is_sheet_open {
        let sheet = Rect::from_min_max(places.tools.min, places.main.max);
        actions.extend(inspector::show(ui, sheet, context, memory));
    }
    let Some(bar) = bar else { return actions };
    let color = theme::palette(ui);
    let selected = context.selected(&memory.room.selection);
    let (title, note) = match selected.as_slice() {
        [] => ("The room".to_owned(), inspector::summary(context)),
        [only] => (only.name.to_owned(), only.status()),
        several => (format!("{} machines", several.len()), "selected".to_owned()),
    };
    let is_open = memory.room.is_sheet_open;
    let name = if is_open { "Close the panel" } else { "Open the panel" };
    let response = widgets::pressable(ui, bar, Id::unique("sheet"), name, is_open);
    let fill = if response.hovered() { color.raised_hover } else { color.raised };
    let edge = if selected.is_empty() { color.line } else { color.accent };
    widgets::surface(ui, &response, bar, fill, edge);
    let inside = bar.shrink2(vec2(1.5 * GRID, 4.0));
    let text = Rect::from_min_max(inside.min, pos2(inside.right() - 4.0 * GRID, inside.bottom()));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.52);
    let runs = [(title.as_str(), theme::bold(size::SMALL), color.text)];
    widgets::ink(ui, top, Align2::LEFT_CENTER, &runs);
    let runs = [(note.as_str(), theme::regular(size::SMALL), color.muted)];
    widgets::ink(ui, bottom, Align2::LEFT_CENTER, &runs);
    let center = pos2(inside.right() - 1.5 * GRID, inside.center().y);
    let way = if is_open { 1.0 } else { -1.0 };
    let points = [vec2(-6.0, -3.0 * way), vec2(0.0, 3.0 * way), vec2(6.0, -3.0 * way)];
    let line = egui::Stroke::new(2.0, color.muted);
    ui.painter().line(points.map(|point| center + point).to_vec(), line);
    if response.clicked() {
        memory.room.is_sheet_open = !is_open;
    }
    actions
}

//! The sounds of the view *Bang*: a press on one selects it for the bang.

use egui::{Align2, Rect, Ui, Vec2, pos2, vec2};

use super::{
    format,
    theme::{self, GRID, PAD, size},
    widgets,
};
use crate::{
    action::Action,
    state::{BankSound, Readiness, State},
};

const PAD_HEIGHT: f32 = 7.0 * GRID;
const MIN_PAD_WIDTH: f32 = 15.0 * GRID;
const CAPTION_HEIGHT: f32 = 2.0 * GRID;
/// Columns of a small bank: its pads are no wider than this share of the row.
const MIN_COLUMNS: usize = 3;

/// The height of this many rows of pads.
pub(super) fn height(rows: usize) -> f32 {
    CAPTION_HEIGHT + rows as f32 * (GRID + PAD_HEIGHT)
}

/// The columns: as few as possible for the sounds to fit in `rows`, so that the pads are large, or as many
/// as fit in the width.
fn columns(width: f32, sounds: usize, rows: usize) -> usize {
    let fitting = ((width + GRID) / (MIN_PAD_WIDTH + GRID)).floor().max(1.0) as usize;
    sounds.div_ceil(rows.max(1)).max(MIN_COLUMNS).min(fitting)
}

/// Shows the sounds, in `rows` rows if they fit.
pub(super) fn show(ui: &mut Ui, state: &State, rows: usize) -> Vec<Action> {
    let color = theme::palette(ui);
    let mut actions = Vec::new();
    let width = ui.available_width();
    let columns = columns(width, state.bank.len(), rows);
    let needed = height(state.bank.len().div_ceil(columns).max(1));
    let area = ui.allocate_space(vec2(width, needed)).1;
    let title = Rect::from_min_size(area.min, vec2(width, CAPTION_HEIGHT));
    widgets::caption(ui, title, Align2::LEFT_CENTER, "SOUND OF THE BANG");
    let top = title.bottom() + GRID;

    if state.bank.is_empty() {
        let slot = Rect::from_min_size(pos2(area.left(), top), vec2(width, PAD_HEIGHT));
        ui.painter().rect_filled(slot, theme::ROUNDING, color.panel);
        let text = if state.can_bang() {
            "The relay has no sounds"
        } else {
            "Sounds appear once connected"
        };
        let runs = [(text, theme::regular(size::BODY), color.muted)];
        widgets::line(ui, slot.shrink2(vec2(PAD, 0.0)), Align2::CENTER_CENTER, &runs);
        return actions;
    }

    let each = vec2((width - GRID * (columns - 1) as f32) / columns as f32, PAD_HEIGHT);
    for (index, sound) in state.bank.iter().enumerate() {
        let place = vec2((index % columns) as f32, (index / columns) as f32);
        let min = pos2(area.left(), top) + place * (each + Vec2::splat(GRID));
        let chosen = state.selected.as_ref() == Some(&sound.info.name);
        if show_pad(ui, Rect::from_min_size(min, each), sound, chosen) {
            actions.push(Action::SelectSound(sound.info.name.clone()));
        }
    }
    actions
}

fn show_pad(ui: &mut Ui, rect: Rect, sound: &BankSound, chosen: bool) -> bool {
    let color = theme::palette(ui);
    let name = &sound.info.name;
    let id = ui.scope_id().with(("sound", &sound.info.hash, name));
    let response = widgets::pressable(ui, rect, id, &format!("Sound {name}"), chosen);
    let (fill, border) = match (chosen, response.hovered()) {
        (true, _) => (color.chosen, color.accent),
        (false, true) => (color.raised_hover, color.line),
        (false, false) => (color.raised, color.raised),
    };
    widgets::surface(ui, &response, rect, fill, border);

    let length = format::micros(sound.info.duration_micros(1.0));
    let (note, note_ink) = match &sound.readiness {
        Readiness::Ready => (length, color.muted),
        Readiness::Loading => ("Loading…".to_owned(), color.muted),
        Readiness::OnFirstUse => ("Loads on first use".to_owned(), color.muted),
        Readiness::Failed { .. } => ("Not playable".to_owned(), color.bad),
    };
    let ink = if sound.readiness == Readiness::Ready { color.text } else { color.muted };
    let text = rect.shrink2(vec2(1.5 * GRID, GRID));
    let (top, bottom) = text.split_top_bottom_at_fraction(0.55);
    widgets::ink(ui, top, Align2::LEFT_CENTER, &[(name, theme::bold(size::NAME), ink)]);
    widgets::ink(
        ui,
        bottom,
        Align2::LEFT_CENTER,
        &[(&note, theme::regular(size::SMALL), note_ink)],
    );
    widgets::describe(ui, &response, &note);
    let clicked = response.clicked();
    if let Readiness::Failed { reason } = &sound.readiness {
        response.on_hover_text(format!("Not playable on this machine: {reason}"));
    }
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_are_as_large_as_the_bank_allows() {
        assert_eq!(columns(420.0, 6, 2), 3);
        assert_eq!(columns(1200.0, 6, 2), 3);
        assert_eq!(columns(1200.0, 12, 2), 6);
        assert_eq!(columns(1200.0, 1, 2), 3);
        assert_eq!(columns(420.0, 40, 2), 3, "the rest is scrolled to");
        assert_eq!(columns(10.0, 1, 2), 1);
    }
}
